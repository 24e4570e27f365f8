package main

import "testing"

// depositNote is what a depositor signs (21.2). The program itself reads deposits only once they are
// records of the vault.
type depositNote struct {
	V       version        `cbor:"v"`
	Kinds   []string       `cbor:"kinds"`
	Vault   id32           `cbor:"vault"`
	Blocks  []digest       `cbor:"blocks"`
	Signer  id32           `cbor:"signer"`
	Created uint64         `cbor:"created"`
	Deposit id16           `cbor:"deposit"`
	Entries []depositEntry `cbor:"entries"`
	Message *string        `cbor:"message,omitempty"`
	Signers []byte         `cbor:"signers"`
}

type depositEntry struct {
	_       struct{} `cbor:",toarray"`
	Record  id16
	Version id16
	CEK     [32]byte
	Kind    uint32
	Rows    []uint32
	Depth   *uint8
	A, B    uint64
}

func TestDepositNote(t *testing.T) {
	open := func(wire []byte) (*depositNote, error) {
		var n depositNote
		outer, err := openSigned("deposit", wire, 1_044_480, &n)
		if err != nil {
			return nil, err
		}
		list, err := openSigners(n.Signers)
		if err != nil {
			return nil, err
		}
		if !list.now(n.Signer) {
			t.Error("signed by a key that is not on its list")
		}
		return &n, outer.verify("deposit", n.Signer)
	}
	wire := fromHex(t, examples(t)["deposit-note"])
	n, err := open(wire)
	if err != nil {
		t.Fatal(err)
	}
	e := n.Entries[0]
	if n.Vault != vaultID(ed25519Public(filled32(1))) || n.Deposit != filled16(0xdd) || *n.Message != "your results" || len(n.Entries) != 1 ||
		e.Record != filled16(0x11) || e.Version != filled16(0x22) || e.CEK != filled32(0x55) || n.Kinds[e.Kind] != "Observation" ||
		n.Blocks[e.Rows[0]] != filled32(0x44) || e.Depth != nil || e.A != 0 || e.B != 512 {
		t.Errorf("%+v", n)
	}
	wire[len(wire)-1] ^= 1
	if _, err := open(wire); err == nil {
		t.Error("taken with its signature changed")
	}
}
