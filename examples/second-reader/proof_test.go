package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// example gives a text as it is in a file: with the newline that the specification does not show.
func example(t *testing.T, name string) string {
	t.Helper()
	return strings.TrimRight(examples(t)[name], "\n") + "\n"
}

func TestEntryProof(t *testing.T) {
	text, vault := example(t, "entry-proof"), vaultID(ed25519Public(filled32(1)))
	check := func(text string, vault id32) (*proven, error) {
		p, err := parseProof(text)
		if err != nil {
			return nil, err
		}
		return p.verify(vault)
	}
	shown, err := check(text, vault)
	if err != nil || shown.entry.name != "vault-created" || shown.tree.size != 1 || shown.signer != ed25519Public(filled32(2)) {
		t.Fatalf("%+v, %v", shown, err)
	}
	if _, err := check(text, ed25519Public(filled32(1))); err != nil {
		t.Errorf("by the owner's key: %v", err)
	}
	if _, err := check(text, filled32(1)); err == nil {
		t.Error("it holds for another vault")
	}
	salts := derive(filled32(0xcc), "leaf-salt")
	salt := hash(salts[:], u64(0))
	equal(t, "log-salt", hex.EncodeToString(salt[:]), examples(t)["log-salt"])
	if p, _ := parseProof(text); p.extra.Salt != salt {
		t.Error("the proof has another salt")
	}
	for at := range text {
		bad := []byte(text)
		bad[at] ^= 1
		if _, err := check(string(bad), vault); err == nil {
			t.Errorf("it holds with byte %d changed", at)
		}
	}
	hash := base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n"
	for _, change := range [][2]string{
		{"tlog-proof@v1\n", "tlog-proof@v1\r\n"}, {"index 0", "index 00"}, {"index 0", "index +0"}, {"index 0", "index 1"},
		{"index 0\n", "index 0\n" + hash}, {"index 0\n", "index 0\n" + strings.Repeat(hash, 64)}, {"index 0", "index 9223372036854775807"},
		{"extra ", "extra  "}, {"index 0\n\n", "index 0\n"}, {"index 0\n\n", "index 0\n\n\n"},
	} {
		bad := strings.Replace(text, change[0], change[1], 1)
		if _, err := check(bad, vault); err == nil || bad == text {
			t.Errorf("%q for %q: it holds", change[1], change[0])
		}
	}
}

// A proof out of the middle of a log leads through hashes on both sides.
func TestEntryProofInATree(t *testing.T) {
	list, listed := thePatient.list(t)
	name := logName(list.vault())
	entry := encode(t, map[string]any{"act": map[string]any{"vault-created": map[string]any{"serial": 7}}, "time": 1, "index": 5, "device": []byte(strings.Repeat("d", 16))})
	leaves := make([]tlog.Hash, 11)
	for i := range leaves {
		leaves[i] = tlog.RecordHash([]byte{byte(i)})
	}
	prove := func(at int) string {
		leaves := append([]tlog.Hash{}, leaves...)
		leaves[at] = saltedLeaf(filled32(9), entry)
		stored := map[int64]tlog.Hash{}
		reader := tlog.HashReaderFunc(func(indexes []int64) (found []tlog.Hash, err error) {
			for _, index := range indexes {
				found = append(found, stored[index])
			}
			return found, nil
		})
		for i := range leaves {
			hashes, err := tlog.StoredHashesForRecordHash(int64(i), leaves[i], reader)
			if err != nil {
				t.Fatal(err)
			}
			for j, h := range hashes {
				stored[tlog.StoredHashIndex(0, int64(i))+int64(j)] = h
			}
		}
		path, err := tlog.ProveRecord(int64(len(leaves)), int64(at), reader)
		if err != nil {
			t.Fatal(err)
		}
		root := rootOf(leaves)
		text := name + "\n11\n" + base64.StdEncoding.EncodeToString(root[:]) + "\n"
		signed, err := note.Sign(&note.Note{Text: text}, noteSigner{noteKey{name, list.Keys[0]}, thePatient.device})
		if err != nil {
			t.Fatal(err)
		}
		p := &entryProof{index: int64(at), hashes: path, checkpoint: signed}
		return p.text(encode(t, proofExtra{1, filled32(9), entry, listed}))
	}
	p, err := parseProof(prove(5))
	if err != nil {
		t.Fatal(err)
	}
	if shown, err := p.verify(list.vault()); err != nil || shown.entry.Index != 5 || shown.tree.size != 11 {
		t.Errorf("%+v, %v", shown, err)
	}
	p.hashes[2][0] ^= 1
	if _, err := p.verify(list.vault()); err == nil {
		t.Error("it holds with another hash")
	}
	if p, err = parseProof(prove(6)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.verify(list.vault()); err == nil {
		t.Error("an entry that was logged at another place is proven there")
	}
}

func TestLogStatement(t *testing.T) {
	list, _ := thePatient.list(t)
	wire := fromHex(t, examples(t)["log-statement"])
	allFlips(t, "log-statement", wire, func(data []byte) error {
		_, err := openLogStatement(data, list)
		return err
	})
	s, err := openLogStatement(wire, list)
	if err != nil || s.Time != 1_790_000_000 || s.Seen.Size != 1 || s.Seen.Root != s.tree.root || s.Request != hash([]byte("request")) {
		t.Errorf("%+v, %v", s, err)
	}
	other, _ := theReader.list(t)
	if _, err := openLogStatement(wire, other); err == nil {
		t.Error("it holds for another vault")
	}
}

func TestEvidence(t *testing.T) {
	text := example(t, "evidence")
	e, err := parseEvidence(text)
	if err != nil || e.tree.size != 1 || len(e.leaves) != 1 || e.head != nil || e.statement != nil {
		t.Fatalf("%+v, %v", e, err)
	}
	member := func(name string, data []byte) string {
		return strings.Replace(text, "{", `{"`+name+`": "`+base64.StdEncoding.EncodeToString(data)+`",`, 1)
	}
	head, statement := fromHex(t, examples(t)["head"]), fromHex(t, examples(t)["log-statement"])
	for name, wire := range map[string][]byte{"head": head, "statement": statement} {
		if e, err := parseEvidence(member(name, wire)); err != nil || (e.head != nil) != (name == "head") {
			t.Errorf("%s: %v", name, err)
		}
		bad := bytes.Clone(wire)
		bad[len(bad)/2] ^= 1
		if _, err := parseEvidence(member(name, bad)); err == nil {
			t.Errorf("%s: taken with a byte changed", name)
		}
	}
	for _, change := range [][2]string{
		{"{", `{"more": "",`}, {"{", `{"vault": "z4mma3gbzvzchrplr6yowzmtoa4ebp4dwvv7blxt6batlcfpgfaa",`}, {`"medvault"`, `"MedVault"`},
		{"evidence/1", "evidence/2"}, {`"leaves": "8`, `"leaves": "9`}, {"\n}", `, "head": null }`}, {"\n}", "\n} {}"}, {`"leaves": "`, `"leaves": "AAAA`},
		{`"vault": "z4`, `"vault": "z5`}, {`\n1\n`, `\n2\n`}, {"omFw", "omF\\nw"},
	} {
		bad := strings.Replace(text, change[0], change[1], 1)
		if _, err := parseEvidence(bad); err == nil || bad == text {
			t.Errorf("%q for %q: it is taken", change[1], change[0])
		}
	}
}

// noteSigner signs notes: a plain signature of a log, or that of a cosigner over its own message.
type noteSigner struct {
	note.Verifier
	seed [32]byte
}

func (s noteSigner) Sign(message []byte) ([]byte, error) {
	if _, plain := s.Verifier.(noteKey); plain {
		return signRaw(s.seed, message), nil
	}
	time := u64(1_790_000_000)
	return append(time, signRaw(s.seed, append([]byte("cosignature/v1\ntime 1790000000\n"), message...))...), nil
}

func TestWitness(t *testing.T) {
	log, _ := thePatient.list(t)
	witness, _ := theReader.list(t)
	plain := []byte(example(t, "checkpoint"))
	opened, err := openNote(plain, []note.Verifier{noteKey{logName(log.vault()), log.Keys[0]}})
	if err != nil {
		t.Fatal(err)
	}
	cosign := func(name string, seed [32]byte) []byte {
		both, err := note.Sign(opened, noteSigner{cosignerKey{noteKey{name, ed25519Public(seed)}}, seed})
		if err != nil {
			t.Fatal(err)
		}
		return both
	}
	name := logName(witness.vault())
	good := cosign(name, theReader.device)
	if seen, err := openWitness(good, log, witness); err != nil || seen.size != 1 {
		t.Errorf("%v, %v", seen, err)
	}
	if _, err := openWitness(cosign(name, filled32(99)), log, witness); err != nil {
		t.Errorf("a key newer than the card: %v", err)
	}
	if _, err := openWitness(plain, log, witness); err == nil {
		t.Error("a checkpoint without countersignature is taken")
	}
	if _, err := openWitness(cosign("medvault/other", theReader.device), log, witness); err == nil {
		t.Error("a countersignature under another name is taken")
	}
	lines := strings.SplitAfter(string(good), "\n")
	last := lines[len(lines)-2]
	raw, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(last[strings.LastIndex(last, " "):]))
	raw[20] ^= 1
	bad := strings.Replace(string(good), last, last[:strings.LastIndex(last, " ")+1]+base64.StdEncoding.EncodeToString(raw)+"\n", 1)
	if _, err := openWitness([]byte(bad), log, witness); err == nil {
		t.Error("a countersignature that does not verify is taken")
	}
	if _, err := openWitness([]byte(string(good)+last), log, witness); err == nil {
		t.Error("a checkpoint that one key signed twice is taken")
	}
}

func TestChecksWithoutAKey(t *testing.T) {
	folder := t.TempDir()
	vault := vaultID(ed25519Public(filled32(1))).String()
	for command, name := range map[string]string{"check-proof": "entry-proof", "check-evidence": "evidence"} {
		file := filepath.Join(folder, name)
		os.WriteFile(file, []byte(example(t, name)), 0o600)
		for _, try := range []struct {
			code      int
			arguments []string
		}{
			{0, []string{command, "-vault", vault, file}},
			{0, []string{command, "-json", "-vault", strings.ToUpper(vault), file}},
			{1, []string{command, "-vault", id32(filled32(5)).String(), file}},
			{1, []string{command, "-vault", vault, fixtures + "words.txt"}},
			{2, []string{command, "-vault", vault[1:], file}},
			{2, []string{command, file}},
			{2, []string{command, "-vault", vault}},
		} {
			var out, said bytes.Buffer
			if code := run(try.arguments, &out, &said); code != try.code || (code == 0) != (out.Len() > 0) {
				t.Errorf("%v: %d, %s%s", try.arguments, code, out.String(), said.String())
			}
		}
	}
}
