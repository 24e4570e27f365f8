//! Names, addresses and numbers of people and organisations.
//!
//! Source: HL7 v3 data types, PN, ON, AD and TEL; FHIR R4, data types HumanName, Address and
//! ContactPoint.

use serde_json::{Map, Value, json};
use vault_core::record::{clean_field, clean_title};

use super::reader::{Node, attr, child, children, elements, is_null, path, put_list, text};

/// Most names, addresses or numbers of one person.
const MAX_LIST: usize = 8;

fn parts(name: Node<'_>, part: &'static str) -> Vec<String> {
    let known = children(name, part).filter(|part| !is_null(*part));
    known.filter_map(text).take(MAX_LIST).collect()
}

/// Given and family names; all of it as family where a name has no parts.
pub(super) fn given_and_family(name: Node<'_>) -> (Vec<String>, Vec<String>) {
    if is_null(name) {
        return Default::default();
    }
    let (given, family) = (parts(name, "given"), parts(name, "family"));
    if given.is_empty() && family.is_empty() {
        return (given, whole(name).into_iter().collect());
    }
    (given, family)
}

/// A name that is written as one text, or as parts of other kinds.
fn whole(name: Node<'_>) -> Option<String> {
    text(name)
}

/// A name on one line, the way it is spoken.
pub(super) fn shown(name: Node<'_>) -> Option<String> {
    if is_null(name) {
        return None;
    }
    let mut words = Vec::new();
    for part in ["prefix", "given", "family", "suffix"] {
        words.extend(parts(name, part));
    }
    if words.is_empty() {
        words.extend(whole(name));
    }
    let line = clean_field(&words.join(" "));
    (!line.is_empty()).then_some(line)
}

/// A HumanName.
pub(super) fn human_name(name: Node<'_>) -> Option<Value> {
    if is_null(name) {
        return None;
    }
    let mut human = Map::new();
    let codes = attr(name, "use").unwrap_or_default();
    let usage = match codes.split_whitespace().next() {
        Some("L" | "C") => Some("official"),
        Some("P" | "A") => Some("nickname"),
        _ => None,
    };
    if let Some(usage) = usage {
        human.insert("use".into(), json!(usage));
    }
    let list = |part| -> Vec<Value> {
        let parts = parts(name, part).into_iter();
        parts.map(|part| json!(clean_title(&part))).collect()
    };
    let family = clean_title(&parts(name, "family").join(" "));
    if !family.is_empty() {
        human.insert("family".into(), json!(family));
    }
    for (key, part) in [
        ("given", "given"),
        ("prefix", "prefix"),
        ("suffix", "suffix"),
    ] {
        put_list(&mut human, key, list(part));
    }
    if !human.contains_key("family") && !human.contains_key("given") {
        human.insert("text".into(), json!(shown(name)?));
    }
    Some(Value::Object(human))
}

/// An Address.
pub(super) fn address(addr: Node<'_>) -> Option<Value> {
    if is_null(addr) {
        return None;
    }
    let mut address = Map::new();
    let mut lines = Vec::new();
    for part in elements(addr).filter(|part| !is_null(*part)).take(32) {
        let Some(words) = text(part).map(|text| clean_title(&text)) else {
            continue;
        };
        let key = match part.tag_name().name() {
            "city" => "city",
            "state" => "state",
            "postalCode" => "postalCode",
            "country" => "country",
            "county" => "district",
            "useablePeriod" => continue,
            _ => {
                lines.push(json!(words));
                continue;
            }
        };
        address.insert(key.into(), json!(words));
    }
    if address.is_empty() && lines.is_empty() {
        lines.extend(text(addr).map(|text| json!(clean_title(&text))));
    }
    if address.is_empty() && lines.is_empty() {
        return None;
    }
    put_list(&mut address, "line", lines);
    for code in attr(addr, "use").unwrap_or_default().split_whitespace() {
        let (key, word) = match code {
            "H" | "HP" | "HV" => ("use", "home"),
            "WP" | "DIR" | "PUB" => ("use", "work"),
            "TMP" => ("use", "temp"),
            "BAD" => ("use", "old"),
            "PST" => ("type", "postal"),
            "PHYS" => ("type", "physical"),
            _ => continue,
        };
        address.insert(key.into(), json!(word));
    }
    Some(Value::Object(address))
}

/// A ContactPoint.
pub(super) fn contact_point(telecom: Node<'_>) -> Option<Value> {
    if is_null(telecom) {
        return None;
    }
    let value = clean_title(attr(telecom, "value")?);
    let (system, rest) = match value.split_once(':') {
        Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
            "tel" => ("phone", rest),
            "fax" | "x-text-fax" => ("fax", rest),
            "mailto" => ("email", rest),
            "sms" => ("sms", rest),
            "http" | "https" | "ftp" => ("url", value.as_str()),
            _ => ("other", value.as_str()),
        },
        None if value.contains('@') => ("email", value.as_str()),
        None => ("phone", value.as_str()),
    };
    let rest = rest.trim();
    if rest.is_empty() {
        return None;
    }
    let mut point = Map::new();
    point.insert("system".into(), json!(system));
    point.insert("value".into(), json!(rest));
    for code in attr(telecom, "use").unwrap_or_default().split_whitespace() {
        let word = match code {
            "H" | "HP" | "HV" => "home",
            "WP" | "DIR" | "PUB" => "work",
            "MC" => "mobile",
            "TMP" => "temp",
            "BAD" => "old",
            _ => continue,
        };
        point.insert("use".into(), json!(word));
    }
    Some(Value::Object(point))
}

/// Every address and number of an element, where FHIR keeps them.
pub(super) fn put_contacts(resource: &mut Map<String, Value>, node: Node<'_>) {
    let addresses = children(node, "addr").filter_map(address);
    put_list(resource, "address", addresses.take(MAX_LIST).collect());
    let points = children(node, "telecom").filter_map(contact_point);
    put_list(resource, "telecom", points.take(MAX_LIST).collect());
}

/// Who an assigned author, performer or participant is: a person, else an organisation.
pub(super) fn who(assigned: Node<'_>) -> Option<String> {
    let person = path(assigned, &["assignedPerson", "name"]).and_then(shown);
    person.or_else(|| {
        let organisation = path(assigned, &["representedOrganization", "name"]);
        organisation.and_then(shown)
    })
}

/// Who performed an act, as an actor that FHIR shows by name.
pub(super) fn performers(act: Node<'_>) -> Vec<Value> {
    let performers = children(act, "performer").filter_map(|performer| {
        let name = who(child(performer, "assignedEntity")?)?;
        Some(json!({"actor": {"display": name}}))
    });
    performers.take(MAX_LIST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(xml: &str, read: impl Fn(Node<'_>) -> T) -> T {
        let document = roxmltree::Document::parse(xml).unwrap();
        read(document.root_element())
    }

    #[test]
    fn names_of_parts_and_of_one_text() {
        let name = "<name use='L'><prefix>Dr</prefix><given>Ada</given><given nullFlavor='NI'/>
            <given>M.</given><family>Roe</family><suffix>MD</suffix></name>";
        assert_eq!(
            with(name, human_name),
            Some(
                json!({"use": "official", "family": "Roe", "given": ["Ada", "M."],
                "prefix": ["Dr"], "suffix": ["MD"]})
            )
        );
        assert_eq!(with(name, shown).as_deref(), Some("Dr Ada M. Roe MD"));
        let plain = "<name> Lake  Clinic </name>";
        assert_eq!(
            with(plain, human_name),
            Some(json!({"text": "Lake Clinic"}))
        );
        assert_eq!(with(plain, given_and_family).1, ["Lake Clinic"]);
        assert_eq!(with("<name nullFlavor='UNK'>x</name>", human_name), None);
        assert_eq!(with("<name/>", human_name), None);
    }

    #[test]
    fn addresses_and_numbers() {
        assert_eq!(
            with(
                "<addr use='HP PST'><streetAddressLine>1 Elm</streetAddressLine><city>Ayr</city>
                <state nullFlavor='NI'>x</state><county>Kyle</county></addr>",
                address
            ),
            Some(
                json!({"use": "home", "type": "postal", "line": ["1 Elm"], "city": "Ayr", "district": "Kyle"})
            )
        );
        assert_eq!(with("<addr nullFlavor='UNK'/>", address), None);
        assert_eq!(
            with(
                "<telecom use='MC' value='tel: +1(555)0100'/>",
                contact_point
            ),
            Some(json!({"system": "phone", "value": "+1(555)0100", "use": "mobile"}))
        );
        assert_eq!(
            with("<telecom value='a@b.example'/>", contact_point),
            Some(json!({"system": "email", "value": "a@b.example"}))
        );
        assert_eq!(with("<telecom value='tel:'/>", contact_point), None);
    }
}
