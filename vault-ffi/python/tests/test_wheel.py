"""The installed package itself: what it exports, that it is typed, that it prints no secrets."""

import re
import sys
from importlib import metadata
from pathlib import Path

import medvault
from medvault._native import vault_ffi


def test_it_is_the_installed_package_and_needs_nothing_else():
    assert Path(medvault.__file__).is_relative_to(sys.prefix)
    assert metadata.requires("medvault") is None
    assert medvault.library_version() == metadata.version("medvault")
    wheel = metadata.distribution("medvault").read_text("WHEEL")
    # one wheel for every Python; only the platform matters
    assert re.search(r"^Tag: py3-none-\w+$", wheel, re.M)


def test_it_exports_what_was_generated_and_nothing_else():
    generated = {
        name for name in vault_ffi.__all__
        # protocols and handles of foreign objects, of no use to anybody who calls
        if not name.endswith("Protocol") and not (name.endswith("Impl"))
    }
    assert sorted(medvault.__all__) == medvault.__all__
    assert set(medvault.__all__) == generated
    assert all(hasattr(medvault, name) for name in medvault.__all__)


def test_it_is_typed():
    assert (Path(medvault.__file__).parent / "py.typed").is_file()
    hints = medvault.Vault.records.__annotations__
    assert "filter" in hints and "return" in hints


def test_public_things_are_documented():
    undocumented = [
        f"{kind.__name__}.{name}"
        for kind in (medvault.Vault, medvault.RecordWriter, medvault.AddWork)
        for name, member in vars(kind).items()
        if callable(member) and not name.startswith("_") and not member.__doc__
    ]
    assert not undocumented


def test_secrets_are_not_printed():
    unlock = medvault.Unlock.PASSPHRASE("correct horse")
    new = medvault.NewVault(vault=None, recovery_words="abandon ability")
    for thing in (unlock, new):
        for text in (str(thing), repr(thing), f"{thing}"):
            assert "horse" not in text and "abandon" not in text


def test_other_things_are_printed():
    assert "'lab'" in repr([medvault.RecordFilter(categories=["lab"])])
    item = medvault.DepositItem.FILE("a.json")
    assert str(item) == repr(item) == "DepositItem.FILE(path=a.json)"


def test_errors_can_be_told_apart():
    error = medvault.MedVaultError.NotFound("no-record", "there is no such record")
    assert isinstance(error, medvault.MedVaultError)
    assert not isinstance(error, medvault.MedVaultError.Storage)
    assert (error.code, error.reason) == ("no-record", "there is no such record")
