package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	maxStatement = 9 << 10
	maxEvidence  = 64 << 20
)

// logStatement ties a checkpoint to a request (11.6).
type logStatement struct {
	V          version  `cbor:"v"`
	Seen       *seenLog `cbor:"seen,omitempty"`
	Time       uint64   `cbor:"time"`
	Vault      id32     `cbor:"vault"`
	Signer     id32     `cbor:"signer"`
	Request    [32]byte `cbor:"request"`
	Checkpoint []byte   `cbor:"checkpoint"`

	tree tree
}

type seenLog struct {
	Root [32]byte `cbor:"root"`
	Size uint64   `cbor:"size"`
}

func openLogStatement(wire []byte, list *signers) (*logStatement, error) {
	var s logStatement
	outer, err := openSigned("log-statement", wire, maxStatement, &s)
	if err != nil {
		return nil, err
	}
	if err := list.verifyEver(outer, "log-statement", s.Signer); err != nil {
		return nil, err
	}
	if s.Vault != list.vault() {
		return nil, errors.New("log-statement: about another vault")
	}
	s.tree, _, err = openCheckpointBy(s.Checkpoint, list.vault(), list.all())
	return &s, err
}

// evidence is what one side can show of a vault's log (11.6), all of it verified.
type evidence struct {
	list      *signers
	tree      tree
	head      *head
	statement *logStatement
	leaves    []tlog.Hash
}

// members reads a JSON object of texts; a name that comes twice, or is not known, is refused. The
// JSON library would take both, and names in other case.
func members(text string, names ...string) (map[string]string, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') || !utf8.ValidString(text) {
		return nil, errors.New("not a JSON object")
	}
	all := map[string]string{}
	for decoder.More() {
		token, err := decoder.Token()
		name, _ := token.(string)
		if err != nil {
			return nil, err
		}
		if _, twice := all[name]; twice || !slices.Contains(names, name) {
			return nil, fmt.Errorf("the member %q", name)
		}
		token, err = decoder.Token()
		value, is := token.(string)
		if err != nil || !is {
			return nil, fmt.Errorf("the member %q is no text", name)
		}
		all[name] = value
	}
	if _, err := decoder.Token(); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something behind the object")
	}
	return all, nil
}

func parseEvidence(text string) (*evidence, error) {
	if len(text) > maxEvidence {
		return nil, fmt.Errorf("evidence: %d bytes", len(text))
	}
	e, err := openEvidence(text)
	if err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	return e, nil
}

func openEvidence(text string) (*evidence, error) {
	all, err := members(text, "medvault", "vault", "signers", "checkpoint", "head", "statement", "leaves")
	if err != nil {
		return nil, err
	}
	if all["medvault"] != "evidence/1" {
		return nil, errors.New("of another form")
	}
	parts := map[string][]byte{}
	for _, name := range []string{"signers", "head", "statement", "leaves"} {
		value, there := all[name]
		if !there {
			continue
		}
		part, err := base64.StdEncoding.Strict().DecodeString(value)
		if err != nil || base64.StdEncoding.EncodeToString(part) != value {
			return nil, fmt.Errorf("the member %q is not base64", name)
		}
		parts[name] = part
	}
	e := &evidence{}
	if e.list, err = openSigners(parts["signers"]); err != nil {
		return nil, err
	}
	if !strings.EqualFold(all["vault"], e.list.vault().String()) {
		return nil, errors.New("its list is that of another vault")
	}
	if e.tree, _, err = openCheckpointBy([]byte(all["checkpoint"]), e.list.vault(), e.list.all()); err != nil {
		return nil, err
	}
	if part, there := parts["head"]; there {
		if e.head, err = openHead(part, e.list.vault()); err != nil {
			return nil, err
		}
		if e.head.tree != e.tree {
			return nil, errors.New("its head has another checkpoint")
		}
	}
	if part, there := parts["statement"]; there {
		if e.statement, err = openLogStatement(part, e.list); err != nil {
			return nil, err
		}
	}
	if part, there := parts["leaves"]; there {
		return e, e.takeLeaves(part)
	}
	return e, nil
}

// takeLeaves wants the hashes of all leaves, which give the signed root.
func (e *evidence) takeLeaves(raw []byte) error {
	if uint64(len(raw)) != e.tree.size*tlog.HashSize {
		return errors.New("not as many leaves as the checkpoint signs")
	}
	for ; len(raw) > 0; raw = raw[tlog.HashSize:] {
		e.leaves = append(e.leaves, tlog.Hash(raw[:tlog.HashSize]))
	}
	if rootOf(e.leaves) != e.tree.root {
		return errors.New("its leaves do not give the signed root")
	}
	return nil
}

// rootOf computes the root of a tree (RFC 6962, 2.1).
func rootOf(leaves []tlog.Hash) tlog.Hash {
	switch len(leaves) {
	case 0:
		return hash()
	case 1:
		return leaves[0]
	}
	half := 1
	for half*2 < len(leaves) {
		half *= 2
	}
	return tlog.NodeHash(rootOf(leaves[:half]), rootOf(leaves[half:]))
}

func checkEvidence(text string, vault id32, report *report) error {
	e, err := parseEvidence(text)
	if err != nil {
		return err
	}
	if err := e.list.isOf(vault); err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	shown := map[string]any{"vault": e.list.vault(), "serial": e.list.Serial, "size": e.tree.size,
		"root": base64.StdEncoding.EncodeToString(e.tree.root[:]), "head": nil, "statement": nil, "leaves": e.leaves != nil}
	text = fmt.Sprintf("log of vault %v with %d entries", e.list.vault(), e.tree.size)
	if e.head != nil {
		shown["head"] = e.head.Seq
		text += fmt.Sprintf(", head %d of %s", e.head.Seq, moment(e.head.Time))
	}
	if e.statement != nil {
		shown["statement"] = moment(e.statement.Time)
		text += fmt.Sprintf(", stated on %s with %d entries", moment(e.statement.Time), e.statement.tree.size)
	}
	report.line(shown, "%s", text)
	return nil
}
