//! Samples that were put together: of one type, in one unit, in one day or month.

use super::decimal::Decimal;
use super::stamp::Stamp;

/// Most different values, or sources, of one group; the rest counts as one.
const MAX_PARTS: usize = 32;

/// What samples are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) shape: Shape,
    /// Id of the type.
    pub(super) kind: u32,
    /// Id of the unit.
    pub(super) unit: u32,
    pub(super) period: Period,
}

/// A day or a month by the clock on the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Period {
    /// `202401`
    Month(u32),
    /// `20240131`
    Day(u32),
}

/// How the samples of a group look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Shape {
    Quantity,
    Pressure,
    Category,
    Workout,
}

/// Samples of one key.
#[derive(Debug)]
pub(super) struct Group {
    /// How many there are.
    pub(super) count: u64,
    /// When the latest one began.
    pub(super) at: Stamp,
    /// Id of the source of the latest one.
    pub(super) source: u32,
    pub(super) body: Body,
}

/// What a group keeps of its samples.
#[derive(Debug)]
pub(super) enum Body {
    Quantity {
        latest: Decimal,
        lowest: Decimal,
        highest: Decimal,
        /// For each source, where samples add up to something; without a sum where it does not fit.
        sums: Vec<(u32, Option<Decimal>)>,
    },
    Pressure {
        systolic: Option<Decimal>,
        diastolic: Option<Decimal>,
    },
    /// How often each value came.
    Category(Vec<(u32, u64)>),
}

impl Group {
    /// Adds the samples of another group of the same key. `spare` is how many more parts all groups
    /// together may have.
    pub(super) fn absorb(&mut self, other: Self, spare: &mut usize) {
        self.count += other.count;
        // of two at the same time the one that came later counts
        let newest = other.at.instant() >= self.at.instant();
        if newest {
            self.at = other.at;
            self.source = other.source;
        }
        match (&mut self.body, other.body) {
            (
                Body::Quantity {
                    latest,
                    lowest,
                    highest,
                    sums,
                },
                Body::Quantity {
                    latest: other_latest,
                    lowest: other_lowest,
                    highest: other_highest,
                    sums: other_sums,
                },
            ) => {
                if newest {
                    *latest = other_latest;
                }
                if other_lowest.order(*lowest).is_lt() {
                    *lowest = other_lowest;
                }
                if other_highest.order(*highest).is_gt() {
                    *highest = other_highest;
                }
                for other in other_sums {
                    add_part(sums, other, spare, |sum, more| {
                        *sum = sum.zip(more).and_then(|(sum, more)| sum.plus(more));
                    });
                }
            }
            (Body::Category(counts), Body::Category(others)) => {
                for other in others {
                    add_part(counts, other, spare, |count, more| *count += more);
                }
            }
            (body, other) => {
                if newest {
                    *body = other;
                }
            }
        }
    }
}

/// Adds to the part with this id, which may be new; to the part 0 where there are too many.
fn add_part<T>(
    parts: &mut Vec<(u32, T)>,
    (id, value): (u32, T),
    spare: &mut usize,
    add: impl FnOnce(&mut T, T),
) {
    let find = |parts: &[(u32, T)], id: u32| parts.iter().position(|part| part.0 == id);
    let (mut id, mut found) = (id, find(parts, id));
    if found.is_none() && (parts.len() >= MAX_PARTS || *spare == 0) {
        id = 0;
        found = find(parts, id);
    }
    match found.and_then(|at| parts.get_mut(at)) {
        Some(part) => add(&mut part.1, value),
        None => {
            *spare = spare.saturating_sub(1);
            parts.push((id, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(at: &str, source: u32, value: &str, sum: Option<&str>) -> Group {
        let value = Decimal::parse(value).unwrap();
        Group {
            count: 1,
            at: Stamp::parse(at).unwrap(),
            source,
            body: Body::Quantity {
                latest: value,
                lowest: value,
                highest: value,
                sums: vec![(source, sum.and_then(Decimal::parse))],
            },
        }
    }

    #[test]
    fn groups_are_put_together() {
        let mut spare = 10;
        let mut all = group("2024-03-01 08:00:00 +0100", 1, "70", Some("70"));
        for other in [
            group("2024-03-01 07:30:00 -0500", 2, "90", Some("90")),
            group("2024-03-01 12:00:00 +0100", 1, "61.5", Some("61.5")),
        ] {
            all.absorb(other, &mut spare);
        }
        assert_eq!((all.count, all.source, spare), (3, 2, 9));
        assert_eq!(all.at.date_time(), "2024-03-01T07:30:00-05:00");
        let Body::Quantity {
            latest,
            lowest,
            highest,
            sums,
        } = all.body
        else {
            panic!("not a quantity");
        };
        let shown = [latest, lowest, highest].map(|value| value.to_string());
        assert_eq!(shown, ["90", "61.5", "90"]);
        let sums: Vec<_> = sums
            .iter()
            .map(|(source, sum)| (*source, sum.unwrap().to_string()))
            .collect();
        assert_eq!(sums, [(1, "131.5".to_owned()), (2, "90".to_owned())]);
    }

    #[test]
    fn a_sum_that_does_not_fit_stays_away() {
        let huge = "9".repeat(38);
        let mut all = group("2024-03-01 08:00:00 +0100", 1, &huge, Some(&huge));
        for _ in 0..2 {
            all.absorb(
                group("2024-03-01 08:00:00 +0100", 1, &huge, Some(&huge)),
                &mut 9,
            );
        }
        assert!(matches!(&all.body, Body::Quantity { sums, .. } if sums == &[(1, None)]));
    }

    #[test]
    fn parts_run_out() {
        let mut parts = vec![(5, 1)];
        let mut spare = 2;
        for id in [6, 7, 8, 9, 5] {
            add_part(&mut parts, (id, 1), &mut spare, |count, more| {
                *count += more
            });
        }
        assert_eq!(parts, [(5, 2), (6, 1), (7, 1), (0, 2)]);
    }
}
