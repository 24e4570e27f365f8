"""Errors: which class, which code, and a reason that people understand."""

import re
from pathlib import Path

import medvault
import pytest
from helpers import everything, introduce, observation

E = medvault.MedVaultError
UNKNOWN = "a" * 26


async def failure(awaitable):
    with pytest.raises(E) as failed:
        await awaitable
    error = failed.value
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", error.code), error.code
    # one line, not a debug print of some structure
    assert error.reason and "\n" not in error.reason and "{" not in error.reason, error.reason
    return error


async def test_each_kind_of_error_has_its_class(tmp_path, person):
    mira, clinic = await person("mira"), await person("clinic")
    vault = mira.vault
    unlock, platform = medvault.Unlock.KEY_STORE(), mira.platform()
    nowhere = str(tmp_path / "nowhere")
    some = (await vault.add(observation("HbA1c"), "a.json")).records[0]
    card = (await clinic.vault.info()).card
    await vault.add_contact("clinic", card)
    scope = medvault.ShareScope(everything=True)
    share = medvault.ShareRequest
    both = medvault.ShareScope(preset="emergency", everything=True)
    cases = [
        (E.Storage, medvault.open_vault(nowhere, unlock, platform)),
        (E.Storage, medvault.create_vault(mira.home, "Mira", unlock, platform)),
        (E.InvalidInput, medvault.create_vault(nowhere, "two\nlines", unlock, platform)),
        (E.InvalidInput, medvault.create_vault(
            nowhere, "Mira", medvault.Unlock.PASSPHRASE(""), platform)),
        (E.InvalidInput, medvault.create_vault(nowhere, "Mira", unlock, medvault.Platform())),
        (E.InvalidInput, medvault.create_vault("", "Mira", unlock, platform)),
        (E.NotFound, vault.record(UNKNOWN)),
        (E.NotFound, vault.content(UNKNOWN)),
        (E.NotFound, vault.update(UNKNOWN, b"x")),
        (E.NotFound, vault.add_file(nowhere, None).result()),
        (E.NotFound, vault.sync_sender("nobody")),
        (E.NotFound, vault.verify_contact("nobody", "words")),
        (E.NotFound, vault.revoke(UNKNOWN, medvault.RevokeLevel.STOP, None).result()),
        (E.NotFound, vault.deposit_detail(UNKNOWN)),
        (E.NotFound, vault.record("not an id")),
        (E.InvalidInput, vault.records(everything(since="yesterday"))),
        (E.InvalidInput, vault.records(everything(categories=["no such category"]))),
        (E.InvalidInput, vault.preview_share(both)),
        (E.InvalidInput, vault.preview_share(medvault.ShareScope(preset="no-such"))),
        (E.Refused, vault.share(share(readers=["clinic"], scope=scope))),
        (E.NotFound, vault.share(share(readers=["nobody"], scope=scope))),
        (E.InvalidInput, vault.accept_ticket("hello", None)),
        (E.Identity, medvault.recover_vault(nowhere, "abandon " * 24, [], unlock, platform)),
        (E.NotFound, vault.content_to_file(some, nowhere + "/x/y", None).result()),
    ]
    wrong = []
    for kind, call in cases:
        error = await failure(call)
        if type(error) is not kind:
            wrong.append((kind.__name__, error, error.reason))
    assert not wrong
    assert not medvault.has_vault(nowhere)


async def test_a_ticket_for_someone_else_is_refused(person):
    mira, clinic, other = await person("mira"), await person("clinic"), await person("other")
    await introduce(mira, clinic)
    await mira.vault.add(observation("HbA1c"), "a.json")
    scope = medvault.ShareScope(everything=True)
    result = await mira.vault.share(medvault.ShareRequest(readers=["clinic"], scope=scope))
    error = await failure(other.vault.accept_ticket(result.tickets[0].ticket, "mira"))
    assert isinstance(error, (E.Refused, E.Identity)), error


async def test_an_altered_card_is_found_out(person):
    card = (await (await person("mira")).vault.info()).card
    at = len(card) // 2
    altered = card[:at] + ("A" if card[at] != "A" else "B") + card[at + 1:]
    for text in (altered, card[:-10], card[len("medvault-card:"):], "", "hello"):
        with pytest.raises((E.InvalidInput, E.Integrity)):
            medvault.inspect_card(text)


async def test_damage_on_disk_is_found_and_named(person):
    mira = await person("mira")
    id = (await mira.vault.add(bytes(range(256)) * 4000, "scan.bin")).records[0]
    await mira.vault.lock()
    segment = max(Path(mira.home).rglob("*.car"), key=lambda f: f.stat().st_size)
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    vault = await mira.open()
    check = await vault.verify_blocks(True)
    assert check.missing or check.unreadable
    error = await failure(vault.content(id))
    assert isinstance(error, E.Integrity), error


def test_words_are_checked():
    good = "abandon " * 23 + "art"
    medvault.check_recovery_words(good)
    medvault.check_recovery_words(f"\n {good.upper()} ".lower())
    for words in ("", "abandon " * 24, good.replace("art", "xyzzy"), good + " art"):
        with pytest.raises(E) as failed:
            medvault.check_recovery_words(words)
        assert "abandon" not in failed.value.reason
