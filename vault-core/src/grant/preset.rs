//! Scopes with a name: what people mean when they share.

use std::fmt;
use std::str::FromStr;

use super::Scope;
use crate::record::{Category, ClinicalDate};

/// How far [`Preset::Labs2y`] looks back, in years.
const LAB_YEARS: u16 = 2;

/// A text that is not the name of a preset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a preset: emergency or labs-2y, for example, is expected")]
pub struct ParsePresetError;

/// A scope that clinicians and patients have a name for. Records with a sensitive label stay out of
/// every one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Preset {
    /// What a stranger must know to treat an emergency.
    Emergency,
    /// Medications.
    Medications,
    /// Laboratory results and vital signs of the last two years.
    Labs2y,
    /// Immunizations.
    Immunizations,
    /// Images and imaging reports.
    Imaging,
    /// All of it, except what carries a sensitive label.
    EverythingButSensitive,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Emergency,
        Self::Medications,
        Self::Labs2y,
        Self::Immunizations,
        Self::Imaging,
        Self::EverythingButSensitive,
    ];

    /// Its name, for example `labs-2y`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Emergency => "emergency",
            Self::Medications => "medications",
            Self::Labs2y => "labs-2y",
            Self::Immunizations => "immunizations",
            Self::Imaging => "imaging",
            Self::EverythingButSensitive => "everything-but-sensitive",
        }
    }

    /// What it opens and what stays out, in a sentence or two.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Emergency => {
                "Allergies, problems, medications, immunizations and who you are. Results, notes, \
                 images and everything with a sensitive label stay out: also a sensitive medication."
            }
            Self::Medications => {
                "Everything about medications, past and present. Those with a sensitive label stay \
                 out, and so do the problems they are for."
            }
            Self::Labs2y => {
                "Laboratory results and vital signs of the last two years. Older ones, those \
                 without a date and those with a sensitive label stay out."
            }
            Self::Immunizations => {
                "Immunizations and what is recommended next. Everything else stays out, and so do \
                 immunizations with a sensitive label."
            }
            Self::Imaging => {
                "Images, imaging studies and their reports. Notes that mention them stay out, and \
                 so does everything with a sensitive label."
            }
            Self::EverythingButSensitive => {
                "Every record, documents included, that has no sensitive label. A record that \
                 tells of something sensitive and was never labelled is not held back."
            }
        }
    }

    /// The scope as of `today`, which only [`Preset::Labs2y`] looks at: a standing grant keeps the
    /// day that it began with.
    pub fn scope(self, today: &ClinicalDate) -> Scope {
        let categories: &[Category] = match self {
            Self::Emergency => &[
                Category::Allergy,
                Category::Condition,
                Category::Medication,
                Category::Immunization,
                Category::Identity,
            ],
            Self::Medications => &[Category::Medication],
            Self::Labs2y => &[Category::Lab, Category::Vitals],
            Self::Immunizations => &[Category::Immunization],
            Self::Imaging => &[Category::Imaging],
            Self::EverythingButSensitive => &[],
        };
        Scope {
            all: self == Self::EverythingButSensitive,
            categories: categories.iter().copied().collect(),
            since: (self == Self::Labs2y).then(|| today.years_before(LAB_YEARS)),
            ..Scope::default()
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Preset {
    type Err = ParsePresetError;

    fn from_str(name: &str) -> Result<Self, ParsePresetError> {
        let named = |preset: &Self| preset.name() == name;
        Self::ALL.into_iter().find(named).ok_or(ParsePresetError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::RecordId;
    use crate::record::RecordMeta;

    fn holds(preset: Preset, category: Category, date: Option<&str>, labels: &[&str]) -> bool {
        let meta = RecordMeta {
            category,
            date: date.map(|date| date.parse().unwrap()),
            labels: labels.iter().map(|label| label.parse().unwrap()).collect(),
            ..RecordMeta::default()
        };
        let today = "2026-02-28".parse().unwrap();
        preset.scope(&today).includes(&RecordId::random(), &meta)
    }

    #[test]
    fn each_opens_its_shelves_and_nothing_sensitive() {
        use Category::*;
        let all = [
            Lab,
            Vitals,
            Medication,
            Immunization,
            Condition,
            Allergy,
            Procedure,
            Imaging,
            Note,
            Coverage,
            Identity,
            Other,
        ];
        for (preset, expected) in [
            (
                Preset::Emergency,
                &[Allergy, Condition, Medication, Immunization, Identity][..],
            ),
            (Preset::Medications, &[Medication]),
            (Preset::Labs2y, &[Lab, Vitals]),
            (Preset::Immunizations, &[Immunization]),
            (Preset::Imaging, &[Imaging]),
            (Preset::EverythingButSensitive, &all),
        ] {
            for category in all {
                let date = Some("2026-01-01");
                let open = expected.contains(&category);
                assert_eq!(
                    holds(preset, category, date, &["N"]),
                    open,
                    "{preset} {category:?}"
                );
                assert!(!holds(preset, category, date, &["PSY"]), "{preset}");
            }
        }
    }

    #[test]
    fn two_years_to_the_day() {
        let lab = |date| holds(Preset::Labs2y, Category::Lab, date, &[]);
        assert!(lab(Some("2024-02-28")) && lab(Some("2026-02")));
        assert!(!lab(Some("2024-02-27")) && !lab(Some("2024")) && !lab(None));
        assert!(holds(Preset::Medications, Category::Medication, None, &[]));
        // a leap day has no day two years before
        let scope = Preset::Labs2y.scope(&"2024-02-29T08:00:00Z".parse().unwrap());
        assert_eq!(scope.since.unwrap().as_str(), "2022-02-28");
    }

    #[test]
    fn names_lead_back() {
        for preset in Preset::ALL {
            assert_eq!(preset.name().parse(), Ok(preset));
            let explanation = preset.explanation();
            assert!(explanation.ends_with('.') && !explanation.contains("  "));
        }
        assert_eq!("all".parse::<Preset>(), Err(ParsePresetError));
    }
}
