// Command age_tool puts the Go library filippo.io/age behind the small command line that
// ../age_interop.rs drives. Content goes through standard input and output; keys are test keys.
package main

import (
	"fmt"
	"io"
	"log"
	"os"

	"filippo.io/age"
	"filippo.io/age/armor"
)

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
	switch command {
	case "keygen":
		identity, err := age.GenerateHybridIdentity()
		if err != nil {
			return err
		}
		fmt.Printf("%s\n%s\n", identity, identity.Recipient())
		return nil
	case "encrypt":
		var recipients []age.Recipient
		for _, text := range args {
			recipient, err := age.ParseHybridRecipient(text)
			if err != nil {
				return err
			}
			recipients = append(recipients, recipient)
		}
		return encrypt(recipients...)
	case "decrypt":
		identity, err := age.ParseHybridIdentity(args[0])
		if err != nil {
			return err
		}
		return decrypt(os.Stdin, identity)
	case "decrypt-armored":
		identity, err := age.ParseHybridIdentity(args[0])
		if err != nil {
			return err
		}
		return decrypt(armor.NewReader(os.Stdin), identity)
	case "encrypt-passphrase":
		recipient, err := age.NewScryptRecipient(args[0])
		if err != nil {
			return err
		}
		recipient.SetWorkFactor(10)
		return encrypt(recipient)
	case "decrypt-passphrase":
		identity, err := age.NewScryptIdentity(args[0])
		if err != nil {
			return err
		}
		return decrypt(os.Stdin, identity)
	}
	return fmt.Errorf("unknown command %s", command)
}

func encrypt(recipients ...age.Recipient) error {
	writer, err := age.Encrypt(os.Stdout, recipients...)
	if err != nil {
		return err
	}
	if _, err := io.Copy(writer, os.Stdin); err != nil {
		return err
	}
	return writer.Close()
}

func decrypt(file io.Reader, identity age.Identity) error {
	reader, err := age.Decrypt(file, identity)
	if err != nil {
		return err
	}
	_, err = io.Copy(os.Stdout, reader)
	return err
}
