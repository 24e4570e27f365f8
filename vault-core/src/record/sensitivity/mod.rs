//! Sensitivity labels from what a record is about.
//!
//! Few systems mark their records as sensitive. These rules go by the codes of the record's summary:
//! a code that tells of HIV, of alcohol or drugs, of mental health, of sexuality and reproduction, of
//! violence, or of genes gives the record the label, and scopes that do not name it leave it out.
//!
//! In a FHIR resource every coding counts, those of results, reasons and contained resources, too, and
//! the names of some medicines. Of other records only the codes of the summary are seen.
//!
//! It is a net with holes. It sees no other free text and no documents. SNOMED CT, LOINC and RxNorm
//! codes carry no hierarchy, so that only those listed are known; products of RxNorm, with codes of
//! their own, mostly are not, and only go by the names of their ingredients. A medicine may be given for another reason than the one that
//! its rule is about. So a label may be missing, and may be one too many: it is for the patient to look
//! through them. Rules add labels and never take one away.

mod ingredients;
mod resource;
mod rule;
mod rules;
mod systems;

use std::collections::{BTreeMap, BTreeSet};

use super::code::short_name;
use super::{Code, FHIR_JSON, Label, RecordMeta};
use resource::Found;
use systems::{families, plain, unquoted};

pub use rule::{ParseRuleError, SensitivityRule};

/// The rules in force.
#[derive(Debug, Clone, Default)]
pub struct Sensitivity {
    /// By system.
    rules: BTreeMap<String, Vec<SensitivityRule>>,
    /// Whether the names of medicines count, too.
    ingredients: bool,
}

impl Sensitivity {
    /// The built-in rules, and the names of medicines.
    pub fn standard() -> Self {
        let rules = Self {
            ingredients: true,
            ..Self::default()
        };
        rules.with(rules::standard())
    }

    /// The same with more rules.
    #[must_use]
    pub fn with(mut self, rules: impl IntoIterator<Item = SensitivityRule>) -> Self {
        for rule in rules {
            let of_system = self.rules.entry(rule.system.clone()).or_default();
            if !of_system.contains(&rule) {
                of_system.push(rule);
            }
        }
        self
    }

    /// Every rule, by system.
    pub fn rules(&self) -> impl Iterator<Item = &SensitivityRule> {
        self.rules.values().flatten()
    }

    /// Gives a record the labels of its codes. Says whether any was new.
    pub fn label(&self, meta: &mut RecordMeta) -> bool {
        let before = meta.labels.len();
        for code in &meta.codes {
            self.add(code.system(), code.code(), &mut meta.labels);
        }
        meta.labels.len() > before
    }

    /// The same for every coding anywhere in a FHIR resource, and for the names of medicines. `text`
    /// is its JSON; a record that is no such resource gets the labels of its codes only.
    pub fn label_resource(&self, meta: &mut RecordMeta, text: &str) -> bool {
        let before = meta.labels.len();
        self.label(meta);
        if meta.media_type != FHIR_JSON {
            return meta.labels.len() > before;
        }
        let labels = &mut meta.labels;
        resource::scan(meta.kind.as_str(), text, |found| match found {
            Found::Coding(system, code) => {
                let (Some(system), Some(code)) = (unquoted(system), unquoted(code)) else {
                    return;
                };
                let (system, code) = (short_name(system.trim()), code.trim());
                if !system.is_empty() && system.len() + code.len() < Code::MAX_LEN {
                    self.add(system, code, labels);
                }
            }
            Found::Words(words) => {
                if let Some(words) = unquoted(words).filter(|_| self.ingredients) {
                    let names = ingredients::labels(&words);
                    labels.extend(names.filter_map(|label| Label::new(label).ok()));
                }
            }
        });
        meta.labels.len() > before
    }

    /// Adds the labels of one code.
    fn add(&self, system: &str, code: &str, labels: &mut BTreeSet<Label>) {
        let mut written = None;
        let systems = families(system, code);
        for rules in systems.filter_map(|system| self.rules.get(system)) {
            let written = written.get_or_insert_with(|| plain(system, code));
            for rule in rules.iter().filter(|rule| rule.hits(written)) {
                if !labels.contains(rule.label()) {
                    labels.insert(rule.label().clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(code: &str) -> Vec<String> {
        let mut meta = RecordMeta {
            codes: [code.parse().unwrap()].into(),
            ..RecordMeta::default()
        };
        let new = Sensitivity::standard().label(&mut meta);
        assert_eq!(new, !meta.labels.is_empty());
        meta.labels.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_a_clinician_would_call_sensitive() {
        for (code, expected) in [
            ("icd10cm|B20", &["HIV"][..]),
            ("icd10|Z21", &["HIV"]),
            ("http://fhir.de/CodeSystem/bfarm/icd-10-gm|B23.8", &["HIV"]),
            ("icd9cm|042", &["HIV"]),
            ("snomed|86406008", &["HIV"]),
            ("loinc|25836-8", &["HIV"]),
            ("atc|J05AR10", &["HIV"]),
            ("atc|J05AE10", &["HIV"]),
            ("atc|J05AX29", &["HIV"]),
            ("icd10cm|B97.35", &["HIV"]),
            ("cpt|87389", &["HIV"]),
            ("http://www.cms.gov/Medicare/Coding/ICD10|10A07ZX", &["SEX"]),
            ("http://www.cms.gov/Medicare/Coding/ICD10|HZ2ZZZZ", &["ETH"]),
            ("2.16.840.1.113883.6.4|GZB0ZZZ", &["PSY"]),
            ("icd10cm|T39.1X2A", &["PSY"]),
            ("icd10cm|T58.02XA", &["PSY"]),
            ("icd10cm|T71.113A", &["SDV"]),
            ("icd10cm|T40.2X1A", &["ETH"]),
            ("icd10cm|T40.412A", &["ETH", "PSY"]),
            ("icd10|T40.4", &["ETH"]),
            ("icd10|T51.0", &["ETH"]),
            ("icd10cm|Z63.72", &["ETH"]),
            ("snomed|713106006", &["ETH"]),
            ("snomed|715252007", &["PSY"]),
            ("atc|N06DA02", &["PSY"]),
            ("snomed|866148006", &["SDV"]),
            ("loinc|76504-0", &["SDV"]),
            ("snomed|714812005", &["SEX"]),
            ("rxnorm|807283", &["SEX"]),
            ("cpt|87491", &["STD"]),
            ("loinc|31147-2", &["STD"]),
            ("cpt|81220", &["GDIS"]),
            ("loinc|21636-6", &["GDIS"]),
            ("icd10cm|F10.20", &["ETH"]),
            ("icd10cm|F1020", &["ETH"]),
            ("icd9cm|304.01", &["ETH"]),
            ("snomed|75544000", &["ETH"]),
            ("rxnorm|1819", &["ETH"]),
            ("atc|N07BC02", &["ETH"]),
            ("icd10cm|F32.1", &["PSY"]),
            ("icd9cm|296.20", &["PSY"]),
            ("loinc|44261-6", &["PSY"]),
            ("atc|N05AH04", &["PSY"]),
            ("atc|n06ab03", &["PSY"]),
            ("icd10cm|X78.1XXA", &["PSY"]),
            ("icd10|O04.9", &["SEX"]),
            ("icd9cm|635.92", &["SEX"]),
            ("icd10cm|F64.0", &["PSY", "SEX"]),
            ("icd10|A51.0", &["STD"]),
            ("icd9cm|098.0", &["STD"]),
            ("icd10cm|T74.21XA", &["SDV"]),
            ("icd9cm|995.83", &["SDV"]),
            ("icd10|Q90.9", &["GDIS"]),
            ("icd10cm|Z15.01", &["GDIS"]),
            ("icd10cm|D57.1", &["SICKLE"]),
            ("icd9cm|282.60", &["SICKLE"]),
            // what is next to it is not
            ("icd10cm|B19.20", &[]),
            ("icd10cm|F17.210", &[]),
            ("icd9cm|305.1", &[]),
            ("icd9cm|995.91", &[]),
            ("icd10cm|J45.909", &[]),
            ("icd10cm|D58.0", &[]),
            ("loinc|4548-4", &[]),
            ("atc|J05AP01", &[]),
            ("atc|N05", &[]),
            // nirmatrelvir and ritonavir, for COVID-19; hepatitis C genotype; sialidase
            ("atc|J05AE30", &[]),
            ("cpt|87902", &[]),
            ("cpt|87905", &[]),
            // an echocardiogram; a side effect; an accident; frostbite
            ("http://www.cms.gov/Medicare/Coding/ICD10|B24BZZZ", &[]),
            ("http://hl7.org/fhir/sid/icd-10-pcs|B24BZZZ", &[]),
            ("icd10cm|T40.2X5A", &[]),
            ("icd10cm|T39.1X1A", &[]),
            ("icd10cm|T33.02XA", &[]),
            ("cvx|165", &[]),
            // the same text in another system
            ("snomed|042", &[]),
            ("http://local.example|F32.1", &[]),
            ("|F32.1", &[]),
        ] {
            assert_eq!(labels(code), expected, "{code}");
        }
    }

    #[test]
    fn labels_are_added_and_never_removed() {
        let mut meta = RecordMeta {
            labels: [Label::new("R").unwrap()].into(),
            codes: [
                "snomed|58214004".parse().unwrap(),
                "icd10cm|B20".parse().unwrap(),
            ]
            .into(),
            ..RecordMeta::default()
        };
        assert!(Sensitivity::standard().label(&mut meta));
        let labels: Vec<_> = meta.labels.iter().map(Label::as_str).collect();
        assert_eq!(labels, ["HIV", "PSY", "R"]);
        assert!(!Sensitivity::standard().label(&mut meta));
    }

    #[test]
    fn rules_of_ones_own() {
        let rules = [
            "http://local.example|A1* = psy # our own list",
            "|X9 = R",
            "LN|1-8=VIP",
        ]
        .map(|rule| rule.parse::<SensitivityRule>().unwrap());
        assert_eq!(rules[0].to_string(), "http://local.example|A1* = PSY");
        assert_eq!(rules[0].explanation(), "our own list");
        assert_eq!(rules[2].to_string(), "loinc|1-8 = VIP");
        let sensitivity = Sensitivity::default().with(rules);
        let labelled = |code: &str| {
            let mut meta = RecordMeta {
                codes: [code.parse().unwrap()].into(),
                ..RecordMeta::default()
            };
            sensitivity.label(&mut meta);
            meta.labels
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(labelled("http://local.example|A17"), ["PSY"]);
        assert_eq!(labelled("snomed|x9"), ["R"]);
        assert_eq!(labelled("|X9"), ["R"]);
        assert_eq!(labelled("loinc|1-8"), ["VIP"]);
        assert!(labelled("loinc|1-80").is_empty());
        for bad in [
            "",
            "F10 = ETH",
            "icd10|* = ETH",
            "icd10|F10",
            "icd10|F10 = a b",
            "icd10|F19..F10 = ETH",
            "icd10|F1*..F2 = ETH",
        ] {
            assert_eq!(bad.parse::<SensitivityRule>(), Err(ParseRuleError), "{bad}");
        }
    }

    #[test]
    fn every_built_in_rule_is_told_apart_and_explained() {
        let standard = Sensitivity::standard();
        let mut texts: Vec<_> = standard.rules().map(ToString::to_string).collect();
        assert!(texts.len() > 300, "{}", texts.len());
        for rule in standard.rules() {
            assert!(rule.explanation().ends_with('.'), "{rule}");
            assert!(rule.label().is_sensitive() && rule.label().meaning().is_some());
            // the text form says all
            let again: SensitivityRule = rule.to_string().parse().unwrap();
            assert_eq!(
                (again.pattern, again.system),
                (rule.pattern.clone(), rule.system.clone())
            );
            assert_ne!(rule.system, "cvx");
        }
        let count = texts.len();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), count);
    }

    fn of_resource(kind: &str, rest: &str) -> Vec<String> {
        let text = format!(r#"{{"resourceType":"{kind}",{rest}}}"#);
        let mut meta = crate::record::summary(&text).unwrap();
        Sensitivity::standard().label_resource(&mut meta, &text);
        meta.labels.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn codings_count_wherever_they_stand() {
        let f32 =
            r#"{"coding":[{"system":"http:\/\/hl7.org\/fhir\/sid\/icd-10-cm","code":"F32.1"}]}"#;
        for field in [
            format!(r#""reasonCode":[{f32}]"#),
            format!(r#""valueCodeableConcept":{f32}"#),
            format!(r#""component":[{{"code":{{"text":"x"}},"valueCodeableConcept":{f32}}}]"#),
            format!(r#""contained":[{{"resourceType":"Condition","code":{f32}}}]"#),
        ] {
            assert_eq!(of_resource("Observation", &field), ["PSY"], "{field}");
        }
        // in two objects; in another order; a system without rules
        for (field, expected) in [
            (r#""a":{"system":"icd10","b":{"code":"F32"}}"#, &[][..]),
            (
                r#""a":{"code" : "F32" , "x":[{"code":"y"}], "system" : "icd10"}"#,
                &["PSY"],
            ),
            (
                r#""a":{"system":"http://terminology.hl7.org/x","code":"F32"}"#,
                &[],
            ),
            (r#""a":["system","icd10","code","F32"]"#, &[]),
        ] {
            assert_eq!(of_resource("Basic", field), expected, "{field}");
        }
    }

    #[test]
    fn names_of_medicines_count_where_a_medicine_is_named() {
        for (kind, rest, expected) in [
            (
                "MedicationRequest",
                r#""medicationCodeableConcept":{"text":"Naltrexone 50 mg"}"#,
                &["ETH"][..],
            ),
            (
                "MedicationStatement",
                r#""medicationReference":{"display":"LITHIUM carbonate"}"#,
                &["PSY"],
            ),
            (
                "MedicationRequest",
                r#""contained":[{"resourceType":"Medication","code":{"coding":[{"display":"Emtricitabine"}]}}]"#,
                &["HIV"],
            ),
            (
                "Claim",
                r#""item":[{"productOrService":{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm",
                    "code":"0","display":"Methadone"}]}}]"#,
                &["ETH"],
            ),
            (
                "MedicationRequest",
                r#""medicationCodeableConcept":{"text":"Aspirin"},"note":[{"text":"not with lithium"}]"#,
                &[],
            ),
            ("Condition", r#""code":{"text":"lithium"}"#, &[]),
        ] {
            assert_eq!(of_resource(kind, rest), expected, "{rest}");
        }
    }

    #[test]
    fn broken_resources_never_panic() {
        let text = r#"{"resourceType":"Medication","code":{"coding":[{"system":"http:\/\/www.whocc.no\/atc","code":"N05AH04\u00e9",
            "display":"Clozapin\u0065 \"é\""}]},"contained":[[[{"text":"x"}]]]}"#;
        let sensitivity = Sensitivity::standard();
        let run = |text: &str| {
            let mut meta = RecordMeta {
                kind: crate::record::Kind::new("Medication").unwrap(),
                media_type: FHIR_JSON.to_owned(),
                ..RecordMeta::default()
            };
            sensitivity.label_resource(&mut meta, text);
        };
        for at in 0..text.len() {
            run(text.get(..at).unwrap_or_default());
            for byte in *b"\"\\{}[]:, x" {
                let mut bytes = text.as_bytes().to_vec();
                bytes[at] = byte;
                run(&String::from_utf8_lossy(&bytes));
            }
        }
        run(&"[{\"a\":".repeat(100_000));
    }
}
