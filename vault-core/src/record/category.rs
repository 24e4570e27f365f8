//! The coarse shelf a record belongs on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text or number that names no category.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown category: one of {list} is expected", list = Category::NAMES.join(", "))]
pub struct ParseCategoryError;

macro_rules! categories {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// The coarse shelf a record belongs on; the word a patient uses to share by.
        ///
        /// Written as its lower-case name in text formats and as its one-byte code in binary ones.
        /// Codes are never reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Category {
            $($(#[$doc])* $name = $code,)*
        }

        impl Category {
            /// Every category, in the order of its code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            const NAMES: &'static [&'static str] = &[$($text,)*];

            /// The lower-case name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }

        impl FromStr for Category {
            type Err = ParseCategoryError;

            fn from_str(text: &str) -> Result<Self, ParseCategoryError> {
                match text.to_ascii_lowercase().as_str() {
                    $($text => Ok(Self::$name),)*
                    _ => Err(ParseCategoryError),
                }
            }
        }

        impl TryFrom<u8> for Category {
            type Error = ParseCategoryError;

            fn try_from(code: u8) -> Result<Self, ParseCategoryError> {
                match code {
                    $($code => Ok(Self::$name),)*
                    _ => Err(ParseCategoryError),
                }
            }
        }
    };
}

categories! {
    /// What fits nowhere else.
    Other = 0, "other";
    /// Laboratory results and specimens.
    Lab = 1, "lab";
    /// Vital signs and body measures.
    Vitals = 2, "vitals";
    /// Prescribed, dispensed, given or reported medication.
    Medication = 3, "medication";
    /// Vaccinations.
    Immunization = 4, "immunization";
    /// Problems and diagnoses.
    Condition = 5, "condition";
    /// Allergies and intolerances.
    Allergy = 6, "allergy";
    /// Procedures and orders for them.
    Procedure = 7, "procedure";
    /// Images and reports about them.
    Imaging = 8, "imaging";
    /// Clinical notes and other narrative documents.
    Note = 9, "note";
    /// Insurance: coverage, claims and statements of benefit.
    Coverage = 10, "coverage";
    /// Who the patient is: demographics and related persons.
    Identity = 11, "identity";
}

impl Category {
    /// The stable one-byte code.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Category {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(self.as_str())
        } else {
            serializer.serialize_u8(self.code())
        }
    }
}

impl<'de> Deserialize<'de> for Category {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let category = if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse()
        } else {
            Self::try_from(u8::deserialize(deserializer)?)
        };
        category.map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_are_stable() {
        let names: Vec<_> = Category::ALL.iter().map(|c| c.as_str()).collect();
        let expected = "other lab vitals medication immunization condition allergy procedure \
                        imaging note coverage identity";
        assert_eq!(names.join(" "), expected);
        for (code, category) in (0u8..).zip(Category::ALL) {
            assert_eq!(category.code(), code);
            assert_eq!(Category::try_from(code), Ok(*category));
            assert_eq!(category.to_string().parse(), Ok(*category));
        }
        assert_eq!("LAB".parse(), Ok(Category::Lab));
        assert_eq!("labs".parse::<Category>(), Err(ParseCategoryError));
        assert_eq!(Category::try_from(12), Err(ParseCategoryError));
    }

    #[test]
    fn text_formats_get_the_name_and_binary_ones_the_code() {
        assert_eq!(
            serde_json::to_string(&Category::Vitals).unwrap(),
            "\"vitals\""
        );
        assert_eq!(crate::codec::encode(&Category::Vitals), [0x02]);
        assert_eq!(crate::codec::decode(&[0x02], 9), Ok(Category::Vitals));
        assert!(crate::codec::decode::<Category>(&[0x0c], 9).is_err());
    }
}
