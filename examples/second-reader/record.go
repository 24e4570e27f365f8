package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// recordHeader says what a version is and who made it (8.1).
type recordHeader struct {
	V       version   `cbor:"v"`
	Len     uint64    `cbor:"len"`
	Meta    meta      `cbor:"meta"`
	Prev    *[32]byte `cbor:"prev"`
	Vault   id32      `cbor:"vault"`
	Author  id32      `cbor:"author"`
	Digest  [32]byte  `cbor:"digest"`
	Record  id16      `cbor:"record"`
	Signer  id32      `cbor:"signer"`
	Source  *string   `cbor:"source"`
	Created uint64    `cbor:"created"`
	Version id16      `cbor:"version"`
}

// meta is what a record says about itself (8.2).
type meta struct {
	Kind      string   `cbor:"k"`
	Category  uint8    `cbor:"c"`
	Date      string   `cbor:"d,omitempty"`
	Title     string   `cbor:"t"`
	Labels    []string `cbor:"l,omitempty"`
	MediaType string   `cbor:"m"`
	Source    string   `cbor:"s,omitempty"`
	Codes     []string `cbor:"x,omitempty"`
	Author    string   `cbor:"a,omitempty"`
	Origin    *id16    `cbor:"o,omitempty"`
}

var categories = []string{"other", "lab", "vitals", "medication", "immunization", "condition",
	"allergy", "procedure", "imaging", "note", "coverage", "identity"}

func categoryName(number uint8) string {
	if int(number) < len(categories) {
		return categories[number]
	}
	return fmt.Sprintf("category %d", number)
}

var (
	kindForm  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,63}$`)
	labelForm = regexp.MustCompile(`^[A-Z0-9_.-]{1,32}$`)
	dateForm  = regexp.MustCompile(`^\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?)?)?$`)
)

func (m *meta) check() error {
	switch {
	case !kindForm.MatchString(m.Kind):
		return fmt.Errorf("kind %q", m.Kind)
	case int(m.Category) >= len(categories):
		return fmt.Errorf("category %d", m.Category)
	case m.Date != "" && !isDate(m.Date):
		return fmt.Errorf("date %q", m.Date)
	}
	if err := checkLabels(m.Labels); err != nil {
		return err
	}
	if err := checkClean(m.Title, 200); err != nil {
		return fmt.Errorf("title: %w", err)
	}
	if err := checkClean(m.MediaType, 128); err != nil {
		return fmt.Errorf("media type: %w", err)
	}
	if err := checkClean(m.Source, 128); err != nil {
		return fmt.Errorf("source name: %w", err)
	}
	if err := checkClean(m.Author, 128); err != nil {
		return fmt.Errorf("author: %w", err)
	}
	return checkCodes(m.Codes, mostCodes)
}

// mostCodes is how many codes a record has at most (8.2).
const mostCodes = 6

// checkCodes wants at most so many codes of the form system|code, sorted (8.2).
func checkCodes(codes []string, most int) error {
	if len(codes) > most {
		return fmt.Errorf("%d codes", len(codes))
	}
	for i, text := range codes {
		system, code, found := strings.Cut(text, "|")
		if !found || code == "" || len(text) > 128 || strings.Contains(code, "|") || strings.ContainsFunc(system, unicode.IsSpace) ||
			strings.HasPrefix(code, " ") {
			return fmt.Errorf("code %q", text)
		}
		if err := checkClean(text, 128); err != nil {
			return fmt.Errorf("code: %w", err)
		}
		if i > 0 && codes[i-1] >= text {
			return errors.New("codes are not sorted and distinct")
		}
	}
	return nil
}

// isDate tells whether a text is a clinical date: of one of the forms, a day of the calendar from
// year 1 on, a time of day with up to 60 seconds, an offset below 15 hours.
func isDate(text string) bool {
	if !dateForm.MatchString(text) || text[:4] == "0000" {
		return false
	}
	day, clock, timed := strings.Cut(text, "T")
	if _, err := time.Parse("2006-01-02"[:len(day)], day); err != nil || !timed {
		return err == nil
	}
	if clock[:2] > "23" || clock[3:5] > "59" || clock[5] == ':' && clock[6:8] > "60" {
		return false
	}
	offset := clock[len(clock)-len("hh:mm"):]
	return clock[len(clock)-1] == 'Z' || offset[:2] <= "14" && offset[3:] <= "59"
}

func checkLabels(labels []string) error {
	for i, label := range labels {
		if !labelForm.MatchString(label) {
			return fmt.Errorf("label %q", label)
		}
		if i > 0 && labels[i-1] >= label {
			return errors.New("labels are not sorted and distinct")
		}
	}
	if len(labels) > 65 || len(labels) == 65 && !slices.Contains(labels, "UNCLEAR") {
		return fmt.Errorf("%d labels", len(labels))
	}
	return nil
}

func (h *recordHeader) check() error {
	if err := h.Meta.check(); err != nil {
		return err
	}
	if h.Source != nil {
		name := *h.Source
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, `/\`) {
			return fmt.Errorf("file name %q", name)
		}
		if err := checkClean(name, 200); err != nil {
			return fmt.Errorf("file name: %w", err)
		}
	}
	return nil
}

// checkClean refuses control and direction-changing characters and U+FEFF, white space at either end and any
// within that is not a single space (8.2).
func checkClean(text string, limit int) error {
	if utf8.RuneCountInString(text) > limit {
		return fmt.Errorf("more than %d characters", limit)
	}
	before := ' '
	for _, c := range text {
		if unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) || c == '\uFEFF' {
			return fmt.Errorf("the character %U", c)
		}
		if unicode.IsSpace(c) && (c != ' ' || before == ' ') {
			return errors.New("white space that is not a single space within")
		}
		before = c
	}
	if text != "" && before == ' ' {
		return errors.New("white space at the end")
	}
	return nil
}

// checkName checks the name of a person: 1 to limit bytes, not blank, no control characters.
func checkName(name string, limit int) error {
	if len(name) > limit || strings.TrimSpace(name) == "" || strings.ContainsFunc(name, unicode.IsControl) {
		return fmt.Errorf("%q cannot be a name", name)
	}
	return nil
}
