"""Every call with arguments that nobody should pass: errors, never a crash and never a panic."""

import collections
import inspect
import os

import medvault
import pytest
from helpers import Policy, everything, healthy, introduce, observation
from hostile import Maker, attempt

# not called here: they end the test, or open sockets for the whole network
LEFT_OUT = {"lock", "start_node", "forget_key_store"}
# each takes about a second, on purpose: a passphrase is stretched
SLOW = {"change_passphrase", "unlock", "create_vault", "open_vault", "recover_vault"}
ROUNDS = int(os.environ.get("MEDVAULT_HOSTILE_ROUNDS", "25"))


def calls_of(thing):
    """Its public methods."""
    members = inspect.getmembers(type(thing), inspect.isfunction)
    return {name: getattr(thing, name) for name, _ in members if not name.startswith("_")}


@pytest.fixture
def below(tmp_path, monkeypatch):
    """A working folder so deep that no relative path leaves the test's own."""
    folder = tmp_path / "a" / "b" / "c" / "d"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


async def test_every_call_of_a_vault(below, person):
    mira, clinic = await person("mira"), await person("clinic")
    await introduce(mira, clinic)
    vault = mira.vault
    mira.policy.use = medvault.NetworkUse.NOTHING
    record = (await vault.add(observation("HbA1c"), "a.json")).records[0]
    request = medvault.ShareRequest(
        readers=["clinic"], scope=medvault.ShareScope(everything=True))
    shared = await vault.share(request)
    texts = [record, shared.grant, shared.tickets[0].ticket, (await clinic.vault.info()).card]
    maker = Maker(6, texts, below)
    outcomes = collections.defaultdict(collections.Counter)
    for name, call in calls_of(vault).items():
        if name in LEFT_OUT:
            continue
        for _ in range(2 if name in SLOW else ROUNDS):
            arguments = maker.arguments(call)
            try:
                outcomes[name][await attempt(call, arguments)] += 1
            except BaseException as error:
                shown = [repr(argument)[:200] for argument in arguments]
                raise AssertionError(f"{name}({', '.join(shown)})") from error
    # the arguments did reach the library, and most calls did find something to refuse
    refused = [name for name, seen in outcomes.items() if seen["error"]]
    assert len(refused) > len(outcomes) / 2, outcomes
    assert not vault.is_locked()
    await healthy(vault)
    assert (await vault.add(observation("after"), "after.json")).added == 1


async def test_every_free_function(below):
    maker = Maker(7, [], below)
    functions = {
        name: member for name in medvault.__all__
        if inspect.isfunction(member := getattr(medvault, name))
    }
    assert {"create_vault", "open_vault", "inspect_card"} <= set(functions)
    for name, call in functions.items():
        for _ in range(6 if name in SLOW else ROUNDS):
            arguments = maker.arguments(call)
            try:
                await attempt(call, arguments)
            except BaseException as error:
                shown = [repr(argument)[:200] for argument in arguments]
                raise AssertionError(f"{name}({', '.join(shown)})") from error


async def test_writers_and_works(below, person):
    vault = (await person("mira")).vault
    maker = Maker(8, [], below)
    for _ in range(ROUNDS):
        writer = vault.add_stream("x.bin")
        calls = list(calls_of(writer).values())
        for call in maker.random.sample(calls, len(calls)):
            await attempt(call, maker.arguments(call))
        work = vault.add_file(maker.random.choice(["none", "a\0b", ".", ""]), None)
        assert await attempt(work.result, []) in {"ok", "error"}
        for _ in range(2):
            work.cancel()
            work.progress()
    await healthy(vault)


async def test_a_locked_vault_refuses_every_call(below, person):
    mira = await person("mira")
    vault = mira.vault
    await vault.lock()
    maker = Maker(9, [], below)
    for name, call in calls_of(vault).items():
        if name in {"lock", "unlock", "is_locked"}:
            continue
        seen = {await attempt(call, maker.arguments(call)) for _ in range(6)}
        assert "ok" not in seen or name in {"stop_node", "node_status"}, name
    assert vault.is_locked()


async def test_a_hostile_key_store(tmp_path, person):
    mira = await person("mira")

    class Wrong(medvault.KeyStore):
        answer = None

        def seal(self, secret):
            return self.answer

        def unseal(self, sealed):
            return self.answer

    store = Wrong()
    platform = medvault.Platform(key_store=store)
    for n, answer in enumerate([b"", b"x" * 31, b"x" * 32, b"x" * 70_000, None, "text", 7, [b"x"]]):
        store.answer = answer
        with pytest.raises(medvault.MedVaultError):
            await medvault.open_vault(mira.home, medvault.Unlock.KEY_STORE(), platform)
        home = str(tmp_path / f"new-{n}")
        arguments = [home, "New", medvault.Unlock.KEY_STORE(), platform]
        await attempt(medvault.create_vault, arguments)
        vault = await mira.open()
        assert (await vault.info()).name == "mira"


async def test_a_hostile_network_policy(person):
    mira = await person("mira")
    for use in (None, 7, "EVERYTHING", Policy):
        platform = medvault.Platform(key_store=mira.store, network=Policy(use))
        vault = await medvault.open_vault(mira.home, medvault.Unlock.KEY_STORE(), platform)
        with pytest.raises(medvault.MedVaultError):
            await vault.start_node(medvault.NodeOptions(local_only=True))
        assert await vault.node_status() is None


async def test_huge_numbers_are_refused_or_harmless(person):
    vault = (await person("mira")).vault
    id = (await vault.add(b"0123456789" * 1000, "x.txt")).records[0]
    for offset, length in ((2**64 - 1, 2**32 - 1), (2**63, 1), (10_001, 5), (0, 2**32 - 1)):
        try:
            part = await vault.content_range(id, offset, length)
            assert part == (b"0123456789" * 1000)[offset:offset + length]
        except medvault.MedVaultError.InvalidInput:
            pass
    for bad in (-1, 2**64, 1.5, "7"):
        with pytest.raises((ValueError, TypeError)):
            await vault.content_range(id, bad, 1)
    page = everything(offset=2**32 - 1, limit=2**32 - 1)
    assert await vault.records(page) == []
