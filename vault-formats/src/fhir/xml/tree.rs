//! Elements of FHIR as they become JSON.
//!
//! Source: FHIR R4, "JSON representation of resources": lists, primitives with their extensions.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

use super::elements::{Element, Primitive, element};
use crate::fhir::decimal;

/// Longest number, in characters; what is longer stays a text.
const MAX_NUMBER_LEN: usize = 64;

/// An element or a resource that is being read.
#[derive(Debug)]
pub(super) struct Node {
    /// The name it has in its parent.
    pub(super) name: String,
    /// Its type; empty where it is not known.
    pub(super) type_name: String,
    /// What it is in its parent.
    is: Element,
    /// The `value` attribute.
    value: Option<String>,
    /// The resource inside, for example in `contained`.
    resource: Option<Value>,
    children: BTreeMap<String, Vec<Part>>,
}

/// A finished element: its value, and what is said about a primitive beside it.
#[derive(Debug)]
pub(super) struct Part {
    value: Option<Value>,
    beside: Option<Map<String, Value>>,
}

impl Node {
    /// A resource of this type.
    pub(super) fn resource(type_name: &str) -> Self {
        let is = Element {
            repeats: false,
            primitive: Primitive::Text,
            type_name: Some(type_name.to_owned()),
        };
        Self::of(type_name, is)
    }

    /// An element of `self`.
    pub(super) fn child(&self, name: &str) -> Self {
        Self::of(name, element(&self.type_name, name))
    }

    fn of(name: &str, is: Element) -> Self {
        Self {
            name: name.to_owned(),
            type_name: is.type_name.clone().unwrap_or_default(),
            is,
            value: None,
            resource: None,
            children: BTreeMap::new(),
        }
    }

    /// Takes an attribute. FHIR has `value`, and `id` and `url`, which are elements in JSON.
    pub(super) fn attribute(&mut self, name: &str, value: String) {
        match name {
            "value" => self.value = Some(value),
            "id" | "url" => self.add_text(name, value),
            _ => {}
        }
    }

    /// Adds a member that is a string: a narrative, or an attribute.
    pub(super) fn add_text(&mut self, name: &str, text: String) {
        let part = Part {
            value: Some(Value::String(text)),
            beside: None,
        };
        self.children.insert(name.to_owned(), vec![part]);
    }

    /// Adds a finished element.
    pub(super) fn add(&mut self, name: String, part: Part) {
        self.children.entry(name).or_default().push(part);
    }

    /// Sets the resource inside.
    pub(super) fn hold(&mut self, resource: Map<String, Value>) {
        self.resource = Some(Value::Object(resource));
    }

    /// What the element comes to; `None` when it is empty, which says nothing.
    pub(super) fn finish(self) -> Option<Part> {
        if let Some(resource) = self.resource {
            return Some(Part {
                value: Some(resource),
                beside: None,
            });
        }
        let says_only_extensions = self
            .children
            .keys()
            .all(|name| matches!(name.as_str(), "id" | "extension"));
        let is_complex = self.is.type_name.is_some();
        let members = members(&self.type_name, self.children);
        let beside = (!members.is_empty()).then_some(members);
        match self.value {
            Some(text) => Some(Part {
                value: Some(primitive(text, self.is.primitive)),
                beside,
            }),
            None if says_only_extensions && !is_complex => beside.map(|beside| Part {
                value: None,
                beside: Some(beside),
            }),
            None => beside.map(|members| Part {
                value: Some(Value::Object(members)),
                beside: None,
            }),
        }
    }

    /// The members of a resource, with its type.
    pub(super) fn finish_resource(self) -> Map<String, Value> {
        let mut members = members(&self.type_name, self.children);
        members.insert("resourceType".into(), Value::String(self.type_name));
        members
    }
}

fn members(type_name: &str, children: BTreeMap<String, Vec<Part>>) -> Map<String, Value> {
    let mut members = Map::new();
    for (name, mut parts) in children {
        let is_list = parts.len() > 1 || element(type_name, &name).repeats;
        let has_values = parts.iter().any(|part| part.value.is_some());
        let has_beside = parts.iter().any(|part| part.beside.is_some());
        if has_beside {
            let mut beside = parts
                .iter_mut()
                .map(|part| part.beside.take().map_or(Value::Null, Value::Object));
            let beside = if is_list {
                Value::Array(beside.collect())
            } else {
                beside.next().unwrap_or_default()
            };
            members.insert(format!("_{name}"), beside);
        }
        if has_values {
            let mut values = parts.into_iter().map(|part| part.value.unwrap_or_default());
            let values = if is_list {
                Value::Array(values.collect())
            } else {
                values.next().unwrap_or_default()
            };
            members.insert(name, values);
        }
    }
    members
}

/// The value of a primitive. What is not of its type stays the text it is.
fn primitive(text: String, is: Primitive) -> Value {
    match (is, text.trim()) {
        (Primitive::Boolean, "true") => Value::Bool(true),
        (Primitive::Boolean, "false") => Value::Bool(false),
        (Primitive::Number, number) => number_of(number).unwrap_or(Value::String(text)),
        _ => Value::String(text),
    }
}

/// A number with the digits it was written with; an exponent may be there.
fn number_of(text: &str) -> Option<Value> {
    if text.len() > MAX_NUMBER_LEN {
        return None;
    }
    let written = serde_json::from_str::<Number>(text).ok();
    written.map(Value::Number).or_else(|| decimal(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_keep_their_digits_and_nonsense_stays_text() {
        for (text, expected) in [
            ("6.30", "6.30"),
            ("0.10", "0.10"),
            ("-1", "-1"),
            ("007", "7"),
            ("12345678901234567890.12345", "12345678901234567890.12345"),
            ("many", "\"many\""),
            ("1,5", "\"1,5\""),
            ("", "\"\""),
        ] {
            let value = primitive(text.to_owned(), Primitive::Number);
            assert_eq!(value.to_string(), expected);
        }
        let exponent = primitive("1.50E-3".into(), Primitive::Number).to_string();
        assert_eq!(exponent.to_lowercase(), "1.50e-3");
        assert_eq!(primitive("true".into(), Primitive::Boolean), json!(true));
        assert_eq!(primitive("TRUE".into(), Primitive::Boolean), json!("TRUE"));
        assert_eq!(primitive("true".into(), Primitive::Text), json!("true"));
    }

    #[test]
    fn a_list_of_primitives_keeps_its_places() {
        let mut name = Node::resource("HumanName");
        let extended = |name: &Node, value: Option<&str>| {
            let mut node = name.child("given");
            if let Some(value) = value {
                node.attribute("value", value.into());
            }
            node.attribute("id", "a".into());
            node
        };
        let mut plain = name.child("given");
        plain.attribute("value", "Mira".into());
        for node in [plain, extended(&name, None), extended(&name, Some("Jane"))] {
            name.add("given".into(), node.finish().unwrap());
        }
        assert_eq!(
            Value::Object(name.finish_resource()),
            json!({
                "resourceType": "HumanName",
                "given": ["Mira", null, "Jane"],
                "_given": [null, {"id": "a"}, {"id": "a"}],
            })
        );
    }

    #[test]
    fn empty_elements_say_nothing() {
        let patient = Node::resource("Patient");
        assert!(patient.child("name").finish().is_none());
        assert!(patient.child("birthDate").finish().is_none());
    }
}
