package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// scope says which records a grant takes in (10.7).
type scope struct {
	All           bool         `cbor:"all" json:"all"`
	Codes         []string     `cbor:"codes,omitempty" json:"codes,omitempty"`
	Kinds         []string     `cbor:"kinds" json:"kinds"`
	Since         *string      `cbor:"since" json:"since"`
	Until         *string      `cbor:"until" json:"until"`
	Records       []id16       `cbor:"records" json:"records"`
	Categories    categoryList `cbor:"categories" json:"categories"`
	WithLabels    []string     `cbor:"with_labels" json:"with_labels"`
	WithoutLabels []string     `cbor:"without_labels" json:"without_labels"`
}

// categoryList is an array of small numbers; a plain []uint8 would be a byte string.
type categoryList []uint16

// notSensitive are the labels that need not be named to be read (8.2).
var notSensitive = []string{"U", "L", "M", "N"}

func (s *scope) check() error {
	texts := [][]string{s.Codes, s.Kinds, s.WithLabels, s.WithoutLabels}
	for _, list := range texts {
		if !ascending(list, strings.Compare) {
			return errors.New("scope: an array is not sorted and distinct")
		}
	}
	if !ascending(s.Categories, func(a, b uint16) int { return int(a) - int(b) }) ||
		!ascending(s.Records, compareIDs) {
		return errors.New("scope: an array is not sorted and distinct")
	}
	if err := checkCodes(s.Codes, len(s.Codes)); err != nil {
		return fmt.Errorf("scope: %w", err)
	}
	for _, bound := range []*string{s.Since, s.Until} {
		if bound != nil && !isDate(*bound) {
			return fmt.Errorf("scope: date %q", *bound)
		}
	}
	return nil
}

func compareIDs(a, b id16) int { return bytes.Compare(a[:], b[:]) }

func ascending[T any](list []T, compare func(a, b T) int) bool {
	for i := 1; i < len(list); i++ {
		if compare(list[i-1], list[i]) >= 0 {
			return false
		}
	}
	return true
}

// isAbout tells whether one of the codes is asked for. ToLower would fold more than ASCII letters.
func (s *scope) isAbout(codes []string) bool {
	lower := func(c rune) rune {
		if 'A' <= c && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return c
	}
	for _, text := range codes {
		system, code, _ := strings.Cut(text, "|")
		for _, asked := range s.Codes {
			wantedSystem, wanted, _ := strings.Cut(asked, "|")
			if (wantedSystem == "" || wantedSystem == system) && strings.Map(lower, code) == strings.Map(lower, wanted) {
				return true
			}
		}
	}
	return false
}

// holds tells whether a record is in the scope by id, kind, category, codes and labels: rules 1 to 3. The
// dates of rule 4 need the full date of the signed header, which an index entry has to the day only.
func (s *scope) holds(e *entry) bool {
	named := slices.Contains(s.Records, e.record)
	if !s.All && !named && !slices.Contains(s.Kinds, e.kind) &&
		!slices.Contains(s.Categories, uint16(e.category)) && !s.isAbout(e.codes) {
		return false
	}
	for _, label := range e.labels {
		if slices.Contains(s.WithoutLabels, label) {
			return false
		}
		if !named && !slices.Contains(notSensitive, label) && !slices.Contains(s.WithLabels, label) {
			return false
		}
	}
	return (s.Since == nil && s.Until == nil) || e.date != ""
}
