package main

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const fixtures = "../../vault-core/tests/fixtures/v1/"

// runOn runs the program on one CAR that the recovery words of the fixtures open.
func runOn(t *testing.T, car string, command ...string) (code int, out, messages string) {
	t.Helper()
	var printed, said bytes.Buffer
	arguments := append(command, "-words", fixtures+"words.txt", car)
	code = run(arguments, &printed, &said)
	return code, printed.String(), said.String()
}

func fixtureCAR(t testing.TB) []byte {
	t.Helper()
	car, err := os.ReadFile(fixtures + "patient/blocks/segment-00000001.car")
	if err != nil {
		t.Fatal(err)
	}
	return car
}

func TestFixtureOpens(t *testing.T) {
	code, out, messages := runOn(t, fixtures+"patient/blocks", "verify")
	if code != 0 || !strings.Contains(out, "4 records in 5 versions, 2 contacts, 2 grants, 14 log entries") {
		t.Fatalf("%d: %s%s", code, out, messages)
	}
	folder := t.TempDir()
	if code, _, messages := runOn(t, fixtures+"patient/blocks", "extract", "-all-versions", "-out", folder); code != 0 {
		t.Fatal(messages)
	}
	files, _ := filepath.Glob(folder + "/*")
	if len(files) != 5 {
		t.Errorf("%d files instead of 5", len(files))
	}
	for _, command := range []string{"list", "sharing", "audit"} {
		if code, out, messages := runOn(t, fixtures+"patient/blocks", command, "-json"); code != 0 || out == "" {
			t.Errorf("%s: %s", command, messages)
		}
	}
}

func TestForeignWordsOpenNothing(t *testing.T) {
	words := filepath.Join(t.TempDir(), "words")
	os.WriteFile(words, []byte(strings.Repeat("abandon ", 23)+"art"), 0o600)
	var said bytes.Buffer
	if code := run([]string{"list", "-words", words, fixtures + "patient/blocks"}, io.Discard, &said); code != 1 || !strings.Contains(said.String(), "no head of vault") {
		t.Errorf("%d: %s", code, said.String())
	}
}

// A copy that is cut short or has lost bytes is named as such, or reads exactly as before; nothing
// of it is written in part.
func TestDamagedCopies(t *testing.T) {
	car := fixtureCAR(t)
	_, whole, _ := runOn(t, fixtures+"patient/blocks", "verify")
	random := rand.New(rand.NewPCG(1, 2))
	folder := t.TempDir()
	file := filepath.Join(folder, "copy.car")
	try := func(what string, at int, damaged []byte) {
		t.Helper()
		if err := os.WriteFile(file, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		code, out, messages := runOn(t, file, "verify")
		if code == 0 && out != whole {
			t.Errorf("%s at %d goes unnoticed: %s", what, at, out)
		}
		if code != 0 && !strings.Contains(messages, "problem: ") {
			t.Errorf("%s at %d: no problem is named", what, at)
		}
	}
	try("cut", 0, nil)
	for range 60 {
		at := random.IntN(len(car))
		try("cut", at, car[:at])
		damaged := bytes.Clone(car)
		damaged[at] ^= byte(1 + random.IntN(255))
		try("flip", at, damaged)
		try("hole", at, append(bytes.Clone(car[:at]), car[min(len(car), at+1+random.IntN(40)):]...))
	}
}

// A torn end is expected in the last segment of a home, and nowhere else.
func TestTornEnd(t *testing.T) {
	torn := append(fixtureCAR(t), 0x29, 0x01, 0x55)
	folder := t.TempDir()
	for name, expected := range map[string]int{"segment-00000001.car": 0, "backup.car": 1} {
		file := filepath.Join(folder, name)
		os.WriteFile(file, torn, 0o600)
		if code, _, messages := runOn(t, file, "list"); code != expected {
			t.Errorf("%s: %d %s", name, code, messages)
		}
	}
}

func TestDamagedBodyLeavesNoFile(t *testing.T) {
	car := fixtureCAR(t)
	folder := t.TempDir()
	file := filepath.Join(folder, "copy.car")
	largest, length := int64(0), 0
	readCAR(bytes.NewReader(car), func(_ cid, offset int64, size int) {
		if size > length {
			largest, length = offset, size
		}
	})
	car[largest+1000] ^= 1 // the first block of the long body
	os.WriteFile(file, car, 0o600)
	out := filepath.Join(folder, "out")
	code, _, messages := runOn(t, file, "extract", "-out", out)
	files, _ := os.ReadDir(out)
	if code != 1 || len(files) != 3 || !strings.Contains(messages, "is missing") {
		t.Errorf("%d: %d files, %s", code, len(files), messages)
	}
}

// FuzzDecoders gives foreign bytes to everything that parses: errors are fine, panics are not.
func FuzzDecoders(f *testing.F) {
	car := fixtureCAR(f)
	readCAR(bytes.NewReader(car), func(_ cid, offset int64, length int) {
		if length < 4096 {
			f.Add(car[offset : offset+int64(length)])
		}
	})
	f.Add(car[:1000])
	list := &signers{}
	own, err := newHybrid([32]byte{})
	if err != nil {
		f.Fatal(err)
	}
	who := &identity{hybrid: own}
	f.Fuzz(func(t *testing.T, data []byte) {
		readCAR(bytes.NewReader(data), func(cid, int64, int) {})
		openHead(data, id32{})
		openSigners(data)
		openCard(data)
		openTerms(data, list, id16{})
		openReceipt(data, list, id16{})
		openPayload(data, list, id16{}, own)
		openEnvelope(data, own)
		openAcceptance(data, &terms{}, nil)
		openCertificate(data, list, &terms{}, nil)
		openLogStatement(data, list)
		openWitness(data, list, list)
		checkItem(data)
		parseProof(string(data))
		parseEvidence(string(data))
		decode(data, &grantRoot{})
		decode(data, &[]chargeItem{})
		openTicket(string(data), who)
		openCheckpoint(data, id32{}, id32{})
		openSealed([32]byte{}, nil, data)
		parseIdentity(string(data))
		parsePointer(data)
		parseWords(string(data))
		parseEntries([][]byte{data})
		isDate(string(data))
		decode(data, &zeroRoot{})
		decode(data, &[]contact{})
		decode(data, &[]grantItem{})
		(&body{}).readHeader(data, id32{}, list, &entry{})
		var page indexPage
		if decode(data, &page) == nil {
			for i := range page.Entries {
				page.resolve(&page.Entries[i])
			}
		}
	})
}
