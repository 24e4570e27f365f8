package main

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	_ "embed"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// derive is the one derivation of the formats (3.1): HKDF-SHA-512 with the label as info.
func derive(input [32]byte, label string) [32]byte {
	key := must(hkdf.Key(sha512.New, input[:], []byte("medvault/v1"), label, 32))
	return [32]byte(key)
}

func hmac256(key [32]byte, parts ...[]byte) [32]byte {
	mac := hmac.New(sha256.New, key[:])
	for _, part := range parts {
		mac.Write(part)
	}
	return [32]byte(mac.Sum(nil))
}

func u16(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }
func u32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
func u64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

//go:embed english.txt
var english string

// words is the BIP-39 English list: 2,048 words in alphabetical order.
var words = strings.Fields(english)

// parseWords turns 24 recovery words into the 32 bytes of entropy they stand for (3.2).
func parseWords(text string) (entropy [32]byte, err error) {
	given := strings.Fields(strings.ToLower(text))
	if len(given) != 24 {
		return entropy, fmt.Errorf("%d recovery words instead of 24", len(given))
	}
	bits := make([]byte, 33) // 24 words of 11 bits: 256 of entropy, 8 of checksum
	for i, word := range given {
		number, found := slices.BinarySearch(words, word)
		if !found {
			return entropy, fmt.Errorf("word %d is not on the BIP-39 English list", i+1)
		}
		for bit := range 11 {
			if number>>(10-bit)&1 == 1 {
				at := i*11 + bit
				bits[at/8] |= 0x80 >> (at % 8)
			}
		}
	}
	entropy = [32]byte(bits[:32])
	if hash(entropy[:])[0] != bits[32] {
		return entropy, fmt.Errorf("the recovery words do not fit together: one is wrong or in another place")
	}
	return entropy, nil
}

// fingerprint gives the twelve words by which people compare an owner key (3.3).
func fingerprint(owner id32) string {
	sum := hash([]byte("medvault/v1/fingerprint\x00"), owner[:])
	chosen := make([]string, 12)
	for i := range chosen {
		number := 0
		for bit := i * 11; bit < i*11+11; bit++ {
			number = number<<1 | int(sum[bit/8]>>(7-bit%8)&1)
		}
		chosen[i] = words[number]
	}
	return strings.Join(chosen, " ")
}

func ed25519Public(seed [32]byte) id32 {
	return id32(ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey))
}
