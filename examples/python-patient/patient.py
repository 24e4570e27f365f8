# %% [markdown]
# # A patient's day
#
# Mira keeps her health record in a vault of her own, on her own device. Today she puts something in,
# looks at it, lets a clinic read part of it, and takes that back. The clinic is played here too, with a
# vault in another folder; the two meet over the network of this machine only.
#
# Run the cells from top to bottom, in an editor that shows `# %%` as cells, or all at once:
# `examples/python-patient/run`.

# %%
import asyncio
import json
import tempfile
import textwrap
import threading
from pathlib import Path

import medvault

print("medvault", medvault.library_version())
place = tempfile.TemporaryDirectory()
folder = Path(place.name)

# Every call that may wait is a coroutine. A program would `await` them; so that this runs the same in a
# notebook, which has an event loop of its own, they run in a loop on another thread.
loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()


def now(coroutine):
    """Waits for a coroutine."""
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result()


# %% [markdown]
# ## Morning: a vault
#
# The 24 words are shown once. With them and a copy of the blocks everything comes back, whatever
# happens to the phone; so Mira writes them on paper. Here we only count them.
#
# On a phone the key store is the Keychain or the Android Keystore. This one is in memory, for examples.

# %%
platform = medvault.Platform(key_store=medvault.memory_key_store())
new = now(medvault.create_vault(
    str(folder / "mira"), "Mira", medvault.Unlock.KEY_STORE(), platform))
mira = new.vault
medvault.check_recovery_words(new.recovery_words)
print(len(new.recovery_words.split()), "words on paper")
print("fingerprint:", now(mira.info()).fingerprint)

# %% [markdown]
# ## What is known so far
#
# The portal of her old practice gave her a file: a FHIR bundle. Each resource in it becomes a record of
# its own, byte for byte. One is labelled as sensitive by the laboratory that made it.


# %%
def laboratory(name, code, date, value, unit, label=None):
    """A laboratory result in FHIR R4. Nobody real."""
    result = {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/observation-category",
            "code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": code}], "text": name},
        "effectiveDateTime": date,
        "performer": [{"display": "Larkspur Community Laboratory"}],
        "valueQuantity": {"value": value, "unit": unit},
    }
    if label:
        result["meta"] = {"security": [{
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": label}]}
    return result


bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in [
    laboratory("HbA1c", "4548-4", "2025-03-18", 6.9, "%"),
    laboratory("HbA1c", "4548-4", "2025-09-16", 6.4, "%"),
    laboratory("Fasting glucose", "1558-6", "2025-09-16", 6.1, "mmol/L"),
    laboratory("HIV 1+2 antibodies", "75622-1", "2023-09-05", 0, "{index}", label="HIV"),
    {"resourceType": "Condition", "recordedDate": "2021-05-02",
     "code": {"coding": [{"system": "http://snomed.info/sct", "code": "44054006"}],
              "text": "Type 2 diabetes"}},
]]}
portal = folder / "portal.json"
portal.write_text(json.dumps(bundle))
report = now(mira.add_file(str(portal), None).result())
print(report.added, "records from the portal")

# %% [markdown]
# A letter came on paper; she typed it. And a scan arrives in pieces, as from a camera: it is sealed
# while it comes, and is never on disk unsealed.

# %%
letter = b"Dear Mira,\nyour next check is due in March. Bring your diary.\nDr. Quillfeather\n"
now(mira.add(letter, "letter.txt"))
writer = mira.add_stream("foot-scan.bin")
for _ in range(24):
    writer.write(bytes(range(256)) * 512)
print(now(writer.finish()).added, "scan")

# %% [markdown]
# ## Looking


# %%
def show(records):
    for record in records:
        labels = " ".join(record.labels) or "-"
        print(f"  {record.date or '':<10}  {record.category:<10}  {labels:<4}  {record.title}")


print("everything")
show(now(mira.records(medvault.RecordFilter())))
print("HbA1c since 2025-06")
show(now(mira.records(medvault.RecordFilter(text="hba1c", since="2025-06"))))

# %% [markdown]
# ## Noon: a clinic asks
#
# The clinic shows its contact card. Anybody can make a card with any name on it, so the two compare
# twelve words, on the telephone or eye to eye. Only then does Mira mark it as verified.

# %%
other = now(medvault.create_vault(
    str(folder / "clinic"), "Larkspur clinic", medvault.Unlock.KEY_STORE(),
    medvault.Platform(key_store=medvault.memory_key_store())))
clinic = other.vault
card = now(clinic.info()).card
print("the card says:", medvault.inspect_card(card).name)
now(mira.add_contact("clinic", card))
heard = now(clinic.info()).fingerprint  # read aloud by the clinic
now(mira.verify_contact("clinic", heard))
print("verified:", [c.name for c in now(mira.contacts()) if c.verified])

# %% [markdown]
# The clinic wants her laboratory results. Before anything is shared, the vault says what would become
# readable and what would not. The HIV result stays closed unless she names the label.

# %%
labs = medvault.ShareScope(categories=["lab"])
preview = now(mira.preview_share(labs))
print("would become readable")
show(preview.included)
for withheld in preview.withheld:
    print(f"stays closed: {withheld.title} ({withheld.reason})")

# %% [markdown]
# She shares, and hands over a ticket: a line of text, or a QR code. It opens nothing for anyone else.
# Her node answers while it runs; here it listens on this machine only.

# %%
now(mira.start_node(medvault.NodeOptions(local_only=True)))
shared = now(mira.share(medvault.ShareRequest(readers=["clinic"], scope=labs, purpose="TREAT")))
ticket = shared.tickets[0].ticket
print(ticket[:40] + "...")

# %% [markdown]
# ## Meanwhile, at the clinic

# %%
now(clinic.accept_ticket(ticket, "mira"))
synced = now(clinic.sync_sender("mira"))
print("records from Mira:", synced.records)
records = now(clinic.shared_records("mira", medvault.RecordFilter()))
show(records)
content = json.loads(now(clinic.shared_content("mira", records[0].id, None)))
print(content["code"]["text"], content["valueQuantity"])

# %% [markdown]
# A new result is added in the afternoon. The grant is a standing one, so the clinic gets it with the
# next sync; on a phone that is a background task with a deadline.

# %%
later = laboratory("HbA1c", "4548-4", "2026-03-17", 6.2, "%")
now(mira.add(json.dumps(later).encode(), "new.json"))
result = now(clinic.sync(deadline_ms=10_000))
print("finished:", result.finished, "| records:", result.senders[0].records)

# %% [markdown]
# ## Evening: enough
#
# Mira takes the grant back. The receipt says what that achieves, and what nobody can undo.

# %%
receipt, = now(mira.revoke(shared.grant, medvault.RevokeLevel.REKEY, None).result())
print(textwrap.indent(receipt.text.strip(), "  "))
try:
    now(clinic.sync_sender("mira"))
except medvault.MedVaultError.Refused as error:
    print("the clinic now gets:", error.reason)

# %% [markdown]
# ## What happened today
#
# The log is a Merkle tree under Mira's signature: nothing in it can be changed or left out afterwards
# without that being seen.

# %%
for event in now(mira.audit_log()):
    print(f"  {event.index:>2}  {event.text}")
check = now(mira.verify_audit())
print(check.entries, "entries, intact:", check.intact)

# %% [markdown]
# ## Night: a copy, and the phone is locked

# %%
copy = now(mira.backup(str(folder / "mira.car"), None).result())
print("backup written:", copy.bytes > 0)
now(mira.lock())
now(clinic.lock())
try:
    now(mira.records(medvault.RecordFilter()))
except medvault.MedVaultError.Locked as error:
    print("and then:", error.reason)

# %% [markdown]
# The phone falls into the sea. With the paper and the copy, everything is back.

# %%
back = now(medvault.recover_vault(
    str(folder / "new-phone"), new.recovery_words, [copy.path], medvault.Unlock.KEY_STORE(),
    medvault.Platform(key_store=medvault.memory_key_store())))
print("recovered:", now(back.info()).records, "records")
now(back.lock())
loop.call_soon_threadsafe(loop.stop)
place.cleanup()
