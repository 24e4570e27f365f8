// The npm package @ipld/car behind the small command line that ../../car_interop.rs drives. It is
// run from the folder into which the package is installed.
import { CarReader, CarWriter } from "@ipld/car";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { CID } from "multiformats/cid";
import * as raw from "multiformats/codecs/raw";
import { sha256 } from "multiformats/hashes/sha2";

const [command, ...args] = process.argv.slice(2);

switch (command) {
  // prints the roots, then every block with its length, after hashing it
  case "list": {
    const reader = await CarReader.fromBytes(readFileSync(0));
    const lines = (await reader.getRoots()).map((root) => `root ${root}`);
    for await (const { cid, bytes } of reader.blocks()) {
      const hash = createHash("sha256").update(bytes).digest();
      if (cid.version !== 1 || cid.multihash.code !== 0x12 || !hash.equals(cid.multihash.digest)) {
        throw new Error(`bad block ${cid}`);
      }
      lines.push(`block ${cid} ${bytes.length}`);
    }
    writeFileSync(1, lines.join("\n") + "\n");
    break;
  }
  // writes each argument as a raw block, the first one as the root
  case "write": {
    const blocks = [];
    for (const text of args) {
      const bytes = new TextEncoder().encode(text);
      blocks.push({ cid: CID.createV1(raw.code, await sha256.digest(bytes)), bytes });
    }
    const { writer, out } = CarWriter.create([blocks[0].cid]);
    const parts = (async () => {
      const parts = [];
      for await (const part of out) parts.push(part);
      return Buffer.concat(parts);
    })();
    for (const block of blocks) await writer.put(block);
    await writer.close();
    writeFileSync(1, await parts);
    break;
  }
  // writes the CAR on standard input again
  case "copy": {
    const reader = await CarReader.fromBytes(readFileSync(0));
    const { writer, out } = CarWriter.create(await reader.getRoots());
    const parts = (async () => {
      const parts = [];
      for await (const part of out) parts.push(part);
      return Buffer.concat(parts);
    })();
    for await (const block of reader.blocks()) await writer.put(block);
    await writer.close();
    writeFileSync(1, await parts);
    break;
  }
  default:
    throw new Error(`unknown command ${command}`);
}
