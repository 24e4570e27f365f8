package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"
)

// The examples of docs/SPEC.md, read by this program.

func examples(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, block := range strings.Split(string(text), "```example ")[1:] {
		name, body, _ := strings.Cut(block, "\n")
		body, _, _ = strings.Cut(body, "```")
		all[name] = body
	}
	return all
}

func fromHex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func filled16(value byte) id16 { return id16(bytes.Repeat([]byte{value}, 16)) }

func filled32(value byte) [32]byte { return [32]byte(bytes.Repeat([]byte{value}, 32)) }

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("%s: got\n%s\nwanted\n%s", what, got, want)
	}
}

func TestNamesAndKeys(t *testing.T) {
	spec := examples(t)
	var id id16
	for i := range id {
		id[i] = byte(i)
	}
	equal(t, "record-id", id.String(), spec["record-id"])
	owner := ed25519Public(filled32(1))
	equal(t, "owner-key", hex.EncodeToString(owner[:]), spec["owner-key"])
	equal(t, "vault-id", vaultID(owner).String(), spec["vault-id"])
	equal(t, "fingerprint", fingerprint(owner), spec["fingerprint"])
	equal(t, "cid", digest(hash([]byte("hello"))).String(), spec["cid"])
	equal(t, "filler", digest(hash(make([]byte, 5))).String(), spec["filler"])
	for _, line := range strings.Split(strings.TrimSpace(spec["derived-keys"]), "\n") {
		label, key, _ := strings.Cut(line, " ")
		got := derive(filled32(1), label)
		equal(t, label, hex.EncodeToString(got[:]), key)
	}
	lines := strings.Split(spec["words"], "\n")
	who, err := identityFromWords(strings.ToUpper(lines[0]))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "words", hex.EncodeToString(who.owner[:]), lines[1])
	if _, err := identityFromWords(strings.Replace(lines[0], "art", "zoo", 1)); err == nil {
		t.Error("words with a wrong checksum are taken")
	}
	if sum := hash([]byte(english)); hex.EncodeToString(sum[:]) != "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda" {
		t.Error("english.txt is not the list of BIP-39")
	}
}

func TestSealing(t *testing.T) {
	spec := examples(t)
	var key [32]byte
	for i := range key {
		key[i] = byte(i)
	}
	sealed := fromHex(t, spec["sealed"])
	plain, err := openSealed(key, []byte("medvault"), sealed)
	if err != nil || string(plain) != "hello" {
		t.Errorf("sealed: %q, %v", plain, err)
	}
	for at := range sealed {
		bad := bytes.Clone(sealed)
		bad[at] ^= 1
		if _, err := openSealed(key, []byte("medvault"), bad); err == nil {
			t.Errorf("sealed: opens with byte %d changed", at)
		}
		if _, err := openSealed(key, []byte("medvault"), sealed[:at]); err == nil {
			t.Errorf("sealed: opens when cut to %d bytes", at)
		}
	}
	vault := vaultID(ed25519Public(filled32(1)))
	record, version, grant := filled16(0x11), filled16(0x22), filled16(0x33)
	got := context("body", vault[:], record[:], version[:], []byte("Observation"))
	equal(t, "body-context", hex.EncodeToString(got), strings.ReplaceAll(spec["body-context"], "\n", ""))
	got = context("grant-root", vault[:], grant[:])
	equal(t, "root-context", hex.EncodeToString(got), strings.ReplaceAll(spec["root-context"], "\n", ""))
	for _, line := range strings.Split(strings.TrimSpace(spec["padme"]), "\n") {
		var length, padded uint64
		fmt.Sscan(line, &length, &padded)
		if padme(length) != padded {
			t.Errorf("padmé of %d: %d", length, padme(length))
		}
	}
	for _, line := range strings.Split(strings.TrimSpace(spec["long-bodies"]), "\n") {
		length, rest := uint64(0), ""
		fmt.Sscan(line, &length)
		levels := []uint64{blocksFor(length)}
		for levels[len(levels)-1] > 4 {
			levels = append(levels, blocksFor(levels[len(levels)-1]*32))
		}
		rest = strings.ReplaceAll(fmt.Sprint(levels), " ", ", ")
		equal(t, "long body", fmt.Sprintf("%d %d %s", length, len(levels)-1, rest), line)
	}
	for n := range uint64(3 * slotSize) {
		if back, err := plainLength(sealedLength(n)); err != nil || back != n {
			t.Fatalf("length %d comes back as %d, %v", n, back, err)
		}
	}
}

func TestSignedStructures(t *testing.T) {
	spec := examples(t)
	list, err := openSigners(fromHex(t, spec["signers"]))
	if err != nil || list.Serial != 7 || len(list.Keys) != 1 {
		t.Fatalf("signers: %+v, %v", list, err)
	}
	grant := filled16(0x33)
	terms, err := openTerms(fromHex(t, spec["terms"]), list, grant)
	if err != nil {
		t.Fatal(err)
	}
	tag := readerTag(filled32(0x88), grant)
	equal(t, "reader-tag", hex.EncodeToString(tag[:]), spec["reader-tag"])
	if terms.Recipients[0] != tag {
		t.Error("terms: the reader's tag is not there")
	}
	reader, err := newHybrid(filled32(4))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := openPayload(fromHex(t, spec["envelope-payload"]), list, grant, reader)
	if err != nil || opened.Key != filled32(0x77) || opened.Release != nil {
		t.Errorf("envelope-payload: %v", err)
	}
	other, _ := newHybrid(filled32(5))
	if _, err := openPayload(fromHex(t, spec["envelope-payload"]), list, grant, other); err == nil {
		t.Error("an envelope opens for another reader")
	}
	h, err := openHead(fromHex(t, spec["head"]), list.vault())
	if err != nil || h.Seq != 1 || h.tree.size != 1 {
		t.Fatalf("head: %+v, %v", h, err)
	}
	checkpoint, err := openCheckpoint([]byte(spec["checkpoint"]), list.vault(), h.Signer)
	if err != nil || checkpoint != h.tree {
		t.Errorf("checkpoint: %v", err)
	}
	entry := fromHex(t, spec["audit-entry"])
	leaf := leafHash(derive(filled32(0xcc), "leaf-salt"), 0, entry)
	equal(t, "log-leaf", hex.EncodeToString(leaf[:]), spec["log-leaf"])
	if leaf != h.tree.root {
		t.Error("the root of a log of one entry is not its leaf hash")
	}
	if entries, err := parseEntries([][]byte{entry}); err != nil || entries[0].name != "vault-created" {
		t.Errorf("audit-entry: %v", err)
	}
	for at := range fromHex(t, spec["head"]) {
		bad := fromHex(t, spec["head"])
		bad[at] ^= 1
		if _, err := openHead(bad, list.vault()); err == nil {
			t.Errorf("head: holds with byte %d changed", at)
		}
	}
}

func TestPlacesAndPages(t *testing.T) {
	spec := examples(t)
	var ref pageRef
	if err := decode(fromHex(t, spec["page-reference"]), &ref); err != nil {
		t.Error(err)
	}
	var page indexPage
	if err := decode(fromHex(t, spec["page"]), &page); err != nil {
		t.Fatal(err)
	}
	if e, err := page.resolve(&page.Entries[0]); err != nil || e.title != "Hemoglobin" || e.depth != nil || e.offset != 0 || e.length != 512 {
		t.Errorf("page: %+v, %v", e, err)
	}
	plain := make([]byte, 192)
	copy(plain, fromHex(t, spec["pointer"]))
	if p, err := parsePointer(plain); err != nil || p.RootLen != 900 {
		t.Errorf("pointer: %v", err)
	}
	plain[191] = 1
	if _, err := parsePointer(plain); err == nil {
		t.Error("a pointer with bytes behind its map is taken")
	}
	tag := hmac256(derive(filled32(0x88), "relation-tag"), u64(9), u32(0))
	equal(t, "directory-tag", hex.EncodeToString(tag[:16]), spec["directory-tag"])
	var links []link
	shard := fromHex(t, spec["pin-shard"])
	if err := decode(shard, &links); err != nil || len(links) != 2 || links[0].cid.digest() != hash([]byte("b")) {
		t.Errorf("pin-shard: %v, %v", links, err)
	}
	if err := decode(fromHex(t, spec["pin-root"]), &links); err != nil || links[0].cid.digest() != hash(shard) {
		t.Errorf("pin-root: %v", err)
	}
	count := 0
	_, err := readCAR(bytes.NewReader(fromHex(t, spec["segment"])), func(name cid, offset int64, length int) { count++ })
	if err != nil || count != 1 {
		t.Errorf("segment: %d blocks, %v", count, err)
	}
}

func TestBody(t *testing.T) {
	spec := examples(t)
	plain := fromHex(t, spec["body"])
	list, _ := openSigners(fromHex(t, spec["signers"]))
	e := &entry{record: filled16(0x11), version: filled16(0x22), kind: "Observation", category: 1,
		date: "2024-02-03", title: "Hemoglobin", labels: []string{"PSY"}, mediaType: "application/fhir+json", size: 5,
		codes: []string{"loinc|718-7"}, author: "Dr Lind"}
	header := plain[8 : 8+binary.BigEndian.Uint32(plain)]
	b := &body{}
	if err := b.readHeader(header, list.vault(), list, e); err != nil {
		t.Fatal(err)
	}
	if source := b.header.Source; source == nil || *source != "a.json" || b.header.Digest != hash([]byte("hello")) {
		t.Errorf("body: %+v", b.header)
	}
	e.title = "Haemoglobin"
	if err := b.readHeader(header, list.vault(), list, e); err == nil {
		t.Error("a title that is not that of the header is taken")
	}
}

// With the neutral element as key and as R, and S zero, the equation holds for every message.
func TestWeakSignatures(t *testing.T) {
	neutral := id32{1}
	signature := append(append([]byte{}, neutral[:]...), make([]byte, 32)...)
	if !ed25519.Verify(neutral[:], []byte("anything"), signature) {
		t.Fatal("the standard library refuses this by itself: the test shows nothing")
	}
	if err := verifyStrict(neutral, []byte("anything"), signature); err == nil {
		t.Error("a key of small order is taken")
	}
	prime := id32(bytes.Repeat([]byte{0xff}, 32)) // 2^255 - 19 + 1: the neutral element, not canonical
	prime[0], prime[31] = 0xee, 0x7f
	if err := checkPoint(prime[:]); err == nil || !strings.Contains(err.Error(), "canonical") {
		t.Errorf("an encoding that is not canonical: %v", err)
	}
}

func TestCleanTextsAndDates(t *testing.T) {
	for _, text := range []string{" a", "a ", "a  b", "a\tb", "a\u00a0b", "a\u202eb", "a\ufeffb", "a\x7f", strings.Repeat("é", 201)} {
		if checkClean(text, 200) == nil {
			t.Errorf("%q is taken as clean", text)
		}
	}
	for _, text := range []string{"", "a b", "a\u200bb", strings.Repeat("é", 200)} {
		if err := checkClean(text, 200); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"2024", "2024-02", "2024-02-29", "2024-02-28T10:00Z", "2024-02-28T23:59:60.5+14:59"} {
		if !isDate(text) {
			t.Errorf("%s is refused", text)
		}
	}
	for _, text := range []string{"0000", "2024-13", "2023-02-29", "2024-02-28T10:00", "2024-02-28T24:00Z", "2024-02-28T10:00:61Z", "2024-02-28T10:00:00.Z", "2024-02-28T10:00+15:00", "2024-02-28T10:00z"} {
		if isDate(text) {
			t.Errorf("%s is taken", text)
		}
	}
}

func signRaw(seed [32]byte, message []byte) []byte {
	return ed25519.Sign(ed25519.NewKeyFromSeed(seed[:]), message)
}
