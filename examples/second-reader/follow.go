package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"filippo.io/age"
)

// ticket is what a patient hands to a reader (10.6).
type ticket struct {
	V        version     `cbor:"v"`
	Seq      uint64      `cbor:"seq"`
	Name     string      `cbor:"name"`
	Root     [32]byte    `cbor:"root"`
	Size     uint64      `cbor:"size"`
	Node     node        `cbor:"node"`
	IPNS     *id32       `cbor:"ipns,omitempty"`
	Grant    id16        `cbor:"grant"`
	Inbox    *[1216]byte `cbor:"inbox,omitempty"`
	Vault    id32        `cbor:"vault"`
	Reader   id32        `cbor:"reader"`
	Signer   id32        `cbor:"signer"`
	Expires  *uint64     `cbor:"expires"`
	Signers  []byte      `cbor:"signers"`
	Relation [32]byte    `cbor:"relation"`
	Offer    *[]byte     `cbor:"offer,omitempty"`

	list *signers
}

type node struct {
	Peer          id32     `cbor:"peer"`
	Addrs         []string `cbor:"addrs"`
	Endpoint      id32     `cbor:"endpoint"`
	EndpointAddrs []string `cbor:"endpoint_addrs"`
	Relays        []string `cbor:"relays,omitempty"`
}

func openTicket(text string, who *identity) (*ticket, error) {
	const prefix = "medvault-ticket:"
	text = strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) {
			return -1
		}
		return c
	}, text)
	if len(text) > 64<<10 || !strings.HasPrefix(text, prefix) {
		return nil, errors.New("not a medvault ticket")
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text[len(prefix):])
	if err != nil {
		return nil, fmt.Errorf("ticket: %w", err)
	}
	wire, err := openAge(sealed, who.hybrid)
	if err != nil {
		return nil, fmt.Errorf("ticket: %w", err)
	}
	var t ticket
	outer, err := openSigned("ticket", wire, 64<<10, &t)
	if err != nil {
		return nil, err
	}
	if t.list, err = openSigners(t.Signers); err != nil {
		return nil, fmt.Errorf("ticket: %w", err)
	}
	if !t.list.now(t.Signer) || t.list.vault() != t.Vault {
		return nil, errors.New("ticket: signed by a key that is not on its list, or of another vault")
	}
	if err := outer.verify("ticket", t.Signer); err != nil {
		return nil, err
	}
	if t.Reader != who.owner {
		return nil, errors.New("ticket: made for another reader")
	}
	if t.Name == "" {
		return nil, errors.New("ticket: without a name")
	}
	if t.Inbox != nil {
		if err := checkRecipient(t.Inbox[:]); err != nil {
			return nil, fmt.Errorf("ticket: inbox: %w", err)
		}
	}
	return &t, errors.Join(checkClean(t.Name, 100), t.checkOffer())
}

// checkOffer verifies the terms that are to be countersigned: of this grant, on request, naming the
// reader.
func (t *ticket) checkOffer() error {
	if t.Offer == nil {
		return nil
	}
	offered, err := openTerms(*t.Offer, t.list, t.Grant)
	if err != nil {
		return fmt.Errorf("ticket: %w", err)
	}
	if offered.Delivery != onRequest || !slices.Contains(offered.Recipients, readerTag(t.Relation, t.Grant)) {
		return errors.New("ticket: it offers terms of a carried grant, or for another reader")
	}
	return nil
}

// acceptHead takes the newest head by the rules for readers, with the ticket as all that is
// remembered (15).
func acceptHead(store *blocks, t *ticket, now time.Time, report *report) (*head, error) {
	h, err := newestHead(store, t.Vault, report)
	if err != nil {
		return nil, err
	}
	clock := uint64(now.Unix())
	switch {
	case h.list.Serial < t.list.Serial || h.Seq < t.Seq:
		return nil, errors.New("the head is older than the ticket")
	case h.Time > clock+86400:
		return nil, errors.New("the head is from the future")
	case min(h.ValidUntil, h.Time+30*86400)+300 < clock:
		return nil, fmt.Errorf("the head is stale: it was valid until %s", moment(h.ValidUntil))
	}
	hashes, err := openTiles(store, h)
	if err != nil {
		return nil, err
	}
	if err := hashes.checkGrown(tree{t.Size, t.Root}, h.tree); err != nil {
		return nil, fmt.Errorf("the vault was forked: %w", err)
	}
	return h, nil
}

const (
	rowSize     = 280
	rowsInBlock = 512
)

// readDirectory gives the rows of the grant directory (10.5).
func readDirectory(store *blocks, h *head) ([][]byte, error) {
	var table [][]byte
	for number, name := range h.Directory {
		block, err := store.raw(name)
		if err != nil {
			return nil, fmt.Errorf("directory: %w", err)
		}
		if len(block) == 0 || len(block)%rowSize != 0 || len(block) > rowsInBlock*rowSize ||
			len(block) != rowsInBlock*rowSize && number != len(h.Directory)-1 {
			return nil, fmt.Errorf("directory: a block of %d bytes", len(block))
		}
		table = slices.AppendSeq(table, slices.Chunk(block, rowSize))
	}
	if len(table) < 8 || len(table)&(len(table)-1) != 0 || !ascending(table, bytes.Compare) {
		return nil, fmt.Errorf("directory: %d rows, or not sorted", len(table))
	}
	return table, nil
}

// pointer leads a reader to one grant (10.5).
type pointer struct {
	Root     digest `cbor:"root"`
	Grant    id16   `cbor:"grant"`
	Envelope digest `cbor:"envelope"`
	RootLen  uint32 `cbor:"root_len"`
}

// findPointers gives the pointers of one reader: 0, 1, … until a tag is not there.
func findPointers(table [][]byte, h *head, relation [32]byte) ([]pointer, error) {
	tagKey, pointerKey := derive(relation, "relation-tag"), derive(relation, "relation-pointer")
	var all []pointer
	for j := uint32(0); j < 1024; j++ {
		tag := hmac256(tagKey, u64(h.Seq), u32(j))
		at, found := slices.BinarySearchFunc(table, tag[:16], func(row, tag []byte) int { return bytes.Compare(row[:16], tag) })
		if !found {
			break
		}
		plain, err := openSealed(pointerKey, context("pointer", h.Vault[:], u64(h.Seq), u32(j)), table[at][16:])
		if err != nil {
			return nil, fmt.Errorf("directory pointer %d: %w", j, err)
		}
		p, err := parsePointer(plain)
		if err != nil {
			return nil, fmt.Errorf("directory pointer %d: %w", j, err)
		}
		all = append(all, *p)
	}
	return all, nil
}

// parsePointer finds where the map ends and the zeros begin: its last field is a number, so the map
// is decoded with the length that its own encoding has.
func parsePointer(plain []byte) (*pointer, error) {
	if len(plain) != 192 {
		return nil, fmt.Errorf("%d bytes instead of 192", len(plain))
	}
	var p pointer
	rest, err := cborDecoder.UnmarshalFirst(plain, &p)
	if err != nil {
		return nil, err
	}
	if !allZero(rest) {
		return nil, errors.New("bytes behind the map")
	}
	return &p, decode(plain[:len(plain)-len(rest)], &p)
}

// granted is a grant as its reader sees it.
type granted struct {
	id      id16
	terms   *terms
	entries []entry
	// agreement is nil in a carried grant.
	agreement *agreement
	// agent tells that this reader answers requests under the grant.
	agent bool
}

var errNotMine = errors.New("for another device")

// openGrants opens every grant that the directory gives to the reader.
func openGrants(store *blocks, h *head, t *ticket, who *identity, now time.Time, report *report) ([]granted, error) {
	table, err := readDirectory(store, h)
	if err != nil {
		return nil, err
	}
	pointers, err := findPointers(table, h, t.Relation)
	if err != nil {
		return nil, err
	}
	var all []granted
	for _, p := range pointers {
		g, err := openGrant(store, h, t, who, &p, now)
		if errors.Is(err, errNotMine) {
			continue
		}
		report.check("grant "+p.Grant.String(), err)
		if err == nil {
			all = append(all, *g)
		}
	}
	return all, nil
}

func openGrant(store *blocks, h *head, t *ticket, who *identity, p *pointer, now time.Time) (*granted, error) {
	block, err := store.raw(p.Envelope)
	if err != nil {
		return nil, err
	}
	cover := derive(t.Relation, "relation-cover")
	envelope, err := openObject(block, cover, context("envelope-cover", h.Vault[:]), uint32(sealedLength(envelopeSize)))
	if err != nil {
		return nil, fmt.Errorf("covered envelope: %w", err)
	}
	payload, err := openEnvelope(envelope, who.hybrid)
	if err != nil {
		if errors.Is(err, age.ErrIncorrectIdentity) {
			return nil, errNotMine
		}
		return nil, err
	}
	opened, err := openPayload(payload, h.list, p.Grant, who.hybrid)
	if err != nil {
		return nil, err
	}
	root, err := openGrantRoot(store, h.Vault, p.Grant, opened.Key, p.Root, p.RootLen)
	if err != nil {
		return nil, err
	}
	g := &granted{id: p.Grant, agent: opened.Release != nil}
	if g.terms, err = openTerms(root.Terms, h.list, p.Grant); err != nil {
		return nil, err
	}
	switch {
	case g.agent && !slices.Contains(g.terms.Agents, who.owner):
		return nil, errors.New("the envelope is an agent's, and the terms do not name it")
	case !g.agent && !slices.Contains(g.terms.Recipients, readerTag(t.Relation, p.Grant)):
		return nil, errors.New("the terms do not name this reader")
	}
	if g.terms.Expires != nil && uint64(now.Unix()) >= *g.terms.Expires {
		return nil, fmt.Errorf("expired on %s", moment(*g.terms.Expires))
	}
	if g.agreement, err = openAgreement(root, h.list, g.terms); err != nil {
		return nil, err
	}
	if g.entries, err = readIndex(store, h.Vault, grantList(p.Grant), root.Pages, g.terms.Delivery); err != nil {
		return nil, err
	}
	return g, g.checkPart(who.owner, opened.Release)
}

// checkPart verifies this reader's part in a grant on request: who reads has countersigned, and who
// answers has a certificate and can open every key.
func (g *granted) checkPart(owner id32, release *[32]byte) error {
	switch {
	case g.agreement == nil:
		return nil
	case !g.agent && !slices.Contains(g.agreement.readers, owner):
		return errors.New("its root does not hold this reader's countersignature")
	case g.agent && !g.agreement.certified(owner):
		return errors.New("its root does not hold this agent's certificate")
	case !g.agent:
		return nil
	}
	for i := range g.entries {
		e := &g.entries[i]
		if _, err := e.wrapped.open(*release, e.version, e.seq); err != nil {
			return fmt.Errorf("version %v: %w", e.version, err)
		}
	}
	return nil
}
