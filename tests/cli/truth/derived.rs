//! What was derived from one file, held against what must, may and must not come out of it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{strings, text};

/// `system|code` of every coding anywhere in a resource.
fn codings(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            if let (Some(system), Some(code)) = (text(value, "system"), text(value, "code")) {
                found.insert(format!("{}|{code}", system.trim_end_matches('/')));
            }
            object.values().for_each(|inner| codings(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| codings(inner, found)),
        _ => {}
    }
}

pub fn codings_of(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    codings(value, &mut found);
    found
}

/// The same codes as [`codings`] writes them.
fn written(list: &Value) -> BTreeSet<String> {
    let plain = |code: &String| code.replacen("/|", "|", 1);
    strings(list).iter().map(plain).collect()
}

/// What was derived from one original. `elsewhere`: from another file that says the same.
pub fn check(file: &str, expected: &Value, derived: &[(Value, Value)], elsewhere: bool) {
    for (kinds, bounds) in expected["derived"].as_object().into_iter().flatten() {
        let of_kind = |(record, _): &&(Value, Value)| {
            kinds.split('|').any(|k| text(record, "kind") == Some(k))
        };
        let count = derived.iter().filter(of_kind).count() as u64;
        let fewest = if elsewhere {
            0
        } else {
            bounds[0].as_u64().unwrap()
        };
        let most = bounds[1].as_u64().unwrap();
        assert!(
            (fewest..=most).contains(&count),
            "{file}: {count} {kinds}, expected {fewest} to {most}"
        );
    }
    let mut all = BTreeSet::new();
    let (mut valued, mut given, mut given_codes) = (BTreeSet::new(), 0, BTreeSet::new());
    for (_, body) in derived {
        codings(body, &mut all);
        let object = body.as_object().into_iter().flatten();
        let has_value = object
            .into_iter()
            .any(|(name, _)| name.starts_with("value"));
        if body["resourceType"] == "Observation" && has_value {
            codings(&body["code"], &mut valued);
        }
        if body["resourceType"] == "Immunization" && body["status"] != "not-done" {
            given += 1;
            codings(&body["vaccineCode"], &mut given_codes);
        }
    }
    let none_of = |found: &BTreeSet<String>, key: &str| {
        let wrong: Vec<_> = written(&expected[key])
            .intersection(found)
            .cloned()
            .collect();
        assert!(wrong.is_empty(), "{file}: {key}: {wrong:?}");
    };
    none_of(&all, "must_not");
    none_of(&valued, "no_value");
    none_of(&given_codes, "not_done");
    if let Some(most) = expected["given"].as_u64() {
        assert!(given <= most, "{file}: {given} vaccinations given");
    }
    if elsewhere {
        return;
    }
    let missing: Vec<_> = written(&expected["must"])
        .difference(&all)
        .cloned()
        .collect();
    assert!(missing.is_empty(), "{file}: not derived: {missing:?}");
    for pair in expected["values"].as_array().into_iter().flatten() {
        let (code, digits) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        let has = |body: &Value| codings_of(&body["code"]).contains(code) && number(body, digits);
        assert!(
            derived.iter().any(|(_, b)| has(b)),
            "{file}: {code} {digits}"
        );
    }
    for patient in expected["patients"].as_array().into_iter().flatten() {
        let found = derived.iter().any(|(_, body)| is_patient(body, patient));
        assert!(found, "{file}: nobody is {patient}");
    }
}

/// Whether a number with exactly these digits stands anywhere in a value.
fn number(value: &Value, digits: &str) -> bool {
    match value {
        Value::Number(found) => found.to_string() == digits,
        Value::Object(object) => object.values().any(|inner| number(inner, digits)),
        Value::Array(items) => items.iter().any(|inner| number(inner, digits)),
        _ => false,
    }
}

/// Whether a resource is the Patient that a file names, by one of the names and the date of birth.
fn is_patient(body: &Value, expected: &Value) -> bool {
    let names = body["name"].to_string().to_lowercase();
    let wanted = expected["names"].as_array().unwrap();
    let named = |name: &Value| {
        ["family", "given"]
            .iter()
            .all(|part| names.contains(&text(name, part).unwrap().to_lowercase()))
    };
    let born = text(expected, "born");
    body["resourceType"] == "Patient"
        && (wanted.is_empty() || wanted.iter().any(named))
        && born.is_none_or(|born| text(body, "birthDate") == Some(born))
}
