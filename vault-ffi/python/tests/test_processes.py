"""Several processes at one vault, and processes that are killed, suspended, or out of space."""

import asyncio
import os
import signal
import subprocess
import time

import medvault
import pytest
from helpers import Person, Worker, everything, healthy, introduce, observation, titles

LOCAL = medvault.NodeOptions(local_only=True)


async def test_an_app_and_its_share_extension(person):
    mira = await person("mira")
    count = 15
    with Worker(mira, "add", count) as extension:
        assert extension.line() == {"open": True}
        loop = asyncio.get_running_loop()
        done = loop.run_in_executor(None, extension.line)
        seen, own = 0, 0
        while not done.done():
            await mira.vault.add(observation(f"app-{own}"), f"app-{own}.json")
            own += 1
            found = len(await mira.vault.records(everything()))
            assert found >= seen, "nothing is lost again"
            seen = found
        assert await done == {"done": count}
    expected = [f"app-{n}" for n in range(own)] + [f"worker-{n}" for n in range(count)]
    assert await titles(mira.vault) == sorted(expected)
    await healthy(mira.vault)


async def test_killed_in_the_middle_of_an_add(tmp_path, person):
    mira = await person("mira")
    await mira.vault.add(observation("before"), "before.json")
    file = tmp_path / "scan.bin"
    added = 0
    for pause in (0.0, 0.02, 0.1, 0.3, 0.6):
        file.write_bytes(os.urandom(24 << 20))
        with Worker(mira, "big", file) as worker:
            worker.line()
            assert "done" in worker.line()
            await asyncio.sleep(pause)
            worker.process.send_signal(signal.SIGKILL)
            rest = worker.process.stdout.read()
        added += "added" in rest
        vault = await mira.open()
        await healthy(vault)
        found = await titles(vault)
        # it may have been done before it could say so
        assert "before" in found and added <= len(found) - 1 <= added + 1
        added = len(found) - 1
    await mira.vault.add(observation("after"), "after.json")
    await healthy(mira.vault)


@pytest.mark.parametrize("how", ["simply", "forgetting", "waiting", "raising"])
async def test_a_program_that_just_ends(tmp_path, person, how):
    """With a node and a work under way, and with listeners in Python that are still called."""
    mira = await person("mira")
    file = tmp_path / "scan.bin"
    file.write_bytes(os.urandom(24 << 20))
    for _ in range(3):
        with Worker(mira, "end", file, how) as app:
            app.line()
            assert app.process.wait(30) == (7 if how == "raising" else 0)
    await healthy(mira.vault)


async def test_a_suspended_process_sees_the_newest_afterwards(person):
    mira = await person("mira")
    await mira.vault.add(observation("first"), "first.json")
    with Worker(mira, "obey") as app:
        assert app.line() == {"open": True}
        assert app.ask("list")["titles"] == ["first"]
        app.process.send_signal(signal.SIGSTOP)
        begun = time.monotonic()
        while time.monotonic() - begun < 3:
            # a suspended process holds nothing that others wait for
            number = (await mira.vault.info()).records
            await mira.vault.add(observation(f"later-{number}"), "later.json")
            await asyncio.sleep(0.5)
        app.process.send_signal(signal.SIGCONT)
        assert app.ask("list")["titles"] == await titles(mira.vault)
        assert app.ask("add more")["added"] == 1
    assert "more" in await titles(mira.vault)
    await healthy(mira.vault)


async def test_a_suspended_node_gives_out_the_newest_afterwards(person):
    mira, clinic = await person("mira"), await person("clinic")
    await introduce(mira, clinic)
    await mira.vault.add(observation("first"), "first.json")
    with Worker(mira, "obey") as app:
        app.line()
        assert app.ask("node")["endpoint"]
        scope = medvault.ShareScope(everything=True)
        share = medvault.ShareRequest(readers=["clinic"], scope=scope)
        grant = (await mira.vault.share(share)).grant
        ticket = await mira.vault.ticket(grant, "clinic")
        await clinic.vault.accept_ticket(ticket, "mira")
        await clinic.vault.sync_sender("mira")
        app.process.send_signal(signal.SIGSTOP)
        await mira.vault.add(observation("second"), "second.json")
        begun = time.monotonic()
        report = await clinic.vault.sync(2_000)
        assert time.monotonic() - begun < 3.5
        assert report.problems or not report.finished
        app.process.send_signal(signal.SIGCONT)
        await clinic.vault.sync_sender("mira")
        found = await clinic.vault.shared_records("mira", everything())
        assert sorted(r.title for r in found) == ["first", "second"]


async def test_a_file_that_cannot_grow_is_an_error_and_harms_nothing(tmp_path, person):
    mira = await person("mira")
    await mira.vault.add(observation("before"), "before.json")
    file = tmp_path / "scan.bin"
    file.write_bytes(os.urandom(12 << 20))
    with Worker(mira, "full", 4 << 20, file) as worker:
        worker.line()
        said = worker.line()
    assert said["error"] == "Storage", said
    assert await titles(mira.vault) == ["before"]
    await healthy(mira.vault)
    await mira.vault.add(observation("after"), "after.json")
    await healthy(await mira.open())


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 12 MiB in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no program `mount`")
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_a_full_disk_is_an_error_and_harms_nothing(tmp_path, small_disk):
    mira = await Person(small_disk / "mira", "mira").create()
    vault = mira.vault
    await vault.add(observation("before"), "before.json")
    file = tmp_path / "scan.bin"
    file.write_bytes(os.urandom(30 << 20))
    for _ in range(2):
        with pytest.raises(medvault.MedVaultError.Storage) as full:
            await vault.add_file(str(file), None).result()
    assert full.value.reason
    with pytest.raises(medvault.MedVaultError.Storage):
        await vault.add(os.urandom(30 << 20), "scan.bin")
    assert await titles(vault) == ["before"]
    await healthy(vault)
    # what was written in vain has been given back
    assert (await vault.add(os.urandom(2 << 20), "small.bin")).added == 1
    await healthy(await mira.open())
    await vault.lock()
