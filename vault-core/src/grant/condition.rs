//! What must hold, besides scope and dates, for a key to be given out on request.

use std::collections::BTreeMap;

use ipld_core::ipld::Ipld;
use serde::{Deserialize, Serialize};

/// One condition of an agreement. Every one only narrows: all of them must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// No key before this time, in seconds since 1970-01-01 UTC.
    From(u64),
    /// At most so many opens in all, by all readers together. One key given out is one open, and
    /// the same version asked for again is another.
    Opens(u64),
    /// At most so many opens within any 24 hours.
    OpensPerDay(u64),
    /// A condition that this program does not know, by its name. It never holds.
    Unknown(String),
}

const FROM: &str = "from";
const OPENS: &str = "opens";
const OPENS_PER_DAY: &str = "opens-per-day";

impl Condition {
    fn read(name: &str, value: &Ipld) -> Self {
        let number = match value {
            Ipld::Integer(value) => u64::try_from(*value).ok(),
            _ => None,
        };
        match (name, number) {
            (FROM, Some(time)) => Self::From(time),
            (OPENS, Some(count)) => Self::Opens(count),
            (OPENS_PER_DAY, Some(count)) => Self::OpensPerDay(count),
            _ => Self::Unknown(name.to_owned()),
        }
    }
}

/// The conditions of an agreement, by name. What this program does not understand is kept as it is:
/// signatures stay valid, and [`Condition::Unknown`] says that it never holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, Ipld>", into = "BTreeMap<String, Ipld>")]
pub struct Conditions(BTreeMap<String, Ipld>);

// there are no floating point numbers in them, which could differ from themselves
impl Eq for Conditions {}

impl TryFrom<BTreeMap<String, Ipld>> for Conditions {
    type Error = &'static str;

    fn try_from(map: BTreeMap<String, Ipld>) -> Result<Self, &'static str> {
        let floats = map
            .values()
            .flat_map(Ipld::iter)
            .any(|value| matches!(value, Ipld::Float(_)));
        if floats {
            return Err("floating point numbers have no place here");
        }
        Ok(Self(map))
    }
}

impl From<Conditions> for BTreeMap<String, Ipld> {
    fn from(conditions: Conditions) -> Self {
        conditions.0
    }
}

impl Conditions {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, those that are not understood too.
    pub fn iter(&self) -> impl Iterator<Item = Condition> {
        (self.0.iter()).map(|(name, value)| Condition::read(name, value))
    }

    /// The same with one more, in place of an earlier one of the same name. An unknown one gets
    /// the value null.
    #[must_use]
    pub fn with(mut self, condition: Condition) -> Self {
        let (name, value) = match condition {
            Condition::From(time) => (FROM.to_owned(), Ipld::Integer(time.into())),
            Condition::Opens(count) => (OPENS.to_owned(), Ipld::Integer(count.into())),
            Condition::OpensPerDay(count) => {
                (OPENS_PER_DAY.to_owned(), Ipld::Integer(count.into()))
            }
            Condition::Unknown(name) => (name, Ipld::Null),
        };
        self.0.insert(name, value);
        self
    }

    /// Most opens in all, if there is a limit.
    pub fn opens(&self) -> Option<u64> {
        self.iter().find_map(|condition| match condition {
            Condition::Opens(count) => Some(count),
            _ => None,
        })
    }

    /// Most opens within any 24 hours, if there is a limit.
    pub fn opens_per_day(&self) -> Option<u64> {
        self.iter().find_map(|condition| match condition {
            Condition::OpensPerDay(count) => Some(count),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    #[test]
    fn what_is_not_understood_is_kept_and_never_holds() {
        let known = Conditions::default()
            .with(Condition::From(7))
            .with(Condition::Opens(3))
            .with(Condition::OpensPerDay(1));
        let bytes = codec::encode(&known);
        assert_eq!(codec::decode::<Conditions>(&bytes, 100).unwrap(), known);
        assert_eq!((known.opens(), known.opens_per_day()), (Some(3), Some(1)));

        let odd: BTreeMap<String, Ipld> = [
            ("opens".to_owned(), Ipld::String("many".into())),
            ("from".to_owned(), Ipld::Integer(-1)),
            ("weather".to_owned(), Ipld::List(vec![])),
        ]
        .into();
        let bytes = codec::encode(&odd);
        let read: Conditions = codec::decode(&bytes, 100).unwrap();
        assert_eq!(codec::encode(&read), bytes);
        assert!(read.iter().all(|c| matches!(c, Condition::Unknown(_))));
        assert_eq!(read.iter().count(), 3);

        let float = Ipld::List(vec![Ipld::Float(1.5)]);
        let bytes = codec::encode(&BTreeMap::from([("weather".to_owned(), float)]));
        assert!(codec::decode::<Conditions>(&bytes, 100).is_err());
    }
}
