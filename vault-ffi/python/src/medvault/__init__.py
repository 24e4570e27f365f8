"""MedVault: a patient-held, encrypted health-record vault.

Everything here comes from the library's own interface; the calls that wait are coroutines::

    import asyncio, medvault

    async def main():
        new = await medvault.create_vault(
            "my-vault", "Mira",
            medvault.Unlock.PASSPHRASE("correct horse battery staple"), medvault.Platform())
        print("write this down:", new.recovery_words)
        await new.vault.add(open("result.json", "rb").read(), "result.json")
        for record in await new.vault.records(medvault.RecordFilter()):
            print(record.date, record.title)

    asyncio.run(main())

What goes wrong is a `MedVaultError`, one of its classes such as `MedVaultError.NotFound`, with
`code` for programs and `reason` for people. An argument of a wrong type or out of range is an
ordinary `TypeError`, `ValueError` or the like.
"""

from enum import Enum

from . import _ending
from ._native import vault_ffi as _generated
from ._native.vault_ffi import *  # noqa: F403
from ._native.vault_ffi import NewVault, Unlock

__all__ = [
    "AddReport",
    "AddWork",
    "AgentAdded",
    "AgentSummary",
    "AgreementSummary",
    "AuditCheck",
    "AuditEvent",
    "BlockCheck",
    "CallbackError",
    "CardSummary",
    "ContactSummary",
    "DepositDetail",
    "DepositItem",
    "DepositLimit",
    "DepositSent",
    "DepositSummary",
    "DepositWork",
    "ExportForm",
    "FileReport",
    "FileWork",
    "GrantStatus",
    "GrantSummary",
    "InternalError",
    "KeyStore",
    "KeyStoreError",
    "LogLevel",
    "LogLine",
    "LogSink",
    "MedVaultError",
    "MemoryLog",
    "NetworkPolicy",
    "NetworkUse",
    "NewVault",
    "NodeOptions",
    "NodeStatus",
    "OnRequest",
    "PinnerState",
    "Platform",
    "Progress",
    "ProgressListener",
    "ProvenEntry",
    "ReaderTicket",
    "Receipt",
    "RecordDetail",
    "RecordFilter",
    "RecordSummary",
    "RecordWriter",
    "Refusal",
    "RestoreReport",
    "RestoreWork",
    "RevokeLevel",
    "RevokeWork",
    "SenderSummary",
    "SenderSync",
    "Setting",
    "SharePreview",
    "ShareRequest",
    "ShareResult",
    "ShareScope",
    "SyncReport",
    "Unlock",
    "Vault",
    "VaultInfo",
    "VersionSummary",
    "Withheld",
    "check_proof",
    "check_recovery_words",
    "create_vault",
    "fixed_network",
    "has_vault",
    "inspect_card",
    "join_qr_parts",
    "library_version",
    "memory_key_store",
    "open_vault",
    "qr_parts",
    "recover_vault",
]


def _show():
    """Has records and variants print what is in them, also within lists."""
    records = [globals()[name] for name in __all__ if isinstance(globals()[name], type)]
    variants = [v for r in records for v in vars(r).values() if isinstance(v, type)]
    for cls in (*records, *variants):
        generated = cls.__module__ == Unlock.__module__ and cls.__str__ is not object.__str__
        if generated and not issubclass(cls, (BaseException, Enum)):
            cls.__repr__ = cls.__str__


def _hide(cls, text):
    """These hold secrets, which belong in no log."""
    cls.__str__ = cls.__repr__ = lambda self: text


_ending.watch(_generated)
_show()
_hide(NewVault, "NewVault(vault=..., recovery_words=...)")
_hide(Unlock.PASSPHRASE, "Unlock.PASSPHRASE(passphrase=...)")
