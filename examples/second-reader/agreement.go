package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// agreementItem is what the list grants has of a grant on request (14.3).
type agreementItem struct {
	Opens       uint64      `cbor:"opens"`
	Agents      []agentItem `cbor:"agents"`
	Offered     []id16      `cbor:"offered"`
	Release     [32]byte    `cbor:"release"`
	Acceptances [][]byte    `cbor:"acceptances"`
}

type agentItem struct {
	Contact     id16     `cbor:"contact"`
	Owner       id32     `cbor:"owner"`
	Envelopes   []digest `cbor:"envelopes"`
	Certificate []byte   `cbor:"certificate"`
	Allowance   *uint64  `cbor:"allowance"`
	Until       uint64   `cbor:"until"`
	Withdrawn   bool     `cbor:"withdrawn"`
	Closed      bool     `cbor:"closed"`
	Reported    uint64   `cbor:"reported"`
	Proven      uint64   `cbor:"proven,omitempty"`
	Next        uint64   `cbor:"next"`
	Seen        *[]byte  `cbor:"seen"`
}

// chargeItem is what the owner has answered on behalf of somebody else (14.3).
type chargeItem struct {
	Vault  id32    `cbor:"vault"`
	Grant  id16    `cbor:"grant"`
	Opens  uint64  `cbor:"opens"`
	Closed *uint64 `cbor:"closed"`
}

// checkAgreement verifies what the patient keeps of a grant on request in force: it is what the root
// shows and what the log tells.
func (v *vault) checkAgreement(g *grantItem, root *grantRoot) error {
	shown, err := openAgreement(root, v.head.list, g.terms)
	if err != nil || shown == nil {
		return err
	}
	kept := g.OnRequest
	if !slices.EqualFunc(kept.Acceptances, root.Acceptances, bytes.Equal) {
		return errors.New("its root shows other acceptances than the patient's list")
	}
	if len(shown.readers) != len(g.Members) {
		return fmt.Errorf("%d members and %d acceptances", len(g.Members), len(shown.readers))
	}
	for _, m := range g.Members {
		at := slices.Index(shown.readers, m.Owner)
		if at < 0 {
			return fmt.Errorf("member %v has not countersigned", m.Owner)
		}
		act := actAgreed{g.ID, m.Owner, hash(g.Terms), hash(kept.Acceptances[at])}
		if !slices.ContainsFunc(v.log, func(e auditEntry) bool { is, same := e.fields.(*actAgreed); return same && *is == act }) {
			return fmt.Errorf("the log does not show that %v agreed", m.Owner)
		}
		if slices.Contains(kept.Offered, m.Contact) {
			return fmt.Errorf("%v is a member, and yet the terms are only offered", m.Owner)
		}
	}
	var certificates [][]byte
	for i := range kept.Agents {
		if a := &kept.Agents[i]; !a.Withdrawn {
			certificates = append(certificates, a.Certificate)
		}
	}
	if !slices.EqualFunc(certificates, root.Agents, bytes.Equal) {
		return errors.New("its root shows other agents than the patient's list")
	}
	return v.checkAgents(g)
}

// checkAgents verifies what the patient keeps of agents, those that were withdrawn too.
func (v *vault) checkAgents(g *grantItem) error {
	opens, by := v.given(nil, g.ID)
	if opens != g.OnRequest.Opens {
		return fmt.Errorf("%d opens, the log shows %d", g.OnRequest.Opens, opens)
	}
	for i := range g.OnRequest.Agents {
		a := &g.OnRequest.Agents[i]
		c, err := openCertificate(a.Certificate, v.head.list, g.terms, g.Terms)
		if err != nil {
			return err
		}
		act := func(e auditEntry) bool {
			is, same := e.fields.(*actAgentAdded)
			return same && is.Grant == g.ID && is.Agent == a.Owner && is.Until == c.Until && equalOpens(is.Opens, c.Opens)
		}
		switch {
		case c.agent.Owner != a.Owner:
			return fmt.Errorf("agent %v: the certificate of another", a.Owner)
		case !slices.ContainsFunc(v.log, act):
			return fmt.Errorf("agent %v: the log does not show its certificate", a.Owner)
		case a.Until < c.Until || c.Opens != nil && (a.Allowance == nil || *a.Allowance < *c.Opens):
			return fmt.Errorf("agent %v: its certificate allows more than is set aside", a.Owner)
		case a.Withdrawn && len(a.Envelopes) > 0:
			return fmt.Errorf("agent %v: withdrawn, and yet it has envelopes", a.Owner)
		case by[a.Owner] != a.Proven:
			return fmt.Errorf("agent %v: %d opens proven, the log shows %d", a.Owner, a.Proven, by[a.Owner])
		case by[a.Owner] > a.Reported:
			return fmt.Errorf("agent %v: %d opens reported, the log shows %d", a.Owner, a.Reported, by[a.Owner])
		}
		if a.Seen != nil {
			if _, _, err := openCheckpointBy(*a.Seen, c.agent.vault(), c.agent.all()); err != nil {
				return fmt.Errorf("agent %v: %w", a.Owner, err)
			}
		}
	}
	return nil
}

func equalOpens(a, b *uint64) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}

// given counts the opens that the log shows under one grant of this vault, or of another: by this
// vault's owner, and by each agent. One key given out is one open (22.1).
func (v *vault) given(of *id32, grant id16) (own uint64, by map[id32]uint64) {
	by = map[id32]uint64{}
	for i := range v.log {
		asked, is := v.log[i].fields.(*actAsked)
		if !is || asked.Grant != grant || (asked.Vault == nil) != (of == nil) || of != nil && *asked.Vault != *of {
			continue
		}
		if asked.Via != nil {
			by[asked.Via.Agent] += uint64(len(asked.Versions))
		} else {
			own += uint64(len(asked.Versions))
		}
	}
	return own, by
}

// checkOver verifies that a grant on request which has ended can never be answered for again: what
// opens the keys in the pages that are still kept is forgotten (22.3).
func (v *vault) checkOver(g *grantItem) error {
	o := g.OnRequest
	if len(o.Offered) > 0 || len(o.Acceptances) > 0 {
		return errors.New("ended, and yet it is offered or agreed to")
	}
	for i := range o.Agents {
		if !o.Agents[i].Withdrawn {
			return fmt.Errorf("ended, and yet %v is its agent", o.Agents[i].Owner)
		}
	}
	entries, err := readIndex(v.store, v.head.Vault, grantList(g.ID), g.Pages, onRequest)
	if err != nil {
		return err
	}
	for i := range entries {
		e := &entries[i]
		if _, err := e.wrapped.open(o.Release, e.version, e.seq); err == nil {
			return fmt.Errorf("ended, and yet its release key opens the key of version %v", e.version)
		}
	}
	return v.checkAgents(g)
}

// checkWitness verifies the newest checkpoint that a contact countersigned (14.3): this vault's log
// goes on from it. The key that countersigned may be newer than the card.
func (v *vault) checkWitness(c *contact) error {
	if c.Witness == nil {
		return nil
	}
	seen, err := openWitness(*c.Witness, v.head.list, c.card.list)
	if err != nil {
		return fmt.Errorf("witness: %w", err)
	}
	hashes, err := openTiles(v.store, v.head)
	if err != nil {
		return err
	}
	if err := hashes.checkGrown(seen, v.head.tree); err != nil {
		return fmt.Errorf("witness: %w", err)
	}
	return nil
}

// checkCharges compares what was answered on behalf of others with the log.
func (v *vault) checkCharges(report *report) {
	for _, c := range v.charges {
		if own, _ := v.given(&c.Vault, c.Grant); own != c.Opens {
			report.problem("charge for grant %v of vault %v: %d opens, the log shows %d", c.Grant, c.Vault, c.Opens, own)
		}
	}
}
