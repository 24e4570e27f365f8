package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	carried   = "carried"
	onRequest = "on-request"

	maxAcceptance  = 16<<10 + 1024
	maxCertificate = 16<<10 + 8<<10
)

// errOnRequest is why the body of an entry does not open for a reader: its key was not asked for.
var errOnRequest = errors.New("its key is given out on request only")

// wrapped is a content key sealed in the index of a grant on request (22.3).
type wrapped [48]byte

// open takes a content key out with the grant's release key. The entry names the key it is sealed
// under: by its version, and the head under which its body was sealed.
func (w *wrapped) open(release [32]byte, version id16, seq uint64) (cek [32]byte, err error) {
	key := hmac256(derive(release, "release-wrap"), version[:], u64(seq))
	nonce := make([]byte, chacha20poly1305.NonceSize)
	plain, err := must(chacha20poly1305.New(key[:])).Open(nil, nonce, w[:], []byte("medvault/v1/release-wrap"))
	if err != nil {
		return cek, errors.New("its sealed key does not open with the release key")
	}
	return [32]byte(plain), nil
}

// checkConditions wants dag-cbor also where no field table says what a value is (22.1).
func (t *terms) checkConditions() error {
	for name, value := range t.Conditions {
		if err := checkItem(value); err != nil {
			return fmt.Errorf("terms: condition %q: %w", name, err)
		}
	}
	return nil
}

// condition gives the value of a condition that is understood; any other never holds.
func (t *terms) condition(name string) (value uint64, understood bool) {
	if !slices.Contains([]string{"from", "opens", "opens-per-day"}, name) {
		return 0, false
	}
	return value, decode(t.Conditions[name], &value) == nil
}

// conditionTexts are the conditions as they are printed; null is one that is not understood.
func (t *terms) conditionTexts() map[string]*uint64 {
	all := map[string]*uint64{}
	for name := range t.Conditions {
		all[name] = nil
		if value, understood := t.condition(name); understood {
			all[name] = &value
		}
	}
	return all
}

// checkPurpose wants one line of 1 to 200 bytes without white space around it (10.1).
func checkPurpose(purpose *string) error {
	if purpose == nil {
		return nil
	}
	text := *purpose
	if text == "" || len(text) > 200 || strings.TrimSpace(text) != text || strings.ContainsFunc(text, unicode.IsControl) {
		return fmt.Errorf("purpose %q", text)
	}
	return nil
}

// statement is a message that somebody else than the patient signed (22.2).
type statement[S any] struct {
	V       version `cbor:"v"`
	Say     S       `cbor:"say"`
	Time    uint64  `cbor:"time"`
	Signer  id32    `cbor:"signer"`
	Signers []byte  `cbor:"signers"`

	list *signers
}

func openStatement[S any](namespace string, wire []byte, limit int) (*statement[S], error) {
	var s statement[S]
	outer, err := openSigned(namespace, wire, limit, &s)
	if err != nil {
		return nil, err
	}
	if s.list, err = openSigners(s.Signers); err != nil {
		return nil, fmt.Errorf("%s: %w", namespace, err)
	}
	if !s.list.now(s.Signer) {
		return nil, fmt.Errorf("%s: signed by a key that is not on its list", namespace)
	}
	return &s, outer.verify(namespace, s.Signer)
}

// agreedTo is what an acceptance says (22.2).
type agreedTo struct {
	Vault id32 `cbor:"vault"`
	Grant id16 `cbor:"grant"`
	Terms id32 `cbor:"terms"`
}

// openAcceptance verifies a countersignature of these very terms and gives the reader's list.
func openAcceptance(wire []byte, t *terms, signedTerms []byte) (*signers, error) {
	s, err := openStatement[agreedTo]("acceptance", wire, maxAcceptance)
	if err != nil {
		return nil, err
	}
	if s.Say != (agreedTo{t.Vault, t.Grant, hash(signedTerms)}) {
		return nil, errors.New("acceptance: of other terms")
	}
	return s.list, nil
}

// certificate lets an agent answer requests (22.6).
type certificate struct {
	V      version `cbor:"v"`
	Vault  id32    `cbor:"vault"`
	Grant  id16    `cbor:"grant"`
	Terms  id32    `cbor:"terms"`
	Agent  []byte  `cbor:"agent"`
	Node   node    `cbor:"node"`
	Opens  *uint64 `cbor:"opens"`
	Until  uint64  `cbor:"until"`
	Time   uint64  `cbor:"time"`
	Signer id32    `cbor:"signer"`

	agent *signers
}

// openCertificate verifies the certificate of an agent that these terms name.
func openCertificate(wire []byte, list *signers, t *terms, signedTerms []byte) (*certificate, error) {
	var c certificate
	outer, err := openSigned("agent-certificate", wire, maxCertificate, &c)
	if err != nil {
		return nil, err
	}
	if err := list.verifyEver(outer, "agent-certificate", c.Signer); err != nil {
		return nil, err
	}
	if c.Vault != t.Vault || c.Grant != t.Grant || c.Terms != hash(signedTerms) {
		return nil, errors.New("agent-certificate: of another vault or grant, or of other terms")
	}
	if c.agent, err = openSigners(c.Agent); err != nil {
		return nil, fmt.Errorf("agent-certificate: %w", err)
	}
	if !slices.Contains(t.Agents, c.agent.Owner) {
		return nil, errors.New("agent-certificate: for someone whom the terms do not name")
	}
	return &c, nil
}

// agreement is who agreed to a grant on request and who answers under it, as its root has it.
type agreement struct {
	readers []id32
	agents  []*certificate
}

// openAgreement verifies what a root holds besides pages and terms: in a carried grant, nothing.
func openAgreement(root *grantRoot, list *signers, t *terms) (*agreement, error) {
	if t.Delivery == carried {
		if len(root.Acceptances) > 0 || len(root.Agents) > 0 {
			return nil, errors.New("the root of a carried grant has acceptances or agents")
		}
		return nil, nil
	}
	a := &agreement{}
	for _, wire := range root.Acceptances {
		reader, err := openAcceptance(wire, t, root.Terms)
		if err != nil {
			return nil, err
		}
		if slices.Contains(a.readers, reader.Owner) {
			return nil, errors.New("two acceptances of one reader")
		}
		a.readers = append(a.readers, reader.Owner)
	}
	for _, wire := range root.Agents {
		c, err := openCertificate(wire, list, t, root.Terms)
		if err != nil {
			return nil, err
		}
		a.agents = append(a.agents, c)
	}
	return a, nil
}

// certified tells whether somebody has a certificate.
func (a *agreement) certified(owner id32) bool {
	return slices.ContainsFunc(a.agents, func(c *certificate) bool { return c.agent.Owner == owner })
}
