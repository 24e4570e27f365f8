//! Terms as a FHIR R4 Consent.
//!
//! The base rule is that nothing is shared. Each way in which a record can be selected is a permit
//! of its own, as the elements of one provision all have to hold; what is closed whatever else holds
//! is a deny inside each. The elements that bound a permit stand in it and in the provision around
//! it, for programs that read only one of them.

use serde_json::{Map, Value, json};
use vault_core::{ClinicalDate, Code, Condition, Delivery, Extent, Kind, Label, Purpose, Scope};

use super::names::{
    ACT_CODE, ACT_REASON, ACTION, ANY_CODE, CATEGORY, CONFIDENTIALITY, GRANT, KEY, KIND, LABEL,
    OWN_CODE, PARTICIPATION, RECORD, RESOURCE_TYPES, SCOPE, TERMS, VAULT, X_AGENT, X_CONDITION,
    X_DATA_PERIOD, X_DELIVERY, X_EXTENT, X_FROM, X_LABELS, X_MAY_DEPOSIT, X_OPENS, X_OPENS_PER_DAY,
    X_PURPOSE, X_SIGNED, coded, hex, identifier, logical,
};
use super::{Agreement, Reader, Status, narrative, time};
use crate::{Moment, purpose_name};

/// Renders terms as a Consent of FHIR R4. Reading it again with [`super::read`] gives the same terms.
///
/// Ends after the year 9999 are written as that year's. Conditions that this program does not know
/// are written by their name.
pub fn to_r4(agreement: &Agreement<'_>) -> Value {
    let terms = agreement.terms;
    let vault = terms.vault.to_string();
    let patient = logical(VAULT, &vault, Some(agreement.patient));
    let status = match agreement.status {
        Status::Offered => "proposed",
        Status::InForce => "active",
        Status::Ended => "inactive",
    };
    json!({
        "resourceType": "Consent",
        "id": format!("medvault-{}", terms.grant),
        "text": {"status": "generated", "div": narrative::div(agreement)},
        "extension": extensions(agreement, &patient),
        "identifier": [
            identifier(GRANT, &terms.grant.to_string()),
            identifier(TERMS, &hex(agreement.digest.as_bytes())),
        ],
        "status": status,
        "scope": {"coding": [coded(SCOPE, "patient-privacy", "Privacy Consent")]},
        "category": [{"coding": [coded("http://loinc.org", "59284-0", "Consent Document")]}],
        "patient": patient,
        "dateTime": Moment(terms.created).instant(),
        "performer": [patient],
        "policyRule": {
            "coding": [coded(ACT_CODE, "OPTOUTE", "opt-out with exceptions")],
            "text": "Nothing is shared except what the provisions permit.",
        },
        "provision": provision(agreement),
    })
}

/// What only adds to the Consent.
fn extensions(agreement: &Agreement<'_>, patient: &Value) -> Vec<Value> {
    let terms = agreement.terms;
    let delivery = match terms.delivery {
        Delivery::Carried => "carried",
        Delivery::OnRequest => "on-request",
    };
    let signed = |who: &Value, when: u64| {
        json!({"url": X_SIGNED, "extension": [
            {"url": "party", "valueReference": who},
            {"url": "date", "valueDateTime": Moment(when).instant()},
        ]})
    };
    let mut list = vec![
        json!({"url": X_DELIVERY, "valueCode": delivery}),
        json!({"url": X_MAY_DEPOSIT, "valueBoolean": terms.may_deposit}),
        signed(patient, agreement.signed),
    ];
    let readers = agreement.readers.iter();
    list.extend(readers.filter_map(|r| Some(signed(&reader(r), r.signed?))));
    let agents = terms.agents.iter();
    list.extend(
        agents.map(
            |key| json!({"url": X_AGENT, "valueIdentifier": identifier(KEY, &key.to_string())}),
        ),
    );
    list
}

fn reader(reader: &Reader) -> Value {
    logical(KEY, &reader.key.to_string(), Some(&reader.name))
}

/// The provision around the permits.
fn provision(agreement: &Agreement<'_>) -> Value {
    let bounds = bounds(agreement);
    let permits = permits(&agreement.terms.scope, &bounds);
    let mut provision = bounds;
    provision.insert("modifierExtension".into(), json!(modifiers(agreement)));
    provision.insert("provision".into(), json!(permits));
    provision.retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
    Value::Object(provision)
}

/// What bounds every permit.
fn bounds(agreement: &Agreement<'_>) -> Map<String, Value> {
    let terms = agreement.terms;
    let mut bounds = Map::new();
    let mut period = Map::new();
    if let Some(start) = start(agreement) {
        period.insert("start".into(), json!(start));
    }
    if let Some(expires) = terms.expires {
        period.insert("end".into(), json!(time::end(expires)));
    }
    if !period.is_empty() {
        bounds.insert("period".into(), Value::Object(period));
    }
    let actors: Vec<Value> = (agreement.readers.iter().enumerate())
        .map(|(index, one)| {
            let role = match index {
                0 => coded(PARTICIPATION, "PRCP", "primary information recipient"),
                _ => coded(PARTICIPATION, "IRCP", "information recipient"),
            };
            json!({"role": {"coding": [role]}, "reference": reader(one)})
        })
        .collect();
    if !actors.is_empty() {
        bounds.insert("actor".into(), json!(actors));
    }
    let access = coded(ACTION, "access", "Access");
    bounds.insert("action".into(), json!([{"coding": [access]}]));
    if let Some(purpose) = terms.purpose.as_ref().and_then(known_purpose) {
        bounds.insert("purpose".into(), json!([purpose]));
    }
    if !is_backwards(&terms.scope) {
        let mut dates = Map::new();
        let ends = [("start", &terms.scope.since), ("end", &terms.scope.until)];
        for (name, date) in ends {
            if let Some(date) = date {
                dates.insert(name.into(), json!(time::date_time(date)));
            }
        }
        if !dates.is_empty() {
            bounds.insert("dataPeriod".into(), Value::Object(dates));
        }
    }
    bounds
}

/// The time of the first key, where a Period can hold it: it must not start after its end.
fn start(agreement: &Agreement<'_>) -> Option<String> {
    let expires = agreement.terms.expires;
    agreement.terms.conditions.iter().find_map(|c| match c {
        Condition::From(from) if expires.is_none_or(|end| from < end) => time::start(from),
        _ => None,
    })
}

/// Whether the dates of a scope leave nothing between them, which no Period may say.
fn is_backwards(scope: &Scope) -> bool {
    let until = scope.until.as_ref();
    until.is_some_and(|until| !until.overlaps(scope.since.as_ref(), None))
}

fn known_purpose(purpose: &Purpose) -> Option<Value> {
    let code = purpose.to_string();
    Some(coded(ACT_REASON, &code, purpose_name(&code)?))
}

/// What narrows the permits and has no element in FHIR.
fn modifiers(agreement: &Agreement<'_>) -> Vec<Value> {
    let terms = agreement.terms;
    let count = |url: &str, number: u64| match i32::try_from(number) {
        Ok(number) => json!({"url": url, "valueUnsignedInt": number}),
        Err(_) => json!({"url": url, "valueString": number.to_string()}),
    };
    let mut list = Vec::new();
    for condition in terms.conditions.iter() {
        match condition {
            Condition::From(from) if start(agreement).is_none() => {
                list.push(json!({"url": X_FROM, "valueString": from.to_string()}));
            }
            Condition::From(_) => {}
            Condition::Opens(opens) => list.push(count(X_OPENS, opens)),
            Condition::OpensPerDay(opens) => list.push(count(X_OPENS_PER_DAY, opens)),
            Condition::Unknown(name) => {
                let name = Some(narrative::condition_name(&name));
                list.push(json!({"url": X_CONDITION, "valueString": name}));
            }
        }
    }
    if let Some(purpose) = &terms.purpose
        && known_purpose(purpose).is_none()
    {
        list.push(json!({"url": X_PURPOSE, "valueString": purpose.to_string()}));
    }
    if terms.extent == Extent::Snapshot {
        list.push(json!({"url": X_EXTENT, "valueCode": "snapshot"}));
    }
    if is_backwards(&terms.scope) {
        let end = |name: &str, date: &Option<ClinicalDate>| {
            let date = date.as_ref()?;
            Some(json!({"url": name, "valueString": date.as_str()}))
        };
        let ends = [
            end("since", &terms.scope.since),
            end("until", &terms.scope.until),
        ];
        let ends: Vec<Value> = ends.into_iter().flatten().collect();
        list.push(json!({"url": X_DATA_PERIOD, "extension": ends}));
    }
    list
}

/// One permit for each way to select records.
fn permits(scope: &Scope, bounds: &Map<String, Value>) -> Vec<Value> {
    let mut classes: Vec<Value> = scope.kinds.iter().map(kind).collect();
    let categories = scope.categories.iter();
    classes.extend(categories.map(|c| json!({"system": CATEGORY, "code": c.as_str()})));
    let codes: Vec<Value> = scope.codes.iter().map(code).collect();
    let records: Vec<Value> = (scope.records.iter())
        .map(|id| {
            let reference = logical(RECORD, &id.to_string(), None);
            json!({"meaning": "instance", "reference": reference})
        })
        .collect();
    let ways = [
        (scope.all, None),
        (!classes.is_empty(), Some(("class", classes))),
        (!codes.is_empty(), Some(("code", codes))),
        (!records.is_empty(), Some(("data", records))),
    ];
    let permit = |selector: Option<(&str, Vec<Value>)>| {
        let mut permit = bounds.clone();
        permit.insert("type".into(), json!("permit"));
        if !scope.with_labels.is_empty() {
            let labels: Vec<Value> = scope.with_labels.iter().map(label).collect();
            permit.insert("securityLabel".into(), json!(labels));
            let exact = json!([{"url": X_LABELS, "valueCode": "at-most"}]);
            permit.insert("modifierExtension".into(), exact);
        } else if selector.as_ref().is_none_or(|(name, _)| *name != "data") {
            // what is named by its id is open whatever its labels
            let normal = coded(CONFIDENTIALITY, "N", "normal");
            permit.insert("securityLabel".into(), json!([normal]));
        }
        if let Some((name, values)) = selector {
            permit.insert(name.to_owned(), json!(values));
        }
        let closed: Vec<Value> = (scope.without_labels.iter())
            .map(|closed| json!({"type": "deny", "securityLabel": [label(closed)]}))
            .collect();
        if !closed.is_empty() {
            permit.insert("provision".into(), json!(closed));
        }
        Value::Object(permit)
    };
    let ways = ways.into_iter().filter(|(there, _)| *there);
    ways.map(|(_, selector)| permit(selector)).collect()
}

fn kind(kind: &Kind) -> Value {
    let system = match *kind == Kind::document() {
        true => KIND,
        false => RESOURCE_TYPES,
    };
    json!({"system": system, "code": kind.as_str()})
}

fn code(code: &Code) -> Value {
    let system = code.system_uri();
    let own = code.as_str();
    let coding = match system {
        None => json!({"system": ANY_CODE, "code": code.code()}),
        Some(system) if Code::from_coding(Some(&system), code.code()).as_ref() == Some(code) => {
            json!({"system": system, "code": code.code()})
        }
        Some(_) => json!({"system": OWN_CODE, "code": own}),
    };
    json!({"coding": [coding]})
}

/// A label as a Coding. The codes for unrestricted to normal mean "up to" in FHIR and "exactly" in a
/// scope, so they are ours here.
fn label(label: &Label) -> Value {
    let code = label.as_str();
    let system = match (code, label.meaning()) {
        ("R" | "V", _) => CONFIDENTIALITY,
        ("U" | "L" | "M" | "N" | "UNCLEAR", _) | (_, None) => LABEL,
        (_, Some(_)) => ACT_CODE,
    };
    match label.meaning() {
        Some(meaning) => coded(system, code, meaning),
        None => json!({"system": system, "code": code}),
    }
}
