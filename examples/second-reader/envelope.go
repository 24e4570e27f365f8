package main

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/mlkem"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
)

const (
	envelopeSize  = 4096
	ageHeaderMax  = 16 << 10
	ageStanzasMax = 10
	hybridLabel   = "age-encryption.org/mlkem768x25519"
)

// hybrid is an mlkem768x25519 identity made from its seed (3.4). The age library has the same, but
// takes it in text form only and does not give the bytes of the public key, which envelopes name.
type hybrid struct {
	private hpke.PrivateKey
	public  []byte
}

func newHybrid(seed [32]byte) (*hybrid, error) {
	private, err := hpke.MLKEM768X25519().NewPrivateKey(seed[:])
	if err != nil {
		return nil, err
	}
	return &hybrid{private, private.PublicKey().Bytes()}, nil
}

// Unwrap is called by the age library with all stanzas of a header.
func (h *hybrid) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if err := refuseMix(stanzas); err != nil {
		return nil, err
	}
	for _, stanza := range stanzas {
		if stanza.Type != "mlkem768x25519" {
			continue
		}
		if len(stanza.Args) != 1 || len(stanza.Body) != 32 {
			return nil, errors.New("a malformed mlkem768x25519 stanza")
		}
		enc, err := base64.RawStdEncoding.Strict().DecodeString(stanza.Args[0])
		if err != nil {
			return nil, errors.New("a malformed mlkem768x25519 stanza")
		}
		recipient, err := hpke.NewRecipient(enc, h.private, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), []byte(hybridLabel))
		if err != nil {
			return nil, fmt.Errorf("mlkem768x25519 stanza: %w", err)
		}
		if key, err := recipient.Open(nil, stanza.Body); err == nil {
			return key, nil
		}
	}
	return nil, age.ErrIncorrectIdentity
}

// refuseMix refuses what would take the post-quantum protection away (6).
func refuseMix(stanzas []*age.Stanza) error {
	if len(stanzas) > ageStanzasMax {
		return fmt.Errorf("%d recipients in one age file", len(stanzas))
	}
	hybrids, others := 0, ""
	for _, stanza := range stanzas {
		switch {
		case stanza.Type == "mlkem768x25519":
			hybrids++
		case stanza.Type == "mlkem768p256tag", stanza.Type == "grease", strings.HasSuffix(stanza.Type, "-grease"):
		default:
			others = stanza.Type
		}
	}
	if hybrids > 0 && others != "" {
		return fmt.Errorf("a stanza %q stands beside a post-quantum one", others)
	}
	return nil
}

// openAge opens a binary age file; long headers are refused before they are parsed.
func openAge(file []byte, identity age.Identity) ([]byte, error) {
	end := bytes.Index(file, []byte("\n--- "))
	if end < 0 || end > ageHeaderMax {
		return nil, errors.New("not an age file, or its header is over 16 KiB")
	}
	plain, err := age.Decrypt(bytes.NewReader(file), identity)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(plain)
}

// openEnvelope gives the payload of an envelope.
func openEnvelope(file []byte, identity *hybrid) ([]byte, error) {
	if len(file) > 16<<10 {
		return nil, fmt.Errorf("an envelope of %d bytes", len(file))
	}
	plain, err := openAge(file, identity)
	if err != nil {
		return nil, err
	}
	if len(plain) < 2 {
		return nil, errors.New("an envelope without a length")
	}
	length := int(binary.BigEndian.Uint16(plain))
	if length > len(plain)-2 || !allZero(plain[2+length:]) {
		return nil, errors.New("an envelope with a wrong length or padding")
	}
	return plain[2 : 2+length], nil
}

// checkRecipient refuses public keys that fail the ML-KEM range check or have a low order (3.4).
func checkRecipient(public []byte) error {
	if _, err := mlkem.NewEncapsulationKey768(public[:mlkem.EncapsulationKeySize768]); err != nil {
		return errors.New("recipient: not an ML-KEM-768 key")
	}
	x, err := ecdh.X25519().NewPublicKey(public[mlkem.EncapsulationKeySize768:])
	if err != nil {
		return errors.New("recipient: not an X25519 key")
	}
	any := must(ecdh.X25519().NewPrivateKey(bytes.Repeat([]byte{1}, 32)))
	if _, err := any.ECDH(x); err != nil {
		return errors.New("recipient: an X25519 key of low order")
	}
	return nil
}
