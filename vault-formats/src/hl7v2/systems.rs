//! Names of code systems, and what the diagnostic sections of a hospital are called.
//!
//! Sources: HL7 v2.5.1 tables 0396 (coding systems) and 0074 (diagnostic service sections); HL7
//! Terminology (THO) for the addresses.

use vault_core::{Category, Code};

/// Root of the tables of HL7 v2 in FHIR.
pub(super) const TABLES: &str = "http://terminology.hl7.org/CodeSystem/v2-";

/// Systems that [`Code`] has no short name for.
const OTHERS: &[(&str, &str)] = &[
    ("CDCREC", "urn:oid:2.16.840.1.113883.6.238"),
    ("NCIT", "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl"),
    ("UCUM", "http://unitsofmeasure.org"),
    ("ISO3166_1", "urn:iso:std:iso:3166"),
    ("CDCPHINVS", "urn:oid:2.16.840.1.114222.4.5.232"),
    ("NPI", "http://hl7.org/fhir/sid/us-npi"),
];

/// The address of a system by the name that a message gives it; `None` where that is only known to
/// the sender (`L`, `99ZZZ` and the like).
pub(super) fn uri(name: &str) -> Option<String> {
    let name = name.trim();
    if let Some((_, uri)) = OTHERS.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
        return Some((*uri).to_owned());
    }
    if let Some(table) = name.strip_prefix("HL7") {
        let numbered = table.len() == 4 && table.bytes().all(|b| b.is_ascii_digit());
        return numbered.then(|| format!("{TABLES}{table}"));
    }
    let uri = Code::from_coding(Some(name), "0")?.system_uri()?;
    let absolute = ["http://", "https://", "urn:"];
    absolute.iter().any(|p| uri.starts_with(p)).then_some(uri)
}

/// The shelf for results and orders of a diagnostic section (OBR-24); `None` when it is not known.
pub(super) fn section(code: &str) -> Option<Category> {
    Some(match code.trim().to_ascii_uppercase().as_str() {
        "BG" | "BLB" | "CG" | "CH" | "CP" | "GE" | "HM" | "IMM" | "LAB" | "MB" | "MCB" | "MYC"
        | "OSL" | "PAR" | "PAT" | "SP" | "SR" | "TX" | "VR" => Category::Lab,
        "CT" | "CUS" | "IMG" | "NMR" | "NMS" | "MRI" | "OUS" | "RAD" | "RUS" | "RX" | "US"
        | "VUS" | "XRC" => Category::Imaging,
        "PHY" | "NRS" | "OT" | "PT" => Category::Note,
        "AU" | "CTH" | "EC" | "EN" | "PF" | "RC" | "RT" | "URN" => Category::Procedure,
        "PHR" => Category::Medication,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_by_their_abbreviations() {
        for (name, expected) in [
            ("LN", Some("http://loinc.org")),
            ("SCT", Some("http://snomed.info/sct")),
            ("CVX", Some("http://hl7.org/fhir/sid/cvx")),
            ("I10C", Some("http://hl7.org/fhir/sid/icd-10-cm")),
            (
                "HL70163",
                Some("http://terminology.hl7.org/CodeSystem/v2-0163"),
            ),
            ("1.2.3", Some("urn:oid:1.2.3")),
            ("ucum", Some("http://unitsofmeasure.org")),
            ("L", None),
            ("99LAB", None),
            ("HL7xxx", None),
            ("", None),
        ] {
            assert_eq!(uri(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn sections() {
        assert_eq!(section("hm"), Some(Category::Lab));
        assert_eq!(section("RAD"), Some(Category::Imaging));
        assert_eq!(section("PHY"), Some(Category::Note));
        assert_eq!(section("F"), None);
    }
}
