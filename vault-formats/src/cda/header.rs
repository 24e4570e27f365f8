//! The header of a document: what it is, who wrote it, whom it is about.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use vault_core::record::{MAX_CODES, clean_field, clean_title};
use vault_core::{Category, ClinicalDate, Code, Kind, Label, RecordMeta};

use super::names::{given_and_family, human_name, put_contacts, shown, who};
use super::reader::{
    Anchors, Node, attr, child, children, identifiers, is_null, path, put, put_list, text,
};
use super::time::{date_time, time};
use crate::Person;

/// The namespace of the extensions to CDA R2.
const SDTC: &str = "urn:hl7-org:sdtc";

/// The label that a confidentialityCode stands for. Unclear means sensitive: one whose code is not
/// known is [`Label::unclear`], as in the core's own scan of such documents.
pub(super) fn label(confidentiality: Node<'_>) -> Label {
    let code = attr(confidentiality, "code").and_then(|code| Label::new(code).ok());
    code.unwrap_or_else(Label::unclear)
}

/// The labels of the document and of every part of it.
pub(super) fn all_labels(document: Node<'_>) -> BTreeSet<Label> {
    let codes = document.descendants();
    codes
        .filter(|node| node.tag_name().name() == "confidentialityCode")
        .map(label)
        .collect()
}

/// The labels that an element itself has.
pub(super) fn own_labels(node: Node<'_>) -> BTreeSet<Label> {
    children(node, "confidentialityCode").map(label).collect()
}

/// The summary of the document; `name` is the file's, for one that says nothing of itself.
pub(super) fn summary(document: Node<'_>, name: &str) -> RecordMeta {
    let code = child(document, "code").filter(|code| !is_null(*code));
    let date = child(document, "effectiveTime").and_then(time);
    let title = child(document, "title")
        .filter(|title| !is_null(*title))
        .and_then(text);
    let title = title.or_else(|| {
        code.and_then(|code| attr(code, "displayName"))
            .map(str::to_owned)
    });
    RecordMeta {
        kind: Kind::document(),
        category: Category::Note,
        title: titled(title.as_deref(), date.as_ref(), name),
        date,
        labels: all_labels(document),
        media_type: "text/xml".into(),
        codes: codes(child(document, "code")),
        author: author(document),
        ..RecordMeta::default()
    }
}

/// A title with its day, so that documents of one kind can be told apart.
fn titled(title: Option<&str>, date: Option<&ClinicalDate>, name: &str) -> String {
    let title = title.map(clean_title).filter(|title| !title.is_empty());
    match (title, date) {
        (Some(title), Some(date)) => clean_title(&format!("{title}, {}", date.to_day())),
        (Some(title), None) => title,
        (None, _) => file_title(name),
    }
}

/// The title of a document that does not say its own: the file's name without its folders.
pub(super) fn file_title(name: &str) -> String {
    let name = clean_title(name.rsplit(['/', '\\']).next().unwrap_or(name));
    if name.is_empty() {
        "Document".into()
    } else {
        name
    }
}

fn codes(code: Option<Node<'_>>) -> BTreeSet<Code> {
    let Some(code) = code else {
        return BTreeSet::new();
    };
    let all = std::iter::once(code).chain(children(code, "translation"));
    let known = all.filter(|code| !is_null(*code));
    known
        .filter_map(|node| Code::from_coding(attr(node, "codeSystem"), attr(node, "code")?))
        .take(MAX_CODES)
        .collect()
}

/// The first author that has a name, else the custodian.
fn author(document: Node<'_>) -> Option<String> {
    let authors = children(document, "author");
    let named = authors
        .filter_map(|author| who(child(author, "assignedAuthor")?))
        .next();
    let custodian = || {
        let holder = [
            "custodian",
            "assignedCustodian",
            "representedCustodianOrganization",
            "name",
        ];
        path(document, &holder).and_then(shown)
    };
    named.or_else(custodian).map(|name| clean_field(&name))
}

/// How many people a document says it is about, named or not.
pub(super) fn count_targets(document: Node<'_>) -> usize {
    children(document, "recordTarget")
        .filter(|target| !is_null(*target))
        .count()
}

/// The patients that a document names, each with its role.
pub(super) fn patients(document: Node<'_>) -> Vec<(Node<'_>, Person)> {
    let targets = children(document, "recordTarget").filter(|target| !is_null(*target));
    let roles = targets.filter_map(|target| child(target, "patientRole"));
    roles
        .filter_map(|role| {
            let person = person(child(role, "patient").filter(|patient| !is_null(*patient))?);
            (!person.is_nobody()).then_some((role, person))
        })
        .take(16)
        .collect()
}

fn person(patient: Node<'_>) -> Person {
    let mut person = Person::default();
    for name in children(patient, "name").take(8) {
        let (given, family) = given_and_family(name);
        person.given.extend(given);
        person.family.extend(family);
    }
    person.born = child(patient, "birthTime")
        .and_then(time)
        .map(|born| born.to_day());
    person
}

/// The Patient resource.
///
/// Source: FHIR R4, resource Patient, value set AdministrativeGender.
pub(super) fn patient_resource<'a>(role: Node<'a>, anchors: &Anchors<'a>) -> Map<String, Value> {
    let mut resource = Map::new();
    put_list(&mut resource, "identifier", identifiers(role));
    put_contacts(&mut resource, role);
    let Some(patient) = child(role, "patient") else {
        return resource;
    };
    let names = children(patient, "name").filter_map(human_name);
    put_list(&mut resource, "name", names.take(8).collect());
    let gender = anchors.coded(child(patient, "administrativeGenderCode"));
    let gender = gender.and_then(|gender| match gender.code_in("2.16.840.1.113883.5.1") {
        Some("M") => Some("male"),
        Some("F") => Some("female"),
        Some("UN") => Some("other"),
        _ => None,
    });
    put(&mut resource, "gender", gender.map(|gender| json!(gender)));
    let born = child(patient, "birthTime").and_then(time);
    put(
        &mut resource,
        "birthDate",
        born.map(|born| json!(born.to_day().as_str())),
    );
    put_death(&mut resource, patient);
    let married = anchors.coded(child(patient, "maritalStatusCode"));
    put(
        &mut resource,
        "maritalStatus",
        married.and_then(|code| code.concept()),
    );
    resource
}

/// Writes that the patient died, as the extensions of HL7's structured documents group say it; not
/// where the two contradict each other.
fn put_death(resource: &mut Map<String, Value>, patient: Node<'_>) {
    let said = |name: &str| {
        let mut inner = patient.children();
        inner.find(|node| node.has_tag_name((SDTC, name)) && !is_null(*node))
    };
    let is_dead = match said("deceasedInd").and_then(|node| attr(node, "value")) {
        Some("true" | "1") => Some(true),
        Some("false" | "0") => Some(false),
        _ => None,
    };
    match (is_dead, said("deceasedTime").and_then(time)) {
        (Some(false), Some(_)) | (None, None) => {}
        (_, Some(when)) => {
            resource.insert("deceasedDateTime".into(), json!(date_time(&when)));
        }
        (Some(is_dead), None) => {
            resource.insert("deceasedBoolean".into(), json!(is_dead));
        }
    }
}
