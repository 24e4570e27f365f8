"""A patient alone: records in and out, versions, copies, locking, and getting everything back."""

import json
import time

import medvault
import pytest
from helpers import FileKeyStore, condition, everything, healthy, observation, titles

PASSPHRASE = "correct horse battery staple"


async def test_created_with_a_passphrase_and_then_with_a_key_store(tmp_path):
    home = str(tmp_path / "vault")
    assert not medvault.has_vault(home)
    passphrase = medvault.Unlock.PASSPHRASE(PASSPHRASE)
    store = FileKeyStore(tmp_path / "key")
    platform = medvault.Platform(key_store=store)
    new = await medvault.create_vault(home, "Mira", passphrase, platform)
    assert medvault.has_vault(home)
    assert len(new.recovery_words.split()) == 24
    medvault.check_recovery_words(new.recovery_words)
    await new.vault.add(observation("hba1c"), "hba1c.json")

    with pytest.raises(medvault.MedVaultError.Identity):
        await medvault.open_vault(home, medvault.Unlock.PASSPHRASE("wrong"), platform)
    with pytest.raises(medvault.MedVaultError) as nothing_remembered:
        await medvault.open_vault(home, medvault.Unlock.KEY_STORE(), platform)
    assert not isinstance(nothing_remembered.value, medvault.MedVaultError.Failed)

    await new.vault.remember_in_key_store()
    assert store.calls == ["seal"]
    begun = time.monotonic()
    vault = await medvault.open_vault(home, medvault.Unlock.KEY_STORE(), platform)
    assert time.monotonic() - begun < 1.0, "a key store opens at once"
    assert store.calls[-1] == "unseal"
    assert await titles(vault) == ["hba1c"]

    # somebody else's key store is of no use
    other = medvault.Platform(key_store=FileKeyStore(tmp_path / "other"))
    with pytest.raises(medvault.MedVaultError.Identity):
        await medvault.open_vault(home, medvault.Unlock.KEY_STORE(), other)

    await vault.change_passphrase("another horse")
    await vault.forget_key_store()
    with pytest.raises(medvault.MedVaultError):
        await medvault.open_vault(home, medvault.Unlock.KEY_STORE(), platform)
    again = await medvault.open_vault(home, medvault.Unlock.PASSPHRASE("another horse"), platform)
    assert await titles(again) == ["hba1c"]


async def test_a_key_store_that_fails_is_an_error_and_not_a_crash(tmp_path, person):
    mira = await person("mira")

    class Broken(medvault.KeyStore):
        def __init__(self, error):
            self.error = error

        def seal(self, secret):
            raise self.error

        def unseal(self, sealed):
            raise self.error

    refused = medvault.KeyStoreError.Refused("the finger was not recognised")
    for error in (refused, RuntimeError("hunter2"), KeyError("x")):
        platform = medvault.Platform(key_store=Broken(error))
        with pytest.raises(medvault.MedVaultError) as failed:
            await medvault.open_vault(mira.home, medvault.Unlock.KEY_STORE(), platform)
        # what an undeclared exception says may be a secret
        assert "hunter2" not in failed.value.reason
        with pytest.raises(medvault.MedVaultError):
            await medvault.create_vault(
                str(tmp_path / "new"), "New", medvault.Unlock.KEY_STORE(), platform)
        assert not medvault.has_vault(str(tmp_path / "new"))


async def test_records_go_in_and_are_found(tmp_path, person):
    mira = await person("mira")
    vault = mira.vault
    report = await vault.add(observation("HbA1c", date="2024-03-12"), "hba1c.json")
    assert (report.added, report.known, report.refused) == (1, 0, [])
    hba1c = report.records[0]
    assert (await vault.add(observation("HbA1c", date="2024-03-12"), "again.json")).known == 1

    file = tmp_path / "bundle.json"
    entries = [
        {"resource": json.loads(observation("Glucose", code="1558-6", date="2025-03-18"))},
        {"resource": json.loads(observation("HIV test", code="75622-1", label="HIV"))},
        {"resource": json.loads(condition("diabetes", "Type 2 diabetes"))},
    ]
    file.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    assert (await vault.add_file(str(file), None).result()).added == 3

    writer = vault.add_stream("letter.txt")
    letter = b"Dear colleague,\n" + b"she is well.\n" * 20_000
    for at in range(0, len(letter), 50_000):
        chunk = letter[at:at + 50_000]
        if at % 100_000:
            await writer.write_chunk(chunk)
        else:
            writer.write(chunk)
    streamed = await writer.finish()
    assert streamed.added == 1
    assert await vault.content(streamed.records[0]) == letter

    records = await vault.records(everything())
    assert len(records) == 5
    found = await vault.records(everything(text="hba1c"))
    assert [r.id for r in found] == [hba1c]
    assert (found[0].kind, found[0].category, found[0].date) == ("Observation", "lab", "2024-03-12")
    assert found[0].opens and not found[0].sensitive
    assert await titles(vault, categories=["lab"]) == ["Glucose", "HIV test", "HbA1c"]
    assert await titles(vault, kinds=["Condition"]) == ["Type 2 diabetes"]
    assert await titles(vault, codes=["1558-6"]) == ["Glucose"]
    assert await titles(vault, codes=["http://loinc.org|1558-6"]) == ["Glucose"]
    assert await titles(vault, since="2025", until="2025-12") == ["Glucose"]
    hiv, = await vault.records(everything(labels=["HIV"]))
    assert hiv.sensitive and hiv.labels == ["HIV"]
    first, rest = everything(limit=2), everything(offset=2)
    paged = await vault.records(first) + await vault.records(rest)
    assert [r.id for r in paged] == [r.id for r in records]
    await healthy(vault)


async def test_versions_ranges_files_and_removal(tmp_path, person):
    vault = (await person("mira")).vault
    content = bytes(range(256)) * 5000
    id = (await vault.add(content, "scan.bin")).records[0]
    assert await vault.content(id) == content
    for offset, length in ((0, 10), (4095, 3), (len(content) - 5, 5), (65_530, 100_000)):
        assert await vault.content_range(id, offset, length) == content[offset:offset + length]
    copy = tmp_path / "copy.bin"
    report = await vault.content_to_file(id, str(copy), None).result()
    assert report.bytes == len(content) and copy.read_bytes() == content

    result = (await vault.add(observation("HbA1c", value=6.1), "a.json")).records[0]
    summary = await vault.update(result, observation("HbA1c", value=6.4))
    assert summary.id == result
    detail = await vault.record(result)
    assert [v.id for v in detail.versions][-1] == detail.summary.version == summary.version
    assert len(detail.versions) == 2
    assert b"6.4" in await vault.content(result)

    before = await vault.info()
    await vault.remove([result])
    after = await vault.info()
    assert (before.records, after.records) == (2, 1) and after.head > before.head
    with pytest.raises(medvault.MedVaultError.NotFound):
        await vault.content(result)
    await healthy(vault)


async def test_settings(person):
    vault = (await person("mira")).vault
    settings = {s.key: s.values for s in await vault.settings()}
    assert "iroh.relays" in settings
    await vault.set_setting("ipfs.gateways", ["https://gateway.example.org"])
    settings = {s.key: s.values for s in await vault.settings()}
    assert settings["ipfs.gateways"] == ["https://gateway.example.org"]
    await vault.set_setting("ipfs.gateways", [])
    assert not {s.key: s.values for s in await vault.settings()}["ipfs.gateways"]
    with pytest.raises(medvault.MedVaultError.NotFound):
        await vault.set_setting("no.such", ["x"])
    with pytest.raises(medvault.MedVaultError.InvalidInput):
        await vault.set_setting("ipfs.gateways", ["not a url"])


async def test_locked_and_unlocked(person):
    mira = await person("mira")
    vault = mira.vault
    await vault.add(observation("HbA1c"), "a.json")
    assert not vault.is_locked()
    await vault.lock()
    await vault.lock()
    assert vault.is_locked()
    for call in (
        lambda: vault.records(everything()),
        lambda: vault.add(b"x", "x.txt"),
        lambda: vault.audit_log(),
        lambda: vault.info(),
    ):
        with pytest.raises(medvault.MedVaultError.Locked) as locked:
            await call()
        assert locked.value.code == "locked"
    await vault.unlock(medvault.Unlock.KEY_STORE())
    assert not vault.is_locked()
    assert await titles(vault) == ["HbA1c"]


async def test_exported_backed_up_and_recovered(tmp_path, person):
    mira = await person("mira")
    vault = mira.vault
    contents = [observation("HbA1c"), observation("Glucose"), b"a letter\n" * 9000]
    for n, content in enumerate(contents):
        await vault.add(content, f"{n}.json" if n < 2 else "letter.txt")

    folder = tmp_path / "export"
    form = medvault.ExportForm.FILES
    await vault.export(form, everything(), str(folder), None).result()
    files = [f.read_bytes() for f in folder.rglob("*") if f.is_file()]
    assert all(content in files for content in contents)

    copy = tmp_path / "mira.car"
    report = await vault.backup(str(copy), None).result()
    assert report.bytes == copy.stat().st_size > 0

    info = await vault.info()
    home = str(tmp_path / "new-phone")
    platform = medvault.Platform(key_store=FileKeyStore(tmp_path / "new-key"))
    unlock = medvault.Unlock.KEY_STORE()
    with pytest.raises(medvault.MedVaultError):
        await medvault.recover_vault(home, "abandon " * 24, [str(copy)], unlock, platform)
    assert not medvault.has_vault(home)
    back = await medvault.recover_vault(home, mira.words, [str(copy)], unlock, platform)
    assert (await back.info()).vault_id == info.vault_id
    assert await titles(back) == await titles(vault)
    for record in await back.records(everything()):
        assert await back.content(record.id) in contents
    await healthy(back)
