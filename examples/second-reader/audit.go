package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// tree is a size of the log and its root.
type tree struct {
	size uint64
	root [32]byte
}

// noteKey verifies the note signature of a checkpoint (11.4), strictly as everywhere else.
type noteKey struct {
	name string
	key  id32
}

func (k noteKey) Name() string { return k.name }

func (k noteKey) KeyHash() uint32 {
	sum := sha256.Sum256([]byte(k.name + "\n\x01" + string(k.key[:])))
	return binary.BigEndian.Uint32(sum[:])
}

func (k noteKey) Verify(message, signature []byte) bool {
	return verifyStrict(k.key, message, signature) == nil
}

// openCheckpoint verifies a C2SP tlog-checkpoint of this vault.
func openCheckpoint(wire []byte, vault, signer id32) (tree, error) {
	origin := "medvault/" + vault.String()
	if len(wire) > 8<<10 {
		return tree{}, fmt.Errorf("a checkpoint of %d bytes", len(wire))
	}
	opened, err := note.Open(wire, note.VerifierList(noteKey{origin, signer}))
	if err != nil {
		return tree{}, fmt.Errorf("checkpoint: %w", err)
	}
	if count := len(opened.Sigs) + len(opened.UnverifiedSigs); count > 16 {
		return tree{}, fmt.Errorf("checkpoint: %d signatures", count)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != origin || lines[3] != "" {
		return tree{}, errors.New("checkpoint: of another log, or with further lines")
	}
	size, err := strconv.ParseUint(lines[1], 10, 63)
	if err != nil || strconv.FormatUint(size, 10) != lines[1] {
		return tree{}, fmt.Errorf("checkpoint: a size of %q", lines[1])
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != 32 {
		return tree{}, errors.New("checkpoint: a malformed root")
	}
	return tree{size, [32]byte(root)}, nil
}

const (
	tileHeight    = 8
	hashesInBlock = 8192
)

// tiles serves the hash blocks of a head as tlog-tiles (11.3) to the tlog library.
type tiles struct{ levels [][]byte }

// openTiles puts the hash blocks of each level one behind the other and checks how many there are.
func openTiles(store *blocks, h *head) (*tiles, error) {
	t := &tiles{}
	count := h.tree.size
	for level, names := range h.Log {
		var stream []byte
		for number, name := range names {
			block, err := store.raw(name)
			if err != nil {
				return nil, fmt.Errorf("log, level %d: %w", level, err)
			}
			if want := min(count-uint64(len(stream)/32), hashesInBlock) * 32; uint64(len(block)) != want || want == 0 {
				return nil, fmt.Errorf("log, level %d: block %d has %d bytes instead of %d", level, number, len(block), want)
			}
			stream = append(stream, block...)
		}
		if uint64(len(stream)) != count*32 || count == 0 {
			return nil, fmt.Errorf("log, level %d: %d hashes instead of %d", level, len(stream)/32, count)
		}
		t.levels = append(t.levels, stream)
		count /= 256
	}
	if count != 0 {
		return nil, fmt.Errorf("log: a level of %d hashes is missing", count)
	}
	return t, nil
}

func (t *tiles) Height() int                     { return tileHeight }
func (t *tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range wanted {
		from, to := tile.N<<tileHeight*32, (tile.N<<tileHeight+int64(tile.W))*32
		if tile.L < 0 || tile.L >= len(t.levels) || to > int64(len(t.levels[tile.L])) {
			return nil, fmt.Errorf("log: tile %s is missing", tile.Path())
		}
		found = append(found, t.levels[tile.L][from:to])
	}
	return found, nil
}

// reader gives hashes of the log that are proved against the checkpoint.
func (t *tiles) reader(of tree) tlog.HashReader {
	return tlog.TileHashReader(tlog.Tree{N: int64(of.size), Hash: of.root}, t)
}

// checkGrown verifies that the log of a remembered size and root is the beginning of this one.
func (t *tiles) checkGrown(before, now tree) error {
	switch {
	case before.size > now.size:
		return fmt.Errorf("the log has %d entries, there were %d", now.size, before.size)
	case before.size == now.size && before.root != now.root:
		return errors.New("another log of the same size")
	case before.size == 0 || before.size == now.size:
		return nil
	}
	proof, err := tlog.ProveTree(int64(now.size), int64(before.size), t.reader(now))
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, int64(now.size), tlog.Hash(now.root), int64(before.size), tlog.Hash(before.root))
}

// checkLevels recomputes every level above the leaves, so that also a reader who uses other tiles
// than this one finds them right.
func (t *tiles) checkLevels() error {
	for level := 1; level < len(t.levels); level++ {
		below := t.levels[level-1]
		for i := 0; i < len(t.levels[level]); i += 32 {
			if root := fullTile(below[:256*32]); !bytes.Equal(root[:], t.levels[level][i:i+32]) {
				return fmt.Errorf("log: hash %d of level %d is wrong", i/32, level)
			}
			below = below[256*32:]
		}
	}
	return nil
}

func fullTile(hashes []byte) tlog.Hash {
	if len(hashes) == 32 {
		return tlog.Hash(hashes)
	}
	half := len(hashes) / 2
	return tlog.NodeHash(fullTile(hashes[:half]), fullTile(hashes[half:]))
}

// leafHash commits to an entry with its salt (11.2).
func leafHash(salts [32]byte, index uint64, entry []byte) tlog.Hash {
	salt := hash(salts[:], u64(index))
	commitment := hash([]byte("medvault/v1/log-leaf\x00"), salt[:], entry)
	return tlog.RecordHash(commitment[:])
}

// checkLog verifies every sealed entry against the log that the checkpoint signs.
func checkLog(store *blocks, h *head, logSecret [32]byte, entries [][]byte) error {
	if uint64(len(entries)) != h.tree.size {
		return fmt.Errorf("log: %d entries, the checkpoint signs %d", len(entries), h.tree.size)
	}
	t, err := openTiles(store, h)
	if err != nil || len(entries) == 0 {
		return err
	}
	if err := t.checkLevels(); err != nil {
		return err
	}
	indexes := make([]int64, len(entries))
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(0, int64(i))
	}
	leaves, err := t.reader(h.tree).ReadHashes(indexes)
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	salts := derive(logSecret, "leaf-salt")
	for i, entry := range entries {
		if leafHash(salts, uint64(i), entry) != leaves[i] {
			return fmt.Errorf("log: entry %d is not the one that was logged", i)
		}
	}
	return nil
}
