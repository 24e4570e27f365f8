// The npm package age-encryption behind the small command line that ../age_interop.rs drives.
// Content goes through standard input and output; keys are test keys.
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

// the package is installed into the build folder, not beside this file
const require = createRequire(process.env.AGE_TOOL_PACKAGES + "/");
const age = await import(pathToFileURL(require.resolve("age-encryption")));

const [command, ...args] = process.argv.slice(2);
const input = () => readFileSync(0);
const output = (bytes) => writeFileSync(1, bytes);

switch (command) {
  case "keygen": {
    const identity = await age.generateHybridIdentity();
    output(`${identity}\n${await age.identityToRecipient(identity)}\n`);
    break;
  }
  case "encrypt": {
    const encrypter = new age.Encrypter();
    args.forEach((recipient) => encrypter.addRecipient(recipient));
    output(await encrypter.encrypt(input()));
    break;
  }
  case "decrypt": {
    const decrypter = new age.Decrypter();
    decrypter.addIdentity(args[0]);
    output(await decrypter.decrypt(input()));
    break;
  }
  case "encrypt-passphrase": {
    const encrypter = new age.Encrypter();
    encrypter.setPassphrase(args[0]);
    encrypter.setScryptWorkFactor(10);
    output(await encrypter.encrypt(input()));
    break;
  }
  case "decrypt-passphrase": {
    const decrypter = new age.Decrypter();
    decrypter.addPassphrase(args[0]);
    output(await decrypter.decrypt(input()));
    break;
  }
  default:
    throw new Error(`unknown command ${command}`);
}
