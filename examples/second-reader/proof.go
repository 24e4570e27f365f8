package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	proofMaxExtra  = 96 << 10
	proofMaxHashes = 63
	proofFirstLine = "c2sp.org/tlog-proof@v1\n"
)

// entryProof is one entry of a log with all that shows it to somebody who knows the vault (11.5).
type entryProof struct {
	extra      proofExtra
	index      int64
	hashes     tlog.RecordProof
	checkpoint []byte

	list *signers
}

type proofExtra struct {
	V       version  `cbor:"v"`
	Salt    [32]byte `cbor:"salt"`
	Entry   []byte   `cbor:"entry"`
	Signers []byte   `cbor:"signers"`
}

// proven is an entry that the log of a vault holds.
type proven struct {
	entry  *auditEntry
	tree   tree
	signer id32
}

// parseProof reads a C2SP tlog-proof in its only form. Only the list of signing keys is verified yet.
func parseProof(text string) (*entryProof, error) {
	malformed := errors.New("proof: not the only form of a tlog-proof with an entry")
	body, first := strings.CutPrefix(text, proofFirstLine)
	top, checkpoint, divided := strings.Cut(body, "\n\n")
	lines := strings.Split(top, "\n")
	if !first || !divided || len(lines) < 2 || len(lines) > 2+proofMaxHashes {
		return nil, malformed
	}
	extra, err := base64.StdEncoding.Strict().DecodeString(strings.TrimPrefix(lines[0], "extra "))
	if err != nil || len(extra) > proofMaxExtra {
		return nil, malformed
	}
	p := &entryProof{checkpoint: []byte(checkpoint)}
	if p.index, err = strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64); err != nil || p.index < 0 || p.index == 1<<63-1 {
		return nil, malformed
	}
	for _, line := range lines[2:] {
		hash, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(hash) != tlog.HashSize {
			return nil, malformed
		}
		p.hashes = append(p.hashes, tlog.Hash(hash))
	}
	if p.text(extra) != text {
		return nil, malformed
	}
	if err := decode(extra, &p.extra); err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	if p.list, err = openSigners(p.extra.Signers); err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	return p, nil
}

// text writes the proof again: a number with a sign, other line ends or loose base64 show there.
func (p *entryProof) text(extra []byte) string {
	text := fmt.Sprintf("%sextra %s\nindex %d\n", proofFirstLine, base64.StdEncoding.EncodeToString(extra), p.index)
	for _, hash := range p.hashes {
		text += base64.StdEncoding.EncodeToString(hash[:]) + "\n"
	}
	return text + "\n" + string(p.checkpoint)
}

// verify tells what the proof shows of the vault with this id, or with this owner key.
func (p *entryProof) verify(vault id32) (*proven, error) {
	if err := p.list.isOf(vault); err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	tree, signer, err := openCheckpointBy(p.checkpoint, p.list.vault(), p.list.all())
	if err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	leaf := saltedLeaf(p.extra.Salt, p.extra.Entry)
	if err := tlog.CheckRecord(p.hashes, int64(tree.size), tree.root, p.index, leaf); err != nil {
		return nil, errors.New("proof: its hashes do not lead from the entry to the signed root")
	}
	entry, err := parseEntry(p.extra.Entry)
	if err != nil {
		return nil, fmt.Errorf("proof: entry: %w", err)
	}
	if entry.Index != uint64(p.index) {
		return nil, fmt.Errorf("proof: the entry says that it is number %d, the proof that it is number %d", entry.Index, p.index)
	}
	return &proven{entry, tree, signer}, nil
}

// isOf tells whether a list is that of the vault with this id, or with this owner key. The id is a
// hash of the key, so that one cannot be taken for the other.
func (l *signers) isOf(vault id32) error {
	if vault != l.vault() && vault != l.Owner {
		return errors.New("of another vault")
	}
	return nil
}

func checkProof(text string, vault id32, report *report) error {
	p, err := parseProof(text)
	if err != nil {
		return err
	}
	shown, err := p.verify(vault)
	if err != nil {
		return err
	}
	e := shown.entry
	replaced := ""
	if !p.list.now(shown.signer) {
		replaced = ", which was replaced since"
	}
	report.line(map[string]any{"vault": p.list.vault(), "index": e.Index, "time": moment(e.Time), "device": e.Device, "act": e.name,
		"fields": e.fields, "size": shown.tree.size, "root": base64.StdEncoding.EncodeToString(shown.tree.root[:]), "signer": shown.signer, "signer_replaced": replaced != ""},
		"entry %d of %d in the log of vault %v: %s  %s  %s\nsigned by key %v%s", e.Index, shown.tree.size, p.list.vault(),
		moment(e.Time), e.name, describe(e.fields), shown.signer, replaced)
	return nil
}

// distinct drops keys that were named before.
func distinct(keys []id32) []id32 {
	var all []id32
	for _, key := range keys {
		if !slices.Contains(all, key) {
			all = append(all, key)
		}
	}
	return all
}
