package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

// contact is an item of the list contacts (14.3).
type contact struct {
	ID       id16     `cbor:"id"`
	Card     []byte   `cbor:"card"`
	Name     string   `cbor:"name"`
	Added    uint64   `cbor:"added"`
	Deposits *leave   `cbor:"deposits,omitempty"`
	Relation [32]byte `cbor:"relation"`
	Verified *uint64  `cbor:"verified"`
	Witness  *[]byte  `cbor:"witness,omitempty"`

	card *card
}

// leave says what a contact may deposit (21.3).
type leave struct {
	Bytes  uint64 `cbor:"b"`
	PerDay uint32 `cbor:"d"`
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
	MayDeposit bool    `cbor:"may-deposit,omitempty"`
	Agents     []id32  `cbor:"agents,omitempty"`

	Conditions map[string]cbor.RawMessage `cbor:"conditions,omitempty"`
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
	case t.Delivery != carried && t.Delivery != onRequest:
		return nil, fmt.Errorf("terms: delivery %q", t.Delivery)
	case t.Delivery == carried && (len(t.Conditions) > 0 || len(t.Agents) > 0):
		return nil, errors.New("terms: conditions or agents of a carried grant")
	}
	if err := checkPurpose(t.Purpose); err != nil {
		return nil, fmt.Errorf("terms: %w", err)
	}
	return &t, errors.Join(t.checkConditions(), t.Scope.check())
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

	OnRequest *agreementItem `cbor:"on_request,omitempty"`

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

	Agents         []standing `cbor:"agents,omitempty" json:"agents,omitempty"`
	OpenedVersions []id16     `cbor:"opened_versions,omitempty" json:"opened_versions,omitempty"`

	digest id32
}

type pinner struct {
	Name         string `cbor:"name" json:"name"`
	Deleted      uint64 `cbor:"deleted" json:"deleted"`
	Acknowledged bool   `cbor:"acknowledged" json:"acknowledged"`
}

// standing is how an agent stood when a receipt was issued.
type standing struct {
	Agent  id32   `cbor:"agent" json:"agent"`
	Closed bool   `cbor:"closed" json:"closed"`
	Until  uint64 `cbor:"until" json:"until"`
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
	if len(r.OpenedVersions) > maxListed || !ascending(r.OpenedVersions, compareIDs) {
		return nil, errors.New("receipt: too many versions, or not sorted and distinct")
	}
	return &r, nil
}

// maxListed is how many versions a receipt lists at most.
const maxListed = 2000

// checkReceipt tells whether a receipt counts: the log holds its digest, and the revocation it names.
// Of a grant on request the log also shows what was opened.
func checkReceipt(r *receipt, delivery string, log []auditEntry) error {
	at := slices.IndexFunc(log, func(e auditEntry) bool {
		act, is := e.fields.(*actReceipt)
		return is && act.Grant == r.Grant && act.Receipt == r.digest
	})
	if at < 0 {
		return errors.New("receipt: the log does not hold it")
	}
	if r.LogIndex >= uint64(len(log)) {
		return errors.New("receipt: names an entry behind the end of the log")
	}
	act, is := log[r.LogIndex].fields.(*actRevoked)
	if !is || act.Grant != r.Grant || !slices.Equal(act.Readers, r.Readers) {
		return fmt.Errorf("receipt: entry %d of the log is not its revocation", r.LogIndex)
	}
	if delivery == onRequest {
		return checkOpened(r, log, at)
	}
	if r.Opened != nil || r.NeverDelivered != 0 || len(r.OpenedVersions) > 0 || len(r.Agents) > 0 {
		return errors.New("receipt: of a carried grant, and yet it tells what was opened")
	}
	return nil
}

// checkOpened compares what a receipt says of a grant on request with what the log shows. A receipt
// that takes the place of another is later than what it counts.
func checkOpened(r *receipt, log []auditEntry, at int) error {
	released := map[id16]bool{}
	least := 0
	for i := range log[:at] {
		if i == int(r.LogIndex) {
			least = len(released)
		}
		act, is := log[i].fields.(*actAsked)
		if is && act.Vault == nil && act.Grant == r.Grant && slices.Contains(r.Readers, act.Reader) {
			for _, version := range act.Versions {
				released[version] = true
			}
		}
	}
	if r.Opened == nil || *r.Opened < uint64(least) || *r.Opened > uint64(len(released)) {
		return errors.New("receipt: the log shows more or fewer versions opened")
	}
	if uint64(len(r.OpenedVersions)) != min(*r.Opened, maxListed) || r.CouldHaveOpened < *r.Opened {
		return errors.New("receipt: its counts do not fit together")
	}
	for _, version := range r.OpenedVersions {
		if !released[version] {
			return fmt.Errorf("receipt: the log does not show that version %v was opened", version)
		}
	}
	return nil
}

// grantRoot is the root of a grant (10.4).
type grantRoot struct {
	V     version   `cbor:"v"`
	Pages []pageRef `cbor:"pages"`
	Terms []byte    `cbor:"terms"`

	Agents      [][]byte `cbor:"agents,omitempty"`
	Acceptances [][]byte `cbor:"acceptances,omitempty"`
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
