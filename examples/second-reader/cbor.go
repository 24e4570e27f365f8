package main

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Strict dag-cbor (section 1): a value is accepted only if encoding it again gives exactly the
// bytes it came from. The structs of this program carry the field tables, so one comparison refuses
// unsorted or duplicate keys, long integers, trailing bytes, and fields that are missing or unknown.
var (
	cborEncoder = must(cbor.EncOptions{
		Sort:          cbor.SortLengthFirst,
		IndefLength:   cbor.IndefLengthForbidden,
		NilContainers: cbor.NilContainerAsEmpty,
	}.EncMode())
	cborDecoder = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
		UTF8:              cbor.UTF8RejectInvalid,
		MaxArrayElements:  1 << 20,
	}.DecMode())
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err) // only for options and tables fixed in this program
	}
	return value
}

// decode reads one dag-cbor value into the struct or slice that out points to.
func decode(data []byte, out any) error {
	if err := cborDecoder.Unmarshal(data, out); err != nil {
		return fmt.Errorf("dag-cbor: %w", err)
	}
	again, err := cborEncoder.Marshal(out)
	if err != nil {
		return fmt.Errorf("dag-cbor: %w", err)
	}
	if !bytes.Equal(again, data) {
		return errors.New("dag-cbor: not the one encoding of its value, or a field is missing")
	}
	return nil
}

// link is a dag-cbor link: tag 42 around the zero byte and a binary CID.
type link struct{ cid cid }

var linkPrefix = []byte{0xd8, 0x2a, 0x58, 0x25, 0x00}

func (l link) MarshalCBOR() ([]byte, error) {
	return append(bytes.Clone(linkPrefix), l.cid[:]...), nil
}

func (l *link) UnmarshalCBOR(data []byte) error {
	rest, found := bytes.CutPrefix(data, linkPrefix)
	if !found {
		return errors.New("not a link")
	}
	var err error
	l.cid, err = parseCID(rest)
	return err
}

// version is the field v of every versioned map: 1 and nothing else.
type version uint64

func (v *version) UnmarshalCBOR(data []byte) error {
	if !bytes.Equal(data, []byte{1}) {
		return errors.New("made by another version of the formats")
	}
	*v = 1
	return nil
}
