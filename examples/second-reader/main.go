// Second-reader opens MedVault vaults with nothing but docs/SPEC.md and the specifications it cites.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

const usage = `Usage: second-reader COMMAND [OPTIONS] FILE.car|FOLDER...

Commands:
  list     list the records of a vault
  extract  decrypt every record to a folder
  sharing  show contacts, grants and receipts, and verify their signatures
  audit    verify the log, and print it
  verify   verify everything: bodies, sharing, log, directory and pin set
  grant    as the reader of a grant: open a ticket, list what it gives, decrypt it with -out

For somebody who has no key, only the vault's id or its owner's public key:
  check-proof     -vault ID FILE   check the proof of one entry of the log
  check-evidence  -vault ID FILE   check what somebody can show of the log

Options:
`

// options are the flags of all commands.
type options struct {
	words, identity, passphrase, ticket, out, at, vault string
	all, json                                           bool
	paths                                               []string
}

var commands = map[string]func(*blocks, *identity, *options, *report) error{
	"list": list, "extract": extract, "sharing": sharing, "audit": audit, "verify": verify, "grant": grant,
}

// statements are what needs no blocks and no key.
var statements = map[string]func(text string, vault id32, report *report) error{
	"check-proof": checkProof, "check-evidence": checkEvidence,
}

var errUsage = errors.New("usage")

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program: 0 if all is well, 1 if something does not verify, 2 for a wrong command line.
func run(arguments []string, out, messages io.Writer) int {
	report := &report{out: out, errors: messages}
	err := dispatch(arguments, report)
	switch {
	case errors.Is(err, errUsage):
		return 2
	case err != nil:
		report.problem("%v", err)
	}
	if report.problems > 0 {
		return 1
	}
	return 0
}

func dispatch(arguments []string, report *report) error {
	var o options
	flags := flag.NewFlagSet("second-reader", flag.ContinueOnError)
	flags.SetOutput(report.errors)
	flags.StringVar(&o.words, "words", "", "`FILE` with the 24 recovery words")
	flags.StringVar(&o.identity, "identity", "", "`FILE` with the identity, identity.age")
	flags.StringVar(&o.passphrase, "passphrase-file", "", "`FILE` whose first line is the passphrase of the identity")
	flags.StringVar(&o.ticket, "ticket", "", "`FILE` with the ticket (grant)")
	flags.StringVar(&o.out, "out", "", "`FOLDER` to decrypt to (extract, grant)")
	flags.StringVar(&o.at, "at", "", "judge as at this `TIME` (RFC 3339) instead of now (grant)")
	flags.StringVar(&o.vault, "vault", "", "`ID` of the vault, or its owner's public key (check-proof, check-evidence)")
	flags.BoolVar(&o.all, "all-versions", false, "older versions too")
	flags.BoolVar(&o.json, "json", false, "print JSON Lines")
	flags.Usage = func() {
		fmt.Fprint(report.errors, usage)
		flags.PrintDefaults()
	}
	if len(arguments) == 0 || commands[arguments[0]] == nil && statements[arguments[0]] == nil {
		flags.Usage()
		return errUsage
	}
	if err := flags.Parse(arguments[1:]); err != nil {
		return errUsage
	}
	o.paths = flags.Args()
	report.json = o.json
	if check := statements[arguments[0]]; check != nil {
		return o.checkStatement(check, report)
	}
	if len(o.paths) == 0 || (o.words == "") == (o.identity == "") {
		fmt.Fprintln(report.errors, "second-reader: give CAR files or folders, and either -words or -identity")
		return errUsage
	}
	who, err := readIdentity(&o)
	if err != nil {
		return err
	}
	store, err := openBlocks(o.paths, report)
	if err != nil {
		return err
	}
	defer store.close()
	return commands[arguments[0]](store, who, &o, report)
}

// checkStatement reads one file and checks it for the vault that is named.
func (o *options) checkStatement(check func(string, id32, *report) error, report *report) error {
	if len(o.paths) != 1 || o.vault == "" {
		fmt.Fprintln(report.errors, "second-reader: give one file, and -vault")
		return errUsage
	}
	vault, err := parseID32(o.vault)
	if err != nil {
		fmt.Fprintf(report.errors, "second-reader: %v\n", err)
		return errUsage
	}
	text, err := os.ReadFile(o.paths[0])
	if err != nil {
		return err
	}
	return check(string(text), vault, report)
}

func readIdentity(o *options) (*identity, error) {
	if o.words != "" {
		text, err := os.ReadFile(o.words)
		if err != nil {
			return nil, err
		}
		return identityFromWords(string(text))
	}
	file, err := os.ReadFile(o.identity)
	if err != nil {
		return nil, err
	}
	if o.passphrase == "" {
		return nil, errors.New("-identity needs -passphrase-file")
	}
	passphrase, err := readSecret(o.passphrase)
	if err != nil {
		return nil, err
	}
	return identityFromFile(file, passphrase)
}

func list(store *blocks, who *identity, o *options, report *report) error {
	v, err := openVault(store, who, report)
	if err != nil {
		return err
	}
	entries := v.entries
	if !o.all {
		entries = newest(entries)
	}
	for i := range entries {
		report.entry(view(&entries[i]))
	}
	report.note("%d records of %s, head %d of %s", len(newest(v.entries)), v.zero.Name, v.head.Seq, moment(v.head.Time))
	return nil
}

func extract(store *blocks, who *identity, o *options, report *report) error {
	if o.out == "" {
		return errors.New("extract needs -out FOLDER")
	}
	v, err := openVault(store, who, report)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.out, 0o700); err != nil {
		return err
	}
	v.checkVersions(report, report.taker(o.out, o.all, lastVersions(v.entries)))
	return nil
}

func sharing(store *blocks, who *identity, _ *options, report *report) error {
	v, err := openVault(store, who, report)
	if err != nil {
		return err
	}
	v.checkSharing(report)
	report.printSharing(v)
	report.printCharges(v)
	return nil
}

func audit(store *blocks, who *identity, _ *options, report *report) error {
	v, err := openVault(store, who, report)
	if err != nil {
		return err
	}
	v.checkLog(report)
	report.printLog(v)
	return nil
}

func verify(store *blocks, who *identity, _ *options, report *report) error {
	v, err := openVault(store, who, report)
	if err != nil {
		return err
	}
	v.checkLog(report)
	v.checkSharing(report)
	v.checkVersions(report, report.taker("", false, nil))
	v.head.checkPins(store, v.live, report)
	report.line(map[string]any{"vault": v.head.Vault, "seq": v.head.Seq, "records": len(newest(v.entries)), "versions": len(v.entries),
		"contacts": len(v.contacts), "grants": len(v.grants), "log": len(v.log), "blocks": len(v.live), "problems": report.problems},
		"head %d: %d records in %d versions, %d contacts, %d grants, %d log entries, %d live blocks; %d problems",
		v.head.Seq, len(newest(v.entries)), len(v.entries), len(v.contacts), len(v.grants), len(v.log), len(v.live), report.problems)
	return nil
}

func grant(store *blocks, who *identity, o *options, report *report) error {
	if o.ticket == "" || who.list == nil {
		return errors.New("grant needs -ticket, -identity and -passphrase-file")
	}
	now := time.Now()
	if o.at != "" {
		var err error
		if now, err = time.Parse(time.RFC3339, o.at); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(o.ticket)
	if err != nil {
		return err
	}
	t, err := openTicket(string(text), who)
	if err != nil {
		return err
	}
	h, err := acceptHead(store, t, now, report)
	if err != nil {
		return err
	}
	grants, err := openGrants(store, h, t, who, now, report)
	if err != nil {
		return err
	}
	if len(grants) == 0 && t.Offer != nil {
		return errors.New("no grant: it is over, for another device, or its terms are not countersigned")
	}
	if len(grants) == 0 {
		return errors.New("no grant: it is over, or for another device")
	}
	if o.out != "" {
		if err := os.MkdirAll(o.out, 0o700); err != nil {
			return err
		}
	}
	for i := range grants {
		showGrant(store, h, &grants[i], o, report)
	}
	return nil
}

func showGrant(store *blocks, h *head, g *granted, o *options, report *report) {
	report.note("grant %v: %s, %d versions%s", g.id, g.terms.Extent, len(g.entries), g.onRequestNote())
	take := report.taker(o.out, o.all, lastVersions(g.entries))
	for i := range g.entries {
		e := &g.entries[i]
		if !g.terms.Scope.holds(e) {
			report.problem("grant %v: record %v is outside its scope", g.id, e.record)
		}
		if e.wrapped != nil {
			report.entry(view(e))
			continue
		}
		b, err := openBody(store, h.Vault, h.list, e)
		if err == nil {
			err = take(e, b)
		}
		report.check(fmt.Sprintf("record %v, version %v", e.record, e.version), err)
		if o.out == "" && err == nil {
			report.entry(view(e))
		}
	}
}

// onRequestNote says why nothing of a grant on request is decrypted here.
func (g *granted) onRequestNote() string {
	switch {
	case g.agreement == nil:
		return ""
	case g.agent:
		return "; this reader is an agent who answers for the patient, and every key in it opens"
	default:
		return "; their keys are given out on request"
	}
}
