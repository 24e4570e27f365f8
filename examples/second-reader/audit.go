package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
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

// cosignerKey verifies the countersignature of a reader (C2SP tlog-cosignature).
type cosignerKey struct{ noteKey }

func (k cosignerKey) KeyHash() uint32 {
	sum := sha256.Sum256([]byte(k.name + "\n\x04" + string(k.key[:])))
	return binary.BigEndian.Uint32(sum[:])
}

func (k cosignerKey) Verify(message, signature []byte) bool {
	if len(signature) < 8 {
		return false
	}
	time, signature := binary.BigEndian.Uint64(signature), signature[8:]
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, message)
	return time < 1<<63 && verifyStrict(k.key, []byte(signed), signature) == nil
}

// logName is the origin of a vault's log, and the name under which its owner's devices sign notes.
func logName(vault id32) string { return "medvault/" + vault.String() }

// openCheckpoint verifies a C2SP tlog-checkpoint of this vault that this key signed.
func openCheckpoint(wire []byte, vault, signer id32) (tree, error) {
	t, _, err := openCheckpointBy(wire, vault, []id32{signer})
	return t, err
}

// openCheckpointBy verifies a checkpoint that one of these keys signed, and tells which.
func openCheckpointBy(wire []byte, vault id32, keys []id32) (t tree, signer id32, err error) {
	origin := logName(vault)
	var known []note.Verifier
	for _, key := range distinct(keys) {
		known = append(known, noteKey{origin, key})
	}
	opened, err := openNote(wire, known)
	if err != nil {
		return t, signer, err
	}
	for _, key := range keys {
		if (noteKey{origin, key}).KeyHash() == opened.Sigs[0].Hash {
			signer = key
		}
	}
	t, err = parseCheckpoint(opened.Text, origin)
	return t, signer, err
}

// openWitness verifies a checkpoint of the log of one list's vault that the owner of another
// countersigned, with a key of that list or one that is not known here.
func openWitness(wire []byte, log, witness *signers) (tree, error) {
	t, _, err := openCheckpointBy(wire, log.vault(), log.all())
	if err != nil {
		return t, err
	}
	name := logName(witness.vault())
	var known []note.Verifier
	for _, key := range distinct(witness.all()) {
		known = append(known, cosignerKey{noteKey{name, key}})
	}
	opened, err := openNote(wire, known)
	var unverified *note.UnverifiedNoteError
	if errors.As(err, &unverified) {
		opened, err = unverified.Note, nil
	}
	if err != nil {
		return t, err
	}
	lines := append(opened.Sigs, opened.UnverifiedSigs...)
	if !slices.ContainsFunc(lines, func(s note.Signature) bool { return s.Name == name }) {
		return t, errors.New("checkpoint: the contact did not countersign it")
	}
	return t, nil
}

// openNote opens a signed note of which no key signs twice.
func openNote(wire []byte, known []note.Verifier) (*note.Note, error) {
	if len(wire) > 8<<10 {
		return nil, fmt.Errorf("a checkpoint of %d bytes", len(wire))
	}
	opened, err := note.Open(wire, note.VerifierList(known...))
	var unverified *note.UnverifiedNoteError
	if errors.As(err, &unverified) {
		opened = unverified.Note
	}
	if opened == nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	type line struct {
		name string
		hash uint32
	}
	lines := map[line]bool{}
	for _, s := range append(opened.Sigs, opened.UnverifiedSigs...) {
		lines[line{s.Name, s.Hash}] = true
	}
	// the library drops what repeats a line
	written := bytes.Count(wire[len(opened.Text):], []byte("\n")) - 1
	if written > 16 || written != len(lines) {
		return nil, fmt.Errorf("checkpoint: %d signatures of %d keys", written, len(lines))
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return opened, nil
}

func parseCheckpoint(text, origin string) (tree, error) {
	lines := strings.Split(text, "\n")
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
	if size == 0 && [32]byte(root) != hash() {
		return tree{}, errors.New("checkpoint: a root of nothing")
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
	return saltedLeaf(hash(salts[:], u64(index)), entry)
}

// saltedLeaf is the same for who has the salt of one entry only.
func saltedLeaf(salt [32]byte, entry []byte) tlog.Hash {
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
