//! Purposes in words: codes of HL7 v3 ActReason below PurposeOfUse with their display names
//! (HL7 Terminology, CodeSystem `v3-ActReason`).

use vault_core::Purpose;

use crate::show;

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

/// A purpose in words: a code's display name, or what was written.
pub fn words(purpose: &Purpose) -> String {
    let text = purpose.to_string();
    match PURPOSES.binary_search_by(|(code, _)| (*code).cmp(&text)) {
        Ok(at) => PURPOSES[at].1.to_owned(),
        Err(_) => show::line(&text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_words_and_words_stay() {
        assert!(PURPOSES.is_sorted_by(|a, b| a.0 < b.0));
        let words = |text: &str| words(&text.parse().unwrap());
        assert_eq!(words("TREAT"), "treatment");
        assert_eq!(words("HPAYMT"), "healthcare payment");
        assert_eq!(words("HRESCH"), "healthcare research");
        assert_eq!(words("BTG"), "break the glass");
        assert_eq!(words("treat"), "treat");
        assert_eq!(words("second \u{202e}opinion"), "second \u{fffd}opinion");
    }
}
