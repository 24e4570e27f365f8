"""What the boundary to Python costs: opening and listing a vault, and handing 100 MiB over.

Runs in an environment where the wheel is installed; prints one JSON line, times in microseconds:

    {"binding": "python", "records": 1000, "runs": 10,
     "open": [...], "page": [...], "list": [...],
     "bytes": 104857600, "add": [...], "stream": [...], "stream_write": [...], "path": [...]}

`open` is `open_vault`, `page` the first 50 records of the vault just opened, `list` all of them; each
list of numbers is one per run, in the order they were measured, after a run that does not count.
`add` hands the bytes over in one call, `stream` in chunks of 1 MiB without a copy in between
(`stream_write` is the part of it spent inside `write`), `path` leaves them in a file; all three
end when the record is durable. Every run adds to a new vault.

Environment:
  MEDVAULT_BENCH_HOME        the vault to open; it is only read. Without it, nothing is opened.
  MEDVAULT_BENCH_PASSPHRASE  its passphrase, when that is how it is opened
  MEDVAULT_BENCH_KEY         32 bytes in hex, when it was made with a key store that seals nothing
                             and unseals to these bytes
  MEDVAULT_BENCH_RUNS        how many runs count, 10 unless said otherwise
  MEDVAULT_BENCH_BYTES       how much is handed over, 100 MiB unless said otherwise; 0: nothing
  MEDVAULT_BENCH_LARGE_RUNS  how many of these runs count, 3 unless said otherwise
  MEDVAULT_BENCH_SCRATCH     folder for new vaults; the system's temporary folder unless said otherwise
"""

import asyncio
import gc
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import medvault

CHUNK = 1 << 20


class GivenKey(medvault.KeyStore):
    """Unseals whatever was sealed to one key."""

    def __init__(self, key):
        self.key = key

    def seal(self, secret):
        raise medvault.KeyStoreError.Refused("this one only unseals")

    def unseal(self, sealed):
        return self.key


def setting(name, default):
    text = os.environ.get(f"MEDVAULT_BENCH_{name}")
    return default if text is None else int(text)


class Watch:
    """Microseconds since it was made."""

    def __init__(self):
        self.begun = time.perf_counter_ns()

    def us(self):
        return (time.perf_counter_ns() - self.begun) // 1000


def how_to_open():
    if key := os.environ.get("MEDVAULT_BENCH_KEY"):
        store = GivenKey(bytes.fromhex(key))
        return medvault.Unlock.KEY_STORE(), medvault.Platform(key_store=store)
    passphrase = os.environ.get("MEDVAULT_BENCH_PASSPHRASE")
    if passphrase is None:
        sys.exit("set MEDVAULT_BENCH_PASSPHRASE or MEDVAULT_BENCH_KEY")
    return medvault.Unlock.PASSPHRASE(passphrase), medvault.Platform()


async def cold_open(home, runs):
    """Opens the vault and lists it, again and again, each time from nothing."""
    unlock, platform = how_to_open()
    figures = {"open": [], "page": [], "list": []}
    count = 0
    for run in range(runs + 1):
        watch = Watch()
        vault = await medvault.open_vault(home, unlock, platform)
        opened = watch.us()
        await vault.records(medvault.RecordFilter(limit=50))
        paged = watch.us()
        records = await vault.records(medvault.RecordFilter())
        listed = watch.us()
        count = len(records)
        if run:
            figures["open"].append(opened)
            figures["page"].append(paged - opened)
            figures["list"].append(listed - paged)
        await vault.lock()
        del vault, records
        gc.collect()
    return {"records": count, "runs": runs, **figures}


async def by_call(vault, content, _):
    watch = Watch()
    report = await vault.add(content, "scan.bin")
    return report, watch.us(), None


async def by_stream(vault, content, _):
    chunks = [content[at:at + CHUNK] for at in range(0, len(content), CHUNK)]
    watch = Watch()
    writer = vault.add_stream("scan.bin")
    for chunk in chunks:
        writer.write(chunk)
    written = watch.us()
    report = await writer.finish()
    return report, watch.us(), written


async def by_path(vault, _, file):
    watch = Watch()
    report = await vault.add_file(str(file), None).result()
    return report, watch.us(), None


async def handing_over(length, runs, scratch):
    """Adds the same bytes to new vaults in three ways, in turn."""
    figures = {"add": [], "stream": [], "stream_write": [], "path": []}
    ways = {"add": by_call, "stream": by_stream, "path": by_path}
    content = os.urandom(length)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        file = Path(folder) / "scan.bin"
        file.write_bytes(content)
        for run in range(runs + 1):
            for name, way in ways.items():
                home = Path(folder) / f"{name}-{run}"
                platform = medvault.Platform(key_store=medvault.memory_key_store())
                unlock = medvault.Unlock.KEY_STORE()
                new = await medvault.create_vault(str(home), "Bench", unlock, platform)
                report, took, written = await way(new.vault, content, file)
                if report.added != 1:
                    sys.exit(f"{name}: nothing was added")
                if run:
                    figures[name].append(took)
                    if written is not None:
                        figures["stream_write"].append(written)
                await new.vault.lock()
                for part in sorted(home.rglob("*"), reverse=True):
                    part.rmdir() if part.is_dir() else part.unlink()
    return {"bytes": length, **figures}


async def main():
    line = {"binding": "python", "version": medvault.library_version()}
    if home := os.environ.get("MEDVAULT_BENCH_HOME"):
        line |= await cold_open(home, setting("RUNS", 10))
    if length := setting("BYTES", 100 << 20):
        scratch = os.environ.get("MEDVAULT_BENCH_SCRATCH")
        line |= await handing_over(length, setting("LARGE_RUNS", 3), scratch)
    print(json.dumps(line))


if len(sys.argv) > 1:
    sys.exit(__doc__)
asyncio.run(main())
