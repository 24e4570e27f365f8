"""What the tests share: made-up records, a key store in Python, people, and other processes."""

import asyncio
import hashlib
import hmac
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from pathlib import Path

import medvault

WORKER = Path(__file__).with_name("worker.py")


class FileKeyStore(medvault.KeyStore):
    """A key store whose key lies in a file, so that two processes can share it. For tests only."""

    def __init__(self, file):
        self.file = Path(file)
        self.calls = []
        if not self.file.exists():
            self.file.write_bytes(secrets.token_bytes(32))

    def _stream(self, nonce, length):
        return hashlib.shake_256(self.file.read_bytes() + nonce).digest(length)

    def _tag(self, nonce, body):
        return hmac.digest(self.file.read_bytes(), nonce + body, "sha256")

    def seal(self, secret):
        self.calls.append("seal")
        nonce = secrets.token_bytes(16)
        body = bytes(a ^ b for a, b in zip(secret, self._stream(nonce, len(secret))))
        return nonce + self._tag(nonce, body) + body

    def unseal(self, sealed):
        self.calls.append("unseal")
        nonce, tag, body = sealed[:16], sealed[16:48], sealed[48:]
        if not hmac.compare_digest(tag, self._tag(nonce, body)):
            raise medvault.KeyStoreError.Unavailable("this was sealed elsewhere")
        return bytes(a ^ b for a, b in zip(body, self._stream(nonce, len(body))))


class Listener(medvault.ProgressListener):
    """Remembers how far a work was."""

    def __init__(self):
        self.seen = []
        self.threads = set()

    def progress(self, done, total):
        self.threads.add(threading.get_ident())
        self.seen.append((done, total))


class Policy(medvault.NetworkPolicy):
    """A network policy that can be changed, and counts how often it was asked."""

    def __init__(self, use):
        self.use = use
        self.asked = 0

    def allowed(self):
        self.asked += 1
        return self.use


def observation(name, value=5.0, code="4548-4", date="2026-03-14", label=None, text=None):
    """A laboratory result, as FHIR R4 in JSON."""
    resource = {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "category": [{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/observation-category",
            "code": "laboratory",
        }]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": code}], "text": text or name},
        "effectiveDateTime": date,
        "valueQuantity": {"value": value, "unit": "%"},
    }
    if label:
        resource["meta"] = {"security": [{
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": label,
        }]}
    return json.dumps(resource).encode()


def condition(name, text, date="2021-05-02"):
    """A condition, as FHIR R4 in JSON."""
    return json.dumps({
        "resourceType": "Condition",
        "id": name,
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "44054006"}], "text": text},
        "recordedDate": date,
    }).encode()


def everything(**conditions):
    """A filter."""
    return medvault.RecordFilter(**conditions)


class Person:
    """Someone with a vault in a folder, opened by a key store."""

    def __init__(self, folder, name):
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.home = str(folder / "vault")
        self.store = FileKeyStore(folder / "key")
        self.log = medvault.MemoryLog()
        self.policy = Policy(medvault.NetworkUse.EVERYTHING)
        self.vault = None
        self.words = None

    def platform(self):
        return medvault.Platform(key_store=self.store, log=self.log.sink(), network=self.policy)

    async def create(self):
        new = await medvault.create_vault(
            self.home, self.name, medvault.Unlock.KEY_STORE(), self.platform())
        self.vault, self.words = new.vault, new.recovery_words
        return self

    async def open(self):
        self.vault = await medvault.open_vault(
            self.home, medvault.Unlock.KEY_STORE(), self.platform())
        return self.vault


async def introduce(one, other):
    """Both get the other's card and compare fingerprints."""
    for a, b in ((one, other), (other, one)):
        info = await b.vault.info()
        contact = await a.vault.add_contact(b.name, info.card)
        assert not contact.verified
        contact = await a.vault.verify_contact(b.name, info.fingerprint)
        assert contact.verified


async def titles(vault, **conditions):
    """Titles of the records, sorted."""
    return sorted(r.title for r in await vault.records(everything(**conditions)))


async def healthy(vault):
    """Everything in the vault verifies."""
    audit = await vault.verify_audit()
    assert audit.intact, audit.problem
    blocks = await vault.verify_blocks(True)
    assert not blocks.missing and not blocks.unreadable, blocks


async def eventually(what, seconds=20.0):
    """Waits until `what()` is true."""
    begun = time.monotonic()
    while not what():
        assert time.monotonic() - begun < seconds, "it did not happen"
        await asyncio.sleep(0.02)


class Worker:
    """Another process that opened a person's vault: see worker.py."""

    def __init__(self, person, *arguments):
        command = [sys.executable, str(WORKER), person.home, str(person.store.file)]
        self.process = subprocess.Popen(
            command + [str(a) for a in arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            cwd=Path(person.home).parent, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )

    def line(self):
        """The next line it prints, read as JSON."""
        text = self.process.stdout.readline()
        assert text, f"the worker ended with {self.process.wait()}"
        return json.loads(text)

    def ask(self, text):
        """Says something and returns what it answers."""
        self.process.stdin.write(text + "\n")
        return self.line()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
