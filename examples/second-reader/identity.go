package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"filippo.io/age"
)

// signers is the list of keys that may sign for a vault (5.1).
type signers struct {
	V      version `cbor:"v"`
	Keys   []id32  `cbor:"keys"`
	Owner  id32    `cbor:"owner"`
	Former []id32  `cbor:"former"`
	Serial uint64  `cbor:"serial"`
}

func openSigners(wire []byte) (*signers, error) {
	var list signers
	outer, err := openSigned("signers", wire, 16<<10, &list)
	if err != nil {
		return nil, err
	}
	return &list, outer.verify("signers", list.Owner)
}

func (l *signers) vault() id32       { return vaultID(l.Owner) }
func (l *signers) now(key id32) bool { return slices.Contains(l.Keys, key) }

// all are the keys that may sign or might once.
func (l *signers) all() []id32 { return slices.Concat(l.Keys, l.Former) }
func (l *signers) ever(key id32) bool {
	return l.now(key) || slices.Contains(l.Former, key)
}

// verifyEver checks a Signed whose signer has to be, or have been, on the list.
func (l *signers) verifyEver(outer *signed, namespace string, signer id32) error {
	if !l.ever(signer) {
		return fmt.Errorf("%s: signed by a key that was never on the list", namespace)
	}
	return outer.verify(namespace, signer)
}

// card is a contact card (5.2).
type card struct {
	V          version      `cbor:"v"`
	Name       string       `cbor:"name"`
	Peer       id32         `cbor:"peer"`
	Signer     id32         `cbor:"signer"`
	Signers    []byte       `cbor:"signers"`
	Endpoint   id32         `cbor:"endpoint"`
	Recipients [][1216]byte `cbor:"recipients"`

	list *signers
}

func openCard(wire []byte) (*card, error) {
	var c card
	outer, err := openSigned("card", wire, 32<<10, &c)
	if err != nil {
		return nil, err
	}
	if c.list, err = openSigners(c.Signers); err != nil {
		return nil, fmt.Errorf("card: %w", err)
	}
	if !c.list.now(c.Signer) {
		return nil, errors.New("card: signed by a key that is not on its list")
	}
	if err := outer.verify("card", c.Signer); err != nil {
		return nil, err
	}
	if err := checkName(c.Name, 100); err != nil {
		return nil, fmt.Errorf("card: name: %w", err)
	}
	if len(c.Recipients) < 1 || len(c.Recipients) > 8 {
		return nil, fmt.Errorf("card: %d recipients", len(c.Recipients))
	}
	for i := range c.Recipients {
		if err := checkRecipient(c.Recipients[i][:]); err != nil {
			return nil, fmt.Errorf("card: %w", err)
		}
	}
	return &c, nil
}

// identity is what opens a vault: this program needs no more of it.
type identity struct {
	owner     id32
	vault     id32
	hybrid    *hybrid
	zeroCover [32]byte
	// list is the signers list that admits the device; nil for recovery words.
	list *signers
}

// identityFromWords rebuilds what the 24 recovery words stand for (3.1, 3.2).
func identityFromWords(text string) (*identity, error) {
	entropy, err := parseWords(text)
	if err != nil {
		return nil, err
	}
	owner := ed25519Public(derive(entropy, "owner-signing"))
	recovery, err := newHybrid(derive(entropy, "recovery-recipient"))
	if err != nil {
		return nil, err
	}
	return &identity{owner: owner, vault: vaultID(owner), hybrid: recovery, zeroCover: derive(entropy, "zero-cover")}, nil
}

// device is the last line of an identity file (5.3).
type device struct {
	V         version    `cbor:"v"`
	Iroh      [32]byte   `cbor:"iroh"`
	Device    id16       `cbor:"device"`
	Libp2p    [32]byte   `cbor:"libp2p"`
	Signers   []byte     `cbor:"signers"`
	Signing   [32]byte   `cbor:"signing"`
	Recovery  [1216]byte `cbor:"recovery"`
	Recipient [32]byte   `cbor:"recipient"`
	ZeroCover [32]byte   `cbor:"zero_cover"`
}

// identityFromFile opens identity.age under its passphrase.
func identityFromFile(file []byte, passphrase string) (*identity, error) {
	scrypt, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, err
	}
	scrypt.SetMaxWorkFactor(22)
	plain, err := openAge(file, scrypt)
	if err != nil {
		return nil, err
	}
	return parseIdentity(string(plain))
}

func parseIdentity(text string) (*identity, error) {
	const tag = "# medvault-device: "
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[1], "AGE-SECRET-KEY-PQ-1") || !strings.HasPrefix(lines[2], tag) {
		return nil, errors.New("not a medvault identity: its three lines are not there")
	}
	raw, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimPrefix(lines[2], tag))
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	var d device
	if err := decode(raw, &d); err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	list, err := openSigners(d.Signers)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	if !list.now(ed25519Public(d.Signing)) {
		return nil, errors.New("identity: its list does not admit this device")
	}
	if lines[0] != "# medvault identity of vault "+list.vault().String() {
		return nil, errors.New("identity: the first line names another vault")
	}
	own, err := newHybrid(d.Recipient)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	second, err := age.ParseHybridIdentity(lines[1])
	if err != nil {
		return nil, fmt.Errorf("identity: second line: %w", err)
	}
	probe := make([]byte, 16)
	wrapped, err := second.Recipient().Wrap(probe)
	if err != nil {
		return nil, fmt.Errorf("identity: second line: %w", err)
	}
	if opened, err := own.Unwrap(wrapped); err != nil || !bytes.Equal(opened, probe) {
		return nil, errors.New("identity: second and third line hold different keys")
	}
	return &identity{owner: list.Owner, vault: list.vault(), hybrid: own, zeroCover: d.ZeroCover, list: list}, nil
}

// readSecret reads the first line of a file that holds a passphrase.
func readSecret(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	return strings.TrimSuffix(line, "\r"), nil
}
