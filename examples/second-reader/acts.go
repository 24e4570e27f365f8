package main

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// auditEntry is one entry of the log, as it is sealed (11.1).
type auditEntry struct {
	Act    map[string]cbor.RawMessage `cbor:"act"`
	Time   uint64                     `cbor:"time"`
	Index  uint64                     `cbor:"index"`
	Device id16                       `cbor:"device"`

	name   string
	fields any // one of the structs below; nil if this reader does not know the act
}

type (
	actCreated struct {
		Serial uint64 `cbor:"serial" json:"serial"`
	}
	actRecovered struct {
		Serial  uint64 `cbor:"serial" json:"serial"`
		FromSeq uint64 `cbor:"from_seq" json:"from_seq"`
	}
	actContactAdded struct {
		Contact id32   `cbor:"contact" json:"contact"`
		Name    string `cbor:"name" json:"name"`
	}
	actContact struct {
		Contact id32 `cbor:"contact" json:"contact"`
	}
	actPublished struct {
		Count    uint64 `cbor:"count" json:"count"`
		Versions id32   `cbor:"versions" json:"versions"`
	}
	actRemoved struct {
		Records []id16 `cbor:"records" json:"records"`
	}
	actGranted struct {
		Grant   id16   `cbor:"grant" json:"grant"`
		Readers []id32 `cbor:"readers" json:"readers"`
		Terms   id32   `cbor:"terms" json:"terms"`
		Count   uint64 `cbor:"count" json:"count"`
	}
	actJoined struct {
		Grant id16   `cbor:"grant" json:"grant"`
		Count uint64 `cbor:"count" json:"count"`
	}
	actRevoked struct {
		Grant   id16   `cbor:"grant" json:"grant"`
		Readers []id32 `cbor:"readers" json:"readers"`
		Level   string `cbor:"level" json:"level"`
	}
	actExpired struct {
		Grant id16 `cbor:"grant" json:"grant"`
	}
	actRekeyed struct {
		Grant id16   `cbor:"grant" json:"grant"`
		Count uint64 `cbor:"count" json:"count"`
		Done  bool   `cbor:"done" json:"done"`
	}
	actReceipt struct {
		Grant   id16 `cbor:"grant" json:"grant"`
		Receipt id32 `cbor:"receipt" json:"receipt"`
	}
	actPinned struct {
		Service  string `cbor:"service" json:"service"`
		Endpoint string `cbor:"endpoint" json:"endpoint"`
	}
	actUnpinned struct {
		Service   string `cbor:"service" json:"service"`
		Confirmed bool   `cbor:"confirmed" json:"confirmed"`
	}
	actPinVerified struct {
		Service    string `cbor:"service" json:"service"`
		Sampled    uint64 `cbor:"sampled" json:"sampled"`
		Missing    uint64 `cbor:"missing" json:"missing"`
		Canaries   uint64 `cbor:"canaries" json:"canaries"`
		Confidence uint64 `cbor:"confidence" json:"confidence"`
	}
	actAgreed struct {
		Grant      id16 `cbor:"grant" json:"grant"`
		Reader     id32 `cbor:"reader" json:"reader"`
		Terms      id32 `cbor:"terms" json:"terms"`
		Acceptance id32 `cbor:"acceptance" json:"acceptance"`
	}
	// actAsked is what was asked: all that released says, and most of denied.
	actAsked struct {
		Grant    id16    `cbor:"grant" json:"grant"`
		Reader   id32    `cbor:"reader" json:"reader"`
		Versions []id16  `cbor:"versions" json:"versions"`
		Purpose  *string `cbor:"purpose" json:"purpose"`
		Request  id32    `cbor:"request" json:"request"`
		Vault    *id32   `cbor:"vault,omitempty" json:"vault,omitempty"`
		Via      *actVia `cbor:"via,omitempty" json:"via,omitempty"`
	}
	actVia struct {
		Agent id32   `cbor:"agent" json:"agent"`
		Index uint64 `cbor:"index" json:"index"`
		Time  uint64 `cbor:"time" json:"time"`
	}
	actDenied struct {
		Asked  actAsked `cbor:"asked" json:"asked"`
		Reason string   `cbor:"reason" json:"reason"`
	}
	actReceipted struct {
		Release uint64 `cbor:"release" json:"release"`
		Reader  id32   `cbor:"reader" json:"reader"`
		Receipt id32   `cbor:"receipt" json:"receipt"`
		Opened  bool   `cbor:"opened" json:"opened"`
	}
	actAgentAdded struct {
		Grant id16    `cbor:"grant" json:"grant"`
		Agent id32    `cbor:"agent" json:"agent"`
		Opens *uint64 `cbor:"opens" json:"opens"`
		Until uint64  `cbor:"until" json:"until"`
	}
	actAgentRemoved struct {
		Grant id16 `cbor:"grant" json:"grant"`
		Agent id32 `cbor:"agent" json:"agent"`
	}
	actAgentReported struct {
		Grant  id16   `cbor:"grant" json:"grant"`
		Agent  id32   `cbor:"agent" json:"agent"`
		Opens  uint64 `cbor:"opens" json:"opens"`
		Closed bool   `cbor:"closed" json:"closed"`
	}
	actDepositLimit struct {
		Contact id32   `cbor:"contact" json:"contact"`
		Bytes   uint64 `cbor:"bytes" json:"bytes"`
	}
	actDeposited struct {
		Contact id32   `cbor:"contact" json:"contact"`
		Deposit id16   `cbor:"deposit" json:"deposit"`
		Bytes   uint64 `cbor:"bytes" json:"bytes"`
	}
	actDepositAccepted struct {
		Contact id32   `cbor:"contact" json:"contact"`
		Deposit id16   `cbor:"deposit" json:"deposit"`
		Count   uint64 `cbor:"count" json:"count"`
	}
	actDepositDeclined struct {
		Contact id32 `cbor:"contact" json:"contact"`
		Deposit id16 `cbor:"deposit" json:"deposit"`
	}
)

var acts = map[string]func() any{
	"vault-created":    func() any { return &actCreated{} },
	"vault-recovered":  func() any { return &actRecovered{} },
	"contact-added":    func() any { return &actContactAdded{} },
	"contact-verified": func() any { return &actContact{} },
	"published":        func() any { return &actPublished{} },
	"removed":          func() any { return &actRemoved{} },
	"granted":          func() any { return &actGranted{} },
	"joined":           func() any { return &actJoined{} },
	"revoked":          func() any { return &actRevoked{} },
	"expired":          func() any { return &actExpired{} },
	"rekeyed":          func() any { return &actRekeyed{} },
	"receipt":          func() any { return &actReceipt{} },
	"pinned":           func() any { return &actPinned{} },
	"unpinned":         func() any { return &actUnpinned{} },
	"pin-verified":     func() any { return &actPinVerified{} },
	"agreed":           func() any { return &actAgreed{} },
	"released":         func() any { return &actAsked{} },
	"denied":           func() any { return &actDenied{} },
	"receipted":        func() any { return &actReceipted{} },
	"agent-added":      func() any { return &actAgentAdded{} },
	"agent-removed":    func() any { return &actAgentRemoved{} },
	"agent-reported":   func() any { return &actAgentReported{} },
	"deposit-limit":    func() any { return &actDepositLimit{} },
	"deposited":        func() any { return &actDeposited{} },
	"deposit-accepted": func() any { return &actDepositAccepted{} },
	"deposit-declined": func() any { return &actDepositDeclined{} },
}

// parseEntry decodes one entry.
func parseEntry(wire []byte) (*auditEntry, error) {
	e := &auditEntry{}
	if len(wire) > 64<<10 {
		return nil, fmt.Errorf("%d bytes", len(wire))
	}
	if err := decode(wire, e); err != nil {
		return nil, err
	}
	if len(e.Act) != 1 {
		return nil, fmt.Errorf("%d acts", len(e.Act))
	}
	for name, fields := range e.Act {
		e.name = name
		if known := acts[name]; known != nil {
			e.fields = known()
			if err := decode(fields, e.fields); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		} else if err := checkItem(fields); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return e, e.check()
}

// check is for what the field tables do not say.
func (e *auditEntry) check() error {
	var asked *actAsked
	switch act := e.fields.(type) {
	case *actAsked:
		asked = act
	case *actDenied:
		asked = &act.Asked
	default:
		return nil
	}
	if asked.Vault != nil && asked.Via != nil {
		return fmt.Errorf("%s: reported by an agent, and yet in an agent's log", e.name)
	}
	return checkPurpose(asked.Purpose)
}

// parseEntries decodes the entries of the log and checks their order.
func parseEntries(raw [][]byte) ([]auditEntry, error) {
	all := make([]auditEntry, len(raw))
	for i, wire := range raw {
		e, err := parseEntry(wire)
		if err != nil {
			return nil, fmt.Errorf("log entry %d: %w", i, err)
		}
		if e.Index != uint64(i) {
			return nil, fmt.Errorf("log entry %d says it is number %d", i, e.Index)
		}
		if i > 0 && e.Time < all[i-1].Time {
			return nil, fmt.Errorf("log entry %d is older than the one before", i)
		}
		all[i] = *e
	}
	return all, nil
}
