//! The sections of a structured body, and which kind each of their entries is.
//!
//! An entry is known by its template, else by the LOINC code of its section and its class. What is
//! of no kind here (family history, plans, payers, advance directives and more) is not derived. In a
//! section about relatives or about what is planned, an entry is never the patient's, whatever its
//! template says.

use super::header::own_labels;
use super::reader::{Node, attr, child, children, follows, is_null};
use super::work::{Work, act};
use super::{
    allergies, encounters, immunizations, medications, problems, procedures, results, social,
};

/// Deepest nesting of sections.
const MAX_SECTIONS_DEEP: usize = 16;

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Allergy,
    Problem,
    Medication,
    Immunization,
    Results,
    VitalSigns,
    Social,
    Procedure,
    Encounter,
}

/// Whom and when the entries of a section are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    /// The patient, as it is and was.
    Patient,
    /// Relatives.
    Family,
    /// What is planned.
    Plan,
}

impl Frame {
    /// That of a section, known by its code, a translation of it or its template; parts of a section
    /// are in the frame of the whole.
    fn of(section: Node<'_>, around: Self) -> Self {
        let code = child(section, "code");
        let own = code.and_then(|code| attr(code, "code"));
        let translations = code
            .into_iter()
            .flat_map(|code| children(code, "translation"));
        let codes = own
            .into_iter()
            .chain(translations.filter_map(|code| attr(code, "code")));
        let codes: Vec<&str> = codes.collect();
        let is = |code: &str, roots: &[&str]| codes.contains(&code) || follows(section, roots);
        if around != Self::Patient {
            around
        } else if is("10157-6", FAMILY_HISTORY) {
            Self::Family
        } else if is("18776-5", PLAN) {
            Self::Plan
        } else {
            Self::Patient
        }
    }

    /// Whether entries of a kind may say something of the patient here.
    fn allows(self, kind: Kind) -> bool {
        match self {
            Self::Patient => true,
            Self::Family => false,
            // a visit brings its diagnoses with it
            Self::Plan => !matches!(
                kind,
                Kind::Allergy | Kind::Problem | Kind::Medication | Kind::Encounter
            ),
        }
    }
}

const FAMILY_HISTORY: &[&str] = &[
    "2.16.840.1.113883.10.20.22.2.15",
    "2.16.840.1.113883.10.20.1.4",
];
const PLAN: &[&str] = &[
    "2.16.840.1.113883.10.20.22.2.10",
    "2.16.840.1.113883.10.20.1.10",
];

/// Template roots of C-CDA, then those of CCD 1.0 and of IHE PCC that it grew from.
const TEMPLATES: &[(Kind, &[&str])] = &[
    (
        Kind::Allergy,
        &[
            "2.16.840.1.113883.10.20.22.4.30",
            "2.16.840.1.113883.10.20.22.4.7",
            "2.16.840.1.113883.10.20.1.18",
            "1.3.6.1.4.1.19376.1.5.3.1.4.5.3",
            "1.3.6.1.4.1.19376.1.5.3.1.4.6",
        ],
    ),
    (
        Kind::Problem,
        &[
            "2.16.840.1.113883.10.20.22.4.3",
            "2.16.840.1.113883.10.20.22.4.4",
            "2.16.840.1.113883.10.20.22.4.33",
            "2.16.840.1.113883.10.20.22.4.34",
            "2.16.840.1.113883.10.20.22.4.51",
            "2.16.840.1.113883.10.20.22.4.80",
            "1.3.6.1.4.1.19376.1.5.3.1.4.5.2",
        ],
    ),
    (
        Kind::Medication,
        &[
            "2.16.840.1.113883.10.20.22.4.16",
            "2.16.840.1.113883.10.20.22.4.35",
            "2.16.840.1.113883.10.20.22.4.36",
        ],
    ),
    (Kind::Immunization, &["2.16.840.1.113883.10.20.22.4.52"]),
    (
        Kind::Results,
        &[
            "2.16.840.1.113883.10.20.22.4.1",
            "2.16.840.1.113883.10.20.22.4.2",
            "2.16.840.1.113883.10.20.1.32",
        ],
    ),
    (
        Kind::VitalSigns,
        &[
            "2.16.840.1.113883.10.20.22.4.26",
            "2.16.840.1.113883.10.20.22.4.27",
            "2.16.840.1.113883.10.20.1.35",
        ],
    ),
    (
        Kind::Social,
        &[
            "2.16.840.1.113883.10.20.22.4.38",
            "2.16.840.1.113883.10.20.22.4.78",
            "2.16.840.1.113883.10.20.22.4.85",
            "2.16.840.1.113883.10.20.15.3.8",
        ],
    ),
    (
        Kind::Procedure,
        &[
            "2.16.840.1.113883.10.20.22.4.12",
            "2.16.840.1.113883.10.20.22.4.13",
            "2.16.840.1.113883.10.20.22.4.14",
            "2.16.840.1.113883.10.20.1.29",
        ],
    ),
    (
        Kind::Encounter,
        &[
            "2.16.840.1.113883.10.20.22.4.49",
            "2.16.840.1.113883.10.20.1.21",
        ],
    ),
];

/// Goes through the sections of a body or of a section.
pub(super) fn read<'a>(work: &mut Work<'a>, body: Node<'a>) {
    nested(work, body, Frame::Patient, 0);
}

fn nested<'a>(work: &mut Work<'a>, holder: Node<'a>, around: Frame, depth: usize) {
    for section in children(holder, "component").filter_map(|part| child(part, "section")) {
        if depth >= MAX_SECTIONS_DEEP {
            work.report("sections nested too deep were not read");
            return;
        }
        let before = work.labels.len();
        work.labels.extend(own_labels(section));
        let frame = Frame::of(section, around);
        one(work, section, frame);
        nested(work, section, frame, depth + 1);
        work.labels.truncate(before);
    }
}

fn one<'a>(work: &mut Work<'a>, section: Node<'a>, frame: Frame) {
    let code = child(section, "code")
        .and_then(|code| attr(code, "code"))
        .unwrap_or("without a code");
    let mut entries = children(section, "entry").enumerate();
    if is_null(section) || child(section, "subject").is_some() {
        if entries.next().is_some() {
            work.place = format!("section {code}");
            work.report("left out: entries of a section that says nothing about the patient");
        }
        return;
    }
    for (n, entry) in entries {
        if work.is_full() {
            return;
        }
        work.place = format!("section {code}, entry {}", n + 1);
        let Some(node) = act(entry).filter(|_| !is_null(entry)) else {
            continue;
        };
        match kind(node, code) {
            Some(kind) if !frame.allows(kind) => work.report(match frame {
                Frame::Family => "left out: an entry in a section about relatives",
                _ => "left out: an entry in a section about what is planned",
            }),
            Some(Kind::Allergy) => allergies::derive(work, node),
            Some(Kind::Problem) => problems::derive(work, node, code),
            Some(Kind::Medication) => medications::derive(work, node),
            Some(Kind::Immunization) => immunizations::derive(work, node),
            Some(Kind::Results) => results::derive(work, node),
            Some(Kind::VitalSigns) => results::derive_vital_signs(work, node),
            Some(Kind::Social) => social::derive(work, node),
            Some(Kind::Procedure) => procedures::derive(work, node),
            Some(Kind::Encounter) => encounters::derive(work, node),
            None => {}
        }
    }
}

fn kind(node: Node<'_>, section: &str) -> Option<Kind> {
    let known = TEMPLATES.iter().find(|(_, roots)| follows(node, roots));
    if let Some((kind, _)) = known {
        return Some(*kind);
    }
    // Source: C-CDA R2.1, section templates and their LOINC codes
    let kind = match (section, node.tag_name().name()) {
        ("48765-2", "act" | "observation") => Kind::Allergy,
        (
            "11450-4" | "11348-0" | "46241-6" | "11535-2" | "78375-3" | "29308-4",
            "act" | "observation",
        ) => Kind::Problem,
        (
            "10160-0" | "10183-2" | "75311-1" | "42346-7" | "29549-3" | "18610-6",
            "substanceAdministration",
        ) => Kind::Medication,
        ("11369-6", "substanceAdministration") => Kind::Immunization,
        ("30954-2", "organizer" | "observation") => Kind::Results,
        ("8716-3", "organizer" | "observation") => Kind::VitalSigns,
        ("29762-2", "observation") => Kind::Social,
        ("47519-4", "procedure") => Kind::Procedure,
        ("46240-8", "encounter") => Kind::Encounter,
        _ => return None,
    };
    Some(kind)
}
