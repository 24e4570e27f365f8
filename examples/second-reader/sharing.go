package main

import (
	"errors"
	"fmt"
	"slices"
)

// contact is an item of the list contacts (14.3).
type contact struct {
	ID       id16     `cbor:"id"`
	Card     []byte   `cbor:"card"`
	Name     string   `cbor:"name"`
	Added    uint64   `cbor:"added"`
	Relation [32]byte `cbor:"relation"`
	Verified *uint64  `cbor:"verified"`

	card *card
}

// terms say what a grant gives, to whom, until when (10.1).
type terms struct {
	V          version `cbor:"v"`
	Grant      id16    `cbor:"grant"`
	Scope      scope   `cbor:"scope"`
	Vault      id32    `cbor:"vault"`
	Extent     string  `cbor:"extent"`
	Signer     id32    `cbor:"signer"`
	Created    uint64  `cbor:"created"`
	Expires    *uint64 `cbor:"expires"`
	Purpose    *string `cbor:"purpose"`
	Delivery   string  `cbor:"delivery"`
	Recipients []id32  `cbor:"recipients"`
}

func openTerms(wire []byte, list *signers, grant id16) (*terms, error) {
	var t terms
	outer, err := openSigned("terms", wire, 64<<10, &t)
	if err != nil {
		return nil, err
	}
	if err := list.verifyEver(outer, "terms", t.Signer); err != nil {
		return nil, err
	}
	switch {
	case t.Vault != list.vault() || t.Grant != grant:
		return nil, errors.New("terms: of another vault or grant")
	case t.Extent != "standing" && t.Extent != "snapshot":
		return nil, fmt.Errorf("terms: extent %q", t.Extent)
	case t.Delivery != "carried":
		return nil, fmt.Errorf("terms: delivery %q", t.Delivery)
	}
	return &t, t.Scope.check()
}

// readerTag is how terms name a reader (10.1).
func readerTag(relation [32]byte, grant id16) id32 {
	return hmac256(derive(relation, "relation-reader"), grant[:])
}

// grantItem is an item of the list grants (14.3).
type grantItem struct {
	ID       id16           `cbor:"id"`
	Key      [32]byte       `cbor:"key"`
	Root     *rootRef       `cbor:"root"`
	Count    uint64         `cbor:"count"`
	Ended    *uint64        `cbor:"ended"`
	Pages    []pageRef      `cbor:"pages"`
	Terms    []byte         `cbor:"terms"`
	Former   []formerReader `cbor:"former"`
	Status   string         `cbor:"status"`
	Members  []member       `cbor:"members"`
	Pending  *pending       `cbor:"pending"`
	Receipts [][]byte       `cbor:"receipts"`

	terms    *terms
	receipts []receipt
	entries  []entry
}

type rootRef struct {
	_     struct{} `cbor:",toarray"`
	Block digest
	Len   uint32
}

type formerReader struct {
	_     struct{} `cbor:",toarray"`
	Owner id32
	Time  uint64
}

type member struct {
	Owner     id32     `cbor:"owner"`
	Contact   id16     `cbor:"contact"`
	Envelopes []digest `cbor:"envelopes"`
}

type pending struct {
	Cut             uint64   `cbor:"cut"`
	Count           uint64   `cbor:"count"`
	Index           [32]byte `cbor:"index"`
	Deleted         uint64   `cbor:"deleted"`
	Readers         []id32   `cbor:"readers"`
	LogIndex        uint64   `cbor:"log_index"`
	CouldHaveOpened uint64   `cbor:"could_have_opened"`
}

// receipt is what the patient gets for a revocation (16.4).
type receipt struct {
	V               version  `cbor:"v" json:"-"`
	Time            uint64   `cbor:"time" json:"time"`
	Grant           id16     `cbor:"grant" json:"grant"`
	Index           id32     `cbor:"index" json:"index"`
	Level           string   `cbor:"level" json:"level"`
	Vault           id32     `cbor:"vault" json:"vault"`
	Opened          *uint64  `cbor:"opened" json:"opened"`
	Signer          id32     `cbor:"signer" json:"signer"`
	Pinners         []pinner `cbor:"pinners" json:"pinners"`
	Readers         []id32   `cbor:"readers" json:"readers"`
	Rekeyed         uint64   `cbor:"rekeyed" json:"rekeyed"`
	LogIndex        uint64   `cbor:"log_index" json:"log_index"`
	NeverDelivered  uint64   `cbor:"never_delivered" json:"never_delivered"`
	CouldHaveOpened uint64   `cbor:"could_have_opened" json:"could_have_opened"`

	digest id32
}

type pinner struct {
	Name         string `cbor:"name" json:"name"`
	Deleted      uint64 `cbor:"deleted" json:"deleted"`
	Acknowledged bool   `cbor:"acknowledged" json:"acknowledged"`
}

func openReceipt(wire []byte, list *signers, grant id16) (*receipt, error) {
	r := receipt{digest: hash(wire)}
	outer, err := openSigned("receipt", wire, 64<<10, &r)
	if err != nil {
		return nil, err
	}
	if err := list.verifyEver(outer, "receipt", r.Signer); err != nil {
		return nil, err
	}
	if r.Vault != list.vault() || r.Grant != grant {
		return nil, errors.New("receipt: of another vault or grant")
	}
	return &r, nil
}

// checkReceipt tells whether a receipt counts: the log holds its digest, and the revocation it names.
func checkReceipt(r *receipt, log []auditEntry) error {
	logged := slices.ContainsFunc(log, func(e auditEntry) bool {
		act, is := e.fields.(*actReceipt)
		return is && act.Grant == r.Grant && act.Receipt == r.digest
	})
	if !logged {
		return errors.New("receipt: the log does not hold it")
	}
	if r.LogIndex >= uint64(len(log)) {
		return errors.New("receipt: names an entry behind the end of the log")
	}
	act, is := log[r.LogIndex].fields.(*actRevoked)
	if !is || act.Grant != r.Grant || !slices.Equal(act.Readers, r.Readers) {
		return fmt.Errorf("receipt: entry %d of the log is not its revocation", r.LogIndex)
	}
	return nil
}

// grantRoot is the root of a grant (10.4).
type grantRoot struct {
	V     version   `cbor:"v"`
	Pages []pageRef `cbor:"pages"`
	Terms []byte    `cbor:"terms"`
}

func openGrantRoot(store *blocks, vault id32, grant id16, key [32]byte, block digest, length uint32) (*grantRoot, error) {
	data, err := store.raw(block)
	if err != nil {
		return nil, err
	}
	plain, err := openObject(data, key, context("grant-root", vault[:], grant[:]), length)
	if err != nil {
		return nil, fmt.Errorf("root of grant %v: %w", grant, err)
	}
	var root grantRoot
	if err := decode(plain, &root); err != nil {
		return nil, fmt.Errorf("root of grant %v: %w", grant, err)
	}
	return &root, nil
}

func grantList(grant id16) string { return "grant/" + string(grant[:]) }
