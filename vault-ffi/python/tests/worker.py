"""Another process that uses a vault: a share extension, or an app that is killed or suspended.

worker.py HOME KEYFILE add N | big FILE | full BYTES FILE | end FILE HOW | obey

Prints one JSON line for each thing that happened; the first says that the vault is open.
"""

import asyncio
import json
import resource
import sys

import medvault
from helpers import FileKeyStore, Listener, Policy, observation

kept = []


class Sink(medvault.LogSink):
    def write(self, line):
        pass


def say(**what):
    print(json.dumps(what), flush=True)


async def add(vault, count):
    for n in range(int(count)):
        await vault.add(observation(f"worker-{n}", value=n), f"worker-{n}.json")
    say(done=int(count))


async def big(vault, file):
    work = vault.add_file(file, None)
    while not work.is_finished():
        progress = work.progress()
        say(done=progress.done, total=progress.total)
        await asyncio.sleep(0.02)
    say(added=(await work.result()).added)


async def full(vault, limit, file):
    """No file may grow beyond so many bytes: as on a full disk, a write fails in the middle."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), hard))
    try:
        await vault.add_file(file, None).result()
        say(error=None)
    except medvault.MedVaultError as error:
        say(error=type(error).__name__, code=error.code, reason=error.reason)


async def end(vault, file, how):
    """Ends in the middle of everything, as programs do."""
    await vault.start_node(medvault.NodeOptions(local_only=True))
    work = vault.add_file(file, Listener())
    await asyncio.sleep(0.1)
    if how != "forgetting":
        kept.extend([vault, work])
    if how == "waiting":
        kept.append(asyncio.create_task(vault.add(b"text", "text.txt")))
        await asyncio.sleep(0)
    elif how == "raising":
        raise SystemExit(7)


async def obey(vault):
    """Does what it reads from standard input, one word a line."""
    loop = asyncio.get_running_loop()
    while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        word, _, rest = line.partition(" ")
        if word == "list":
            say(titles=sorted(r.title for r in await vault.records(medvault.RecordFilter())))
        elif word == "node":
            status = await vault.start_node(medvault.NodeOptions(local_only=True))
            say(endpoint=status.endpoint)
        elif word == "add":
            report = await vault.add(observation(rest), f"{rest}.json")
            say(added=report.added)


async def main(home, key, act, *arguments):
    platform = medvault.Platform(
        key_store=FileKeyStore(key), log=Sink(), network=Policy(medvault.NetworkUse.EVERYTHING))
    vault = await medvault.open_vault(home, medvault.Unlock.KEY_STORE(), platform)
    say(open=True)
    acts = {"add": add, "big": big, "full": full, "end": end, "obey": obey}
    await acts[act](vault, *arguments)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
