//! Where records came from, as a Provenance.

use serde_json::{Value, json};
use vault_core::{Act, AuditEntry};

use super::{DEPOSIT, DEVICE, LOG_ENTRY, Trail, VERSIONS};
use crate::Moment;
use crate::consent::{coded, hex, identifier, logical};

const PARTICIPANT: &str = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
const OPERATION: &str = "http://terminology.hl7.org/CodeSystem/v3-DataOperation";

impl Trail<'_> {
    /// The Provenance of what an entry brought into the vault; `None` for all other entries. The log
    /// knows the versions of a publication only by their number and the hash over their ids.
    pub(super) fn provenance(&self, entry: &AuditEntry) -> Option<Value> {
        let (target, author, source) = match &entry.act {
            Act::Published { count, versions } => {
                let display = format!("{count} versions of records");
                let hash = hex(versions.as_bytes());
                let target = logical(VERSIONS, &hash, Some(&display));
                (target, None, None)
            }
            Act::DepositAccepted {
                contact,
                deposit,
                count,
            } => {
                let display = format!("{count} versions of records from a deposit");
                let deposit = deposit.to_string();
                let target = logical(DEPOSIT, &deposit, Some(&display));
                let source = logical(DEPOSIT, &deposit, None);
                (target, Some(self.person(contact)), Some(source))
            }
            _ => return None,
        };
        let agent = |code: &str, name: &str, who: Value| json!({"type": {"coding": [coded(PARTICIPANT, code, name)]}, "who": who});
        let mut agents = Vec::new();
        agents.extend(author.map(|who| agent("author", "Author", who)));
        agents.push(agent("custodian", "Custodian", self.patient(None)));
        let device = entry.device.to_string();
        let device = logical(DEVICE, &device, Some("device of the patient"));
        agents.push(agent("enterer", "Enterer", device));
        let place = identifier(LOG_ENTRY, &self.place(entry.index));
        let mut provenance = json!({
            "resourceType": "Provenance",
            "id": self.id("p", entry.index),
            "target": [target],
            "recorded": Moment(entry.time).instant(),
            "activity": {"coding": [coded(OPERATION, "CREATE", "create")]},
            "agent": agents,
            // neither resource has an element for the other
            "extension": [{"url": LOG_ENTRY, "valueIdentifier": place}],
        });
        if let Some(what) = source {
            provenance["entity"] = json!([{"role": "source", "what": what}]);
        }
        Some(provenance)
    }
}
