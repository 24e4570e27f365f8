package main

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	stdhash "hash"
	"io"
)

const maxHeader = 12 << 10

// body is an opened version: its header is verified, its content not yet read.
type body struct {
	header recordHeader
	// link is what the next version names in prev.
	link    [32]byte
	blocks  []digest
	plain   io.Reader
	left    uint64 // of the content
	padding uint64
	digest  stdhash.Hash
	same    *sameHash
}

// openBody finds the body of an entry, opens it and checks its header (8, 8.1). The signers list is
// that of the vault; of a foreign author the signature alone is checked.
func openBody(store *blocks, vault id32, list *signers, e *entry) (*body, error) {
	if e.wrapped != nil {
		return nil, errOnRequest
	}
	fields := [][]byte{vault[:], e.record[:], e.version[:], []byte(e.kind)}
	bodyContext := context("body", fields...)
	b := &body{digest: sha256.New(), same: newSameHash(e.mediaType)}
	var err error
	var total uint64
	if e.depth == nil {
		total, err = plainLength(e.length)
		if err == nil {
			b.plain, b.blocks, err = packedBody(store, e.cek, bodyContext, e.place[0], e.offset, e.length)
		}
	} else {
		total = e.offset
		b.plain, b.blocks, err = longBody(store, e.cek, bodyContext, context("block-map", fields...), e.place, int(*e.depth), total)
	}
	if err != nil {
		return nil, err
	}
	var lengths [8]byte
	if _, err := io.ReadFull(b.plain, lengths[:]); err != nil {
		return nil, endless(err)
	}
	headerLength, offset := binary.BigEndian.Uint32(lengths[:4]), binary.BigEndian.Uint32(lengths[4:])
	if headerLength > maxHeader || offset < 8+headerLength || offset > 8+headerLength+16 {
		return nil, fmt.Errorf("a header of %d bytes and content at %d", headerLength, offset)
	}
	raw := make([]byte, offset-8)
	if _, err := io.ReadFull(b.plain, raw); err != nil {
		return nil, endless(err)
	}
	wire := raw[:headerLength]
	if !allZero(raw[headerLength:]) {
		return nil, errors.New("bytes between header and content")
	}
	if err := b.readHeader(wire, vault, list, e); err != nil {
		return nil, err
	}
	b.link = sha256.Sum256(wire)
	b.left = b.header.Len
	whole := uint64(offset) + b.header.Len
	if whole < b.header.Len || padme(whole) != total {
		return nil, fmt.Errorf("a body of %d bytes padded to %d", whole, total)
	}
	b.padding = total - whole
	return b, nil
}

func endless(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the body ends before its content does")
	}
	return err
}

// plainLength gives back the length whose sealed stream has this length.
func plainLength(sealed uint64) (uint64, error) {
	const whole = uint64(slotSize)
	if sealed < sealedHead+16 || sealed > 16*whole {
		return 0, fmt.Errorf("a packed body of %d bytes", sealed)
	}
	n := sealed - sealedHead
	n -= 16 * (n/whole + 1)
	if sealedLength(n) != sealed {
		return 0, fmt.Errorf("no sealed stream has %d bytes", sealed)
	}
	return n, nil
}

func (b *body) readHeader(wire []byte, vault id32, list *signers, e *entry) error {
	h := &b.header
	outer, err := openSigned("record-header", wire, maxHeader, h)
	if err != nil {
		return err
	}
	if h.Vault != vault || h.Record != e.record || h.Version != e.version || h.Meta.Kind != e.kind {
		return errors.New("the header is that of another record")
	}
	if err := outer.verify("record-header", h.Signer); err != nil {
		return err
	}
	if h.Author == list.Owner && !list.ever(h.Signer) {
		return errors.New("record-header: signed by a key that was never on the list")
	}
	if err := h.check(); err != nil {
		return fmt.Errorf("record-header: %w", err)
	}
	return e.compare(h, h.Author != list.Owner)
}

// Read gives the content. Its end is reported only when the digest and the padding are right.
func (b *body) Read(out []byte) (int, error) {
	if b.left == 0 {
		return 0, b.finish()
	}
	n, err := b.plain.Read(out[:min(uint64(len(out)), b.left)])
	b.digest.Write(out[:n])
	b.same.Write(out[:n])
	b.left -= uint64(n)
	if err != nil {
		return n, endless(err)
	}
	return n, nil
}

func (b *body) finish() error {
	if [32]byte(b.digest.Sum(nil)) != b.header.Digest {
		return errors.New("the content does not have the digest of its header")
	}
	buffer := make([]byte, chunkSize)
	for {
		n, err := b.plain.Read(buffer)
		if !allZero(buffer[:n]) {
			return errors.New("bytes behind the content")
		}
		b.padding -= uint64(n)
		if err == nil {
			continue
		}
		if errors.Is(err, io.EOF) && b.padding != 0 {
			return errors.New("the padding is short")
		}
		return err
	}
}
