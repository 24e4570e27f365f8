//! An entry as an AuditEvent.

use serde_json::{Value, json};
use vault_core::{Act, Asked, AuditEntry, PublicKey, RevokeLevel};

use super::{ACT, DEPOSIT, DEVICE, LOG_ENTRY, PINNER, Trail, VERSION, VERSIONS, kind};
use crate::consent::{ACT_REASON, GRANT, PARTICIPATION, RECORD, TERMS, coded, hex, logical};
use crate::{Moment, purpose_name};

const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const LIFECYCLE: &str = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const ENTITY_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const SOURCE_TYPE: &str = "http://terminology.hl7.org/CodeSystem/security-source-type";

/// What is told of an act besides its codes.
#[derive(Default)]
struct Facts {
    /// Who took part, besides the patient: role and person. One of them asked when `asked` is set.
    people: Vec<(Role, PublicKey)>,
    asked: bool,
    entities: Vec<Value>,
    /// Details of the log entry: name and value.
    details: Vec<(&'static str, String)>,
    /// Why it did not work out.
    failure: Option<String>,
}

#[derive(Clone, Copy)]
enum Role {
    Reader,
    Agent,
    Contact,
}

impl Role {
    fn coding(self) -> Value {
        match self {
            Self::Reader => coded(PARTICIPATION, "IRCP", "information recipient"),
            Self::Agent => coded(
                "http://terminology.hl7.org/CodeSystem/v3-RoleClass",
                "AGNT",
                "agent",
            ),
            Self::Contact => coded(PARTICIPATION, "INF", "informant"),
        }
    }
}

impl Facts {
    fn person(mut self, role: Role, key: &PublicKey) -> Self {
        self.people.push((role, *key));
        self
    }

    fn people(mut self, role: Role, keys: &[PublicKey]) -> Self {
        self.people.extend(keys.iter().map(|key| (role, *key)));
        self
    }

    fn entity(mut self, what: Value, role: (&str, &str)) -> Self {
        self.entities.push(entity(what, role));
        self
    }

    fn grant(self, grant: &impl ToString) -> Self {
        let what = logical(GRANT, &grant.to_string(), None);
        self.entity(what, ("13", "Security Resource"))
    }

    fn record(self, system: &str, id: &impl ToString) -> Self {
        let what = logical(system, &id.to_string(), None);
        self.entity(what, ("4", "Domain Resource"))
    }

    fn detail(mut self, name: &'static str, value: impl ToString) -> Self {
        self.details.push((name, value.to_string()));
        self
    }

    fn failed(mut self, failed: bool, why: &str) -> Self {
        self.failure = failed.then(|| vault_core::record::clean_title(why));
        self
    }
}

/// An entity that is a thing of the system.
fn entity(what: Value, (role, name): (&str, &str)) -> Value {
    json!({
        "what": what,
        "type": coded(ENTITY_TYPE, "2", "System Object"),
        "role": coded(ENTITY_ROLE, role, name),
    })
}

impl Trail<'_> {
    /// The AuditEvent of an entry.
    pub(super) fn event(&self, entry: &AuditEntry) -> Value {
        let kind = kind::of(&entry.act);
        let facts = self.facts(&entry.act);
        let asked = match &entry.act {
            Act::Released(asked) | Act::Denied { asked, .. } => Some(asked),
            _ => None,
        };
        let change = kind.change.map(|(code, name)| coded(DCM, code, name));
        let lifecycle = (kind.lifecycle).map(|code| {
            let name = kind::lifecycle_name(code);
            coded(LIFECYCLE, code, name)
        });
        let mut subtypes: Vec<Value> = change.into_iter().chain(lifecycle).collect();
        subtypes.push(json!({"system": ACT, "code": entry.act.name()}));
        let mut event = json!({
            "resourceType": "AuditEvent",
            "id": self.id("a", entry.index),
            "type": coded(DCM, kind.event.0, kind.event.1),
            "subtype": subtypes,
            "action": kind.action,
            "recorded": Moment(entry.time).instant(),
            "outcome": if facts.failure.is_some() { "4" } else { "0" },
            "agent": self.agents(&facts, asked),
            "source": {
                "observer": logical(DEVICE, &entry.device.to_string(), Some("device of the patient")),
                "type": [coded(SOURCE_TYPE, "4", "Application Server")],
            },
        });
        if let Some(why) = facts.failure.as_ref().filter(|why| !why.is_empty()) {
            event["outcomeDesc"] = json!(why);
        }
        if let Some(purpose) = asked.and_then(|asked| asked.purpose.as_ref()) {
            let text = purpose.to_string();
            event["purposeOfEvent"] = json!([match purpose_name(&text) {
                Some(name) => json!({"coding": [coded(ACT_REASON, &text, name)]}),
                None => json!({"text": text}),
            }]);
        }
        if let Some(via) = asked.and_then(|asked| asked.via.as_ref()) {
            // the agent answered then; this log learned of it later
            let when = Moment(via.time).instant();
            event["period"] = json!({"start": when, "end": when});
        }
        event["entity"] = json!(self.entities(entry, facts, asked));
        event
    }

    fn agents(&self, facts: &Facts, asked: Option<&Asked>) -> Vec<Value> {
        let custodian = coded(PARTICIPATION, "CST", "custodian");
        let mut agents = vec![json!({
            "role": [{"coding": [custodian]}],
            "who": self.patient(asked.and_then(|asked| asked.vault)),
            "requestor": !facts.asked,
        })];
        agents.extend(facts.people.iter().map(|(role, key)| {
            json!({
                "role": [{"coding": [role.coding()]}],
                "who": self.person(key),
                "requestor": facts.asked && !matches!(role, Role::Agent),
            })
        }));
        agents
    }

    /// The log entry itself, the patient, and what the act was about.
    fn entities(&self, entry: &AuditEntry, facts: Facts, asked: Option<&Asked>) -> Vec<Value> {
        let place = logical(LOG_ENTRY, &self.place(entry.index), None);
        let mut log = entity(place, ("13", "Security Resource"));
        let index = ("index", entry.index.to_string());
        let details = std::iter::once(index).chain(facts.details);
        let details: Vec<Value> = details
            .map(|(name, value)| json!({"type": name, "valueString": value}))
            .collect();
        log["detail"] = json!(details);
        let patient = json!({
            "what": self.patient(asked.and_then(|asked| asked.vault)),
            "type": coded(ENTITY_TYPE, "1", "Person"),
            "role": coded(ENTITY_ROLE, "1", "Patient"),
        });
        let mut entities = vec![log, patient];
        entities.extend(facts.entities);
        entities
    }

    fn facts(&self, act: &Act) -> Facts {
        let facts = Facts::default();
        match act {
            Act::VaultCreated { serial } => facts.detail("serial", serial),
            Act::VaultRecovered { serial, from_seq } => {
                facts.detail("serial", serial).detail("from-head", from_seq)
            }
            Act::ContactAdded { contact, .. } | Act::ContactVerified { contact } => {
                facts.person(Role::Contact, contact)
            }
            Act::Published { count, versions } => facts
                .record(VERSIONS, &hex(versions.as_bytes()))
                .detail("versions", count),
            Act::Removed { records } => {
                (records.iter()).fold(facts, |facts, record| facts.record(RECORD, record))
            }
            Act::Granted {
                grant,
                readers,
                terms,
                count,
            } => facts
                .people(Role::Reader, readers)
                .grant(grant)
                .record(TERMS, &hex(terms.as_bytes()))
                .detail("versions", count),
            Act::Joined { grant, count } => facts.grant(grant).detail("versions", count),
            Act::Revoked {
                grant,
                readers,
                level,
            } => facts
                .people(Role::Reader, readers)
                .grant(grant)
                .detail("level", level_name(*level)),
            Act::Expired { grant } => facts.grant(grant),
            Act::Rekeyed { grant, count, done } => facts
                .grant(grant)
                .detail("versions", count)
                .detail("done", done),
            Act::Receipt { grant, receipt } => facts
                .grant(grant)
                .detail("receipt-sha256", hex(receipt.as_bytes())),
            Act::Pinned { service, endpoint } => pinner(facts, service).detail(
                "endpoint",
                Some(vault_core::record::clean_title(endpoint))
                    .filter(|text| !text.is_empty())
                    .unwrap_or_else(|| "unknown".to_owned()),
            ),
            Act::Unpinned { service, confirmed } => {
                pinner(facts, service).failed(!confirmed, "the service did not confirm")
            }
            Act::PinVerified {
                service,
                sampled,
                missing,
                canaries,
                confidence,
            } => pinner(facts, service)
                .detail("sampled", sampled)
                .detail("missing", missing)
                .detail("canaries", canaries)
                .detail("confidence-thousandths", confidence)
                .failed(*missing > 0, "blocks are missing"),
            Act::Agreed {
                grant,
                reader,
                terms,
                acceptance,
            } => facts
                .person(Role::Reader, reader)
                .grant(grant)
                .record(TERMS, &hex(terms.as_bytes()))
                .detail("acceptance-sha256", hex(acceptance.as_bytes())),
            Act::Released(asked) => self.asked(asked),
            Act::Denied { asked, reason } => self.asked(asked).failed(true, reason),
            Act::Receipted {
                release,
                reader,
                receipt,
                opened,
            } => facts
                .person(Role::Reader, reader)
                .record(LOG_ENTRY, &self.place(*release))
                .detail("receipt-sha256", hex(receipt.as_bytes()))
                .failed(!opened, "the reader says that not everything opened"),
            Act::AgentAdded {
                grant,
                agent,
                opens,
                until,
            } => {
                let limit = opens.map_or_else(|| "unlimited".to_owned(), |n| n.to_string());
                facts
                    .person(Role::Agent, agent)
                    .grant(grant)
                    .detail("opens", limit)
                    .detail("until", Moment(*until).instant())
            }
            Act::AgentRemoved { grant, agent } => facts.person(Role::Agent, agent).grant(grant),
            Act::AgentReported {
                grant,
                agent,
                opens,
                closed,
            } => facts
                .person(Role::Agent, agent)
                .grant(grant)
                .detail("opens", opens)
                .detail("closed", closed),
            Act::DepositLimit { contact, bytes } => {
                facts.person(Role::Contact, contact).detail("bytes", bytes)
            }
            Act::Deposited {
                contact,
                deposit,
                bytes,
            } => {
                let mut facts = facts
                    .person(Role::Contact, contact)
                    .record(DEPOSIT, deposit)
                    .detail("bytes", bytes);
                facts.asked = true;
                facts
            }
            Act::DepositAccepted {
                contact,
                deposit,
                count,
            } => facts
                .person(Role::Contact, contact)
                .record(DEPOSIT, deposit)
                .detail("versions", count),
            Act::DepositDeclined { contact, deposit } => facts
                .person(Role::Contact, contact)
                .record(DEPOSIT, deposit),
        }
    }

    /// A request: who asked, through whom, and for which records.
    fn asked(&self, asked: &Asked) -> Facts {
        let mut facts = Facts {
            asked: true,
            ..Facts::default()
        };
        facts = facts
            .person(Role::Reader, &asked.reader)
            .grant(&asked.grant);
        for version in &asked.versions {
            facts = match self.records.and_then(|records| records(version)) {
                Some(record) => {
                    let what = logical(RECORD, &record.to_string(), None);
                    let mut entity = entity(what, ("4", "Domain Resource"));
                    let version = version.to_string();
                    entity["detail"] = json!([{"type": "version", "valueString": version}]);
                    facts.entities.push(entity);
                    facts
                }
                None => facts.record(VERSION, version),
            };
        }
        facts = facts.detail("request-sha256", hex(asked.request.as_bytes()));
        if let Some(via) = &asked.via {
            facts = facts
                .person(Role::Agent, &via.agent)
                .detail("agent-index", via.index);
        }
        facts
    }
}

fn pinner(facts: Facts, service: &str) -> Facts {
    let name = match vault_core::record::clean_title(service) {
        name if name.is_empty() => "unknown".to_owned(),
        name => name,
    };
    let what = logical(PINNER, &name, None);
    facts.entity(what, ("20", "Data Destination"))
}

fn level_name(level: RevokeLevel) -> &'static str {
    match level {
        RevokeLevel::Stop => "stop",
        RevokeLevel::Rekey => "rekey",
    }
}
