//! Code systems as the rules name them, and codes as they are compared.

use std::borrow::Cow;

/// The system by which the rules for ICD-10-PCS go.
const PCS: &str = "icd10pcs";

/// A code as it is compared: ICD is written with and without its point.
pub(super) fn plain(system: &str, code: &str) -> String {
    let point = is_icd10(system) || system.starts_with("icd");
    let kept = code.chars().filter(|c| !(point && *c == '.'));
    kept.map(|c| c.to_ascii_uppercase()).collect()
}

/// The systems whose rules a code falls under, the one of its own first.
pub(super) fn families<'s>(system: &'s str, code: &str) -> impl Iterator<Item = &'s str> {
    let any = (!system.is_empty()).then_some("");
    let family = if is_pcs(system) || (is_icd10(system) && is_pcs_shaped(code)) {
        Some(PCS)
    } else {
        is_icd10(system).then_some("icd10")
    };
    let family = family.filter(|family| *family != system);
    [Some(system), family, any].into_iter().flatten()
}

/// ICD-10 or one of its national modifications, which go by URIs of their own; not the procedures.
fn is_icd10(system: &str) -> bool {
    has(system, "icd10") || has(system, "icd-10")
}

/// ICD-10-PCS. Its own FHIR URI, `http://www.cms.gov/Medicare/Coding/ICD10`, is used for diagnoses,
/// too, so that it does not tell.
fn is_pcs(system: &str) -> bool {
    system == "2.16.840.1.113883.6.4" || (has(system, "pcs") && has(system, "icd"))
}

/// Whether a code has the shape of ICD-10-PCS and not of a diagnosis: seven characters without a point.
/// Diagnoses that long begin with E, H, M, O or R to Y. The sections of ICD-10-PCS that begin with one
/// of these are H, where no digit is second, and X (2026 code sets).
fn is_pcs_shaped(code: &str) -> bool {
    let code = code.to_ascii_uppercase();
    let bytes = code.as_bytes();
    if bytes.len() != 7 || !bytes.iter().all(u8::is_ascii_alphanumeric) {
        return false;
    }
    match bytes {
        [b'0'..=b'9' | b'B' | b'C' | b'D' | b'F' | b'G', ..] => true,
        [b'H', second, ..] => !second.is_ascii_digit(),
        [b'X', second, third, .., last] => {
            let diagnosis = second.is_ascii_digit()
                && third.is_ascii_digit()
                && matches!(last, b'A' | b'D' | b'S');
            !diagnosis
        }
        _ => false,
    }
}

/// Whether a text has a part, in whatever case.
fn has(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    text.windows(part.len())
        .any(|window| window.eq_ignore_ascii_case(part))
}

/// A string of JSON, in its quotes, without them; decoded where it has escapes.
pub(super) fn unquoted(raw: &str) -> Option<Cow<'_, str>> {
    if raw.contains('\\') {
        return crate::record::json::text(raw);
    }
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    Some(Cow::Borrowed(inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn procedures_are_no_diagnoses() {
        let cms = "http://www.cms.gov/Medicare/Coding/ICD10";
        for (system, code, expected) in [
            (cms, "B24BZZZ", Some(PCS)),
            (cms, "XW033E5", Some(PCS)),
            (cms, "HZ2ZZZZ", Some(PCS)),
            (cms, "F32.1", Some("icd10")),
            (cms, "X781XXA", Some("icd10")),
            (cms, "T391X2A", Some("icd10")),
            (cms, "H401110", Some("icd10")),
            ("icd10", "B20", None),
            ("icd10cm", "B20", Some("icd10")),
            ("http://hl7.org/fhir/sid/icd-10-pcs", "B20", Some(PCS)),
            ("ICD10PCS", "B20", Some(PCS)),
            ("2.16.840.1.113883.6.4", "B24BZZZ", Some(PCS)),
            ("snomed", "B24BZZZ", None),
        ] {
            let found: Vec<_> = families(system, code).collect();
            let wanted: Vec<_> = [Some(system), expected, Some("")]
                .into_iter()
                .flatten()
                .collect();
            assert_eq!(found, wanted, "{system} {code}");
        }
    }
}
