package main

import (
	"encoding/binary"
	"errors"
	"fmt"

	"filippo.io/age"
)

// zeroRoot is the root of grant zero: the patient's own view (14.2).
type zeroRoot struct {
	V        version   `cbor:"v"`
	Name     string    `cbor:"name"`
	Audit    []pageRef `cbor:"audit"`
	Grants   []pageRef `cbor:"grants"`
	Dummies  []digest  `cbor:"dummies"`
	Records  []pageRef `cbor:"records"`
	Secrets  secrets   `cbor:"secrets"`
	Contacts []pageRef `cbor:"contacts"`
	Charges  []pageRef `cbor:"charges,omitempty"`
}

type secrets struct {
	Log   [32]byte  `cbor:"log"`
	Inbox *[32]byte `cbor:"inbox,omitempty"`
	Names [32]byte  `cbor:"names"`
}

// envelopePayload is what an envelope holds (10.2).
type envelopePayload struct {
	V      version  `cbor:"v"`
	To     [32]byte `cbor:"to"`
	Key    [32]byte `cbor:"key"`
	Grant  id16     `cbor:"grant"`
	Vault  id32     `cbor:"vault"`
	Signer id32     `cbor:"signer"`
	// Release is only in the envelope of an agent.
	Release *[32]byte `cbor:"release,omitempty"`
}

// openPayload checks an envelope's payload, which holds the grant key.
func openPayload(payload []byte, list *signers, grant id16, to *hybrid) (*envelopePayload, error) {
	var p envelopePayload
	outer, err := openSigned("envelope", payload, 2048, &p)
	if err != nil {
		return nil, err
	}
	if err := list.verifyEver(outer, "envelope", p.Signer); err != nil {
		return nil, err
	}
	if p.Vault != list.vault() || p.Grant != grant || p.To != hash(to.public) {
		return nil, errors.New("envelope: made for another vault, grant or recipient")
	}
	return &p, nil
}

// openZero opens grant zero with the identity of the patient (14).
func openZero(store *blocks, h *head, who *identity) (*zeroRoot, error) {
	block, err := store.raw(h.Zero.Envelopes)
	if err != nil {
		return nil, err
	}
	envelopes, err := openObject(block, who.zeroCover, context("zero-cover", h.Vault[:]), h.Zero.EnvelopesLen)
	if err != nil {
		return nil, fmt.Errorf("grant zero's envelopes: %w", err)
	}
	if len(envelopes) == 0 || len(envelopes)%envelopeSize != 0 {
		return nil, fmt.Errorf("grant zero's envelopes: %d bytes", len(envelopes))
	}
	for ; len(envelopes) > 0; envelopes = envelopes[envelopeSize:] {
		payload, err := openEnvelope(envelopes[:envelopeSize], who.hybrid)
		if errors.Is(err, age.ErrIncorrectIdentity) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("grant zero's envelopes: %w", err)
		}
		p, err := openPayload(payload, h.list, id16{}, who.hybrid)
		if err != nil {
			return nil, err
		}
		if p.Release != nil {
			return nil, errors.New("grant zero's envelopes: one with a release key")
		}
		return openZeroRoot(store, h, p.Key)
	}
	return nil, errors.New("no envelope of grant zero is for this identity: the vault may have been recovered on another device")
}

func openZeroRoot(store *blocks, h *head, key [32]byte) (*zeroRoot, error) {
	block, err := store.raw(h.Zero.Root)
	if err != nil {
		return nil, err
	}
	zero := id16{}
	plain, err := openObject(block, key, context("grant-root", h.Vault[:], zero[:]), h.Zero.RootLen)
	if err != nil {
		return nil, fmt.Errorf("grant zero's root: %w", err)
	}
	if sealedLength(uint64(len(plain))) != uint64(len(block)) {
		return nil, errors.New("grant zero's root does not fill its block")
	}
	if len(plain) < 4 || uint64(binary.BigEndian.Uint32(plain)) > uint64(len(plain)-4) {
		return nil, errors.New("grant zero's root: a wrong length")
	}
	length := 4 + binary.BigEndian.Uint32(plain)
	if !allZero(plain[length:]) {
		return nil, errors.New("grant zero's root: bytes behind the map")
	}
	var root zeroRoot
	if err := decode(plain[4:length], &root); err != nil {
		return nil, fmt.Errorf("grant zero's root: %w", err)
	}
	return &root, checkName(root.Name, 100)
}
