package main

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	chunkSize  = 16384
	slotSize   = chunkSize + 16
	sealedHead = 24 + 32 // salt and commitment
)

// classes are the lengths of blocks that hold objects and packs (7.3).
var classes = []int{slotSize, 2 * slotSize, 4 * slotSize, 8 * slotSize, 16 * slotSize}

// classFor gives the smallest class that holds a length.
func classFor(length int) (int, bool) {
	at, _ := slices.BinarySearch(classes, length)
	if at == len(classes) {
		return 0, false
	}
	return classes[at], true
}

func context(label string, fields ...[]byte) []byte {
	whole := []byte("medvault/v1/" + label + "\x00\x01")
	for _, field := range fields {
		whole = append(whole, field...)
	}
	return whole
}

// stream opens the chunks of one sealed stream (7.1).
type stream struct {
	aead cipher.AEAD
	base [12]byte
}

var errKey = errors.New("sealed under another key, or for another place")

// openStream takes salt ‖ commitment and fails, before anything is opened, if the commitment is not
// that of key and context.
func openStream(key [32]byte, context, head []byte) (*stream, error) {
	info := []byte("c2sp.org/chunked-encryption@v1+AEAD_CHACHA20_POLY1305\x00")
	info = append(append(info, head[:24]...), context...)
	okm := must(hkdf.Expand(sha256.New, key[:], string(info), 76))
	if subtle.ConstantTimeCompare(okm[44:], head[24:sealedHead]) != 1 {
		return nil, errKey
	}
	return &stream{must(chacha20poly1305.New(okm[:32])), [12]byte(okm[32:44])}, nil
}

// chunk opens chunk k.
func (s *stream) chunk(k uint64, sealed []byte) ([]byte, error) {
	nonce := s.base
	binary.BigEndian.PutUint64(nonce[4:], binary.BigEndian.Uint64(nonce[4:])^k)
	plain, err := s.aead.Open(nil, nonce[:], sealed, nil)
	if err != nil {
		return nil, fmt.Errorf("chunk %d is damaged", k)
	}
	return plain, nil
}

// openSealed opens a whole sealed stream that lies in memory.
func openSealed(key [32]byte, context, sealed []byte) ([]byte, error) {
	if len(sealed) < sealedHead+16 {
		return nil, fmt.Errorf("a sealed stream of %d bytes", len(sealed))
	}
	opened, err := openStream(key, context, sealed[:sealedHead])
	if err != nil {
		return nil, err
	}
	var plain []byte
	rest := sealed[sealedHead:]
	for k := uint64(0); ; k++ {
		size := min(slotSize, len(rest))
		chunk, err := opened.chunk(k, rest[:size])
		if err != nil {
			return nil, err
		}
		plain, rest = append(plain, chunk...), rest[size:]
		if len(chunk) < chunkSize {
			return plain, nil // the last chunk, always shorter; it took all there was
		}
		if len(rest) < 16 {
			return nil, errors.New("the sealed stream has lost its end")
		}
	}
}

// sealedLength is the length of the stream that seals n bytes.
func sealedLength(n uint64) uint64 { return n + sealedHead + 16*(n/chunkSize+1) }

// openObject opens one sealed stream at the start of a block of its own (7.3).
func openObject(block []byte, key [32]byte, context []byte, length uint32) ([]byte, error) {
	class, fits := classFor(int(length))
	if !fits || len(block) != class {
		return nil, fmt.Errorf("an object of %d bytes in a block of %d", length, len(block))
	}
	return openSealed(key, context, block[:length])
}

// padme is the padded length of section 7.4.
func padme(length uint64) uint64 {
	if length < 2 {
		return length
	}
	e := bits.Len64(length) - 1
	s := bits.Len(uint(e))
	step := uint64(1) << (e - s)
	return (length + step - 1) / step * step
}
