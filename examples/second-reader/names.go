package main

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
)

// Ids (section 2): 16 random bytes, or 32 bytes of a hash or a key.
type (
	id16 [16]byte
	id32 [32]byte
)

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func (id id16) String() string               { return base32Lower.EncodeToString(id[:]) }
func (id id32) String() string               { return base32Lower.EncodeToString(id[:]) }
func (id id16) MarshalText() ([]byte, error) { return []byte(id.String()), nil }
func (id id32) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// parseID32 reads the text form of 32 bytes.
func parseID32(text string) (id id32, err error) {
	raw, err := base32Lower.DecodeString(strings.ToLower(text))
	if err != nil || len(raw) != len(id) || base32Lower.EncodeToString(raw) != strings.ToLower(text) {
		return id, fmt.Errorf("%q is no id of 32 bytes", text)
	}
	return id32(raw), nil
}

// digest names a raw block inside sealed structures.
type digest [32]byte

func (d digest) String() string { return cidOf(codecRaw, d).String() }

func hash(parts ...[]byte) (sum [32]byte) {
	h := sha256.New()
	for _, part := range parts {
		h.Write(part)
	}
	h.Sum(sum[:0])
	return sum
}

// vaultID is the id of the vault that belongs to an owner key.
func vaultID(owner id32) id32 {
	return hash([]byte("medvault/v1/vault-id\x00"), owner[:])
}

const (
	codecRaw     = 0x55
	codecDagCBOR = 0x71
)

// cid is a CIDv1 with SHA-256: 01, codec, 12 20, hash.
type cid [36]byte

func cidOf(codec byte, d digest) (c cid) {
	c[0], c[1], c[2], c[3] = 1, codec, 0x12, 0x20
	copy(c[4:], d[:])
	return c
}

func parseCID(data []byte) (c cid, err error) {
	if len(data) != len(c) {
		return c, fmt.Errorf("a CID of %d bytes instead of 36", len(data))
	}
	copy(c[:], data)
	if c[0] != 1 || c[2] != 0x12 || c[3] != 0x20 || (c.codec() != codecRaw && c.codec() != codecDagCBOR) {
		return c, errors.New("not a CIDv1 with SHA-256, raw or dag-cbor")
	}
	return c, nil
}

func (c cid) codec() byte    { return c[1] }
func (c cid) digest() digest { return digest(c[4:]) }
func (c cid) String() string { return "b" + base32Lower.EncodeToString(c[:]) }
