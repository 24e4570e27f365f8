// The npm package ipns behind the small command line that ../../ipns_interop.rs drives.
// Records go through standard input and output; keys are test keys.
import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

// the packages are installed into the build folder, not beside this file
const packages = process.env.IPNS_TOOL_PACKAGES;
const require = createRequire(packages + "/");
const load = (name) => import(pathToFileURL(require.resolve(name)));
const ipns = await load("ipns");
const { ipnsSelector } = await load("ipns/selector");
const { validate } = await load("ipns/validator");
const { generateKeyPairFromSeed, publicKeyFromRaw } = await load("@libp2p/crypto/keys");

// the second argument is a seed for those that sign, a public key for the others
const [command, bytes, ...args] = process.argv.slice(2);
const raw = Buffer.from(bytes, "hex");
const input = async () => Buffer.concat(await process.stdin.toArray());
const keyPair = () => generateKeyPairFromSeed("Ed25519", raw);

switch (command) {
  case "name": {
    const { publicKey } = await keyPair();
    writeFileSync(1, publicKey.toString());
    break;
  }
  case "sign": {
    const [value, sequence, expires, versions] = args;
    const options = { v1Compatible: versions === "both", ttlNs: 7_000_000_000n };
    const record = await ipns.createIPNSRecordWithExpiration(
      await keyPair(), value, BigInt(sequence), expires, options);
    writeFileSync(1, ipns.marshalIPNSRecord(record));
    break;
  }
  case "verify": {
    const record = await input();
    await validate(publicKeyFromRaw(raw), record);
    const read = ipns.unmarshalIPNSRecord(record);
    const shown = [read.value, read.sequence, read.validity, read.ttl];
    writeFileSync(1, shown.join("\n"));
    break;
  }
  case "select": {
    const both = await input();
    const at = Number(args[0]);
    const routingKey = ipns.multihashToIPNSRoutingKey(publicKeyFromRaw(raw).toMultihash());
    const chosen = ipnsSelector(routingKey, [both.subarray(0, at), both.subarray(at)]);
    writeFileSync(1, `${chosen}`);
    break;
  }
  default:
    throw new Error(`unknown command ${command}`);
}
