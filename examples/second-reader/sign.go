package main

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"

	"filippo.io/edwards25519"
)

// verifyStrict checks an Ed25519 signature as section 4 wants it. The standard library compares R
// bytewise and refuses a long S, but it takes keys and an R of small order and keys that are not
// canonical; those are refused here.
func verifyStrict(key id32, message, signature []byte) error {
	if len(signature) != ed25519.SignatureSize {
		return fmt.Errorf("a signature of %d bytes", len(signature))
	}
	if err := checkPoint(key[:]); err != nil {
		return fmt.Errorf("signing key: %w", err)
	}
	if err := checkPoint(signature[:32]); err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	if !ed25519.Verify(key[:], message, signature) {
		return errors.New("the signature does not verify")
	}
	return nil
}

func checkPoint(encoded []byte) error {
	point, err := new(edwards25519.Point).SetBytes(encoded)
	if err != nil {
		return errors.New("not a point of the curve")
	}
	if !bytes.Equal(point.Bytes(), encoded) {
		return errors.New("not a canonical encoding")
	}
	if new(edwards25519.Point).MultByCofactor(point).Equal(edwards25519.NewIdentityPoint()) == 1 {
		return errors.New("a point of small order")
	}
	return nil
}

// verifyNamed checks the signature over a payload of one namespace.
func verifyNamed(key id32, namespace string, payload, signature []byte) error {
	message := append([]byte("medvault/v1/"+namespace+"\x00"), payload...)
	if err := verifyStrict(key, message, signature); err != nil {
		return fmt.Errorf("%s: %w", namespace, err)
	}
	return nil
}

// signed is a payload with its signature, as it travels.
type signed struct {
	Payload   []byte   `cbor:"p"`
	Signature [64]byte `cbor:"s"`
}

// openSigned decodes a Signed and its payload. It verifies nothing yet: who signed stands inside.
func openSigned(namespace string, wire []byte, limit int, payload any) (*signed, error) {
	if len(wire) > limit {
		return nil, fmt.Errorf("%s: %d bytes, more than %d", namespace, len(wire), limit)
	}
	var outer signed
	if err := decode(wire, &outer); err != nil {
		return nil, fmt.Errorf("%s: %w", namespace, err)
	}
	if err := decode(outer.Payload, payload); err != nil {
		return nil, fmt.Errorf("%s: payload: %w", namespace, err)
	}
	return &outer, nil
}

func (s *signed) verify(namespace string, signer id32) error {
	return verifyNamed(signer, namespace, s.Payload, s.Signature[:])
}
