//! Typed access to the elements of a CDA document: children, attributes, codes, identifiers.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use vault_core::record::clean_title;

use crate::fhir;

/// An element.
pub(super) type Node<'a> = roxmltree::Node<'a, 'a>;

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// Longest text that is taken from narrative, in bytes.
const MAX_NARRATIVE: usize = 2000;
/// Most nodes that are looked at for one text.
const MAX_TEXT_NODES: usize = 500;
/// Most codings and identifiers of one element.
const MAX_LIST: usize = 8;

/// The elements inside an element, those of its own namespace.
pub(super) fn elements(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    let namespace = node.tag_name().namespace();
    node.children()
        .filter(move |child| child.is_element() && child.tag_name().namespace() == namespace)
}

/// The children of this name.
pub(super) fn children<'a>(node: Node<'a>, name: &'static str) -> impl Iterator<Item = Node<'a>> {
    elements(node).filter(move |child| child.tag_name().name() == name)
}

/// The first child of this name.
pub(super) fn child<'a>(node: Node<'a>, name: &str) -> Option<Node<'a>> {
    elements(node).find(|child| child.tag_name().name() == name)
}

/// The first child of the first child, and so on.
pub(super) fn path<'a>(node: Node<'a>, names: &[&str]) -> Option<Node<'a>> {
    names.iter().try_fold(node, |node, name| child(node, name))
}

/// The value of an attribute, trimmed; `None` when it is empty.
pub(super) fn attr<'a>(node: Node<'a>, name: &str) -> Option<&'a str> {
    node.attribute(name)
        .map(str::trim)
        .filter(|value| !value.is_empty())
}

/// Whether an element says that its content is not known.
pub(super) fn is_null(node: Node<'_>) -> bool {
    node.has_attribute("nullFlavor")
}

/// The data type that an element names, without its prefix.
pub(super) fn data_type(node: Node<'_>) -> Option<&str> {
    let name = node.attribute((XSI, "type"))?.trim();
    name.rsplit(':').next().filter(|name| !name.is_empty())
}

/// Whether an element follows a template, whatever its version.
pub(super) fn follows(node: Node<'_>, roots: &[&str]) -> bool {
    children(node, "templateId")
        .any(|id| attr(id, "root").is_some_and(|root| roots.contains(&root)))
}

/// The text of an element and of what it holds, on one line; `None` when there is none.
pub(super) fn text(node: Node<'_>) -> Option<String> {
    let mut out = String::new();
    for inner in node.descendants().take(MAX_TEXT_NODES) {
        if let Some(text) = inner.text().filter(|_| inner.is_text()) {
            let room = MAX_NARRATIVE.saturating_sub(out.len());
            out.push_str(
                text.get(..text.floor_char_boundary(room))
                    .unwrap_or_default(),
            );
        } else if matches!(
            inner.tag_name().name(),
            "td" | "th" | "tr" | "item" | "paragraph" | "br" | "list" | "caption" | "title"
        ) {
            out.push(' ');
        }
        if out.len() >= MAX_NARRATIVE {
            break;
        }
    }
    let words: Vec<&str> = out.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// The places that references in a document point to.
pub(super) struct Anchors<'a>(HashMap<&'a str, Node<'a>>);

impl<'a> Anchors<'a> {
    /// Of every element with an ID; the first of two with the same.
    pub(super) fn of(document: Node<'a>) -> Self {
        let mut anchors = HashMap::new();
        for node in document.descendants() {
            if let Some(id) = node.attribute("ID") {
                anchors.entry(id).or_insert(node);
            }
        }
        Self(anchors)
    }

    /// The words of an ED: where its reference points to, else its own.
    pub(super) fn words(&self, node: Node<'a>) -> Option<String> {
        if is_null(node) || attr(node, "representation") == Some("B64") {
            return None;
        }
        let target = child(node, "reference")
            .and_then(|reference| attr(reference, "value"))
            .and_then(|value| self.0.get(value.strip_prefix('#').unwrap_or(value)));
        target
            .and_then(|target| text(*target))
            .or_else(|| text(node))
    }

    /// What a coded element says; `None` when there is no such element.
    pub(super) fn coded(&self, node: Option<Node<'a>>) -> Option<Coded<'a>> {
        let node = node?;
        let mut coded = Coded {
            null: is_null(node),
            other: attr(node, "nullFlavor") == Some("OTH"),
            ..Coded::default()
        };
        // a context turns the meaning round: known absent, not done, in a relative
        coded.in_context = children(node, "qualifier").any(|qualifier| {
            let name = child(qualifier, "name").and_then(|name| attr(name, "code"));
            matches!(
                name,
                Some("408729009" | "408730004" | "408732007" | "408731000")
            )
        });
        coded.take(node);
        for translation in children(node, "translation") {
            coded.take(translation);
        }
        let original = child(node, "originalText").and_then(|text| self.words(text));
        let shown = coded.shown.take();
        coded.text = original.or(shown);
        Some(coded)
    }
}

/// A coded element.
#[derive(Debug, Default)]
pub(super) struct Coded<'a> {
    /// FHIR codings, of the code itself and of its translations.
    pub(super) codings: Vec<Value>,
    /// What people read.
    pub(super) text: Option<String>,
    keys: Vec<(&'a str, &'a str)>,
    shown: Option<String>,
    null: bool,
    other: bool,
    in_context: bool,
}

impl<'a> Coded<'a> {
    fn take(&mut self, node: Node<'a>) {
        if is_null(node) || self.codings.len() >= MAX_LIST {
            return;
        }
        let display = attr(node, "displayName");
        if self.shown.is_none() {
            self.shown = display.map(str::to_owned);
        }
        let Some(code) = attr(node, "code") else {
            return;
        };
        let oid = attr(node, "codeSystem");
        if let Some(coding) = fhir::coding(oid.map(system), code, display) {
            self.codings.push(coding);
            self.keys.push((oid.unwrap_or_default(), code));
        }
    }

    /// Whether it says something: a code, or words where no code was promised or none fits (OTH).
    pub(super) fn is_known(&self) -> bool {
        let may_be_words = !self.null || self.other;
        !self.in_context && (!self.codings.is_empty() || may_be_words && self.text.is_some())
    }

    /// Takes a name that stands beside the code as its words, where it has none and is not unknown.
    pub(super) fn or_name(mut self, name: Option<Node<'a>>) -> Self {
        if self.text.is_none() && (self.other || !self.codings.is_empty()) {
            self.text = name.filter(|name| !is_null(*name)).and_then(text);
        }
        self
    }

    /// Whether one of its codes is one of these, of any system.
    pub(super) fn is_any(&self, codes: &[&str]) -> bool {
        self.keys.iter().any(|(_, code)| codes.contains(code))
    }

    /// The first code of a system, by its OID.
    pub(super) fn code_in(&self, oid: &str) -> Option<&'a str> {
        let key = self.keys.iter().find(|(system, _)| *system == oid);
        key.map(|(_, code)| *code)
    }

    /// As a CodeableConcept; `None` when it says nothing.
    pub(super) fn concept(&self) -> Option<Value> {
        if !self.is_known() {
            return None;
        }
        fhir::concept(self.codings.clone(), self.text.as_deref())
    }

    /// What people read: the text, else a display.
    pub(super) fn words(&self) -> Option<String> {
        self.text
            .as_deref()
            .map(clean_title)
            .filter(|text| !text.is_empty())
    }
}

/// The name that FHIR gives to a code system of HL7 v3; others keep their OID.
///
/// Source: HL7 Terminology, "External code systems" and the code systems of v3.
pub(super) fn system(oid: &str) -> &str {
    match oid {
        "2.16.840.1.113883.5.1" => "http://terminology.hl7.org/CodeSystem/v3-AdministrativeGender",
        "2.16.840.1.113883.5.2" => "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus",
        "2.16.840.1.113883.5.4" => "http://terminology.hl7.org/CodeSystem/v3-ActCode",
        "2.16.840.1.113883.5.8" => "http://terminology.hl7.org/CodeSystem/v3-ActReason",
        "2.16.840.1.113883.5.83" => {
            "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
        }
        "2.16.840.1.113883.5.84" => "http://terminology.hl7.org/CodeSystem/v3-ObservationMethod",
        "2.16.840.1.113883.5.112" => {
            "http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration"
        }
        "2.16.840.1.113883.3.26.1.1" => "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl",
        "2.16.840.1.113883.6.4" => "http://www.cms.gov/Medicare/Coding/ICD10",
        "2.16.840.1.113883.6.101" => "http://nucc.org/provider-taxonomy",
        other => other,
    }
}

/// A CodeableConcept of a value set that FHIR fixes; `system` is its name in HL7 Terminology.
pub(super) fn fixed(system: &str, code: &str, display: &str) -> Value {
    json!({"coding": [{
        "system": format!("http://terminology.hl7.org/CodeSystem/{system}"),
        "code": code,
        "display": display,
    }]})
}

/// Writes a member where there is something to write.
pub(super) fn put(resource: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        resource.insert(key.to_owned(), value);
    }
}

/// Writes a list where it is not empty.
pub(super) fn put_list(resource: &mut Map<String, Value>, key: &str, list: Vec<Value>) {
    if !list.is_empty() {
        resource.insert(key.to_owned(), Value::Array(list));
    }
}

/// The identifiers of an element.
///
/// Source: HL7 v3 data types, II; FHIR R4, data type Identifier.
pub(super) fn identifiers(node: Node<'_>) -> Vec<Value> {
    let known = children(node, "id").filter(|id| !is_null(*id));
    known.filter_map(identifier).take(MAX_LIST).collect()
}

fn identifier(id: Node<'_>) -> Option<Value> {
    let root = clean_title(attr(id, "root")?);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if root.is_empty() || !root.chars().all(plain) {
        return None;
    }
    let root = if root.contains('.') {
        format!("urn:oid:{root}")
    } else {
        format!("urn:uuid:{}", root.to_ascii_lowercase())
    };
    let extension = attr(id, "extension")
        .map(clean_title)
        .filter(|text| !text.is_empty());
    Some(match extension {
        Some(value) => json!({"system": root, "value": value}),
        None => json!({"system": "urn:ietf:rfc:3986", "value": root}),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concept(inside: &str) -> Option<Value> {
        let xml = format!(
            "<d xmlns='urn:hl7-org:v3'><text><td ID='n1'>Dust <content>mite</content></td></text>{inside}</d>"
        );
        let document = roxmltree::Document::parse(&xml).unwrap();
        let root = document.root_element();
        let anchors = Anchors::of(root);
        anchors.coded(child(root, "code"))?.concept()
    }

    #[test]
    fn codes_with_translations_and_narrative() {
        assert_eq!(
            concept(
                "<code code='260147004' codeSystem='2.16.840.1.113883.6.96' displayName='House dust mite'>
                 <originalText><reference value='#n1'/></originalText>
                 <translation code='T9' codeSystem='1.2.3'/></code>"
            ),
            Some(json!({"coding": [
                {"system": "http://snomed.info/sct", "code": "260147004", "display": "House dust mite"},
                {"system": "urn:oid:1.2.3", "code": "T9"},
            ], "text": "Dust mite"}))
        );
        assert_eq!(
            concept(
                "<code code='1' displayName='One'><originalText><reference value='#none'/></originalText></code>"
            ),
            Some(json!({"coding": [{"code": "1", "display": "One"}], "text": "One"}))
        );
    }

    #[test]
    fn what_is_null_or_turned_round_says_nothing() {
        assert_eq!(
            concept("<code nullFlavor='UNK' code='1'><originalText>x</originalText></code>"),
            None
        );
        assert_eq!(concept("<code nullFlavor='UNK' displayName='x'/>"), None);
        for null in ["UNK", "NI", "NASK", "ASKU", "NAV", "NA", "MSK", "oth"] {
            let code = format!("<code nullFlavor='{null}'><originalText>x</originalText></code>");
            assert_eq!(concept(&code), None, "{null}");
        }
        // no code fits, and the words say what it is; the code beside it is still none
        assert_eq!(
            concept(
                "<code nullFlavor='OTH' code='1'><originalText><reference value='#n1'/></originalText></code>"
            ),
            Some(json!({"text": "Dust mite"}))
        );
        assert_eq!(concept("<code nullFlavor='OTH' displayName='x'/>"), None);
        assert_eq!(concept("<code/>"), None);
        assert_eq!(
            concept("<code><originalText>x</originalText></code>"),
            Some(json!({"text": "x"}))
        );
        assert_eq!(
            concept(
                "<code nullFlavor='OTH'><translation nullFlavor='UNK' code='3'/><translation code='2'/></code>"
            ),
            Some(json!({"coding": [{"code": "2"}]}))
        );
        assert_eq!(
            concept(
                "<code code='1'><qualifier><name code='408729009'/><value code='410516002'/></qualifier></code>"
            ),
            None
        );
    }

    #[test]
    fn identifiers_by_root_and_extension() {
        let document = roxmltree::Document::parse(
            "<a><id root='1.2.3' extension='7'/><id root='AB-CD'/><id nullFlavor='NI'/><id extension='x'/><id root='x y'/></a>",
        )
        .unwrap();
        assert_eq!(
            identifiers(document.root_element()),
            [
                json!({"system": "urn:oid:1.2.3", "value": "7"}),
                json!({"system": "urn:ietf:rfc:3986", "value": "urn:uuid:ab-cd"}),
            ]
        );
    }
}
