package main

import (
	"errors"
	"fmt"
	"slices"
)

// vault is everything that grant zero opens, verified as far as it lies in memory.
type vault struct {
	store    *blocks
	head     *head
	zero     *zeroRoot
	entries  []entry // all versions, oldest first
	contacts []contact
	grants   []grantItem
	charges  []chargeItem
	log      []auditEntry
	rawLog   [][]byte
	// live are the raw blocks that something names.
	live map[digest]bool
}

// openVault finds the newest head and opens grant zero and its lists. A list that does not open is
// reported, and the others are read nevertheless.
func openVault(store *blocks, who *identity, report *report) (*vault, error) {
	h, err := newestHead(store, who.vault, report)
	if err != nil {
		return nil, err
	}
	if who.list != nil && h.list.Serial < who.list.Serial {
		report.problem("the newest head is older than the identity: its list has serial %d, not %d", h.list.Serial, who.list.Serial)
	}
	zero, err := openZero(store, h, who)
	if err != nil {
		return nil, err
	}
	v := &vault{store: store, head: h, zero: zero, live: map[digest]bool{}}
	v.entries, err = readIndex(store, h.Vault, "records", zero.Records, carried)
	report.check("records", err)
	v.contacts, err = readList[contact](store, h.Vault, "contacts", zero.Contacts)
	report.check("contacts", err)
	v.grants, err = readList[grantItem](store, h.Vault, "grants", zero.Grants)
	report.check("grants", err)
	v.charges, err = readList[chargeItem](store, h.Vault, "charges", zero.Charges)
	report.check("charges", err)
	v.rawLog, err = readList[[]byte](store, h.Vault, "audit", zero.Audit)
	report.check("audit", err)
	v.log, err = parseEntries(v.rawLog)
	report.check("audit", err)
	v.checkEntries(report)
	v.name(h.Zero.Root, h.Zero.Envelopes)
	v.name(h.Directory...)
	v.name(zero.Dummies...)
	for _, level := range h.Log {
		v.name(level...)
	}
	for _, pages := range [][]pageRef{zero.Audit, zero.Charges, zero.Contacts, zero.Grants, zero.Records} {
		v.namePages(pages)
	}
	return v, nil
}

func (v *vault) name(blocks ...digest) {
	for _, block := range blocks {
		v.live[block] = true
	}
}

func (v *vault) namePages(pages []pageRef) {
	for _, page := range pages {
		v.name(page.Block)
	}
}

func (v *vault) checkEntries(report *report) {
	seen := map[id16]bool{}
	for i := range v.entries {
		e := &v.entries[i]
		if seen[e.version] {
			report.problem("version %v is listed twice", e.version)
		}
		seen[e.version] = true
		if e.contentName == nil {
			report.problem("record %v, version %v: no content name", e.record, e.version)
		}
	}
}

// checkLog verifies the log against the checkpoint and counts what was published.
func (v *vault) checkLog(report *report) {
	report.check("", checkLog(v.store, v.head, v.zero.Secrets.Log, v.rawLog))
	v.checkPublished(report)
}

// checkPublished recomputes what the entries published say, as long as nothing was removed since.
func (v *vault) checkPublished(report *report) {
	removed := slices.ContainsFunc(v.log, func(e auditEntry) bool { return e.name == "removed" })
	if removed {
		return
	}
	rest := v.entries
	for _, e := range v.log {
		act, is := e.fields.(*actPublished)
		if !is {
			continue
		}
		if act.Count > uint64(len(rest)) {
			report.problem("log entry %d published %d versions, %d are left", e.Index, act.Count, len(rest))
			return
		}
		var ids [][]byte
		for i := range rest[:act.Count] {
			ids = append(ids, rest[i].version[:])
		}
		if hash(ids...) != act.Versions {
			report.problem("log entry %d published other versions than those listed", e.Index)
		}
		rest = rest[act.Count:]
	}
	if len(v.log) > 0 && len(rest) > 0 {
		report.problem("%d versions are listed that the log never published", len(rest))
	}
}

// checkSharing verifies cards, terms, roots, receipts and the directory.
func (v *vault) checkSharing(report *report) {
	for i := range v.contacts {
		c := &v.contacts[i]
		var err error
		if c.card, err = openCard(c.Card); err == nil {
			err = v.checkWitness(c)
		}
		report.check(fmt.Sprintf("contact %q", c.Name), err)
	}
	for i := range v.grants {
		g := &v.grants[i]
		report.check("grant "+g.ID.String(), v.checkGrant(g, report))
	}
	v.checkCharges(report)
	report.check("", v.checkDirectory())
}

func (v *vault) checkGrant(g *grantItem, report *report) error {
	var err error
	if g.terms, err = openTerms(g.Terms, v.head.list, g.ID); err != nil {
		return err
	}
	if (g.OnRequest != nil) != (g.terms.Delivery == onRequest) {
		return fmt.Errorf("its terms say %s, the patient's list does not", g.terms.Delivery)
	}
	for number, wire := range g.Receipts {
		r, err := openReceipt(wire, v.head.list, g.ID)
		if err != nil {
			return fmt.Errorf("receipt %d: %w", number, err)
		}
		g.receipts = append(g.receipts, *r)
		if err := checkReceipt(r, g.terms.Delivery, v.log); err != nil {
			return err
		}
	}
	v.namePages(g.Pages) // those of an ended grant are kept until its records are sealed again
	switch g.Status {
	case "revoked", "expired":
		if g.Root != nil {
			return fmt.Errorf("%s, and yet it has a root", g.Status)
		}
		if g.OnRequest != nil {
			return v.checkOver(g)
		}
		return nil
	case "active":
	default:
		return fmt.Errorf("status %q", g.Status)
	}
	if g.Root == nil {
		return errors.New("active, and yet without a root")
	}
	root, err := openGrantRoot(v.store, v.head.Vault, g.ID, g.Key, g.Root.Block, g.Root.Len)
	if err != nil {
		return err
	}
	if !slices.Equal(root.Pages, g.Pages) || string(root.Terms) != string(g.Terms) {
		return errors.New("its root shows other pages or terms than the patient's list")
	}
	if g.entries, err = readIndex(v.store, v.head.Vault, grantList(g.ID), g.Pages, g.terms.Delivery); err != nil {
		return err
	}
	v.name(g.Root.Block)
	v.name(g.envelopes()...)
	report.check("grant "+g.ID.String(), v.checkAgreement(g, root))
	v.checkGranted(g, report)
	return nil
}

// envelopes are those of members and of agents.
func (g *grantItem) envelopes() []digest {
	var all []digest
	for _, m := range g.Members {
		all = append(all, m.Envelopes...)
	}
	if g.OnRequest != nil {
		for _, a := range g.OnRequest.Agents {
			all = append(all, a.Envelopes...)
		}
	}
	return all
}

// contentKey gives the CEK of an entry of the patient's own grant, also where it is sealed.
func (g *grantItem) contentKey(e *entry) ([32]byte, error) {
	if e.wrapped == nil {
		return e.cek, nil
	}
	return e.wrapped.open(g.OnRequest.Release, e.version, e.seq)
}

// checkGranted compares a grant's index with the patient's own, and with its scope.
func (v *vault) checkGranted(g *grantItem, report *report) {
	if uint64(len(g.entries)) != g.Count {
		report.problem("grant %v: %d versions instead of %d", g.ID, len(g.entries), g.Count)
	}
	report.check(fmt.Sprintf("grant %v", g.ID), checkLogged(g, v.log))
	own := map[id16]*entry{}
	for i := range v.entries {
		own[v.entries[i].version] = &v.entries[i]
	}
	for i := range g.entries {
		e := &g.entries[i]
		mine := own[e.version]
		cek, err := g.contentKey(e)
		report.check(fmt.Sprintf("grant %v, version %v", g.ID, e.version), err)
		if mine == nil || err == nil && mine.cek != cek || mine.seq != e.seq || !slices.Equal(mine.place, e.place) {
			report.problem("grant %v: version %v is not where the patient has it", g.ID, e.version)
		}
		if !g.terms.Scope.holds(e) {
			report.problem("grant %v: record %v is outside its scope", g.ID, e.record)
		}
	}
}

// readers counts those who read or may countersign.
func (g *grantItem) readers() int {
	if g.OnRequest == nil {
		return len(g.Members)
	}
	return len(g.Members) + len(g.OnRequest.Offered)
}

// checkLogged compares a grant with the entry that logged it. The terms of a carried one were signed
// again if a reader was shut out or the vault recovered since; those of one on request never are.
func checkLogged(g *grantItem, log []auditEntry) error {
	for i := range log {
		act, is := log[i].fields.(*actGranted)
		if !is || act.Grant != g.ID {
			continue
		}
		if g.OnRequest != nil && act.Terms != hash(g.Terms) {
			return fmt.Errorf("entry %d of the log shows other terms", i)
		}
		recovered := slices.ContainsFunc(log[i:], func(e auditEntry) bool { return e.name == "vault-recovered" })
		if len(g.Former) == 0 && !recovered && (act.Terms != hash(g.Terms) || len(act.Readers) != g.readers()) {
			return fmt.Errorf("entry %d of the log shows other terms or readers", i)
		}
		return nil
	}
	return errors.New("the log does not show it")
}

// checkDirectory finds the pointers of every reader of every active grant (10.5).
func (v *vault) checkDirectory() error {
	table, err := readDirectory(v.store, v.head)
	if err != nil {
		return err
	}
	expected := map[digest]bool{}
	found := map[digest]bool{}
	for i := range v.grants {
		for _, envelope := range v.grants[i].envelopes() {
			expected[envelope] = v.grants[i].Status == "active"
		}
	}
	for i := range v.contacts {
		pointers, err := findPointers(table, v.head, v.contacts[i].Relation)
		if err != nil {
			return fmt.Errorf("contact %q: %w", v.contacts[i].Name, err)
		}
		for _, p := range pointers {
			if !expected[p.Envelope] {
				return fmt.Errorf("directory: a pointer to an envelope that no active grant lists, for contact %q", v.contacts[i].Name)
			}
			found[p.Envelope] = true
		}
	}
	for envelope, active := range expected {
		if active && !found[envelope] {
			return fmt.Errorf("directory: nothing points to envelope %v", envelope)
		}
	}
	return nil
}

// checkVersions opens every version in order and verifies its chain (8.1, prev); each content is
// handed to take, which reads it to the end.
func (v *vault) checkVersions(report *report, take func(e *entry, b *body) error) {
	before := map[id16][32]byte{}
	for i := range v.entries {
		e := &v.entries[i]
		err := func() error {
			b, err := openBody(v.store, v.head.Vault, v.head.list, e)
			if err != nil {
				return err
			}
			v.name(b.blocks...)
			link, updated := before[e.record]
			if prev := b.header.Prev; updated != (prev != nil) || updated && *prev != link {
				err = errors.New("its header does not name the version before it")
			}
			before[e.record] = b.link
			return errors.Join(err, take(e, b), v.checkContentName(e, b))
		}()
		report.check(fmt.Sprintf("record %v, version %v", e.record, e.version), err)
	}
}

// checkContentName recomputes the name by which the patient finds content again (14.3), after all of
// the content was read.
func (v *vault) checkContentName(e *entry, b *body) error {
	key := derive(v.zero.Secrets.Names, "content-name")
	for _, hash := range [][]byte{b.same.Sum(nil), b.header.Digest[:]} {
		name := hmac256(key, hash)
		if e.contentName == nil || *e.contentName == id16(name[:16]) {
			return nil
		}
	}
	return errors.New("its content name is not that of its content")
}
