// A helia node on loopback that does what it is told: one JSON object a line in, one a line out.
// It knows nobody: no bootstrap, no discovery, no delegated routing, no gateways.
//
//   {"do": "put", "seed": 7, "count": 3, "length": 1000}   -> {"cids": [...], "ms": 1}
//   {"do": "fetch", "from": "/ip4/../p2p/..", "cids": [..]} -> {"bytes": 3000, "ms": 12}
//   {"do": "leave"}                                         -> {"ms": 1}, all connections closed
//
// Blocks are checked against their CIDs by helia itself. `put` fills blocks by the same simple
// generator as the test. The first line out is {"peer": .., "addrs": [..]}.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const packages = createRequire(`${process.env.HELIA_TOOL_PACKAGES}/node_modules/`)
const load = async name => {
  const folder = `${process.env.HELIA_TOOL_PACKAGES}/node_modules/${name}`
  const { exports, main } = packages(`${folder}/package.json`)
  const entry = exports?.['.']?.import ?? exports?.['.'] ?? main
  return import(pathToFileURL(`${folder}/${entry?.default ?? entry}`))
}

const { createHeliaLight } = await load('helia')
const { withLibp2pLight } = await load('@helia/libp2p')
const { withBitswap } = await load('@helia/bitswap')
const { identify } = await load('@libp2p/identify')
const { noise } = await load('@libp2p/noise')
const { tcp } = await load('@libp2p/tcp')
const { yamux } = await load('@libp2p/yamux')
const { multiaddr } = await load('@multiformats/multiaddr')
const { CID } = await import(pathToFileURL(
  `${process.env.HELIA_TOOL_PACKAGES}/node_modules/multiformats/dist/src/index.js`))
const { sha256 } = await import(pathToFileURL(
  `${process.env.HELIA_TOOL_PACKAGES}/node_modules/multiformats/dist/src/hashes/sha2.js`))

const helia = withBitswap(withLibp2pLight(createHeliaLight(), {
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify() },
  connectionManager: { reconnectRetries: 0 }
}))
await helia.start()

const RAW = 0x55
const say = answer => process.stdout.write(`${JSON.stringify(answer)}\n`)

function fill (seed, length) {
  const bytes = new Uint8Array(length)
  let state = seed
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}

const acts = {
  async put ({ seed, count, length }) {
    const cids = []
    for (let i = 0; i < count; i++) {
      const bytes = fill(seed + i, length)
      const cid = CID.createV1(RAW, await sha256.digest(bytes))
      await helia.blockstore.put(cid, bytes)
      cids.push(cid.toString())
    }
    return { cids }
  },

  async fetch ({ from, cids }) {
    const signal = AbortSignal.timeout(60_000)
    await helia.libp2p.dial(multiaddr(from), { signal })
    let bytes = 0
    // as many at a time as a browser would
    const rest = [...cids]
    const worker = async () => {
      for (let cid = rest.shift(); cid !== undefined; cid = rest.shift()) {
        const parts = helia.blockstore.get(CID.parse(cid), { signal })
        if (parts[Symbol.asyncIterator] === undefined) {
          bytes += (await parts).length
          continue
        }
        for await (const part of parts) bytes += part.length
      }
    }
    await Promise.all(Array.from({ length: 32 }, worker))
    return { bytes }
  },

  async leave () {
    await Promise.all(helia.libp2p.getConnections().map(connection => connection.close()))
    return {}
  }
}

say({ peer: helia.libp2p.peerId.toString(), addrs: helia.libp2p.getMultiaddrs().map(String) })
for await (const line of createInterface({ input: process.stdin })) {
  const task = JSON.parse(line)
  const begun = performance.now()
  try {
    const done = await acts[task.do](task)
    say({ ...done, ms: Math.round(performance.now() - begun) })
  } catch (error) {
    say({ error: String(error), ms: Math.round(performance.now() - begun) })
  }
}
await helia.stop()
