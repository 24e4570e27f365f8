package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"unicode/utf8"

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

// checkItem wants exactly one dag-cbor value where no struct says what is in it, so that encoding it
// again would show nothing. How deep it may nest, the decoder has limited before.
func checkItem(data []byte) error {
	rest, err := skipItem(data)
	if err == nil && len(rest) > 0 {
		err = errNotCanonical
	}
	return err
}

var errNotCanonical = errors.New("dag-cbor: not the one encoding of its value")

// skipItem gives what follows the first value.
func skipItem(data []byte) ([]byte, error) {
	major, value, rest, err := itemHead(data)
	if err != nil {
		return nil, err
	}
	switch major {
	case 0, 1:
		return rest, nil
	case 2, 3:
		if value > uint64(len(rest)) || major == 3 && !utf8.Valid(rest[:value]) {
			return nil, errNotCanonical
		}
		return rest[value:], nil
	case 4:
		for ; value > 0 && err == nil; value-- {
			rest, err = skipItem(rest)
		}
		return rest, err
	case 5:
		return skipMap(rest, value)
	case 6:
		if value != 42 || len(rest) == 0 || rest[0]>>5 != 2 {
			return nil, errNotCanonical
		}
		return skipItem(rest)
	}
	if data[0] < 0xf4 || data[0] > 0xf6 { // false, true, null
		return nil, errNotCanonical
	}
	return rest, nil
}

// skipMap wants keys that are texts and rise by length, then bytewise.
func skipMap(data []byte, count uint64) ([]byte, error) {
	var before []byte
	for ; count > 0; count-- {
		rest, err := skipItem(data)
		if err != nil {
			return nil, err
		}
		key := data[:len(data)-len(rest)]
		if key[0]>>5 != 3 || before != nil && cmp.Or(cmp.Compare(len(before), len(key)), bytes.Compare(before, key)) >= 0 {
			return nil, errNotCanonical
		}
		before = key
		if data, err = skipItem(rest); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// itemHead reads the first bytes of a value, whose number has its shortest form.
func itemHead(data []byte) (major byte, value uint64, rest []byte, err error) {
	if len(data) == 0 {
		return 0, 0, nil, errNotCanonical
	}
	major, info, rest := data[0]>>5, data[0]&31, data[1:]
	if info < 24 {
		return major, uint64(info), rest, nil
	}
	size := 1 << (info - 24)
	if info > 27 || len(rest) < size {
		return 0, 0, nil, errNotCanonical
	}
	for _, b := range rest[:size] {
		value = value<<8 | uint64(b)
	}
	least := uint64(24)
	if size > 1 {
		least = 1 << (size * 4)
	}
	if value < least {
		return 0, 0, nil, errNotCanonical
	}
	return major, value, rest[size:], nil
}
