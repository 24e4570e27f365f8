package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// The owner and device of the examples, and a reader whose keys are made the same way.
type signerOf struct{ owner, device [32]byte }

var (
	thePatient = signerOf{filled32(1), filled32(2)}
	theReader  = signerOf{filled32(11), filled32(12)}
)

func encode(t *testing.T, value any) []byte {
	t.Helper()
	data, err := cborEncoder.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func signedBy(t *testing.T, seed [32]byte, namespace string, payload any) []byte {
	t.Helper()
	wire := encode(t, payload)
	message := append([]byte("medvault/v1/"+namespace+"\x00"), wire...)
	return encode(t, signed{wire, [64]byte(ed25519.Sign(ed25519.NewKeyFromSeed(seed[:]), message))})
}

func (s signerOf) list(t *testing.T) (*signers, []byte) {
	t.Helper()
	list := &signers{V: 1, Keys: []id32{ed25519Public(s.device)}, Owner: ed25519Public(s.owner), Serial: 7}
	return list, signedBy(t, s.owner, "signers", list)
}

func pointerTo[T any](value T) *T { return &value }

// termsOnRequest gives terms that only need a signature.
func termsOnRequest(t *testing.T) *terms {
	list, _ := thePatient.list(t)
	return &terms{V: 1, Grant: filled16(0x33), Vault: list.vault(), Extent: "standing", Signer: list.Keys[0],
		Created: 1_790_000_000, Purpose: pointerTo("TREAT"), Delivery: onRequest,
		Scope:      scope{All: true},
		Recipients: []id32{readerTag(filled32(0x88), filled16(0x33))},
		MayDeposit: true,
		Agents:     []id32{ed25519Public(theReader.owner)},
		Conditions: map[string]cbor.RawMessage{
			"opens": {0x05}, "from": {0x1a, 0x6a, 0xb1, 0x3b, 0x80},
			"opens-per-day": {0x20}, "moon": {0x81, 0xa1, 0x61, 'a', 0xf6},
		}}
}

// A content key as medvault sealed it into the index of a grant on request.
func TestSealedContentKey(t *testing.T) {
	release := [32]byte(fromHex(t, "b0b12299085c2d65ab35cdeeaf6cac33608a2966dda99889dc90e6ef94e8ec53"))
	sealed := wrapped(fromHex(t, "9fe1b000b4726ec8a6525f853c89c553d1ae818c31edfc10a45828d40d7f3e8107f00e260eb13fa13bdab3189becfca8"))
	raw, err := base32Lower.DecodeString("nbotqcjoi6kqudaxlr33t7olf4")
	if err != nil {
		t.Fatal(err)
	}
	version := id16(raw)
	cek, err := sealed.open(release, version, 9)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "CEK", hex.EncodeToString(cek[:]), "da9748140f8b6773a845c492925d4aae788aabb95397f98c6eae7ff4e9fb26da")
	if _, err := sealed.open(release, version, 10); err == nil {
		t.Error("opens for another head")
	}
	if _, err := sealed.open(release, filled16(1), 9); err == nil {
		t.Error("opens for another version")
	}
	if _, err := sealed.open(filled32(1), version, 9); err == nil {
		t.Error("opens with another release key")
	}
	for at := range sealed {
		bad := sealed
		bad[at] ^= 1
		if _, err := bad.open(release, version, 9); err == nil {
			t.Errorf("opens with byte %d changed", at)
		}
	}
}

func TestContentKeysOfBothLengths(t *testing.T) {
	page := indexPage{Blocks: []digest{{}}, Kinds: []string{"Document"}, MediaTypes: []string{"text/plain"}}
	for length, good := range map[int]bool{0: false, 31: false, 32: true, 33: false, 47: false, 48: true, 49: false} {
		e, err := page.resolve(&rawEntry{CEK: make([]byte, length), Place: rawPlace{Rows: []uint32{0}, Length: 512}})
		if (err == nil) != good {
			t.Errorf("%d bytes: %v", length, err)
		}
		if good && (e.wrapped != nil) != (length == 48) {
			t.Errorf("%d bytes: sealed %v", length, e.wrapped != nil)
		}
		if length == 48 {
			if _, err := openBody(nil, id32{}, nil, e); err != errOnRequest {
				t.Errorf("a body without its key: %v", err)
			}
		}
	}
}

func TestTermsOnRequest(t *testing.T) {
	list, _ := thePatient.list(t)
	open := func(change func(*terms)) (*terms, error) {
		draft := termsOnRequest(t)
		change(draft)
		return openTerms(signedBy(t, thePatient.device, "terms", draft), list, filled16(0x33))
	}
	good, err := open(func(*terms) {})
	if err != nil || !good.MayDeposit || len(good.Agents) != 1 {
		t.Fatalf("%+v, %v", good, err)
	}
	texts := good.conditionTexts()
	if len(texts) != 4 || *texts["opens"] != 5 || *texts["from"] != 1_790_000_000 || texts["opens-per-day"] != nil || texts["moon"] != nil {
		t.Errorf("conditions: %v", texts)
	}
	condition := func(value ...byte) func(*terms) {
		return func(draft *terms) { draft.Conditions = map[string]cbor.RawMessage{"moon": value} }
	}
	bare := func(draft *terms) { draft.Conditions, draft.Agents = nil, nil }
	for what, change := range map[string]func(*terms){
		"nothing but the delivery":    bare,
		"carried, and may deposit":    func(draft *terms) { bare(draft); draft.Delivery = carried },
		"a negative number":           condition(0x38, 0x18),
		"the least of all numbers":    condition(0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"a map in order":              condition(0xa2, 0x61, 'b', 0x01, 0x62, 'a', 'a', 0xf4),
		"a purpose of 200 bytes":      func(draft *terms) { draft.Purpose = pointerTo(strings.Repeat("é", 100)) },
		"no purpose":                  func(draft *terms) { draft.Purpose = nil },
		"conditions that are unknown": condition(0x80),
	} {
		if _, err := open(change); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, change := range map[string]func(*terms){
		"carried with conditions":    func(draft *terms) { draft.Delivery, draft.Agents = carried, nil },
		"carried with agents":        func(draft *terms) { draft.Delivery, draft.Conditions = carried, nil },
		"another delivery":           func(draft *terms) { draft.Delivery = "never" },
		"a long number":              condition(0x18, 0x17),
		"a longer number":            condition(0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff),
		"a floating point number":    condition(0xfb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0),
		"undefined":                  condition(0xf7),
		"a map out of order":         condition(0xa2, 0x62, 'a', 'a', 0xf4, 0x61, 'b', 0x01),
		"a map with a key twice":     condition(0xa2, 0x61, 'a', 0x01, 0x61, 'a', 0x01),
		"a map with a number as key": condition(0xa1, 0x01, 0x01),
		"a tag that is no link":      condition(0xc6, 0x41, 0x00),
		"a purpose of 201 bytes":     func(draft *terms) { draft.Purpose = pointerTo(strings.Repeat("a", 201)) },
		"a purpose with white space": func(draft *terms) { draft.Purpose = pointerTo("TREAT ") },
		"a purpose of two lines":     func(draft *terms) { draft.Purpose = pointerTo("a\nb") },
		"another grant":              func(draft *terms) { draft.Grant = filled16(0x34) },
	} {
		if _, err := open(change); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
	if checkItem([]byte{0x9f, 0xff}) == nil || checkItem([]byte{0x01, 0x01}) == nil || checkItem(nil) == nil {
		t.Error("an array without end, two values or none are taken")
	}
	// an unknown field is refused everywhere but among the conditions
	wire := encode(t, termsOnRequest(t))
	unknown := append([]byte{wire[0] + 1, 0x61, 'a', 0x01}, wire[1:]...)
	if err := decode(unknown, &terms{}); err == nil {
		t.Error("terms with an unknown field are taken")
	}
	empty := bytes.Replace(wire, encode(t, "agents"), encode(t, "agentz"), 1)
	if err := decode(empty, &terms{}); err == nil {
		t.Error("terms with a misspelt field are taken")
	}
}

// allFlips wants every change of one bit to be refused.
func allFlips(t *testing.T, what string, wire []byte, open func([]byte) error) {
	t.Helper()
	if err := open(wire); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	for at := range wire {
		bad := bytes.Clone(wire)
		bad[at] ^= 1 << (at % 8)
		if open(bad) == nil {
			t.Errorf("%s: taken with byte %d changed", what, at)
		}
	}
}

func TestAcceptance(t *testing.T) {
	list, listed := theReader.list(t)
	offered := termsOnRequest(t)
	wire := signedBy(t, thePatient.device, "terms", offered)
	said := statement[agreedTo]{V: 1, Say: agreedTo{offered.Vault, offered.Grant, hash(wire)}, Time: 7, Signer: list.Keys[0], Signers: listed}
	accept := func() []byte { return signedBy(t, theReader.device, "acceptance", said) }
	allFlips(t, "acceptance", accept(), func(data []byte) error {
		_, err := openAcceptance(data, offered, wire)
		return err
	})
	if reader, err := openAcceptance(accept(), offered, wire); err != nil || reader.Owner != list.Owner {
		t.Errorf("%v, %v", reader, err)
	}
	if _, err := openAcceptance(signedBy(t, theReader.device, "access-request", said), offered, wire); err == nil {
		t.Error("a message of another namespace is taken for an acceptance")
	}
	if _, err := openAcceptance(accept(), offered, signedBy(t, thePatient.device, "terms", termsOnRequest(t))[1:]); err == nil {
		t.Error("an acceptance of other bytes is taken")
	}
	said.Signer = ed25519Public(thePatient.device)
	if _, err := openAcceptance(signedBy(t, thePatient.device, "acceptance", said), offered, wire); err == nil {
		t.Error("an acceptance by a key that is not on its list is taken")
	}
}

func TestAgreementOfARoot(t *testing.T) {
	patient, _ := thePatient.list(t)
	agent, listed := theReader.list(t)
	offered := termsOnRequest(t)
	wire := signedBy(t, thePatient.device, "terms", offered)
	draft := certificate{V: 1, Vault: offered.Vault, Grant: offered.Grant, Terms: hash(wire), Agent: listed, Until: 9, Time: 7, Opens: pointerTo(uint64(3)), Signer: patient.Keys[0]}
	certify := func(change func(*certificate)) []byte {
		changed := draft
		change(&changed)
		return signedBy(t, thePatient.device, "agent-certificate", &changed)
	}
	good := certify(func(*certificate) {})
	allFlips(t, "certificate", good, func(data []byte) error {
		_, err := openCertificate(data, patient, offered, wire)
		return err
	})
	accepted := signedBy(t, theReader.device, "acceptance", statement[agreedTo]{V: 1, Say: agreedTo{offered.Vault, offered.Grant, hash(wire)}, Signer: agent.Keys[0], Signers: listed})
	root := &grantRoot{V: 1, Terms: wire, Agents: [][]byte{good}, Acceptances: [][]byte{accepted}}
	shown, err := openAgreement(root, patient, offered)
	if err != nil || !shown.certified(agent.Owner) || shown.certified(patient.Owner) || len(shown.readers) != 1 {
		t.Errorf("%+v, %v", shown, err)
	}
	root.Acceptances = [][]byte{accepted, accepted}
	if _, err := openAgreement(root, patient, offered); err == nil {
		t.Error("two acceptances of one reader are taken")
	}
	for what, change := range map[string]func(*certificate){
		"another grant":    func(c *certificate) { c.Grant = filled16(1) },
		"another vault":    func(c *certificate) { c.Vault = filled32(1) },
		"other terms":      func(c *certificate) { c.Terms = filled32(1) },
		"an agent's own":   func(c *certificate) { c.Signer = agent.Keys[0] },
		"an unnamed agent": func(c *certificate) { _, c.Agent = thePatient.list(t) },
	} {
		if _, err := openCertificate(certify(change), patient, offered, wire); err == nil {
			t.Errorf("a certificate of %s is taken", what)
		}
	}
	offered.Delivery = carried
	if _, err := openAgreement(root, patient, offered); err == nil {
		t.Error("a carried grant with acceptances is taken")
	}
}

func TestReceiptOnRequest(t *testing.T) {
	reader, other := id32(filled32(7)), id32(filled32(8))
	grant := filled16(0x33)
	asked := func(who id32, versions ...byte) auditEntry {
		act := &actAsked{Grant: grant, Reader: who}
		for _, v := range versions {
			act.Versions = append(act.Versions, filled16(v))
		}
		return auditEntry{fields: act}
	}
	agents := asked(reader, 9)
	agents.fields.(*actAsked).Vault = pointerTo(id32{})
	log := []auditEntry{asked(reader, 1, 2), asked(other, 3), asked(reader, 2), agents,
		{fields: &actRevoked{Grant: grant, Readers: []id32{reader}}}, {fields: &actReceipt{Grant: grant, Receipt: id32{1}}}, asked(reader, 4)}
	good := receipt{Grant: grant, Readers: []id32{reader}, LogIndex: 4, Opened: pointerTo(uint64(2)), CouldHaveOpened: 3, NeverDelivered: 5,
		OpenedVersions: []id16{filled16(1), filled16(2)}, digest: id32{1}}
	if err := checkReceipt(&good, onRequest, log); err != nil {
		t.Error(err)
	}
	if checkReceipt(&good, carried, log) == nil {
		t.Error("a carried grant tells what was opened")
	}
	for what, change := range map[string]func(*receipt){
		"nothing said":         func(r *receipt) { r.Opened = nil },
		"too few":              func(r *receipt) { r.Opened, r.OpenedVersions = pointerTo(uint64(1)), r.OpenedVersions[:1] },
		"too many":             func(r *receipt) { r.Opened = pointerTo(uint64(3)) },
		"another's version":    func(r *receipt) { r.OpenedVersions = []id16{filled16(1), filled16(3)} },
		"a later version":      func(r *receipt) { r.OpenedVersions = []id16{filled16(1), filled16(4)} },
		"one of an agent's":    func(r *receipt) { r.OpenedVersions = []id16{filled16(1), filled16(9)} },
		"one left out":         func(r *receipt) { r.OpenedVersions = r.OpenedVersions[:1] },
		"fewer than were":      func(r *receipt) { r.CouldHaveOpened = 1 },
		"another's revocation": func(r *receipt) { r.Readers = []id32{other} },
	} {
		bad := good
		change(&bad)
		if checkReceipt(&bad, onRequest, log) == nil {
			t.Errorf("%s: the receipt counts", what)
		}
	}
}

func TestActsOnRequest(t *testing.T) {
	asked := actAsked{Grant: filled16(1), Reader: filled32(2), Versions: []id16{filled16(3)}, Request: filled32(4)}
	entry := func(name string, fields any) []byte {
		return encode(t, auditEntry{Act: map[string]cbor.RawMessage{name: encode(t, fields)}})
	}
	for name, fields := range map[string]any{
		"agreed": actAgreed{}, "released": asked, "denied": actDenied{Asked: asked, Reason: "expired"}, "receipted": actReceipted{},
		"agent-added": actAgentAdded{}, "agent-removed": actAgentRemoved{}, "agent-reported": actAgentReported{},
	} {
		wire := entry(name, fields)
		e, err := parseEntry(wire)
		if err != nil || e.name != name || strings.Contains(describe(e.fields), "does not know") {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
		if _, err := parseEntry(entry(name, map[string]any{})); err == nil {
			t.Errorf("%s: taken without its fields", name)
		}
	}
	asked.Via, asked.Vault = &actVia{}, &id32{}
	if _, err := parseEntry(entry("released", asked)); err == nil {
		t.Error("a release both by an agent and for another vault is taken")
	}
	asked.Vault, asked.Purpose = nil, pointerTo(" ")
	if _, err := parseEntry(entry("released", asked)); err == nil {
		t.Error("a blank purpose is taken")
	}
}
