// Command tlog_tool puts the Go packages golang.org/x/mod/sumdb/{note,tlog} and the library
// filippo.io/torchwood behind the small command line that ../../tlog_interop.rs drives.
package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const origin = "log.example/go"

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		log.Fatal("no command")
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		log.Fatal(err)
	}
}

func run(command string, args []string) error {
	switch {
	case command == "verify" && len(args) >= 3:
		return verify(args[0], args[1], args[2], args[3:])
	case command == "make" && len(args) == 3:
		return prove(args[0], args[1], args[2])
	}
	return fmt.Errorf("unknown command %q", command)
}

// verify checks the proof on standard input against a log's key, a leaf hash and the keys of
// witnesses that must all have countersigned, and writes the extra data.
func verify(wantedOrigin, vkey, leaf string, witnesses []string) error {
	proof, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	key, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	policies := []torchwood.Policy{
		torchwood.OriginPolicy(wantedOrigin),
		torchwood.SingleVerifierPolicy(key),
	}
	for _, witness := range witnesses {
		key, err := torchwood.NewCosignatureVerifier(witness)
		if err != nil {
			return err
		}
		policies = append(policies, torchwood.SingleVerifierPolicy(key))
	}
	hash, err := hex.DecodeString(leaf)
	if err != nil || len(hash) != tlog.HashSize {
		return fmt.Errorf("leaf hash: %v", err)
	}
	all := torchwood.ThresholdPolicy(len(policies), policies...)
	if err := torchwood.VerifyProof(all, tlog.Hash(hash), proof); err != nil {
		return err
	}
	extra, err := torchwood.ProofExtraData(proof)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(extra)
	return err
}

// prove writes the key of a log, the key of its witness, and a proof in a log of size entries, of
// which each is its index in 8 bytes.
func prove(sizeText, indexText, extra string) error {
	size, err := strconv.ParseInt(sizeText, 10, 64)
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(indexText, 10, 64)
	if err != nil {
		return err
	}
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, at := range indexes {
			found = append(found, hashes[at])
		}
		return found, nil
	})
	for at := range size {
		more, err := tlog.StoredHashes(at, binary.BigEndian.AppendUint64(nil, uint64(at)), reader)
		if err != nil {
			return err
		}
		hashes = append(hashes, more...)
	}
	root, err := tlog.TreeHash(size, reader)
	if err != nil {
		return err
	}
	path, err := tlog.ProveRecord(size, index, reader)
	if err != nil {
		return err
	}
	skey, vkey, err := note.GenerateKey(nil, origin)
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return err
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	witness, err := torchwood.NewCosignatureSigner("witness.example/go", private)
	if err != nil {
		return err
	}
	checkpoint := torchwood.Checkpoint{Origin: origin, Tree: tlog.Tree{N: size, Hash: root}}
	signed, err := note.Sign(&note.Note{Text: checkpoint.String()}, signer, witness)
	if err != nil {
		return err
	}
	fmt.Printf("%s\n%s\n", vkey, base64.StdEncoding.EncodeToString(public))
	proof := torchwood.FormatProof(index, path, signed)
	if extra != "" {
		proof = torchwood.FormatProofWithExtraData(index, []byte(extra), path, signed)
	}
	_, err = os.Stdout.Write(proof)
	return err
}
