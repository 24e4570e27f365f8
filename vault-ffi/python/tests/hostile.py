"""Makes arguments that nobody should pass, from the types that a call declares."""

import asyncio
import ctypes
import enum
import inspect
import random
import struct
import typing

import medvault
from helpers import FileKeyStore, Listener

# how the generated code refuses an argument before anything crosses the boundary
BEFORE = (
    TypeError, ValueError, AttributeError, OverflowError, ctypes.ArgumentError, struct.error,
)

TEXTS = [
    "", " ", "x", "\0", "a\0b", "\n", "../x", "./", "deep/er/and/deeper", "con", "-", "--help", "%s%n",
    "\u202egnp.exe", "\ufeff", "e\u0301" * 50, "\U0001f9ec" * 300, "a" * 300, "b" * 100_000,
    "1970-01-01", "9999-12-31", "2026-13-45", "-1", "99999999999999999999", "1e400", "NaN",
    "{}", "[" * 10_000, "<a/>", "http://[::1", "system|code", "|", "LOINC|" * 50,
    "TREAT", "HIV", "Observation", "lab", "emergency", "R2", "mira", "clinic", "worker",
    "medvault-card:", "medvault-card:AAAA", "medvault-ticket:", "medvault-ticket:" + "a" * 5000,
    "abandon " * 23 + "art", "zoo " * 24, "a" * 26, "b" * 52, "A" * 26,
    "iroh.relays", "ipfs.gateways", "serve.announce", "import.sensitive", "\ud800",
]

CONTENTS = [
    b"", b"\0", b"x", b"{}", b"[]", b"null", b"{" * 50_000, b"[" * 50_000, b"\xff\xfe\0", b"\xef\xbb\xbf{}",
    b'{"resourceType": 7}', b'{"resourceType": "Observation", "id": "' + b"y" * 70_000 + b'"}',
    b'{"resourceType":"Bundle","entry":[{"resource":null},{},{"resource":{"resourceType":"X"}}]}',
    b"MSH|^~\\&|" + b"|" * 5_000, b"MSH", b"<?xml version='1.0'?><ClinicalDocument/>",
    b'<!DOCTYPE a [<!ENTITY b "' + b"c" * 1000 + b'">]><a>&b;</a>', b"<" * 20_000,
    b"\0" * 128 + b"DICM" + b"\xff" * 200, b"PK\3\4" + b"\xff" * 60, b"PK\5\6" + b"\0" * 18,
    b"%PDF-1.7\n", b"shc:/" + b"9" * 3000, b"\x1f\x8b\x08" + b"\0" * 30, bytes(range(256)) * 300,
]

NUMBERS = [0, 1, 2, 255, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -1, 10**30]

WRONG = [None, 7, 1.5, "text", b"bytes", bytearray(b"x"), object(), [], {}, float("nan"), True]


class Maker:
    """Makes arguments. The same seed makes the same ones."""

    def __init__(self, seed, texts, folder):
        self.random = random.Random(seed)
        self.texts = TEXTS + texts * 4
        self.folder = folder

    def of(self, kind):
        """An argument of the type `kind`, now and then of another."""
        choose = self.random.choice
        if self.random.random() < 0.03:
            return choose(WRONG)
        if kind is str:
            return self._mutated(choose(self.texts))
        if kind is bytes:
            return self._mutated(choose(CONTENTS))
        if kind is int:
            return choose(NUMBERS)
        if kind is bool:
            return choose([True, False])
        origin = typing.get_origin(kind)
        if origin is typing.Union:
            inner = [k for k in typing.get_args(kind) if k is not type(None)]
            return None if self.random.random() < 0.4 else self.of(inner[0])
        if origin is list:
            longest = choose([0, 1, 1, 2, 5, 300])
            return [self.of(typing.get_args(kind)[0]) for _ in range(longest)]
        if kind is medvault.KeyStore:
            return FileKeyStore(self.folder / "key")
        if kind is medvault.ProgressListener:
            return Listener()
        if kind is medvault.LogSink:
            return medvault.MemoryLog().sink()
        if kind is medvault.NetworkPolicy:
            # nothing here may reach for the network of the machine
            return medvault.fixed_network(medvault.NetworkUse.NOTHING)
        if issubclass(kind, enum.Enum):
            return choose(list(kind))
        variants = [v for v in vars(kind).values() if isinstance(v, type) and issubclass(v, kind)]
        return self._fill(choose(variants) if variants else kind)

    def _fill(self, kind):
        hints = typing.get_type_hints(kind.__init__, vars(inspect.getmodule(medvault.Vault)))
        return kind(**{name: self.of(hint) for name, hint in hints.items() if name != "return"})

    def _mutated(self, value):
        """Now and then with something changed."""
        if not value or self.random.random() < 0.7:
            return value
        at = self.random.randrange(len(value))
        other = self.random.choice(["\0", "é", "A", " "]) if isinstance(value, str) else bytes(
            [self.random.randrange(256)])
        return self.random.choice([value[:at], value[:at] + other + value[at + 1:], value + value[at:]])

    def arguments(self, call):
        hints = typing.get_type_hints(call, vars(inspect.getmodule(medvault.Vault)))
        return [self.of(kind) for name, kind in hints.items() if name != "return"]


async def attempt(call, arguments):
    """Calls and waits for the outcome: `ok`, `error` from the library, or `before` the boundary.

    Anything else is raised: an `InternalError` is a panic, or garbage at the boundary.
    """
    try:
        outcome = call(*arguments)
        if inspect.isawaitable(outcome):
            outcome = await outcome
        if hasattr(outcome, "result"):
            await asyncio.wait_for(outcome.result(), 60)
        return "ok"
    except medvault.MedVaultError as error:
        assert error.code and error.code != "panicked", error
        assert error.reason, error
        return "error"
    except BEFORE:
        return "before"
