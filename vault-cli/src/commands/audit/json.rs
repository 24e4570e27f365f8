//! Events for programs: every field of every act, ids in full.

use serde_json::{Value, json};
use vault_app::statement::{Event, Names};
use vault_core::{Act, Asked, PublicKey, VersionId};

use crate::{show, time};

/// An event as JSON. A receipt that is told with its release is the field `receipted`.
pub fn event_json(names: &Names, event: &Event<'_>) -> Value {
    let mut value = entry_json(names, event.entry);
    if let Some(outcome) = event.outcome() {
        value["outcome"] = json!(outcome.name());
    }
    if event.with_receipt
        && let Some(receipt) = event.receipt
    {
        value["receipted"] = entry_json(names, receipt);
    }
    value
}

fn entry_json(names: &Names, entry: &vault_core::AuditEntry) -> Value {
    let mut value = act_json(names, &entry.act);
    value["index"] = json!(entry.index);
    value["time"] = json!(time::rfc3339(entry.time));
    value["device"] = json!(entry.device.to_string());
    value["act"] = json!(entry.act.name());
    value
}

fn act_json(names: &Names, act: &Act) -> Value {
    let hex = |digest: &vault_core::Digest| show::hex(digest.as_bytes());
    let keys =
        |owners: &[PublicKey]| -> Vec<String> { owners.iter().map(ToString::to_string).collect() };
    match act {
        Act::VaultCreated { serial } => json!({"serial": serial}),
        Act::VaultRecovered { serial, from_seq } => json!({"serial": serial, "from_seq": from_seq}),
        Act::ContactAdded { contact, name } => {
            json!({"contact": contact.to_string(), "name": name})
        }
        Act::ContactVerified { contact } => {
            json!({"contact": contact.to_string(), "name": names.person(contact)})
        }
        Act::Published { count, versions } => {
            json!({"count": count, "versions_sha256": hex(versions)})
        }
        Act::Removed { records } => {
            json!({"records": records.iter().map(ToString::to_string).collect::<Vec<_>>()})
        }
        Act::Granted {
            grant,
            readers,
            terms,
            count,
        } => json!({
            "grant": grant.to_string(), "readers": keys(readers),
            "reader_names": names.people(readers), "terms_sha256": hex(terms), "count": count,
        }),
        Act::Joined { grant, count } => json!({"grant": grant.to_string(), "count": count}),
        Act::Revoked {
            grant,
            readers,
            level,
        } => json!({
            "grant": grant.to_string(), "readers": keys(readers),
            "reader_names": names.people(readers), "level": level,
        }),
        Act::Expired { grant } => json!({"grant": grant.to_string()}),
        Act::Rekeyed { grant, count, done } => {
            json!({"grant": grant.to_string(), "count": count, "done": done})
        }
        Act::Receipt { grant, receipt } => {
            json!({"grant": grant.to_string(), "receipt_sha256": hex(receipt)})
        }
        Act::Pinned { service, endpoint } => json!({"service": service, "endpoint": endpoint}),
        Act::Unpinned { service, confirmed } => {
            json!({"service": service, "confirmed": confirmed})
        }
        Act::PinVerified {
            service,
            sampled,
            missing,
            canaries,
            confidence,
        } => json!({
            "service": service, "sampled": sampled, "missing": missing, "canaries": canaries,
            "confidence_per_mille": confidence,
        }),
        Act::Agreed {
            grant,
            reader,
            terms,
            acceptance,
        } => json!({
            "grant": grant.to_string(), "reader": reader.to_string(),
            "reader_name": names.person(reader), "terms_sha256": hex(terms),
            "acceptance_sha256": hex(acceptance),
        }),
        Act::Released(asked) => asked_json(names, asked),
        Act::Denied { asked, reason } => {
            let mut value = asked_json(names, asked);
            value["reason"] = json!(reason);
            value
        }
        Act::Receipted {
            release,
            reader,
            receipt,
            opened,
        } => json!({
            "release": release, "reader": reader.to_string(), "reader_name": names.person(reader),
            "receipt_sha256": hex(receipt), "opened": opened,
        }),
        Act::AgentAdded {
            grant,
            agent,
            opens,
            until,
        } => json!({
            "grant": grant.to_string(), "agent": agent.to_string(),
            "agent_name": names.person(agent), "opens": opens, "until": time::rfc3339(*until),
        }),
        Act::AgentRemoved { grant, agent } => json!({
            "grant": grant.to_string(), "agent": agent.to_string(),
            "agent_name": names.person(agent),
        }),
        Act::AgentReported {
            grant,
            agent,
            opens,
            closed,
        } => json!({
            "grant": grant.to_string(), "agent": agent.to_string(),
            "agent_name": names.person(agent), "opens": opens, "closed": closed,
        }),
        Act::DepositLimit { contact, bytes } => json!({
            "contact": contact.to_string(), "name": names.person(contact), "bytes": bytes,
        }),
        Act::Deposited {
            contact,
            deposit,
            bytes,
        } => json!({
            "contact": contact.to_string(), "name": names.person(contact),
            "deposit": deposit.to_string(), "bytes": bytes,
        }),
        Act::DepositAccepted {
            contact,
            deposit,
            count,
        } => json!({
            "contact": contact.to_string(), "name": names.person(contact),
            "deposit": deposit.to_string(), "count": count,
        }),
        Act::DepositDeclined { contact, deposit } => json!({
            "contact": contact.to_string(), "name": names.person(contact),
            "deposit": deposit.to_string(),
        }),
    }
}

/// A request; of a version that the vault does not have (any more), record and title are null.
fn asked_json(names: &Names, asked: &Asked) -> Value {
    let version = |version: &VersionId| {
        let title = names.version(version);
        json!({
            "version": version.to_string(),
            "record": title.map(|title| title.record.to_string()),
            "title": title.map(|title| &title.title),
        })
    };
    json!({
        "vault": asked.vault.map(|vault| vault.to_string()),
        "grant": asked.grant.to_string(),
        "reader": asked.reader.to_string(),
        "reader_name": names.person(&asked.reader),
        "versions": asked.versions.iter().map(version).collect::<Vec<_>>(),
        "purpose": asked.purpose,
        "request_sha256": show::hex(asked.request.as_bytes()),
        "via": asked.via.as_ref().map(|via| json!({
            "agent": via.agent.to_string(),
            "agent_name": names.person(&via.agent),
            "index": via.index,
            "time": time::rfc3339(via.time),
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use vault_app::statement::events;

    #[test]
    fn every_field_of_every_act_is_there() {
        let entries = samples::entries();
        let names = samples::names();
        for event in events(&entries, true) {
            let value = event_json(&names, &event);
            // what the log itself keeps, field by field
            let kept = serde_json::to_value(&event.entry.act).unwrap();
            let kept = kept.as_object().unwrap().values().next().unwrap();
            let mut fields: Vec<_> = kept.as_object().unwrap().keys().cloned().collect();
            if let Some(asked) = kept.get("asked") {
                fields.retain(|field| field != "asked");
                fields.extend(asked.as_object().unwrap().keys().cloned());
            }
            for field in fields {
                let forms = [
                    field.clone(),
                    format!("{field}_sha256"),
                    format!("{field}_per_mille"),
                ];
                assert!(
                    forms.iter().any(|form| value.get(form).is_some()),
                    "{field} of {}",
                    event.entry.act.name()
                );
            }
            assert_eq!(value["time"], "2026-03-01T10:00:00Z");
            assert_eq!(value["act"], event.entry.act.name());
        }
    }

    #[test]
    fn a_release_holds_its_receipt() {
        let entries = samples::entries();
        let names = samples::names();
        let told = events(&entries, false);
        let release = event_json(&names, &told[16]);
        assert_eq!(release["outcome"], "opened");
        assert_eq!(release["receipted"]["index"], 18);
        assert_eq!(release["receipted"]["opened"], true);
        assert_eq!(release["reader"], samples::person(1).to_string());
        assert_eq!(release["via"]["agent_name"], "Box");
        assert_eq!(release["via"]["time"], "2026-03-01T09:00:00Z");
        assert_eq!(
            release["versions"][0],
            json!({
                "version": samples::version(1).to_string(),
                "record": samples::record(1).to_string(),
                "title": "Glucose",
            })
        );
        assert_eq!(release["versions"][2]["record"], Value::Null);
        let denial = event_json(&names, &told[17]);
        assert_eq!(denial["outcome"], "refused");
        assert_eq!(denial["reason"], "no-opens-left");
        assert_eq!(denial["purpose"], "TREAT");
        let alone = &events(&entries, true)[16];
        assert_eq!(event_json(&names, alone).get("receipted"), None);
    }
}
