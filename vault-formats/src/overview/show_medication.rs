//! Pages of medicines and vaccinations.

use serde_json::Value;

use super::dosage::dosage;
use super::page::Page;
use super::read::{any, items, string};
use super::reference::{UNCERTAIN, drug_element};
use super::text::clean_line;

/// MedicationRequest and its predecessors, MedicationStatement, MedicationDispense,
/// MedicationAdministration.
pub(super) fn medication(page: &mut Page<'_>) {
    let root = page.root;
    page.field("Drug", Some(drug_words(root)));
    let doses = ["dosageInstruction", "dosage"];
    for given in doses.iter().flat_map(|key| items(root, key)) {
        page.field("Dosage", dosage(root, given));
    }
    if let Some(text) = string(root, "renderedDosageInstruction") {
        page.long("Dosage", text);
    }
    page.code("Status", "status");
    page.code("Intent", "intent");
    page.fields(&[
        ("Prescribed", "authoredOn"),
        ("Prescribed", "dateWritten"),
        ("Taken", "effective"),
        ("Given", "occurence"),
        ("Handed over", "whenHandedOver"),
        ("Prepared", "whenPrepared"),
        ("Stated", "dateAsserted"),
    ]);
    let requester = root
        .get("requester")
        .map(|requester| match requester.get("agent") {
            Some(agent) => agent,
            None => requester,
        });
    let requester = requester.and_then(|by| super::read::reference(root, by));
    page.field("Prescribed by", requester);
    page.fields(&[
        ("Prescribed by", "prescriber"),
        ("According to", "informationSource"),
        ("Reason", "reason"),
        ("Reason", "reasonCode"),
        ("Reason", "reasonReference"),
        ("Reason", "reasonForUse"),
        ("Quantity", "quantity"),
        ("Days of supply", "daysSupply"),
        ("Category", "category"),
    ]);
    let performers: Vec<String> = items(root, "performer")
        .iter()
        .filter_map(|by| any(root, by, "actor").or_else(|| super::read::reference(root, by)))
        .collect();
    page.field("By", Some(performers.join("; ")));
    if let Some(supply) = root.get("dispenseRequest") {
        page.field("Quantity", any(root, supply, "quantity"));
        page.field(
            "Repeats allowed",
            any(root, supply, "numberOfRepeatsAllowed"),
        );
        page.field("Lasts", any(root, supply, "expectedSupplyDuration"));
        page.field("Prescription valid", any(root, supply, "validityPeriod"));
    }
    let substitution = root.get("substitution");
    if let Some(Value::Bool(allowed)) = substitution.and_then(|s| super::read::choice(s, "allowed"))
    {
        page.field(
            "Substitution",
            Some(if *allowed { "allowed" } else { "not allowed" }.into()),
        );
    }
}

/// The drug, as far as the record itself says: where a reference leads is not known here.
fn drug_words(root: &Value) -> String {
    let certain = drug_element(root).filter(|drug| {
        let reference = string(drug, "reference");
        string(drug, "display").is_some() || reference.is_none_or(|to| to.starts_with('#'))
    });
    certain
        .and_then(|drug| super::read::words(root, drug))
        .unwrap_or_else(|| UNCERTAIN.to_owned())
}

/// Immunization of any release.
pub(super) fn immunization(page: &mut Page<'_>) {
    let root = page.root;
    page.fields(&[
        ("Vaccine", "vaccineCode"),
        ("When", "occurrence"),
        ("When", "date"),
    ]);
    let protocols = items(root, "protocolApplied")
        .iter()
        .chain(items(root, "vaccinationProtocol"));
    for protocol in protocols {
        let dose =
            any(root, protocol, "doseNumber").or_else(|| any(root, protocol, "doseSequence"));
        let of = any(root, protocol, "seriesDoses");
        let dose = match (dose, of) {
            (Some(dose), Some(of)) => Some(format!("{dose} of {of}")),
            (dose, _) => dose,
        };
        page.field("Dose", dose);
        page.field("Series", any(root, protocol, "series"));
        page.field("Against", any(root, protocol, "targetDisease"));
    }
    if string(root, "status").is_some_and(|status| status != "completed") {
        page.code("Status", "status");
    }
    page.field("Amount", any(root, root, "doseQuantity"));
    page.field("Lot", string(root, "lotNumber").map(clean_line));
    page.fields(&[
        ("Expires", "expirationDate"),
        ("Manufacturer", "manufacturer"),
        ("Site", "site"),
        ("Route", "route"),
        ("Where", "location"),
    ]);
    let performers: Vec<String> = items(root, "performer")
        .iter()
        .chain(items(root, "practitioner"))
        .filter_map(|by| any(root, by, "actor").or_else(|| super::read::reference(root, by)))
        .collect();
    page.field("By", Some(performers.join("; ")));
    if root.get("primarySource") == Some(&Value::Bool(false)) {
        page.field("Source", Some("not from the one who gave it".into()));
    }
    for reaction in items(root, "reaction") {
        let what = any(root, reaction, "detail").or_else(|| any(root, reaction, "manifestation"));
        page.field("Reaction", what.or_else(|| any(root, reaction, "date")));
    }
}
