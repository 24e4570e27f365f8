//! What each element of FHIR is in JSON: whether it repeats, and the type of its value.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The JSON type of a primitive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Primitive {
    Text,
    Boolean,
    Number,
}

/// What is known of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Element {
    /// Whether it is a list in JSON, also where there is one.
    pub(super) repeats: bool,
    /// What its `value` attribute is.
    pub(super) primitive: Primitive,
    /// Its type, where that is one with elements.
    pub(super) type_name: Option<String>,
}

/// An element as the table has it. `.` as a type means the parent's type and the element's name.
#[derive(Clone, Copy)]
struct Row {
    repeats: bool,
    primitive: Primitive,
    type_name: Option<&'static str>,
}

const PLAIN: Row = Row {
    repeats: false,
    primitive: Primitive::Text,
    type_name: None,
};

type Rows = HashMap<&'static str, Row>;

static TABLE: LazyLock<HashMap<&'static str, Rows>> = LazyLock::new(|| read(TEXT));

const TEXT: &str = include_str!("elements.txt");
/// The pseudo-type of elements that are the same nearly everywhere.
const ANY: &str = "-";
/// The pseudo-type that lists types.
const TYPES: &str = "+";

/// Types that end the name of a choice element, as in `valueQuantity`.
///
/// Source: FHIR R4 and R5, data type Element, "open type choice".
const CHOICES: &[&str] = &[
    "Address",
    "Age",
    "Annotation",
    "Attachment",
    "Availability",
    "CodeableConcept",
    "CodeableReference",
    "Coding",
    "ContactDetail",
    "ContactPoint",
    "Contributor",
    "Count",
    "DataRequirement",
    "Distance",
    "Dosage",
    "Duration",
    "Expression",
    "ExtendedContactDetail",
    "Extension",
    "HumanName",
    "Identifier",
    "Meta",
    "Money",
    "Narrative",
    "ParameterDefinition",
    "Period",
    "Quantity",
    "Range",
    "Ratio",
    "RatioRange",
    "Reference",
    "RelatedArtifact",
    "SampledData",
    "Signature",
    "Timing",
    "TriggerDefinition",
    "UsageContext",
    "VirtualServiceDetail",
];

/// What the element `name` is in something of type `parent`.
///
/// Of a type that is not in the table only what holds nearly everywhere is known, and all its
/// primitives are texts.
pub(super) fn element(parent: &str, name: &str) -> Element {
    let own = TABLE.get(parent).filter(|_| !matches!(parent, ANY | TYPES));
    let usual = || TABLE.get(ANY).and_then(|rows| rows.get(name)).copied();
    let row = own.and_then(|rows| rows.get(name)).copied();
    let mut row = row.or_else(usual).unwrap_or_else(|| by_suffix(name));
    if own.is_none() && by_suffix(name).primitive == Primitive::Text {
        row.primitive = Primitive::Text;
    }
    let type_name = row.type_name.map(|type_name| match type_name {
        "." => format!("{parent}{}", capitalised(name)),
        named => named.to_owned(),
    });
    Element {
        repeats: row.repeats,
        primitive: row.primitive,
        type_name,
    }
}

fn capitalised(name: &str) -> String {
    let mut chars = name.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// What the name of a choice says; the longest suffix that is a type counts.
fn by_suffix(name: &str) -> Row {
    let capitals = name.char_indices().skip(1);
    for (at, _) in capitals.filter(|(_, c)| c.is_ascii_uppercase()) {
        let suffix = name.get(at..).unwrap_or_default();
        let primitive = match suffix {
            "Boolean" => Primitive::Boolean,
            "Decimal" | "Integer" | "PositiveInt" | "UnsignedInt" => Primitive::Number,
            _ => Primitive::Text,
        };
        let type_name = CHOICES.iter().find(|choice| **choice == suffix).copied();
        if primitive != Primitive::Text || type_name.is_some() {
            return Row {
                repeats: false,
                primitive,
                type_name,
            };
        }
    }
    PLAIN
}

fn read(text: &'static str) -> HashMap<&'static str, Rows> {
    let mut table: HashMap<&'static str, Rows> = HashMap::new();
    let mut type_name = "";
    for line in text.lines().filter(|line| !line.starts_with("//")) {
        let mut words = line.split_whitespace();
        if !line.starts_with(' ') {
            type_name = words.next().unwrap_or_default();
        }
        for word in words {
            if type_name == TYPES {
                table.entry(word).or_default();
            } else {
                let (name, row) = row(word);
                table.entry(type_name).or_default().insert(name, row);
            }
        }
    }
    table
}

fn row(word: &'static str) -> (&'static str, Row) {
    let (word, type_name) = match word.split_once(':') {
        Some((word, type_name)) => (word, Some(type_name)),
        None => (word, None),
    };
    let (word, primitive) = if let Some(word) = word.strip_suffix('#') {
        (word, Primitive::Number)
    } else if let Some(word) = word.strip_suffix('?') {
        (word, Primitive::Boolean)
    } else {
        (word, Primitive::Text)
    };
    let (name, repeats) = match word.strip_suffix('*') {
        Some(name) => (name, true),
        None => (word, false),
    };
    let row = Row {
        repeats,
        primitive,
        type_name,
    };
    (name, row)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The element in the table's own notation.
    fn shown(parent: &str, name: &str) -> String {
        let element = element(parent, name);
        let repeats = if element.repeats { "*" } else { "" };
        let primitive = match element.primitive {
            Primitive::Text => "",
            Primitive::Boolean => "?",
            Primitive::Number => "#",
        };
        let type_name = element.type_name.map(|name| format!(":{name}"));
        format!("{repeats}{primitive}{}", type_name.unwrap_or_default())
    }

    #[test]
    fn elements_are_as_the_definitions_have_them() {
        for (parent, name, expected) in [
            ("Patient", "name", "*:HumanName"),
            ("Patient", "active", "?"),
            ("Patient", "birthDate", ""),
            ("Patient", "deceasedBoolean", "?"),
            ("Patient", "multipleBirthInteger", "#"),
            ("Patient", "contact", "*:PatientContact"),
            ("PatientContact", "name", ":HumanName"),
            ("HumanName", "given", "*"),
            ("HumanName", "family", ""),
            ("CodeableConcept", "coding", "*:Coding"),
            ("CodeableConcept", "text", ""),
            ("Coding", "userSelected", "?"),
            ("Coding", "code", ""),
            ("Quantity", "value", "#"),
            ("ContactPoint", "rank", "#"),
            ("Identifier", "value", ""),
            ("Observation", "valueQuantity", ":Quantity"),
            ("Observation", "component", "*:ObservationComponent"),
            ("ObservationComponent", "valueInteger", "#"),
            (
                "ObservationComponent",
                "referenceRange",
                "*:ObservationReferenceRange",
            ),
            ("Observation", "category", "*:CodeableConcept"),
            ("Timing", "event", "*"),
            ("TimingRepeat", "frequency", "#"),
            ("TimingRepeat", "boundsPeriod", ":Period"),
            ("Period", "start", ""),
            ("Period", "end", ""),
            ("SampledData", "origin", ":Quantity"),
            ("SampledData", "period", "#"),
            ("Meta", "profile", "*"),
            ("Meta", "security", "*:Coding"),
            ("Meta", "versionId", ""),
            ("Attachment", "size", "#"),
            ("Bundle", "entry", "*:BundleEntry"),
            ("Bundle", "total", "#"),
            ("Immunization", "lotNumber", ""),
            ("Condition", "clinicalStatus", ":CodeableConcept"),
            ("MedicationOrder", "status", ""),
            (
                "MedicationOrder",
                "dosageInstruction",
                "*:MedicationOrderDosageInstruction",
            ),
            ("ExplanationOfBenefitItem", "sequence", "#"),
            ("Extension", "valueDecimal", "#"),
            ("Extension", "valueHumanName", ":HumanName"),
            ("Reference", "reference", ""),
            ("Reference", "identifier", ":Identifier"),
        ] {
            assert_eq!(shown(parent, name), expected, "{parent}.{name}");
        }
    }

    #[test]
    fn of_unknown_types_only_the_usual_is_known() {
        assert!(TABLE.contains_key("Period") && !TABLE.contains_key("Starship"));
        assert_eq!(shown("Starship", "identifier"), "*:Identifier");
        assert_eq!(shown("Starship", "extension"), "*:Extension");
        assert_eq!(shown("Starship", "valueBoolean"), "?");
        assert_eq!(shown("Starship", "active"), "");
        assert_eq!(shown("Starship", "end"), "");
        assert_eq!(shown("Starship", "warpFactor"), "");
    }

    #[test]
    fn the_table_holds_no_row_twice_and_no_odd_word() {
        let mut types = std::collections::BTreeSet::new();
        for line in TEXT.lines().filter(|line| !line.starts_with("//")) {
            if !line.starts_with(' ') {
                assert!(types.insert(line.split(' ').next().unwrap()), "{line}");
            }
        }
        for (type_name, rows) in TABLE.iter() {
            for name in rows.keys() {
                let plain = name.bytes().all(|b| b.is_ascii_alphanumeric());
                assert!(plain && !name.is_empty(), "{type_name}.{name}");
            }
        }
    }
}
