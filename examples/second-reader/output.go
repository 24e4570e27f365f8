package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// recordView is a version as it is printed. The fields of its JSON are sorted.
type recordView struct {
	Added     string   `json:"added"`
	Author    *string  `json:"author"`
	Bytes     uint64   `json:"bytes"`
	Category  string   `json:"category"`
	Codes     []string `json:"codes"`
	Date      *string  `json:"date"`
	File      *string  `json:"file"`
	Kind      string   `json:"kind"`
	Labels    []string `json:"labels"`
	MediaType string   `json:"media_type"`
	OnRequest bool     `json:"on_request,omitempty"`
	Origin    *id16    `json:"origin"`
	Record    id16     `json:"record"`
	SavedAs   string   `json:"saved_as,omitempty"`
	Source    *string  `json:"source_id"`
	Title     string   `json:"title"`
	Version   id16     `json:"version"`
}

func view(e *entry) recordView {
	v := recordView{Record: e.record, Version: e.version, Kind: e.kind, Category: categoryName(e.category),
		Title: e.title, Labels: append([]string{}, e.labels...), MediaType: e.mediaType, Source: e.source,
		Codes: append([]string{}, e.codes...), File: e.file, Origin: e.origin, OnRequest: e.wrapped != nil,
		Bytes: e.size, Added: moment(e.added)}
	if e.date != "" {
		v.Date = &e.date
	}
	if e.author != "" {
		v.Author = &e.author
	}
	return v
}

func (r *report) entry(v recordView) {
	text := fmt.Sprintf("%s  %-18s %-12s %-10s %10d  %s", v.Record, v.Kind, v.Category, orDash(v.Date), v.Bytes, v.Title)
	if len(v.Labels) > 0 {
		text += "  [" + strings.Join(v.Labels, " ") + "]"
	}
	if v.OnRequest {
		text += "  (key on request)"
	}
	r.line(v, "%s", text)
}

func orDash(text *string) string {
	if text == nil {
		return "-"
	}
	return *text
}

// saveWhole writes a content to a file that appears only when all of it was verified.
func saveWhole(folder, name string, content io.Reader) (err error) {
	file, err := os.CreateTemp(folder, ".unfinished-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(file.Name())
		}
	}()
	_, err = io.Copy(file, content)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), filepath.Join(folder, name))
}

// taker gives what to do with each content: save the newest versions to a folder and only read the
// others, or only read them all. Older versions are saved as RECORD.VERSION if all is set.
func (r *report) taker(folder string, all bool, last map[id16]id16) func(e *entry, b *body) error {
	return func(e *entry, b *body) error {
		newest := last[e.record] == e.version
		if folder == "" || !newest && !all {
			_, err := io.Copy(io.Discard, b)
			return err
		}
		name := e.record.String()
		if !newest {
			name += "." + e.version.String()
		}
		if err := saveWhole(folder, name, b); err != nil {
			return err
		}
		v := view(e)
		v.SavedAs, v.File = name, b.header.Source
		r.entry(v)
		return nil
	}
}

func lastVersions(entries []entry) map[id16]id16 {
	last := map[id16]id16{}
	for i := range entries {
		last[entries[i].record] = entries[i].version
	}
	return last
}

// printLog prints the log, oldest entry first.
func (r *report) printLog(v *vault) {
	for i := range v.log {
		e := &v.log[i]
		r.line(map[string]any{"index": e.Index, "time": moment(e.Time), "device": e.Device, "act": e.name, "fields": e.fields},
			"%5d  %s  %s  %s", e.Index, moment(e.Time), e.name, describe(e.fields))
	}
}

func describe(fields any) string {
	switch act := fields.(type) {
	case *actCreated:
		return fmt.Sprintf("serial %d", act.Serial)
	case *actRecovered:
		return fmt.Sprintf("serial %d, from seq %d", act.Serial, act.FromSeq)
	case *actContactAdded:
		return fmt.Sprintf("%q %v", act.Name, act.Contact)
	case *actContact:
		return act.Contact.String()
	case *actPublished:
		return fmt.Sprintf("%d versions", act.Count)
	case *actRemoved:
		return fmt.Sprintf("%d records", len(act.Records))
	case *actGranted:
		return fmt.Sprintf("%v to %v, %d versions", act.Grant, act.Readers, act.Count)
	case *actJoined:
		return fmt.Sprintf("%v, %d versions", act.Grant, act.Count)
	case *actRevoked:
		return fmt.Sprintf("%v from %v, %s", act.Grant, act.Readers, act.Level)
	case *actExpired:
		return act.Grant.String()
	case *actRekeyed:
		return fmt.Sprintf("%v, %d versions, done %v", act.Grant, act.Count, act.Done)
	case *actReceipt:
		return fmt.Sprintf("%v, %v", act.Grant, act.Receipt)
	case *actPinned:
		return fmt.Sprintf("%q at %s", act.Service, act.Endpoint)
	case *actUnpinned:
		return fmt.Sprintf("%q, confirmed: %v", act.Service, act.Confirmed)
	case *actPinVerified:
		return fmt.Sprintf("%q, %d of %d blocks missing", act.Service, act.Missing, act.Sampled)
	case *actAgreed:
		return fmt.Sprintf("%v by %v", act.Grant, act.Reader)
	case *actAsked:
		return fmt.Sprintf("%v to %v, %d versions", act.Grant, act.Reader, len(act.Versions))
	case *actDenied:
		return fmt.Sprintf("%v to %v, %d versions: %q", act.Asked.Grant, act.Asked.Reader, len(act.Asked.Versions), act.Reason)
	case *actReceipted:
		return fmt.Sprintf("entry %d by %v, opened: %v", act.Release, act.Reader, act.Opened)
	case *actAgentAdded:
		return fmt.Sprintf("%v, %v until %s", act.Grant, act.Agent, moment(act.Until))
	case *actAgentRemoved:
		return fmt.Sprintf("%v, %v", act.Grant, act.Agent)
	case *actAgentReported:
		return fmt.Sprintf("%v, %v, %d opens, closed: %v", act.Grant, act.Agent, act.Opens, act.Closed)
	case *actDepositLimit:
		return fmt.Sprintf("%v, %d bytes", act.Contact, act.Bytes)
	case *actDeposited:
		return fmt.Sprintf("%v from %v, %d bytes", act.Deposit, act.Contact, act.Bytes)
	case *actDepositAccepted:
		return fmt.Sprintf("%v from %v, %d versions", act.Deposit, act.Contact, act.Count)
	case *actDepositDeclined:
		return fmt.Sprintf("%v from %v", act.Deposit, act.Contact)
	default:
		return "(an act that this reader does not know)"
	}
}

// printSharing prints contacts, grants and receipts.
func (r *report) printSharing(v *vault) {
	for i := range v.contacts {
		c := &v.contacts[i]
		if c.card == nil {
			continue
		}
		owner := c.card.list.Owner
		r.line(map[string]any{"contact": c.ID, "name": c.Name, "owner": owner, "fingerprint": fingerprint(owner), "verified": c.Verified != nil, "devices": len(c.card.Recipients)},
			"contact %s  %q, verified: %v, %s", c.ID, c.Name, c.Verified != nil, fingerprint(owner))
	}
	for i := range v.grants {
		g := &v.grants[i]
		if g.terms == nil {
			continue
		}
		readers := []id32{}
		for _, m := range g.Members {
			readers = append(readers, m.Owner)
		}
		r.line(map[string]any{"grant": g.ID, "status": g.Status, "extent": g.terms.Extent, "scope": g.terms.Scope, "created": moment(g.terms.Created), "purpose": g.terms.Purpose, "readers": readers, "count": g.Count, "rekey_pending": g.Pending != nil, "agreement": g.agreementView()},
			"grant   %s  %s, %s, %d versions, %d readers%s%s", g.ID, g.Status, g.terms.Extent, g.Count, len(readers), pendingNote(g), g.agreementNote())
		for _, receipt := range g.receipts {
			r.line(map[string]any{"receipt": receipt},
				"receipt %s  %s, could have opened %d, sealed again %d", g.ID, receipt.Level, receipt.CouldHaveOpened, receipt.Rekeyed)
		}
	}
}

// printCharges prints what was answered on behalf of others.
func (r *report) printCharges(v *vault) {
	for _, c := range v.charges {
		r.line(map[string]any{"charge": c.Grant, "vault": c.Vault, "opens": c.Opens, "closed": c.Closed != nil},
			"charge  %s  of vault %v, %d opens, closed: %v", c.Grant, c.Vault, c.Opens, c.Closed != nil)
	}
}

// agreementView is what is printed of a grant on request.
func (g *grantItem) agreementView() any {
	o := g.OnRequest
	if o == nil {
		return nil
	}
	agents := []map[string]any{}
	for i := range o.Agents {
		a := &o.Agents[i]
		agents = append(agents, map[string]any{"agent": a.Owner, "allowance": a.Allowance, "until": moment(a.Until),
			"withdrawn": a.Withdrawn, "closed": a.Closed, "reported": a.Reported})
	}
	return map[string]any{"conditions": g.terms.conditionTexts(), "may_deposit": g.terms.MayDeposit, "offered": len(o.Offered),
		"accepted": len(o.Acceptances), "opens": o.Opens, "agents": agents}
}

func (g *grantItem) agreementNote() string {
	o := g.OnRequest
	if o == nil {
		return ""
	}
	return fmt.Sprintf(", on request: offered to %d, %d agreed, %d opens, %d agents", len(o.Offered), len(o.Acceptances), o.Opens, len(o.Agents))
}

func pendingNote(g *grantItem) string {
	if g.Pending == nil {
		return ""
	}
	return ", not all sealed again yet"
}
