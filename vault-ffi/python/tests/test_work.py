"""Long works: progress, cancelling, dropped handles, and many threads at once."""

import asyncio
import concurrent.futures
import gc
import os
import threading
import time

import medvault
import pytest
from helpers import Listener, eventually, everything, healthy, observation, titles

LARGE = 24 << 20


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A file that takes a while."""
    file = tmp_path_factory.mktemp("large") / "scan.bin"
    file.write_bytes(os.urandom(LARGE))
    return str(file)


async def test_progress_is_told_and_can_be_asked(tmp_path, person, large):
    vault = (await person("mira")).vault
    listener = Listener()
    work = vault.add_file(large, listener)
    asked = []
    while not work.is_finished():
        asked.append(work.progress())
        await asyncio.sleep(0.01)
    report = await work.result()
    assert report.added == 1
    assert (await work.result()).records == report.records, "may be asked again"
    seen = listener.seen
    assert seen and all(0 <= done <= total for done, total in seen if total), seen
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1] > 0
    assert threading.get_ident() not in listener.threads
    done = [p.done for p in asked]
    assert done == sorted(done)

    listener = Listener()
    copy = str(tmp_path / "copy.bin")
    await vault.content_to_file(report.records[0], copy, listener).result()
    assert listener.seen[-1] == (LARGE, LARGE)


async def test_a_listener_that_fails_harms_nothing(person, large):
    class Broken(medvault.ProgressListener):
        def progress(self, done, total):
            raise RuntimeError("no")

    vault = (await person("mira")).vault
    assert (await vault.add_file(large, Broken()).result()).added == 1


async def test_cancelled_work_leaves_nothing(tmp_path, person, large):
    vault = (await person("mira")).vault
    before = await vault.info()
    for pause in (0.0, 0.05, 0.2):
        work = vault.add_file(large, None)
        await asyncio.sleep(pause)
        begun = time.monotonic()
        work.cancel()
        assert time.monotonic() - begun < 0.1, "cancel does not wait"
        with pytest.raises(medvault.MedVaultError.Cancelled) as cancelled:
            await work.result()
        assert cancelled.value.code == "cancelled"
        assert time.monotonic() - begun < 3
        assert work.is_finished()
    assert await vault.info() == before

    id = (await vault.add_file(large, None).result()).records[0]
    copy = tmp_path / "copy.bin"
    work = vault.content_to_file(id, str(copy), None)
    work.cancel()
    with pytest.raises(medvault.MedVaultError.Cancelled):
        await work.result()
    assert list(tmp_path.glob("*copy*")) == [], "no half file stays"
    await healthy(vault)


async def test_a_dropped_handle_stops_the_work(person, large):
    vault = (await person("mira")).vault
    work = vault.add_file(large, None)
    await eventually(lambda: work.progress().done > 0 or work.is_finished())
    del work
    gc.collect()
    # whatever it had begun has ended when the vault is locked
    await vault.lock()
    await vault.unlock(medvault.Unlock.KEY_STORE())
    assert await titles(vault) == []
    await healthy(vault)


async def test_a_writer_that_is_cancelled_or_dropped_adds_nothing(person):
    vault = (await person("mira")).vault
    writer = vault.add_stream("scan.bin")
    for _ in range(20):
        writer.write(os.urandom(100_000))
    writer.cancel()
    with pytest.raises(medvault.MedVaultError):
        await writer.finish()
    with pytest.raises(medvault.MedVaultError):
        writer.write(b"more")

    writer = vault.add_stream("scan.bin")
    await writer.write_chunk(b"some")
    del writer
    gc.collect()
    await asyncio.sleep(0.1)
    assert await titles(vault) == []

    writer = vault.add_stream("empty-chunks.txt")
    for chunk in (b"", b"text\n", b""):
        writer.write(chunk)
    report = await writer.finish()
    assert report.added == 1 and await writer.finish() == report, "may be asked again"
    with pytest.raises(medvault.MedVaultError):
        writer.write(b"more")


async def test_a_writer_that_waits_holds_nobody_up(person):
    """What comes slowly, or not at all while the app sleeps, must not keep others from the vault."""
    vault = (await person("mira")).vault
    writer = vault.add_stream("scan.bin")
    for _ in range(3):
        writer.write(os.urandom(1 << 20))
    await asyncio.sleep(0.3)
    begun = time.monotonic()
    assert (await vault.add(observation("meanwhile"), "meanwhile.json")).added == 1
    assert time.monotonic() - begun < 5
    assert (await writer.finish()).added == 1
    await healthy(vault)


async def test_more_writers_than_threads(person):
    """The library has 32 threads for calls; writers that wait for more must not take them all."""
    vault = (await person("mira")).vault
    writers = [vault.add_stream(f"note-{n}.txt") for n in range(40)]
    for n, writer in enumerate(writers):
        writer.write(b"note %d\n" % n)
    await asyncio.sleep(0.3)
    # other calls go on meanwhile
    begun = time.monotonic()
    assert await titles(vault) == []
    assert time.monotonic() - begun < 5
    reports = await asyncio.wait_for(asyncio.gather(*(w.finish() for w in writers)), 60)
    assert [r.added for r in reports] == [1] * 40
    await healthy(vault)


async def test_a_cancelled_task_does_not_break_the_vault(person):
    vault = (await person("mira")).vault
    for n in range(10):
        task = asyncio.create_task(vault.add(observation(f"r{n}"), f"r{n}.json"))
        await asyncio.sleep(n * 0.004)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
            raise asyncio.CancelledError  # it was quicker than we
    await vault.add(observation("last"), "last.json")
    found = await titles(vault)
    # each is there whole, or not at all
    assert "last" in found and set(found) <= {f"r{n}" for n in range(10)} | {"last"}
    await healthy(vault)


async def test_locking_ends_what_runs(person, large):
    vault = (await person("mira")).vault
    work = vault.add_file(large, None)
    await eventually(lambda: work.progress().done > 0 or work.is_finished())
    begun = time.monotonic()
    await vault.lock()
    assert time.monotonic() - begun < 10
    with pytest.raises(medvault.MedVaultError):
        await work.result()
    await vault.unlock(medvault.Unlock.KEY_STORE())
    assert await titles(vault) == []


async def test_many_threads_at_once(person):
    vault = (await person("mira")).vault
    threads, each = 8, 4

    def one(number):
        async def run():
            for n in range(each):
                await vault.add(observation(f"t{number}-{n}"), "x.json")
                ids = [r.id for r in await vault.records(everything())]
                contents = await asyncio.gather(*(vault.content(id) for id in ids[:5]))
                assert all(contents)

        asyncio.run(run())

    loop = asyncio.get_running_loop()
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        await asyncio.gather(*(loop.run_in_executor(pool, one, n) for n in range(threads)))
    expected = sorted(f"t{number}-{n}" for number in range(threads) for n in range(each))
    assert await titles(vault) == expected
    # more calls at a time than the library has threads
    lists = await asyncio.gather(*(vault.records(everything()) for _ in range(200)))
    assert {len(found) for found in lists} == {threads * each}
    await healthy(vault)
