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
}

// parseEntries decodes the entries of the log and checks their order.
func parseEntries(raw [][]byte) ([]auditEntry, error) {
	all := make([]auditEntry, len(raw))
	for i, wire := range raw {
		e := &all[i]
		if len(wire) > 64<<10 {
			return nil, fmt.Errorf("log entry %d: %d bytes", i, len(wire))
		}
		if err := decode(wire, e); err != nil {
			return nil, fmt.Errorf("log entry %d: %w", i, err)
		}
		if e.Index != uint64(i) {
			return nil, fmt.Errorf("log entry %d says it is number %d", i, e.Index)
		}
		if i > 0 && e.Time < all[i-1].Time {
			return nil, fmt.Errorf("log entry %d is older than the one before", i)
		}
		if len(e.Act) != 1 {
			return nil, fmt.Errorf("log entry %d: %d acts", i, len(e.Act))
		}
		for name, fields := range e.Act {
			e.name = name
			if known := acts[name]; known != nil {
				e.fields = known()
				if err := decode(fields, e.fields); err != nil {
					return nil, fmt.Errorf("log entry %d, %s: %w", i, name, err)
				}
			}
		}
	}
	return all, nil
}
