//! Allergies and intolerances.
//!
//! Source: C-CDA R2.1, Allergy Concern Act and Allergy - Intolerance Observation; FHIR R4, resource
//! AllergyIntolerance.

use serde_json::{Map, Value, json};

use super::problems::{Course, course};
use super::reader::{Coded, Node, child, children, fixed, follows, is_null, path, put, put_list};
use super::time::{Interval, date_time};
use super::work::{Claim, Status, Work, status};
use crate::fhir;

const OBSERVATION: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.7",
    "2.16.840.1.113883.10.20.1.18",
];
const SEVERITY: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.8",
    "2.16.840.1.113883.10.20.1.55",
];
const REACTION: &[&str] = &["2.16.840.1.113883.10.20.22.4.9"];
/// What a denial says that names a class of allergies and no substance.
struct Denial {
    class: &'static [&'static str],
    /// Words for any substance of the class.
    generic: &'static [&'static str],
    /// Code and display of what is said.
    says: (&'static str, &'static str),
}

const DENIALS: &[Denial] = &[
    // allergic disposition, allergy to substance, propensity to adverse reactions (to substance)
    Denial {
        class: &["106190000", "419199007", "420134006", "418038007"],
        generic: &[],
        says: NO_ALLERGY,
    },
    // allergy to drug
    Denial {
        class: &["416098002"],
        generic: &["410942007", "373873005"],
        says: ("409137002", "No known drug allergy"),
    },
    // allergy to food
    Denial {
        class: &["414285001"],
        generic: &["255620007", "762766007"],
        says: ("429625007", "No known food allergy"),
    },
];
/// Kinds of allergy, which say nothing about the substance.
const KINDS: &[&str] = &[
    "106190000",
    "419199007",
    "420134006",
    "418038007",
    "419511003",
    "418471000",
    "416098002",
    "414285001",
    "59037007",
    "235719002",
    "232347008",
    "281647001",
    "609328004",
];
/// "Substance", which names none.
const ANY_SUBSTANCE: &[&str] = &["105590001"];
const NO_ALLERGY: (&str, &str) = ("716186003", "No known allergy");
/// No known allergy, today and as SNOMED CT had it before.
const NO_KNOWN_ALLERGY: &[&str] = &["716186003", "160244002"];

/// Derives AllergyIntolerance from a concern act or an observation.
pub(super) fn derive<'a>(work: &mut Work<'a>, node: Node<'a>) {
    if node.tag_name().name() == "observation" {
        return observation(work, node, Status::Unsaid);
    }
    if !work.is_open(node) {
        return;
    }
    let observations = work.related(node, "observation");
    let known = observations
        .iter()
        .any(|inner| follows(*inner, OBSERVATION));
    for inner in observations {
        if follows(inner, OBSERVATION) || !known && child(inner, "participant").is_some() {
            observation(work, inner, status(node));
        }
    }
}

fn observation<'a>(work: &mut Work<'a>, node: Node<'a>, concern: Status) {
    let Some(claim) = work.claim(node) else {
        return;
    };
    if status(node) == Status::Cancelled {
        return work.report("left out: an allergy entry that was cancelled");
    }
    let kind = work.anchors.coded(child(node, "value"));
    let kind = kind.unwrap_or_default();
    let entities: Vec<Node<'a>> = children(node, "participant")
        .filter_map(|participant| path(participant, &["participantRole", "playingEntity"]))
        .collect();
    let specific = |work: &Work<'a>, entity: Node<'a>| {
        let substance = substance(work, entity, node);
        let generic = substance
            .as_ref()
            .is_some_and(|code| code.is_any(ANY_SUBSTANCE));
        !generic && (substance.is_some_and(|code| code.is_known()) || named(entity).is_some())
    };
    let any_specific = entities.iter().any(|entity| specific(work, *entity));
    if claim == Claim::Denied {
        let denial = DENIALS
            .iter()
            .find(|denial| kind.is_known() && kind.is_any(denial.class));
        let denial = denial.filter(|denial| {
            entities.iter().all(|entity| {
                let code = substance(work, *entity, node);
                !specific(work, *entity) || code.is_some_and(|code| code.is_any(denial.generic))
            })
        });
        match denial {
            Some(denial) => no_known_allergy(work, node, denial.says),
            None => work.report("left out: an allergy is denied, and FHIR has no way to say which"),
        }
        return;
    }
    if kind.is_any(NO_KNOWN_ALLERGY) {
        if any_specific {
            work.report("left out: an allergy entry that contradicts itself");
        } else {
            no_known_allergy(work, node, NO_ALLERGY);
        }
        return;
    }
    let mut found = false;
    for entity in entities {
        if !specific(work, entity) {
            continue;
        }
        let code = substance(work, entity, node).filter(Coded::is_known);
        let concept = match code {
            Some(code) if code.is_any(NO_KNOWN_ALLERGY) => {
                no_known_allergy(work, node, NO_ALLERGY);
                found = true;
                continue;
            }
            Some(code) => code.concept(),
            None => fhir::concept(Vec::new(), named(entity).as_deref()),
        };
        found = true;
        allergy(work, node, concern, &kind, concept);
    }
    if !found {
        // some name the allergy itself, with the substance in it
        if kind.is_known() && !kind.is_any(KINDS) && !kind.codings.is_empty() {
            let concept = work
                .coded(child(node, "value"), node)
                .and_then(|code| code.concept());
            allergy(work, node, concern, &kind, concept);
        } else {
            work.report("left out: an allergy entry whose substance is not known");
        }
    }
}

/// The code of a substance; where no code fits, its words or its name.
fn substance<'a>(work: &Work<'a>, entity: Node<'a>, entry: Node<'a>) -> Option<Coded<'a>> {
    let code = work.coded(child(entity, "code"), entry)?;
    Some(code.or_name(child(entity, "name")))
}

/// The name of a substance that has no code; one whose code is null is not known.
fn named(entity: Node<'_>) -> Option<String> {
    if child(entity, "code").is_some() {
        return None;
    }
    let name = child(entity, "name").filter(|name| !is_null(*name))?;
    super::reader::text(name)
}

fn clinical<'a>(work: &mut Work<'a>, node: Node<'a>, concern: Status, when: &Interval) -> Value {
    let (code, display) = match course(work, node, concern, when, true) {
        Some(Course::Resolved) => ("resolved", "Resolved"),
        Some(Course::Inactive | Course::Remission) => ("inactive", "Inactive"),
        // what is not known to be over counts
        Some(Course::Active | Course::Recurrence) | None => ("active", "Active"),
    };
    fixed("allergyintolerance-clinical", code, display)
}

fn no_known_allergy<'a>(work: &mut Work<'a>, node: Node<'a>, what: (&str, &str)) {
    let mut resource = work.begin(node, "patient");
    let (code, display) = what;
    let codings = fhir::coding(Some("http://snomed.info/sct"), code, Some(display));
    let code = fhir::concept(codings.into_iter().collect(), Some(display));
    put(&mut resource, "code", code);
    resource.insert(
        "clinicalStatus".into(),
        fixed("allergyintolerance-clinical", "active", "Active"),
    );
    work.put_recorded(&mut resource, node, "recordedDate");
    work.add("AllergyIntolerance", resource);
}

fn allergy<'a>(
    work: &mut Work<'a>,
    node: Node<'a>,
    concern: Status,
    kind: &Coded<'a>,
    code: Option<Value>,
) {
    let mut resource = work.begin(node, "patient");
    put(&mut resource, "code", code);
    let when = Interval::of(child(node, "effectiveTime"));
    let clinical = clinical(work, node, concern, &when);
    resource.insert("clinicalStatus".into(), clinical);
    if let Some(start) = when.start() {
        resource.insert("onsetDateTime".into(), json!(date_time(start)));
    }
    work.put_recorded(&mut resource, node, "recordedDate");
    if kind.is_any(&["59037007", "235719002"]) {
        resource.insert("type".into(), json!("intolerance"));
    } else if kind.is_any(&["416098002", "414285001", "419199007"]) {
        resource.insert("type".into(), json!("allergy"));
    }
    if kind.is_any(&["416098002", "419511003", "59037007"]) {
        resource.insert("category".into(), json!(["medication"]));
    } else if kind.is_any(&["414285001", "418471000", "235719002"]) {
        resource.insert("category".into(), json!(["food"]));
    }
    let mut reactions = Vec::new();
    let mut severities = Vec::new();
    for inner in work.related(node, "observation") {
        if work.claim(inner) != Some(Claim::Stated) {
            continue;
        }
        let asked = work.anchors.coded(child(inner, "code")).unwrap_or_default();
        if asked.is_any(&["82606-5"]) {
            let value = work.anchors.coded(child(inner, "value"));
            put(
                &mut resource,
                "criticality",
                value.and_then(|value| criticality(&value)),
            );
        } else if asked.is_any(&["SEV"]) || follows(inner, SEVERITY) {
            let value = work.anchors.coded(child(inner, "value"));
            severities.extend(value.and_then(|value| severity(&value)));
        } else if follows(inner, REACTION) || is_manifestation(inner) {
            reactions.extend(reaction(work, inner));
        }
    }
    put_severity(&mut resource, &mut reactions, severities);
    put_list(&mut resource, "reaction", reactions);
    work.add("AllergyIntolerance", resource);
}

/// Puts the severity that is said of the allergy as a whole, as C-CDA R1.1 has it: on its only
/// reaction, else as how dangerous it is; the worst of several. What is said already stays.
fn put_severity(
    resource: &mut Map<String, Value>,
    reactions: &mut [Value],
    mut said: Vec<&'static str>,
) {
    said.sort_by_key(|word| {
        ["mild", "moderate", "severe"]
            .iter()
            .position(|w| w == word)
    });
    let Some(worst) = said.pop() else {
        return;
    };
    if let [Value::Object(reaction)] = reactions {
        match reaction.get("severity") {
            None => {
                reaction.insert("severity".into(), json!(worst));
                return;
            }
            Some(own) if own == worst => return,
            Some(_) => {}
        }
    }
    let criticality = if worst == "severe" { "high" } else { "low" };
    resource
        .entry("criticality")
        .or_insert_with(|| json!(criticality));
}

fn is_manifestation(node: Node<'_>) -> bool {
    node.parent()
        .and_then(|relation| super::reader::attr(relation, "typeCode"))
        == Some("MFST")
}

fn criticality(value: &Coded<'_>) -> Option<Value> {
    let word = if value.is_any(&["CRITL"]) {
        "low"
    } else if value.is_any(&["CRITH"]) {
        "high"
    } else if value.is_any(&["CRITU"]) {
        "unable-to-assess"
    } else {
        return None;
    };
    Some(json!(word))
}

fn reaction<'a>(work: &mut Work<'a>, node: Node<'a>) -> Option<Value> {
    let manifestation = work.coded(child(node, "value"), node)?.concept()?;
    let mut reaction = Map::new();
    reaction.insert("manifestation".into(), json!([manifestation]));
    if let Some(start) = Interval::of(child(node, "effectiveTime")).start() {
        reaction.insert("onset".into(), json!(date_time(start)));
    }
    for inner in work.related(node, "observation") {
        let is_severity = work
            .anchors
            .coded(child(inner, "code"))
            .is_some_and(|code| code.is_any(&["SEV"]));
        if is_severity && work.claim(inner) == Some(Claim::Stated) {
            let value = work.anchors.coded(child(inner, "value"));
            put(
                &mut reaction,
                "severity",
                value.and_then(|value| severity(&value)).map(Value::from),
            );
        }
    }
    Some(Value::Object(reaction))
}

fn severity(value: &Coded<'_>) -> Option<&'static str> {
    if value.is_any(&["255604002"]) {
        Some("mild")
    } else if value.is_any(&["6736007", "371923003"]) {
        Some("moderate")
    } else if value.is_any(&["24484000", "371924009", "399166001"]) {
        Some("severe")
    } else {
        None
    }
}
