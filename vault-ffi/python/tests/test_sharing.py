"""A patient and a clinic on one machine: shared, read, asked for, sent back, taken back."""

import medvault
import pytest
from helpers import everything, healthy, introduce, observation, titles

LOCAL = medvault.NodeOptions(local_only=True)
LABS = medvault.ShareScope(categories=["lab"])


async def two(person):
    mira, clinic = await person("mira"), await person("clinic")
    await introduce(mira, clinic)
    for name, label in (("HbA1c", None), ("Glucose", None), ("HIV test", "HIV")):
        await mira.vault.add(observation(name, label=label), f"{name}.json")
    await mira.vault.add(b"A letter of no interest to laboratories.\n", "letter.txt")
    return mira, clinic


async def offered(mira, clinic, **terms):
    """Mira's node runs, and the clinic has accepted her ticket."""
    await mira.vault.start_node(LOCAL)
    request = medvault.ShareRequest(readers=["clinic"], scope=LABS, purpose="TREAT", **terms)
    result = await mira.vault.share(request)
    ticket = await mira.vault.ticket(result.grant, "clinic")
    sender = await clinic.vault.accept_ticket(ticket, "mira")
    assert (sender.name, sender.head) == ("mira", 0)
    return result.grant


async def fetched(mira, clinic):
    """The same with an ordinary grant, and the clinic has fetched what is new."""
    grant = await offered(mira, clinic)
    synced = await clinic.vault.sync_sender("mira")
    assert synced.head > synced.head_before == 0
    return grant


async def test_cards_are_checked_and_compared(person):
    mira, clinic = await person("mira"), await person("clinic")
    card = (await clinic.vault.info()).card
    seen = medvault.inspect_card(f"\n {card} \n")
    assert (seen.name, seen.devices) == ("clinic", 1)
    assert len(seen.fingerprint.split()) == 12
    await mira.vault.add_contact("clinic", card)
    wrong = (await mira.vault.info()).fingerprint
    with pytest.raises(medvault.MedVaultError):
        await mira.vault.verify_contact("clinic", wrong)
    contact, = await mira.vault.contacts()
    assert not contact.verified and contact.vault_id == seen.vault_id
    await mira.vault.add(observation("HbA1c"), "a.json")
    request = medvault.ShareRequest(readers=["clinic"], scope=LABS)
    with pytest.raises(medvault.MedVaultError.Refused):
        await mira.vault.share(request)
    request.even_unverified = True
    assert (await mira.vault.share(request)).tickets[0].ticket.startswith("medvault-ticket:")


async def test_shared_read_extended_and_taken_back(tmp_path, person):
    mira, clinic = await two(person)
    preview = await mira.vault.preview_share(LABS)
    assert sorted(r.title for r in preview.included) == ["Glucose", "HbA1c"]
    withheld, = preview.withheld
    assert withheld.title == "HIV test" and "HIV" in withheld.reason
    assert preview.not_selected == 1

    grant = await fetched(mira, clinic)
    records = await clinic.vault.shared_records("mira", everything())
    assert sorted(r.title for r in records) == ["Glucose", "HbA1c"]
    assert all(r.opens for r in records)
    hba1c = next(r for r in records if r.title == "HbA1c")
    content = await clinic.vault.shared_content("mira", hba1c.id, None)
    assert content == observation("HbA1c")
    copy = tmp_path / "hba1c.json"
    await clinic.vault.shared_content_to_file("mira", hba1c.id, None, str(copy), None).result()
    assert copy.read_bytes() == content
    assert await titles(clinic.vault) == []

    # a standing grant takes in what comes later
    await mira.vault.add(observation("Leukocytes"), "leukocytes.json")
    report = await clinic.vault.sync(20_000)
    assert report.finished and not report.problems, report
    assert [s.name for s in report.senders] == ["mira"]
    assert len(await clinic.vault.shared_records("mira", everything())) == 3

    receipt, = await mira.vault.revoke(grant, medvault.RevokeLevel.REKEY, None).result()
    assert receipt.level == "R2" and receipt.readers == ["clinic"]
    assert receipt.could_have_opened == 3 and "Nobody can" in receipt.text
    assert [p.acknowledged for p in receipt.pinners] == [True]
    granted, = await mira.vault.grants()
    assert granted.status == medvault.GrantStatus.REVOKED
    later = await mira.vault.add(observation("Later"), "later.json")
    with pytest.raises(medvault.MedVaultError.Refused):
        await clinic.vault.sync_sender("mira")
    with pytest.raises(medvault.MedVaultError):
        await clinic.vault.shared_content("mira", later.records[0], None)
    with pytest.raises(medvault.MedVaultError):
        await mira.vault.ticket(grant, "clinic")

    log = await mira.vault.audit_log()
    assert [e.index for e in log] == list(range(len(log)))
    events = [e.event for e in log]
    assert any("grant" in e for e in events) and any("revo" in e for e in events), events
    assert any(e.grant == grant for e in log)
    await mira.vault.stop_node()
    assert await mira.vault.node_status() is None
    await healthy(mira.vault)
    await healthy(clinic.vault)


async def test_on_request_each_open_is_agreed_logged_and_counted(person):
    mira, clinic = await two(person)
    terms = medvault.OnRequest(opens=2, may_deposit=True)
    grant = await offered(mira, clinic, on_request=terms)
    # nothing is seen before the terms are signed
    with pytest.raises(medvault.MedVaultError.Refused):
        await clinic.vault.sync_sender("mira")
    agreement, = await clinic.vault.agreements()
    assert (agreement.grant, agreement.sender, agreement.accepted) == (grant, "mira", False)
    assert agreement.may_deposit and agreement.opens == 2
    assert agreement.purpose and not agreement.unknown_conditions
    await clinic.vault.accept_agreement(grant)
    assert (await clinic.vault.agreements())[0].accepted
    await clinic.vault.sync_sender("mira")
    records = await clinic.vault.shared_records("mira", everything())
    assert len(records) == 2 and not any(r.opens for r in records)

    for record in records:
        content = await clinic.vault.shared_content("mira", record.id, "TREAT")
        assert content == observation(record.title)
    with pytest.raises(medvault.MedVaultError.Refused):
        await clinic.vault.shared_content("mira", records[0].id, "TREAT")
    granted, = await mira.vault.grants()
    assert granted.on_request and granted.opens == 2
    opened = [e for e in await mira.vault.audit_log() if e.grant == grant and e.who == "clinic"]
    assert [e.event for e in opened if e.event == "released"] == ["released"] * 2, opened

    await mira.vault.add(observation("Never asked for"), "never.json")
    receipt, = await mira.vault.revoke(grant, medvault.RevokeLevel.REKEY, None).result()
    assert receipt.opened == 2 and receipt.never_delivered == 1
    assert "R3" in receipt.text
    await healthy(mira.vault)


async def test_results_come_back_over_the_network(person):
    mira, clinic = await two(person)
    await fetched(mira, clinic)
    items = [
        medvault.DepositItem.BYTES(observation("Creatinine"), "new.json"),
        medvault.DepositItem.BYTES(observation("Sodium"), "newer.json"),
    ]
    with pytest.raises(medvault.MedVaultError.Refused):
        await clinic.vault.deposit("mira", items, None).result()
    limit = medvault.DepositLimit(bytes=1_000_000, per_day=10)
    await mira.vault.set_deposit_limit("clinic", limit)
    assert (await mira.vault.contacts())[0].deposit_limit == limit

    sent = await clinic.vault.deposit("mira", items, "your results").result()
    assert sent.records == 2 and sent.delivered
    waiting, = await mira.vault.deposits()
    assert (waiting.id, waiting.sender) == (sent.deposit, "clinic")
    detail = await mira.vault.deposit_detail(waiting.id)
    assert detail.message == "your results" and len(detail.records) == 2
    before = (await mira.vault.info()).records
    assert (await mira.vault.accept_deposit(waiting.id)).added == 2
    assert (await mira.vault.info()).records == before + 2
    assert await mira.vault.deposits() == []
    result, = await mira.vault.records(everything(text="creatinine"))
    versions = (await mira.vault.record(result.id)).versions
    assert versions[0].signed_by == "clinic"
    # the standing grant shows the clinic that its result arrived
    await clinic.vault.sync_sender("mira")
    assert len(await clinic.vault.shared_records("mira", everything())) == 4

    third = [medvault.DepositItem.BYTES(observation("Unwanted"), "third.json")]
    unwanted = await clinic.vault.deposit("mira", third, None).result()
    await mira.vault.decline_deposit(unwanted.deposit)
    assert await mira.vault.deposits() == []
    assert (await mira.vault.info()).records == before + 2
    await healthy(mira.vault)


async def test_without_a_network_grants_and_deposits_are_files(tmp_path, person):
    mira, clinic = await two(person)
    request = medvault.ShareRequest(readers=["clinic"], scope=LABS)
    grant = (await mira.vault.share(request)).grant
    stick = str(tmp_path / "stick.car")
    await mira.vault.grant_to_file(grant, "clinic", stick, None).result()
    assert (await clinic.vault.accept_grant_file(stick, "mira")).vault_id \
        == (await mira.vault.info()).vault_id
    records = await clinic.vault.shared_records("mira", everything())
    content = await clinic.vault.shared_content("mira", records[0].id, None)
    assert content == observation(records[0].title)

    await mira.vault.set_deposit_limit("clinic", medvault.DepositLimit(bytes=10**6, per_day=1))
    parcel = str(tmp_path / "parcel.car")
    item = medvault.DepositItem.BYTES(observation("From a stick"), "stick.json")
    sent = await clinic.vault.deposit_to_file("mira", [item], None, parcel).result()
    assert sent.delivered is None
    assert await mira.vault.add_deposit_file(parcel) == sent.deposit
    assert (await mira.vault.accept_deposit(sent.deposit)).added == 1
    assert "From a stick" in await titles(mira.vault)
    await clinic.vault.forget_sender("mira")
    assert await clinic.vault.senders() == []


async def test_a_ticket_goes_over_as_qr_codes(person):
    mira, clinic = await two(person)
    shared = await mira.vault.share(medvault.ShareRequest(readers=["clinic"], scope=LABS))
    ticket = shared.tickets[0].ticket
    parts = medvault.qr_parts(ticket, 1_000)
    assert len(parts) > 1 and all(len(part) <= 1_000 for part in parts)
    assert medvault.join_qr_parts(parts[1:]) is None
    scanned = medvault.join_qr_parts([*reversed(parts), parts[0], "a code on a cereal box"])
    assert scanned == ticket
    assert (await clinic.vault.accept_ticket(scanned, None)).patient == "mira"


async def test_a_contact_loses_every_grant_at_once(person):
    mira, clinic = await two(person)
    for scope in (LABS, medvault.ShareScope(everything=True)):
        await mira.vault.share(medvault.ShareRequest(readers=["clinic"], scope=scope))
    work = mira.vault.revoke_contact("clinic", medvault.RevokeLevel.STOP, None)
    receipts = await work.result()
    assert [r.level for r in receipts] == ["R1", "R1"]
    assert all(g.status == medvault.GrantStatus.REVOKED for g in await mira.vault.grants())
