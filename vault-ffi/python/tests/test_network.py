"""The network: what the app's policy forbids is not done, and time limits hold."""

import json
import socket
import time
from pathlib import Path

import medvault
import pytest
from helpers import Policy, everything, introduce, observation

LOCAL = medvault.NodeOptions(local_only=True)


async def following(person):
    """A clinic that follows Mira, whose node runs."""
    mira, clinic = await person("mira"), await person("clinic")
    await introduce(mira, clinic)
    await mira.vault.add(observation("HbA1c"), "a.json")
    await mira.vault.add(b"x" * 400_000, "large.txt")
    await mira.vault.start_node(LOCAL)
    scope = medvault.ShareScope(everything=True)
    result = await mira.vault.share(medvault.ShareRequest(readers=["clinic"], scope=scope))
    ticket = await mira.vault.ticket(result.grant, "clinic")
    await clinic.vault.accept_ticket(ticket, "mira")
    return mira, clinic


async def test_the_policy_of_the_app_is_asked_and_obeyed(person):
    mira, clinic = await following(person)
    clinic.policy.use = medvault.NetworkUse.NOTHING
    asked = clinic.policy.asked
    for call in (
        lambda: clinic.vault.sync_sender("mira"),
        lambda: clinic.vault.start_node(LOCAL),
        lambda: clinic.vault.deposit(
            "mira", [medvault.DepositItem.BYTES(b"x", "x.txt")], None).result(),
    ):
        with pytest.raises(medvault.MedVaultError.Network):
            await call()
    assert clinic.policy.asked > asked
    report = await clinic.vault.sync(5_000)
    assert report.senders == [] and report.problems
    assert (await mira.vault.node_status()).heads_sent == 0

    clinic.policy.use = medvault.NetworkUse.SMALL_ONLY
    with pytest.raises(medvault.MedVaultError.Network):
        await clinic.vault.start_node(LOCAL)
    clinic.policy.use = medvault.NetworkUse.EVERYTHING
    await clinic.vault.sync_sender("mira")
    records = await clinic.vault.shared_records("mira", everything())
    assert len(records) == 2
    # contents are not fetched over a metered network
    clinic.policy.use = medvault.NetworkUse.SMALL_ONLY
    large = next(r for r in records if r.bytes == 400_000)
    with pytest.raises(medvault.MedVaultError.Network):
        await clinic.vault.shared_content("mira", large.id, None)
    clinic.policy.use = medvault.NetworkUse.EVERYTHING
    assert await clinic.vault.shared_content("mira", large.id, None) == b"x" * 400_000
    assert (await mira.vault.node_status()).heads_sent >= 1


async def test_a_policy_that_fails_forbids(person):
    mira = await person("mira")

    class Broken(medvault.NetworkPolicy):
        def allowed(self):
            raise RuntimeError("out of order")

    platform = medvault.Platform(key_store=mira.store, network=Broken())
    vault = await medvault.open_vault(mira.home, medvault.Unlock.KEY_STORE(), platform)
    with pytest.raises(medvault.MedVaultError):
        await vault.start_node(LOCAL)
    fixed = medvault.fixed_network(medvault.NetworkUse.NOTHING)
    platform = medvault.Platform(key_store=mira.store, network=fixed)
    vault = await medvault.open_vault(mira.home, medvault.Unlock.KEY_STORE(), platform)
    with pytest.raises(medvault.MedVaultError.Network):
        await vault.start_node(LOCAL)


@pytest.mark.parametrize("deadline_ms", [1, 300, 2_000])
async def test_sync_ends_in_time_when_the_sender_is_gone(person, deadline_ms):
    mira, clinic = await following(person)
    await mira.vault.stop_node()
    begun = time.monotonic()
    report = await clinic.vault.sync(deadline_ms)
    took = time.monotonic() - begun
    assert took < deadline_ms / 1000 + 1.0, took
    assert report.problems or not report.finished
    # nothing keeps the vault busy afterwards
    begun = time.monotonic()
    await clinic.vault.add(observation("after"), "after.json")
    await clinic.vault.lock()
    assert time.monotonic() - begun < 5


async def test_sync_ends_in_time_however_many_senders_are_silent(tmp_path, person):
    """More senders than the library has threads, at an address that takes everything and says nothing."""
    clinic = await person("clinic")
    card = (await clinic.vault.info()).card
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    address = "127.0.0.1:%d" % silent.getsockname()[1]
    with silent:
        for n in range(36):
            sender = await person(f"sender-{n}")
            await sender.vault.start_node(LOCAL)
            await sender.vault.stop_node()
            # what a node leaves for the tickets that are made while it does not run
            file = Path(sender.home) / "node.json"
            node = json.loads(file.read_text())
            node["endpoint_addrs"] = [address]
            file.write_text(json.dumps(node))
            await sender.vault.add_contact("clinic", card)
            shared = await sender.vault.share(medvault.ShareRequest(
                readers=["clinic"], scope=medvault.ShareScope(everything=True),
                even_unverified=True))
            await clinic.vault.accept_ticket(shared.tickets[0].ticket, f"sender-{n}")
        begun = time.monotonic()
        report = await clinic.vault.sync(1_000)
        assert time.monotonic() - begun < 2.0
        assert not report.finished
        # and the app goes on
        begun = time.monotonic()
        assert await clinic.vault.records(everything()) == []
        assert time.monotonic() - begun < 1.0
        await clinic.vault.lock()
        assert time.monotonic() - begun < 12.0


async def test_locking_stops_the_node(person):
    mira, clinic = await following(person)
    assert (await mira.vault.node_status()).endpoint
    await mira.vault.lock()
    with pytest.raises(medvault.MedVaultError.Network):
        await clinic.vault.sync_sender("mira")
    await mira.vault.unlock(medvault.Unlock.KEY_STORE())
    assert await mira.vault.node_status() is None


async def test_log_lines_name_nobody(person):
    mira, clinic = await following(person)
    await clinic.vault.sync_sender("mira")
    await mira.vault.stop_node()
    lines = mira.log.lines() + clinic.log.lines()
    for line in lines:
        assert "HbA1c" not in line.text and "large.txt" not in line.text
    assert all(line.event and line.time > 1_600_000_000 for line in lines)


def test_policies_say_what_they_were_told():
    for use in medvault.NetworkUse:
        assert medvault.fixed_network(use).allowed() == use
    assert Policy(medvault.NetworkUse.NOTHING).allowed() == medvault.NetworkUse.NOTHING
