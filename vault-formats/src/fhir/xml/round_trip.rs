//! JSON resources of others, written as XML and read again.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::tests::{contents, problems, sample_data, understood};

/// Writes a JSON resource as XML without knowing any definition: what is a list in JSON, and which
/// type a value has, is lost on the way.
fn write(out: &mut String, resource: &Value, namespace: &str) {
    let kind = resource["resourceType"].as_str().unwrap();
    write!(out, "<{kind}{namespace}>").unwrap();
    write_members(out, resource, true);
    write!(out, "</{kind}>").unwrap();
}

fn write_members(out: &mut String, object: &Value, is_resource: bool) {
    let members = object.as_object().unwrap();
    let names: BTreeSet<&str> = members
        .keys()
        .map(|name| name.trim_start_matches('_'))
        .collect();
    for name in names {
        let list = |value: Option<&Value>| match value {
            Some(Value::Array(items)) => items.clone(),
            Some(one) => vec![one.clone()],
            None => Vec::new(),
        };
        if name == "resourceType" || (!is_resource && name == "id") {
            continue;
        }
        let values = list(members.get(name));
        let beside = list(members.get(&format!("_{name}")));
        for at in 0..values.len().max(beside.len()) {
            let value = values.get(at).unwrap_or(&Value::Null);
            write_element(out, name, value, beside.get(at).unwrap_or(&Value::Null));
        }
    }
}

fn write_element(out: &mut String, name: &str, value: &Value, beside: &Value) {
    let attribute = |out: &mut String, name: &str, value: &Value| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let text = quick_xml::escape::escape(&text).replace('\n', "&#10;");
        let text = text.replace('\r', "&#13;").replace('\t', "&#9;");
        write!(out, " {name}=\"{text}\"").unwrap();
    };
    if name == "div" {
        out.push_str(value.as_str().unwrap());
        return;
    }
    write!(out, "<{name}").unwrap();
    let object = if value.is_object() { value } else { beside };
    if let (Some(id), None) = (object.get("id"), object.get("resourceType")) {
        attribute(out, "id", id);
    }
    let is_extension = matches!(name, "extension" | "modifierExtension");
    let mut object = object.clone();
    if let (Some(url), true) = (object.get("url"), is_extension) {
        attribute(out, "url", url);
        object.as_object_mut().unwrap().remove("url");
    }
    if !value.is_object() && !value.is_null() {
        attribute(out, "value", value);
    }
    out.push('>');
    if object.get("resourceType").is_some() {
        write(out, &object, "");
    } else if object.is_object() {
        write_members(out, &object, false);
    }
    write!(out, "</{name}>").unwrap();
}

#[test]
fn json_samples_survive_the_way_through_xml() {
    let mut count = 0;
    for folder in [
        "us-core-9",
        "ips",
        "fhir-r4-synthea",
        "fhir-r4-synthea-2020",
        "fhir-old",
    ] {
        let is_old = folder == "fhir-old";
        let Some(folder) = sample_data(folder) else {
            return;
        };
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let json: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let mut expected = vec![json.clone()];
            if json["resourceType"] == "Bundle" {
                let entries = json["entry"].as_array().unwrap().iter();
                expected = entries.filter_map(|e| e.get("resource").cloned()).collect();
            }
            for mut resource in expected {
                plain_narratives(&mut resource);
                let mut text = String::new();
                write(&mut text, &resource, " xmlns=\"http://hl7.org/fhir\"");
                let read = understood(&text);
                assert_eq!(problems(&read), [""; 0], "{path:?}");
                let mut back = contents(&read).swap_remove(0);
                let id = back.as_object_mut().unwrap().remove("id");
                if let Some(own) = resource.as_object_mut().unwrap().remove("id") {
                    assert_eq!(id, Some(own));
                }
                if is_old {
                    // what repeats in R4 and not in DSTU2 or STU3, and the other way round
                    without_short_lists(&mut back);
                    without_short_lists(&mut resource);
                }
                assert_eq!(back, resource, "{path:?}");
                count += 1;
            }
        }
    }
    assert!(count > 1000, "{count}");
}

/// Some of the samples have narratives that are no XML.
fn plain_narratives(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if name == "div" {
                    *value = json!("<div xmlns=\"http://www.w3.org/1999/xhtml\">a &lt; b</div>");
                }
                plain_narratives(value);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(plain_narratives),
        _ => {}
    }
}

/// Puts its element in the place of every list of one.
fn without_short_lists(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(without_short_lists),
        Value::Array(items) => {
            items.iter_mut().for_each(without_short_lists);
            if items.len() == 1 {
                *value = items.swap_remove(0);
            }
        }
        _ => {}
    }
}
