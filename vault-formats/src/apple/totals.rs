//! Samples added up by type and day or month, so that millions of them become few observations.

use std::collections::HashMap;

use super::decimal::Decimal;
use super::group::{Body, Group, Key, Period, Shape};
use super::names::Names;
use super::stamp::Stamp;
use super::types::{Kind, PRESSURE};

/// Most groups of samples. Each takes some four KiB as a derived record; eight years of a watch and
/// a scale are about as many.
pub(super) const MAX_GROUPS: usize = 30_000;
/// Most values and sources of all groups together, beside the first of each group.
const MAX_PARTS: usize = 60_000;

/// Everything that was added up.
#[derive(Debug)]
pub(super) struct Totals {
    pub(super) types: Names,
    pub(super) units: Names,
    pub(super) sources: Names,
    pub(super) values: Names,
    kinds: Vec<Kind>,
    groups: HashMap<Key, Group>,
    most: usize,
    spare_parts: usize,
    /// Days before this one, `20240131`, are put together by month.
    daily_from: u32,
    /// Samples that came when there were too many groups, types or units.
    pub(super) left_out: u64,
}

impl Totals {
    /// Nothing yet, and at most `most` groups.
    pub(super) fn new(most: usize) -> Self {
        Self {
            types: Names::new(2000),
            units: Names::new(500),
            sources: Names::new(2000),
            values: Names::new(5000),
            kinds: vec![Kind::of("")],
            groups: HashMap::new(),
            most,
            spare_parts: MAX_PARTS,
            daily_from: 0,
            left_out: 0,
        }
    }

    /// What is known about a type, by its id.
    pub(super) fn kind(&self, id: u32) -> Option<&Kind> {
        self.kinds.get(usize::try_from(id).ok()?)
    }

    /// The first month, `202401`, of which clinical measures are kept for each day, where that is
    /// not so for all.
    pub(super) fn daily_from(&self) -> Option<u32> {
        (self.daily_from > 0).then_some(self.daily_from / 100)
    }

    /// Adds one measured value.
    pub(super) fn quantity(&mut self, kind: &str, unit: &str, sample: Sample<'_>, value: Decimal) {
        self.add_quantity(Shape::Quantity, kind, unit, sample, value);
    }

    /// Adds one workout.
    pub(super) fn workout(&mut self, kind: &str, unit: &str, sample: Sample<'_>, length: Decimal) {
        self.add_quantity(Shape::Workout, kind, unit, sample, length);
    }

    fn add_quantity(
        &mut self,
        shape: Shape,
        kind: &str,
        unit: &str,
        sample: Sample<'_>,
        value: Decimal,
    ) {
        let Some((key, source)) = self.key(shape, kind, unit, sample) else {
            return;
        };
        let cumulative = self.kind(key.kind).is_some_and(|kind| kind.cumulative);
        let mut sums = Vec::new();
        if cumulative || shape == Shape::Workout {
            sums.push((source, Some(value)));
        }
        let body = Body::Quantity {
            latest: value,
            lowest: value,
            highest: value,
            sums,
        };
        self.add(key, source, sample.at, body);
    }

    /// Adds one blood pressure: systolic and diastolic.
    pub(super) fn pressure(
        &mut self,
        unit: &str,
        sample: Sample<'_>,
        (systolic, diastolic): (Option<Decimal>, Option<Decimal>),
    ) {
        if let Some((key, source)) = self.key(Shape::Pressure, PRESSURE, unit, sample) {
            let body = Body::Pressure {
                systolic,
                diastolic,
            };
            self.add(key, source, sample.at, body);
        }
    }

    /// Adds one sample whose value is a word.
    pub(super) fn category(&mut self, kind: &str, sample: Sample<'_>, value: &str) {
        if let Some((key, source)) = self.key(Shape::Category, kind, "", sample) {
            let body = Body::Category(vec![(self.values.id(value), 1)]);
            self.add(key, source, sample.at, body);
        }
    }

    /// The key of a sample and the id of its source; `None` where names are too many or too long.
    fn key(
        &mut self,
        shape: Shape,
        kind: &str,
        unit: &str,
        sample: Sample<'_>,
    ) -> Option<(Key, u32)> {
        let (kind_id, unit_id) = (self.types.id(kind), self.units.id(unit));
        if kind_id == 0 || (unit_id == 0 && !unit.is_empty()) {
            self.left_out += 1;
            return None;
        }
        if self.kinds.len() == usize::try_from(kind_id).ok()? {
            self.kinds.push(Kind::of(kind));
        }
        let daily = self.kind(kind_id)?.daily && shape != Shape::Workout;
        let key = Key {
            shape,
            kind: kind_id,
            unit: unit_id,
            period: if daily && sample.at.day() >= self.daily_from {
                Period::Day(sample.at.day())
            } else {
                Period::Month(sample.at.month())
            },
        };
        Some((key, self.sources.id(sample.source)))
    }

    fn add(&mut self, mut key: Key, source: u32, at: Stamp, body: Body) {
        let sample = Group {
            count: 1,
            at,
            source,
            body,
        };
        if self.groups.len() >= self.most && !self.groups.contains_key(&key) {
            self.coarsen();
            key.period = self.coarse(key.period);
        }
        if let Some(group) = self.groups.get_mut(&key) {
            group.absorb(sample, &mut self.spare_parts);
        } else if self.groups.len() < self.most {
            self.groups.insert(key, sample);
        } else {
            self.left_out += 1;
        }
    }

    /// Puts the older half of the days together by month, while there are days to speak of.
    fn coarsen(&mut self) {
        let day = |key: &Key| match key.period {
            Period::Day(day) => Some(day),
            Period::Month(_) => None,
        };
        let mut days: Vec<u32> = self.groups.keys().filter_map(day).collect();
        if days.is_empty() || days.len() < self.most / 4 {
            return;
        }
        let middle = days.len() / 2;
        let (_, median, _) = days.select_nth_unstable(middle);
        // whole months only: up to the first day of the month after
        self.daily_from = match *median / 100 {
            month if month % 100 < 12 => (month + 1) * 100 + 1,
            december => (december + 89) * 100 + 1,
        };
        // in a fixed order, so that the same file gives the same groups
        for (mut key, group) in self.take() {
            key.period = self.coarse(key.period);
            match self.groups.get_mut(&key) {
                Some(month) => month.absorb(group, &mut self.spare_parts),
                None => {
                    self.groups.insert(key, group);
                }
            }
        }
    }

    fn coarse(&self, period: Period) -> Period {
        match period {
            Period::Day(day) if day < self.daily_from => Period::Month(day / 100),
            other => other,
        }
    }

    /// Takes all groups out, in an order that depends on nothing but their keys: by type, unit and
    /// time.
    pub(super) fn take(&mut self) -> Vec<(Key, Group)> {
        let mut groups: Vec<(Key, Group)> = std::mem::take(&mut self.groups).into_iter().collect();
        groups.sort_by(|(a, _), (b, _)| {
            let names = |key: &Key| (self.types.text(key.kind), self.units.text(key.unit));
            (a.shape, names(a), a.period).cmp(&(b.shape, names(b), b.period))
        });
        groups
    }
}

/// When and by what something was measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample<'a> {
    pub(super) at: Stamp,
    pub(super) source: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: &str = "HKQuantityTypeIdentifierStepCount";
    const PULSE: &str = "HKQuantityTypeIdentifierHeartRate";

    fn sample<'a>(at: &str, source: &'a str) -> Sample<'a> {
        Sample {
            at: Stamp::parse(at).unwrap(),
            source,
        }
    }

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    fn periods(groups: &[(Key, Group)]) -> Vec<Period> {
        groups.iter().map(|(key, _)| key.period).collect()
    }

    #[test]
    fn a_day_by_its_own_clock_and_the_latest_by_the_true_one() {
        let mut totals = Totals::new(10);
        for (at, value) in [
            ("2024-03-01 08:00:00 +0100", "70"), // 07:00 UTC
            ("2024-03-01 07:30:00 -0500", "90"), // 12:30 UTC, the latest
            ("2024-03-01 12:00:00 +0100", "61"), // 11:00 UTC
            ("2024-03-02 00:30:00 +1400", "80"), // the day before in UTC
        ] {
            totals.quantity(PULSE, "count/min", sample(at, "Watch"), decimal(value));
        }
        let groups = totals.take();
        let expected = [Period::Day(20_240_301), Period::Day(20_240_302)];
        assert_eq!(periods(&groups), expected);
        assert_eq!(groups[0].1.count, 3);
        assert!(matches!(
            groups[0].1.body,
            Body::Quantity { latest, ref sums, .. } if latest == decimal("90") && sums.is_empty()
        ));
    }

    #[test]
    fn steps_by_month_in_the_order_of_time() {
        let mut totals = Totals::new(10);
        for at in [
            "2024-03-31 23:59:59 +0100",
            "2023-12-31 23:59:59 -0500",
            "2024-03-01 00:00:00 +0100",
        ] {
            totals.quantity(STEPS, "count", sample(at, "Phone"), decimal("1"));
        }
        let groups = totals.take();
        let expected = [Period::Month(202_312), Period::Month(202_403)];
        assert_eq!(periods(&groups), expected);
        assert_eq!(groups[1].1.count, 2);
    }

    #[test]
    fn too_many_days_become_months_the_oldest_first() {
        let mut totals = Totals::new(60);
        let day = |totals: &mut Totals, month: u32, day: u32| {
            let at = format!("2023-{month:02}-{day:02} 08:00:00 +0100");
            totals.quantity(
                PULSE,
                "count/min",
                sample(&at, "Watch"),
                decimal(&day.to_string()),
            );
        };
        for month in [12, 11, 10] {
            for d in 1..=20 {
                day(&mut totals, month, d);
            }
        }
        assert_eq!(totals.daily_from(), None);
        // one more: October and November fold, December stays as it is
        day(&mut totals, 10, 21);
        assert_eq!(totals.daily_from(), Some(202_312));
        day(&mut totals, 9, 5);
        assert_eq!(totals.left_out, 0);
        let groups = totals.take();
        assert_eq!(groups.len(), 23);
        assert_eq!(
            periods(&groups)[..4],
            [
                Period::Month(202_309),
                Period::Month(202_310),
                Period::Month(202_311),
                Period::Day(20_231_201)
            ]
        );
        assert_eq!(groups[1].1.count, 21);
        assert!(matches!(
            groups[1].1.body,
            Body::Quantity { latest, lowest, highest, .. }
                if latest == decimal("21") && lowest == decimal("1") && highest == decimal("21")
        ));
    }

    #[test]
    fn december_folds_into_the_year_after() {
        let mut totals = Totals::new(4);
        for day in 1..=5 {
            let at = format!("2023-12-{day:02} 08:00:00 +0100");
            totals.quantity(PULSE, "count/min", sample(&at, "Watch"), decimal("1"));
        }
        assert_eq!(totals.daily_from(), Some(202_401));
        assert_eq!(totals.take().len(), 1);
    }

    #[test]
    fn nothing_grows_without_a_bound() {
        let mut totals = Totals::new(5);
        for at in 0..10_000 {
            let stamp = sample("2024-03-01 08:00:00 +0100", "Phone");
            let kind = format!("HKQuantityTypeIdentifierX{at}");
            totals.quantity(&kind, "count", stamp, decimal("1"));
            let kind = "HKCategoryTypeIdentifierSleepAnalysis";
            totals.category(kind, stamp, &format!("v{at}"));
        }
        // the first type, the sleep, and three more
        assert_eq!(totals.left_out, 10_000 - 4);
        let groups = totals.take();
        assert_eq!(groups.len(), 5);
        let values = groups.iter().find_map(|(_, group)| match &group.body {
            Body::Category(counts) => Some(counts),
            _ => None,
        });
        let values = values.unwrap();
        // thirty-two of their own and one for the rest
        assert_eq!(values.len(), 33);
        assert_eq!(values.iter().map(|(_, count)| count).sum::<u64>(), 10_000);
    }
}
