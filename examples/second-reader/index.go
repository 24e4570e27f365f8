package main

import (
	"errors"
	"fmt"
	"slices"
)

const maxPage = 262088

// pageRef names a page (9.1).
type pageRef struct {
	Block digest   `cbor:"b"`
	Count uint32   `cbor:"c"`
	Key   [32]byte `cbor:"k"`
	Len   uint32   `cbor:"n"`
}

// openPage gives the plaintext of one page of a list.
func openPage(store *blocks, vault id32, list string, ref pageRef) ([]byte, error) {
	block, err := store.raw(ref.Block)
	if err != nil {
		return nil, err
	}
	plain, err := openObject(block, ref.Key, context("page", vault[:], []byte(list)), ref.Len)
	if err != nil {
		return nil, fmt.Errorf("page %v: %w", ref.Block, err)
	}
	if len(plain) > maxPage {
		return nil, fmt.Errorf("page %v: %d bytes", ref.Block, len(plain))
	}
	return plain, nil
}

// readList gives all items of a list whose pages are arrays.
func readList[T any](store *blocks, vault id32, list string, pages []pageRef) ([]T, error) {
	var all []T
	for number, ref := range pages {
		plain, err := openPage(store, vault, list, ref)
		if err != nil {
			return nil, fmt.Errorf("%s, page %d: %w", list, number, err)
		}
		var items []T
		if err := decode(plain, &items); err != nil {
			return nil, fmt.Errorf("%s, page %d: %w", list, number, err)
		}
		if len(items) != int(ref.Count) {
			return nil, fmt.Errorf("%s, page %d: %d items instead of %d", list, number, len(items), ref.Count)
		}
		all = append(all, items...)
	}
	return all, nil
}

// indexPage is a page of records or of a grant (9.2).
type indexPage struct {
	Blocks     []digest   `cbor:"b"`
	Entries    []rawEntry `cbor:"e"`
	Kinds      []string   `cbor:"k"`
	Labels     []string   `cbor:"l"`
	MediaTypes []string   `cbor:"m"`
	Codes      []string   `cbor:"c,omitempty"`
	Names      []string   `cbor:"n,omitempty"`
	More       []rawMore  `cbor:"x,omitempty"`
}

// rawMore is what only some entries have.
type rawMore struct {
	_      struct{} `cbor:",toarray"`
	Entry  uint32
	Codes  []uint32
	Author *uint32
	File   *uint32
	Origin *id16
}

type rawEntry struct {
	_           struct{} `cbor:",toarray"`
	Record      id16
	Version     id16
	CEK         []byte
	Place       rawPlace
	Kind        uint32
	Category    uint8
	Date        *string
	Title       string
	Labels      []uint32
	MediaType   uint32
	Source      *string
	Length      uint64
	Added       uint64
	Seq         uint64
	ContentName *id16
}

type rawPlace struct {
	_      struct{} `cbor:",toarray"`
	Rows   []uint32
	Depth  *uint8
	Offset uint64 // padded length of a long body
	Length uint64
}

// entry is one version in an index, its rows resolved.
type entry struct {
	record, version id16
	cek             [32]byte
	wrapped         *wrapped // instead of the CEK in a grant on request
	place           []digest
	depth           *uint8
	offset, length  uint64
	kind            string
	category        uint8
	date            string
	title           string
	labels          []string
	mediaType       string
	source          *string
	codes           []string
	author          string
	file            *string
	origin          *id16
	size            uint64
	added, seq      uint64
	contentName     *id16
}

// readIndex gives the entries of the list records, or of a grant's list. How keys are delivered says
// whether they are sealed.
func readIndex(store *blocks, vault id32, list string, pages []pageRef, delivery string) ([]entry, error) {
	var all []entry
	for number, ref := range pages {
		plain, err := openPage(store, vault, list, ref)
		if err != nil {
			return nil, fmt.Errorf("index page %d: %w", number, err)
		}
		var page indexPage
		if err := decode(plain, &page); err != nil {
			return nil, fmt.Errorf("index page %d: %w", number, err)
		}
		if len(page.Entries) != int(ref.Count) {
			return nil, fmt.Errorf("index page %d: %d entries instead of %d", number, len(page.Entries), ref.Count)
		}
		first := len(all)
		for i := range page.Entries {
			e, err := page.resolve(&page.Entries[i])
			if err != nil {
				return nil, fmt.Errorf("index page %d, entry %d: %w", number, i, err)
			}
			if (e.wrapped != nil) != (delivery == onRequest) {
				return nil, fmt.Errorf("index page %d, entry %d: a content key of %d bytes", number, i, len(page.Entries[i].CEK))
			}
			all = append(all, *e)
		}
		if err := page.addMore(all[first:]); err != nil {
			return nil, fmt.Errorf("index page %d: %w", number, err)
		}
	}
	return all, nil
}

var errRow = errors.New("a row outside its table")

func row[T any](table []T, number uint32) (value T, err error) {
	if uint64(number) >= uint64(len(table)) {
		return value, errRow
	}
	return table[number], nil
}

func rows[T any](table []T, numbers []uint32) ([]T, error) {
	var all []T
	for _, number := range numbers {
		value, err := row(table, number)
		if err != nil {
			return nil, err
		}
		all = append(all, value)
	}
	return all, nil
}

func (p *indexPage) resolve(raw *rawEntry) (*entry, error) {
	place, err := rows(p.Blocks, raw.Place.Rows)
	if err != nil {
		return nil, err
	}
	if raw.Place.Depth == nil && len(place) != 1 || raw.Place.Depth != nil && raw.Place.Length != 0 {
		return nil, errors.New("a place that is neither packed nor long")
	}
	labels, err := rows(p.Labels, raw.Labels)
	if err != nil {
		return nil, err
	}
	kind, err := row(p.Kinds, raw.Kind)
	if err != nil {
		return nil, err
	}
	mediaType, err := row(p.MediaTypes, raw.MediaType)
	if err != nil {
		return nil, err
	}
	e := &entry{
		record: raw.Record, version: raw.Version,
		place: place, depth: raw.Place.Depth, offset: raw.Place.Offset, length: raw.Place.Length,
		kind: kind, category: raw.Category, title: raw.Title, labels: labels, mediaType: mediaType,
		source: raw.Source, size: raw.Length, added: raw.Added, seq: raw.Seq, contentName: raw.ContentName,
	}
	switch len(raw.CEK) {
	case len(e.cek):
		e.cek = [32]byte(raw.CEK)
	case len(wrapped{}):
		e.wrapped = (*wrapped)(raw.CEK)
	default:
		return nil, fmt.Errorf("a content key of %d bytes", len(raw.CEK))
	}
	m := meta{Kind: kind, Category: e.category, Title: e.title, Labels: labels, MediaType: mediaType}
	if raw.Date != nil {
		e.date, m.Date = *raw.Date, *raw.Date
	}
	if raw.Source != nil {
		m.Source = *raw.Source
	}
	return e, m.check()
}

// addMore adds to the entries what only some have.
func (p *indexPage) addMore(entries []entry) error {
	next := uint32(0)
	for _, more := range p.More {
		if more.Entry < next || uint64(more.Entry) >= uint64(len(entries)) {
			return errors.New("positions that do not rise, or lie outside")
		}
		next = more.Entry + 1
		e := &entries[more.Entry]
		var err error
		if e.codes, err = rows(p.Codes, more.Codes); err != nil {
			return err
		}
		if err := checkCodes(e.codes, mostCodes); err != nil {
			return err
		}
		if more.Author != nil {
			if e.author, err = row(p.Names, *more.Author); err != nil {
				return err
			}
		}
		if more.File != nil {
			file, err := row(p.Names, *more.File)
			if err != nil {
				return err
			}
			e.file = &file
		}
		e.origin = more.Origin
	}
	return nil
}

// compare tells whether an entry says of a version what its signed header says. A deposited record
// may have further labels.
func (e *entry) compare(h *recordHeader, deposited bool) error {
	m := &h.Meta
	differs := ""
	switch {
	case e.category != m.Category:
		differs = "category"
	case e.date != m.Date[:min(len(m.Date), len("2006-01-02"))]:
		differs = "date"
	case e.title != m.Title:
		differs = "title"
	case !slices.Equal(e.labels, m.Labels) && !(deposited && containsAll(e.labels, m.Labels)):
		differs = "labels"
	case e.mediaType != m.MediaType:
		differs = "media type"
	case e.source != nil && *e.source != m.Source:
		differs = "source name"
	case !slices.Equal(e.codes, m.Codes):
		differs = "codes"
	case e.author != m.Author:
		differs = "author"
	case e.file != nil && (h.Source == nil || *e.file != *h.Source):
		differs = "file name"
	case (e.origin == nil) != (m.Origin == nil) || e.origin != nil && *e.origin != *m.Origin:
		differs = "origin"
	case e.size != h.Len:
		differs = "length"
	default:
		return nil
	}
	return fmt.Errorf("index and signed header differ in the %s", differs)
}

func containsAll(labels, some []string) bool {
	for _, label := range some {
		if !slices.Contains(labels, label) {
			return false
		}
	}
	return true
}

// newest gives the newest version of each record, in the order the records joined.
func newest(entries []entry) []entry {
	last := map[id16]int{}
	var all []entry
	for _, e := range entries {
		if at, known := last[e.record]; known {
			all[at] = e
			continue
		}
		last[e.record] = len(all)
		all = append(all, e)
	}
	return all
}
