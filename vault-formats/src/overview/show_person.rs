//! Pages of people and organisations.

use super::page::{Page, spaced};
use super::read::{any, concept, items, name, string, words};
use super::text::clean_line;

/// Patient, Practitioner, RelatedPerson, Person, Organization, Location.
pub(super) fn person(page: &mut Page<'_>) {
    let root = page.root;
    for given in items(root, "name") {
        let text = match given.as_str() {
            Some(text) => Some(clean_line(text)),
            None => name(given),
        };
        let usage = string(given, "use").filter(|usage| !matches!(*usage, "usual" | "official"));
        let text = text.map(|text| match usage {
            Some(usage) => format!("{text} ({})", spaced(usage)),
            None => text,
        });
        page.field("Name", text);
    }
    page.fields(&[
        ("Born", "birthDate"),
        ("Gender", "gender"),
        ("Died", "deceased"),
        ("Relationship", "relationship"),
        ("Type", "type"),
        ("Marital status", "maritalStatus"),
        ("Address", "address"),
    ]);
    for contact in items(root, "telecom") {
        let label = match string(contact, "system") {
            Some("phone") => "Phone",
            Some("email") => "Email",
            Some("fax") => "Fax",
            Some("url") => "Web",
            Some("sms") => "Text message",
            _ => "Contact",
        };
        let value = string(contact, "value").map(clean_line);
        let usage = string(contact, "use").map(spaced);
        let value = value.map(|value| match usage {
            Some(usage) => format!("{value} ({usage})"),
            None => value,
        });
        page.field(label, value);
    }
    for spoken in items(root, "communication") {
        let language = spoken
            .get("language")
            .and_then(concept)
            .or_else(|| concept(spoken));
        page.field("Language", language);
    }
    for contact in items(root, "contact") {
        let who = contact.get("name").and_then(name);
        let role = contact.get("relationship").and_then(concept);
        let reach = items(contact, "telecom")
            .iter()
            .find_map(|t| string(t, "value"));
        let parts: Vec<String> = [who, role, reach.map(clean_line)]
            .into_iter()
            .flatten()
            .collect();
        page.field("Contact person", Some(parts.join(", ")));
    }
    for qualification in items(root, "qualification") {
        page.field("Qualification", any(root, qualification, "code"));
    }
    page.fields(&[
        ("General doctor", "generalPractitioner"),
        ("General doctor", "careProvider"),
        ("Clinic", "managingOrganization"),
        ("Part of", "partOf"),
    ]);
    for identifier in items(root, "identifier") {
        let kind = identifier.get("type").and_then(concept);
        let value = words(root, identifier);
        let text = match (kind, value) {
            (Some(kind), Some(value)) => Some(format!("{value} ({kind})")),
            (_, value) => value,
        };
        page.field("Number", text);
    }
}
