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
		Codes: append([]string{}, e.codes...), File: e.file, Origin: e.origin,
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
		r.line(map[string]any{"grant": g.ID, "status": g.Status, "extent": g.terms.Extent, "scope": g.terms.Scope, "created": moment(g.terms.Created), "purpose": g.terms.Purpose, "readers": readers, "count": g.Count, "rekey_pending": g.Pending != nil},
			"grant   %s  %s, %s, %d versions, %d readers%s", g.ID, g.Status, g.terms.Extent, g.Count, len(readers), pendingNote(g))
		for _, receipt := range g.receipts {
			r.line(map[string]any{"receipt": receipt},
				"receipt %s  %s, could have opened %d, sealed again %d", g.ID, receipt.Level, receipt.CouldHaveOpened, receipt.Rekeyed)
		}
	}
}

func pendingNote(g *grantItem) string {
	if g.Pending == nil {
		return ""
	}
	return ", not all sealed again yet"
}
