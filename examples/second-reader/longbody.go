package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

const slotsInBlock = 16

// blocksFor counts the blocks of a plaintext laid into slots (8.4).
func blocksFor(length uint64) uint64 {
	slots := length/chunkSize + 2
	return (slots + slotsInBlock - 1) / slotsInBlock
}

// longBody finds the data blocks of a long body through its maps. The digests it returns name every
// block of it, those of the maps first.
func longBody(store *blocks, cek [32]byte, bodyContext, mapContext []byte, top []digest, depth int, length uint64) (io.Reader, []digest, error) {
	if length > 1<<52 || depth < 0 || depth > 3 || len(top) > 4 {
		return nil, nil, fmt.Errorf("a long body of %d bytes, depth %d, top %d", length, depth, len(top))
	}
	levels := []uint64{blocksFor(length)}
	for levels[len(levels)-1] > 4 {
		levels = append(levels, blocksFor(levels[len(levels)-1]*32))
	}
	if depth != len(levels)-1 || uint64(len(top)) != levels[depth] {
		return nil, nil, fmt.Errorf("a long body of %d bytes with depth %d and top %d", length, depth, len(top))
	}
	var all []digest
	for level := depth; level > 0; level-- {
		all = append(all, top...)
		key := derive(cek, fmt.Sprintf("block-map/%d", level-1))
		stream, err := newSlots(store, key, mapContext, top, levels[level-1]*32)
		if err != nil {
			return nil, nil, fmt.Errorf("block map %d: %w", level, err)
		}
		plain, err := io.ReadAll(stream)
		if err != nil {
			return nil, nil, fmt.Errorf("block map %d: %w", level, err)
		}
		top = nil
		for ; len(plain) > 0; plain = plain[32:] {
			top = append(top, digest(plain[:32]))
		}
	}
	all = append(all, top...)
	stream, err := newSlots(store, cek, bodyContext, top, length)
	return stream, all, err
}

// slots reads the plaintext of a stream that is laid into slots, one block in memory at a time.
type slots struct {
	store   *blocks
	names   []digest
	length  uint64 // of the whole plaintext
	stream  *stream
	block   []byte // the block that holds the next chunk
	number  uint64 // its number
	next    uint64 // chunk
	pending []byte
}

func newSlots(store *blocks, key [32]byte, context []byte, names []digest, length uint64) (*slots, error) {
	s := &slots{store: store, names: names, length: length}
	if err := s.load(0); err != nil {
		return nil, err
	}
	var err error
	s.stream, err = openStream(key, context, s.block[:sealedHead])
	return s, err
}

// load fetches block number, whose length follows from the length of the plaintext.
func (s *slots) load(number uint64) error {
	used := min(s.length/chunkSize+2-number*slotsInBlock, slotsInBlock)
	class, _ := classFor(int(used) * slotSize)
	block, err := s.store.raw(s.names[number])
	if err != nil {
		return err
	}
	if len(block) != class {
		return fmt.Errorf("block %v has %d bytes instead of %d", s.names[number], len(block), class)
	}
	s.block, s.number = block, number
	return nil
}

func (s *slots) Read(out []byte) (int, error) {
	for len(s.pending) == 0 {
		if s.next > s.length/chunkSize {
			return 0, io.EOF
		}
		slot := s.next + 1
		if number := slot / slotsInBlock; number != s.number {
			if err := s.load(number); err != nil {
				return 0, err
			}
		}
		size := min(s.length-s.next*chunkSize, chunkSize)
		start := slot % slotsInBlock * slotSize
		plain, err := s.stream.chunk(s.next, s.block[start:start+size+16])
		if err != nil {
			return 0, err
		}
		s.pending = plain
		s.next++
	}
	n := copy(out, s.pending)
	s.pending = s.pending[n:]
	return n, nil
}

// packedBody opens a body that lies in a pack (8.3).
func packedBody(store *blocks, cek [32]byte, context []byte, block digest, offset, length uint64) (io.Reader, []digest, error) {
	pack, err := store.raw(block)
	if err != nil {
		return nil, nil, err
	}
	if class, fits := classFor(len(pack)); !fits || class != len(pack) {
		return nil, nil, fmt.Errorf("a pack of %d bytes", len(pack))
	}
	if length > uint64(len(pack)) || offset > uint64(len(pack))-length {
		return nil, nil, errors.New("a body reaches over the end of its pack")
	}
	plain, err := openSealed(cek, context, pack[offset:offset+length])
	return bytes.NewReader(plain), []digest{block}, err
}
