//! Purposes in words: codes of HL7 v3 ActReason below PurposeOfUse with their display names
//! (HL7 Terminology, CodeSystem `v3-ActReason`).

/// Codes in order.
const PURPOSES: &[(&str, &str)] = &[
    ("BIORCH", "biomedical research"),
    ("BTG", "break the glass"),
    ("CAREMGT", "care management"),
    ("CLINTRCH", "clinical trial research"),
    (
        "CLINTRCHNPC",
        "clinical trial research without patient care",
    ),
    ("CLINTRCHPC", "clinical trial research with patient care"),
    ("CLINTRL", "clinical trial"),
    ("CLMATTCH", "claim attachment"),
    ("COC", "coordination of care"),
    ("COVAUTH", "coverage authorization"),
    ("COVERAGE", "coverage under policy or program"),
    ("DISASTER", "disaster"),
    ("DONAT", "donation"),
    ("DSRCH", "disease specific healthcare research"),
    ("ELIGDTRM", "eligibility determination"),
    ("ELIGVER", "eligibility verification"),
    ("ENROLLM", "enrollment"),
    ("ERTREAT", "emergency room treatment"),
    ("ETREAT", "emergency treatment"),
    ("FAMRQT", "family requested"),
    ("FRAUD", "fraud"),
    ("GOV", "government"),
    ("HACCRED", "health accreditation"),
    ("HCOMPL", "health compliance"),
    ("HDECD", "decedent"),
    ("HDIRECT", "directory"),
    ("HDM", "healthcare delivery management"),
    ("HLEGAL", "legal"),
    ("HMARKT", "healthcare marketing"),
    ("HOPERAT", "healthcare operations"),
    ("HOUTCOMS", "health outcome measure"),
    ("HPAYMT", "healthcare payment"),
    ("HPRGRP", "health program reporting"),
    ("HQUALIMP", "health quality improvement"),
    ("HRESCH", "healthcare research"),
    ("HSYSADMIN", "health system administration"),
    ("HTEST", "test health data"),
    ("LABELING", "labeling"),
    ("MEMADMIN", "member administration"),
    ("METAMGT", "metadata management"),
    ("MILCDM", "military command"),
    ("MILDCRG", "military discharge"),
    ("PATADMIN", "patient administration"),
    ("PATRQT", "patient requested"),
    ("PATSFTY", "patient safety"),
    ("PERFMSR", "performance measure"),
    (
        "POARCH",
        "population origins or ancestry healthcare research",
    ),
    ("POPHLTH", "population health"),
    ("PRECLINTRCH", "preclinical trial research"),
    ("PUBHLTH", "public health"),
    ("PWATRNY", "power of attorney"),
    ("RECORDMGT", "records management"),
    ("REMITADV", "remittance advice"),
    ("SUPNWK", "support network"),
    ("SYSDEV", "system development"),
    ("THREAT", "threat"),
    ("TRAIN", "training"),
    ("TRANSRCH", "translational healthcare research"),
    ("TREAT", "treatment"),
];

/// The display name of a code, when it is a known one.
pub fn purpose_name(code: &str) -> Option<&'static str> {
    let at = PURPOSES.binary_search_by(|(known, _)| (*known).cmp(code));
    at.ok()
        .and_then(|at| PURPOSES.get(at))
        .map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_each_is_a_purpose() {
        assert!(PURPOSES.is_sorted_by(|a, b| a.0 < b.0));
        for (code, name) in PURPOSES {
            assert!(code.parse::<vault_core::Purpose>().is_ok());
            assert!(code.bytes().all(|byte| byte.is_ascii_uppercase()));
            assert_eq!(purpose_name(code), Some(*name));
        }
        assert_eq!(purpose_name("HPAYMT"), Some("healthcare payment"));
        assert_eq!(purpose_name("treat"), None);
    }
}
