package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
)

const maxHead = 256 << 10

// head is the body of a head (13), with what was verified beside it.
type head struct {
	V          version    `cbor:"v"`
	Log        [][]digest `cbor:"log"`
	Seq        uint64     `cbor:"seq"`
	Pins       digest     `cbor:"pins"`
	Time       uint64     `cbor:"time"`
	Zero       zeroRef    `cbor:"zero"`
	Vault      id32       `cbor:"vault"`
	Signer     id32       `cbor:"signer"`
	Signers    []byte     `cbor:"signers"`
	Directory  []digest   `cbor:"directory"`
	Checkpoint []byte     `cbor:"checkpoint"`
	ValidUntil uint64     `cbor:"valid_until"`

	name cid
	list *signers
	tree tree
}

type zeroRef struct {
	Root         digest `cbor:"root"`
	RootLen      uint32 `cbor:"root_len"`
	Envelopes    digest `cbor:"envelopes"`
	EnvelopesLen uint32 `cbor:"envelopes_len"`
}

type headBlock struct {
	Sig  [64]byte `cbor:"sig"`
	Head []byte   `cbor:"head"`
	Pins link     `cbor:"pins"`
}

var errNotHead = errors.New("not a head of this vault")

// openHead verifies that a head holds in itself (13).
func openHead(block []byte, vault id32) (*head, error) {
	var outer headBlock
	h := &head{}
	if len(block) > maxHead || decode(block, &outer) != nil || decode(outer.Head, h) != nil || h.Vault != vault {
		return nil, errNotHead
	}
	h.name = cidOf(codecDagCBOR, hash(block))
	var err error
	if h.list, err = openSigners(h.Signers); err != nil {
		return nil, err
	}
	if h.list.vault() != vault {
		return nil, errors.New("its signers list is that of another vault")
	}
	if !h.list.now(h.Signer) {
		return nil, errors.New("signed by a key that is not on its list")
	}
	if err := verifyNamed(h.Signer, "head", outer.Head, outer.Sig[:]); err != nil {
		return nil, err
	}
	if outer.Pins.cid != cidOf(codecDagCBOR, h.Pins) {
		return nil, errors.New("its link is not the pin set it names")
	}
	if h.tree, err = openCheckpoint(h.Checkpoint, vault, h.Signer); err != nil {
		return nil, err
	}
	return h, h.checkLimits()
}

func (h *head) checkLimits() error {
	const limit = 1 << 53
	listed := len(h.Directory)
	for _, level := range h.Log {
		listed += len(level)
	}
	switch {
	case listed > 4096 || len(h.Log) > 8:
		return fmt.Errorf("it names %d blocks in %d levels", listed, len(h.Log))
	case h.Seq < 1 || h.Seq > limit || h.Time > limit || h.ValidUntil > limit:
		return errors.New("its seq or a time is out of range")
	case h.ValidUntil != h.Time+30*86400:
		return errors.New("its valid_until is not 30 days after its time")
	}
	return nil
}

// compare orders heads of a vault as recovery does (16.3).
func (h *head) compare(other *head) int {
	return cmp.Or(cmp.Compare(h.list.Serial, other.list.Serial), cmp.Compare(h.Seq, other.Seq), cmp.Compare(h.tree.size, other.tree.size))
}

// newestHead finds the newest head of a vault among the blocks.
func newestHead(store *blocks, vault id32, report *report) (*head, error) {
	var best *head
	for _, name := range store.cbor {
		block, err := store.get(name)
		if err != nil {
			return nil, err
		}
		h, err := openHead(block, vault)
		switch {
		case errors.Is(err, errNotHead):
		case err != nil:
			report.problem("head %v does not hold: %v", name, err)
		case best != nil && h.compare(best) == 0:
			report.problem("heads %v and %v are both of serial %d and seq %d: the vault was forked", best.name, name, h.list.Serial, h.Seq)
		case best == nil || h.compare(best) > 0:
			best = h
		}
	}
	if best == nil {
		return nil, fmt.Errorf("no head of vault %v among the blocks", vault)
	}
	return best, nil
}

// pinned reads the pin set: every live raw block, ascending (12).
func (h *head) pinned(store *blocks) ([]digest, error) {
	var shards []link
	if err := readLinks(store, cidOf(codecDagCBOR, h.Pins), &shards); err != nil {
		return nil, fmt.Errorf("pin set: %w", err)
	}
	var all []digest
	for _, shard := range shards {
		if shard.cid.codec() != codecDagCBOR {
			return nil, errors.New("pin set: its root links a raw block")
		}
		var links []link
		if err := readLinks(store, shard.cid, &links); err != nil {
			return nil, fmt.Errorf("pin set: %w", err)
		}
		if len(links) > 6000 {
			return nil, fmt.Errorf("pin set: a shard of %d links", len(links))
		}
		for _, link := range links {
			name := link.cid.digest()
			if link.cid.codec() != codecRaw {
				return nil, errors.New("pin set: a shard links a block that is not raw")
			}
			if len(all) > 0 && bytes.Compare(all[len(all)-1][:], name[:]) >= 0 {
				return nil, errors.New("pin set: its links do not ascend")
			}
			all = append(all, name)
		}
	}
	return all, nil
}

func readLinks(store *blocks, name cid, links *[]link) error {
	block, err := store.get(name)
	if err != nil {
		return err
	}
	return decode(block, links)
}

// checkPins compares the pin set with the blocks that were found to be named, and with those there.
func (h *head) checkPins(store *blocks, live map[digest]bool, report *report) {
	pinned, err := h.pinned(store)
	if err != nil {
		report.problem("%v", err)
		return
	}
	for _, name := range pinned {
		if !store.has(name) {
			report.problem("pinned block %v is missing", name)
		}
		if !live[name] {
			report.problem("pinned block %v is not named by anything", name)
		}
	}
	for name := range live {
		if _, found := slices.BinarySearchFunc(pinned, name, func(a, b digest) int { return bytes.Compare(a[:], b[:]) }); !found {
			report.problem("block %v is named but not pinned", name)
		}
	}
}
