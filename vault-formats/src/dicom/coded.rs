//! Codes: DICOM's own name for a terminology, and ours.

use dicom_dictionary_std::tags;
use serde_json::Value;
use vault_core::Code;
use vault_core::record::clean_title;

use super::elements::Elements;
use crate::fhir;

/// A code of a terminology, as DICOM names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coded {
    /// What the code belongs to: an OID, or a name that [`Code::from_coding`] knows.
    pub system: Option<String>,
    /// The code.
    pub code: String,
    /// What it means.
    pub meaning: Option<String>,
}

impl Coded {
    /// The codes of a sequence. `schemes` are the items of Coding Scheme Identification.
    ///
    /// Source: DICOM PS3.3, section 8, and PS3.16, table 8-1.
    pub(super) fn all(items: &[Elements], schemes: &[Elements]) -> Vec<Self> {
        let one = |item: &Elements| {
            let code = item
                .text(tags::CODE_VALUE)
                .or_else(|| item.text(tags::LONG_CODE_VALUE))?;
            let scheme = item.text(tags::CODING_SCHEME_DESIGNATOR);
            let named = || {
                let same = |entry: &&Elements| entry.text(tags::CODING_SCHEME_DESIGNATOR) == scheme;
                schemes.iter().find(same)?.uid(tags::CODING_SCHEME_UID)
            };
            let system = match scheme.as_deref() {
                Some(known @ ("DCM" | "SCT" | "LN" | "RXNORM")) => Some(known.to_owned()),
                Some("C4" | "CPT4") => Some("CPT".to_owned()),
                Some("I10") => Some("ICD-10".to_owned()),
                Some("I10C") => Some("ICD-10-CM".to_owned()),
                Some("I9" | "I9C") => Some("I9C".to_owned()),
                // SNOMED RT codes share an OID with SNOMED CT, but not the codes
                Some("SRT" | "SNM3" | "99SDM") => None,
                Some("UCUM") => Some("http://unitsofmeasure.org".to_owned()),
                Some("RADLEX") => Some("http://www.radlex.org".to_owned()),
                _ => item.uid(tags::CODING_SCHEME_UID).or_else(named),
            };
            Some(Self {
                system,
                code,
                meaning: item
                    .text(tags::CODE_MEANING)
                    .map(|meaning| clean_title(&meaning)),
            })
        };
        items.iter().filter_map(one).take(8).collect()
    }

    /// As the summary of a record keeps it.
    pub(super) fn code(&self) -> Option<Code> {
        Code::from_coding(self.system.as_deref(), &self.code)
    }

    /// As a FHIR Coding.
    pub(super) fn to_fhir(&self) -> Option<Value> {
        fhir::coding(self.system.as_deref(), &self.code, self.meaning.as_deref())
    }
}
