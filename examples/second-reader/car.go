package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const maxBlock = 1 << 20

// place says where the data of a block lies in the opened files.
type place struct {
	file   int
	offset int64
	length int
}

// blocks are the blocks of all CAR files, by name. Only their places are kept in memory.
type blocks struct {
	files  []*os.File
	places map[cid]place
	// cbor are the dag-cbor blocks, in the order they were found.
	cbor []cid
	// last is the block read last: records that joined together lie in the same pack.
	last struct {
		name cid
		data []byte
	}
}

var segmentName = regexp.MustCompile(`^segment-\d{8}\.car$`)

// openBlocks reads CAR files, or the segments in folders (17.2). Every block is checked against its
// name; what does not match is reported and left out.
func openBlocks(paths []string, report *report) (*blocks, error) {
	files, err := carFiles(paths)
	if err != nil {
		return nil, err
	}
	last := map[string]string{} // only the highest segment of a folder may have a torn end
	for _, file := range files {
		folder, base := filepath.Split(file)
		if segmentName.MatchString(base) && base > last[folder] {
			last[folder] = base
		}
	}
	all := &blocks{places: map[cid]place{}}
	for _, path := range files {
		file, err := os.Open(path)
		if err != nil {
			all.close()
			return nil, err
		}
		all.files = append(all.files, file)
		number := len(all.files) - 1
		problems, err := readCAR(file, func(name cid, offset int64, length int) {
			if _, known := all.places[name]; !known && name.codec() == codecDagCBOR {
				all.cbor = append(all.cbor, name)
			}
			all.places[name] = place{number, offset, length}
		})
		if folder, base := filepath.Split(path); base == last[folder] && problems.header {
			// Behind the last section that matches there may be anything: a write cut short.
			problems.found, err = problems.found[:problems.before], nil
		}
		for _, problem := range problems.found {
			report.problem("%s: %s", path, problem)
		}
		if err != nil {
			report.problem("%s: %v", path, err)
		}
	}
	return all, nil
}

func carFiles(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		found, err := filepath.Glob(filepath.Join(escapeGlob(path), "*.car"))
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s holds no CAR file", path)
		}
		slices.Sort(found)
		files = append(files, found...)
	}
	return files, nil
}

func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// carProblems are the sections that do not match their names; before counts those that stand before
// the last section that does match.
type carProblems struct {
	header bool
	found  []string
	before int
}

// readCAR walks the sections of a CARv1 and calls each for every block that matches its name.
// Fillers, which are raw blocks of zeros, are passed over.
func readCAR(source io.Reader, each func(name cid, offset int64, length int)) (problems carProblems, err error) {
	in := &countingReader{in: bufio.NewReaderSize(source, maxBlock)}
	if err := readCARHeader(in); err != nil {
		return problems, err
	}
	problems.header = true
	buffer := make([]byte, maxBlock)
	for {
		start := in.count
		length, err := binary.ReadUvarint(in)
		if errors.Is(err, io.EOF) && in.count == start {
			return problems, nil
		}
		if err != nil {
			return problems, fmt.Errorf("section at byte %d: %w", start, torn(err))
		}
		if length < 36 || length > 36+maxBlock {
			return problems, fmt.Errorf("section at byte %d: a length of %d", start, length)
		}
		var raw [36]byte
		if _, err := io.ReadFull(in, raw[:]); err != nil {
			return problems, fmt.Errorf("section at byte %d: %w", start, torn(err))
		}
		name, err := parseCID(raw[:])
		if err != nil {
			return problems, fmt.Errorf("section at byte %d: %w", start, err)
		}
		offset := in.count
		data := buffer[:length-36]
		if _, err := io.ReadFull(in, data); err != nil {
			return problems, fmt.Errorf("section at byte %d: %w", start, torn(err))
		}
		switch {
		case name.codec() == codecRaw && allZero(data):
		case hash(data) != name.digest():
			problems.found = append(problems.found, fmt.Sprintf("the data at byte %d does not match its name %v", offset, name))
		default:
			problems.before = len(problems.found)
			each(name, offset, len(data))
		}
	}
}

func readCARHeader(in *countingReader) error {
	length, err := binary.ReadUvarint(in)
	if err != nil || length == 0 || length > 64<<10 {
		return errors.New("not a CAR file")
	}
	raw := make([]byte, length)
	if _, err := io.ReadFull(in, raw); err != nil {
		return errors.New("not a CAR file")
	}
	var header struct {
		Roots   []link `cbor:"roots"`
		Version uint64 `cbor:"version"`
	}
	if err := decode(raw, &header); err != nil || header.Version != 1 {
		return errors.New("not a CAR file of version 1")
	}
	return nil
}

func torn(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the file ends in the middle")
	}
	return err
}

type countingReader struct {
	in    *bufio.Reader
	count int64
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	r.count += int64(n)
	return n, err
}

func (r *countingReader) ReadByte() (byte, error) {
	b, err := r.in.ReadByte()
	if err == nil {
		r.count++
	}
	return b, err
}

func allZero(data []byte) bool { return len(bytes.TrimLeft(data, "\x00")) == 0 }

// get returns the data of a block, checked against its name once more. It must not be changed.
func (b *blocks) get(name cid) ([]byte, error) {
	if b.last.data != nil && b.last.name == name {
		return b.last.data, nil
	}
	at, found := b.places[name]
	if !found {
		return nil, fmt.Errorf("block %v is missing", name)
	}
	data := make([]byte, at.length)
	if _, err := b.files[at.file].ReadAt(data, at.offset); err != nil {
		return nil, fmt.Errorf("block %v: %w", name, err)
	}
	if hash(data) != name.digest() {
		return nil, fmt.Errorf("block %v changed while it was read", name)
	}
	b.last.name, b.last.data = name, data
	return data, nil
}

func (b *blocks) raw(d digest) ([]byte, error) { return b.get(cidOf(codecRaw, d)) }

func (b *blocks) has(d digest) bool {
	_, found := b.places[cidOf(codecRaw, d)]
	return found
}

func (b *blocks) close() {
	for _, file := range b.files {
		file.Close()
	}
}
