//! Results over time: the last value of a code, those before it, and where it goes.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use vault_core::{ClinicalDate, RecordId};

use super::rank::Rank;
use super::read::{choice, code_key, concept, items, string};
use super::show::{interpretation, reference_range, value};
use super::summary_parts::ids;
use super::text::clean_line;
use crate::export::Resource;

/// Values that are kept of one series.
const MAX_POINTS: usize = 12;
/// Most series that are kept.
const MAX_SERIES: usize = 20_000;

/// One value at one time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// When it was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<ClinicalDate>,
    /// The value with its unit, with the digits of the record.
    pub value: String,
    /// Its interpretation in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flag: Option<String>,
    /// Its status in words, unless it is final.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What it stands for, if it is one of several: `latest of 12 samples`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The records that say so.
    #[serde(serialize_with = "ids")]
    pub records: Vec<RecordId>,
    #[serde(skip)]
    rank: Rank,
    #[serde(skip)]
    number: Option<f64>,
    #[serde(skip)]
    unit: Option<String>,
}

impl Point {
    /// The value with what must not be overlooked: that it is not final, or one of many.
    pub(super) fn shown(&self) -> String {
        let about: Vec<&str> = [&self.status, &self.of]
            .into_iter()
            .filter_map(|text| text.as_deref())
            .collect();
        if about.is_empty() {
            return self.value.clone();
        }
        format!("{} ({})", self.value, about.join(", "))
    }
}

/// Where a value went since the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// It is higher.
    Up,
    /// It is lower.
    Down,
    /// It is the same number.
    Steady,
}

impl Direction {
    /// An arrow.
    pub fn arrow(self) -> &'static str {
        match self {
            Self::Up => "↑",
            Self::Down => "↓",
            Self::Steady => "→",
        }
    }

    /// A word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Steady => "steady",
        }
    }
}

/// All values of one code.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trend {
    /// What was measured.
    pub text: String,
    /// The newest values, the newest first; at least one, at most twelve.
    pub points: Vec<Point>,
    /// The reference range that came with the newest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    /// From the value before the last to the last; only where both are plain numbers in one unit, at
    /// different times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// How many values there are in all.
    pub count: usize,
}

impl Trend {
    /// A line of small bars, the oldest first, over the newest values that are plain numbers in one
    /// unit; `None` for fewer than three.
    pub fn sparkline(&self) -> Option<String> {
        let unit = &self.points.first()?.unit;
        let placed = |point: &&Point| point.date.is_some() && point.unit == *unit;
        let alike = self.points.iter().take_while(placed);
        let mut numbers: Vec<f64> = alike.map_while(|point| point.number).collect();
        if numbers.len() < 3 {
            return None;
        }
        numbers.reverse();
        let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let bars = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let bar = |number: f64| -> char {
            let place = if high > low {
                (number - low) / (high - low)
            } else {
                0.5
            };
            // 0 to 7, whatever the numbers were
            let at = (place * 7.0).round().clamp(0.0, 7.0) as usize;
            bars.get(at).copied().unwrap_or('▁')
        };
        Some(numbers.into_iter().map(bar).collect())
    }

    fn add(&mut self, point: Point, range: Option<String>) {
        let same = |known: &&mut Point| known.date == point.date && known.value == point.value;
        if let Some(known) = self.points.iter_mut().find(same) {
            known.records.extend(point.records);
            if point.rank > known.rank {
                known.status = point.status;
                known.rank = point.rank;
            }
            return;
        }
        self.count += 1;
        let at = self.points.partition_point(|known| known.rank > point.rank);
        if at == 0 {
            self.range = range;
        }
        if at < MAX_POINTS {
            self.points.insert(at, point);
            self.points.truncate(MAX_POINTS);
        }
        self.direction = self.towards();
    }

    /// Where the last value went since the one before, if both can be compared and placed in time.
    fn towards(&self) -> Option<Direction> {
        let (last, before) = (self.points.first()?, self.points.get(1)?);
        let in_order = before.date.is_some() && last.date > before.date;
        if !in_order || last.unit != before.unit {
            return None;
        }
        let (last, before) = (last.number?, before.number?);
        Some(match last.partial_cmp(&before)? {
            std::cmp::Ordering::Greater => Direction::Up,
            std::cmp::Ordering::Less => Direction::Down,
            std::cmp::Ordering::Equal => Direction::Steady,
        })
    }
}

/// Series by code.
#[derive(Debug, Default)]
pub(super) struct Series {
    by_code: BTreeMap<String, Trend>,
    /// Whether values of different sites of the body are different series.
    by_site: bool,
    /// How many values had no room.
    pub(super) left_out: usize,
}

impl Series {
    /// Keeps the sites of the body apart: a left eye is not compared with a right one.
    pub(super) fn by_site() -> Self {
        Self {
            by_site: true,
            ..Self::default()
        }
    }

    /// Adds the values of an Observation: its own and those of its components.
    /// Those of a susceptibility are kept by the isolate that was tested, given with what tells it
    /// from others.
    pub(super) fn add(&mut self, resource: &Resource, isolate: Option<&(String, String)>) {
        let root = &resource.json;
        let Some(code) = root.get("code") else { return };
        let (Some(mut key), Some(mut text)) = (code_key(code), concept(code)) else {
            return;
        };
        let site = root.get("bodySite").filter(|_| self.by_site);
        if let Some(site) = site
            && let (Some(site_key), Some(site)) = (code_key(site), concept(site))
        {
            key = format!("{key} at {site_key}");
            text = format!("{text} ({site})");
        }
        if let Some((isolate, isolate_key)) = isolate {
            key = format!("{key} in {isolate_key}");
            text = format!("{text} ({isolate})");
        }
        self.add_one(resource, root, key.clone(), text.clone());
        for part in items(root, "component") {
            let Some(code) = part.get("code") else {
                continue;
            };
            let (Some(part_key), Some(part_text)) = (code_key(code), concept(code)) else {
                continue;
            };
            let name = clean_line(&format!("{text}: {part_text}"));
            self.add_one(resource, part, format!("{key} {part_key}"), name);
        }
    }

    fn add_one(&mut self, resource: &Resource, holder: &Value, key: String, text: String) {
        // a measurement that failed must not hide the value before it
        let quantity = choice(holder, "value");
        let Some(shown) = quantity.and_then(|_| value(&resource.json, holder)) else {
            return;
        };
        let number = quantity
            .filter(|q| string(q, "comparator").is_none())
            .and_then(|q| q.get("value").or_else(|| q.is_number().then_some(q)))
            .filter(|number| number.is_number())
            // only to compare; what is shown keeps its digits
            .and_then(|number| number.to_string().parse::<f64>().ok())
            .filter(|number| number.is_finite());
        let unit = quantity.and_then(|q| string(q, "code").or_else(|| string(q, "unit")));
        let point = Point {
            date: resource.meta.date.clone(),
            value: shown,
            flag: interpretation(holder),
            status: super::rank::not_final(&resource.json),
            of: super::rank::sampled(&resource.json),
            rank: Rank::of(resource),
            records: vec![resource.record],
            number,
            unit: unit.map(str::to_owned),
        };
        let range = reference_range(holder);
        if let Some(known) = self.by_code.get_mut(&key) {
            known.add(point, range);
        } else if self.by_code.len() < MAX_SERIES {
            let trend = Trend {
                text,
                points: vec![point],
                range,
                direction: None,
                count: 1,
            };
            self.by_code.insert(key, trend);
        } else {
            self.left_out += 1;
        }
    }

    /// The series, those with the newest value first.
    pub(super) fn newest_first(self) -> Vec<Trend> {
        let mut trends: Vec<Trend> = self.by_code.into_values().collect();
        trends.sort_by_cached_key(|trend| {
            let newest = trend.points.first().and_then(|point| point.date.clone());
            (
                std::cmp::Reverse(newest.map(|date| date.to_day())),
                trend.text.clone(),
            )
        });
        trends
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn series(values: &[(&str, Value)]) -> Trend {
        let mut series = Series::default();
        for (at, (date, quantity)) in (0u8..).zip(values) {
            let json = json!({"resourceType": "Observation", "code": {"text": "Iron"},
                "effectiveDateTime": date, "valueQuantity": quantity});
            let meta = vault_core::record::summary(&json.to_string()).unwrap();
            let record = RecordId::from_bytes([at; 16]);
            series.add(&Resource { record, meta, json }, None);
        }
        series.newest_first().remove(0)
    }

    #[test]
    fn directions_only_between_numbers_of_one_unit() {
        let mg = |number: f64| json!({"value": number, "unit": "mg"});
        let trend = series(&[
            ("2024-01", mg(5.0)),
            ("2024-03", mg(7.5)),
            ("2024-02", mg(6.0)),
        ]);
        assert_eq!(trend.direction, Some(Direction::Up));
        assert_eq!(trend.sparkline().as_deref(), Some("▁▄█"));
        let values: Vec<_> = trend.points.iter().map(|p| p.value.as_str()).collect();
        assert_eq!(values, ["7.5 mg", "6.0 mg", "5.0 mg"]);
        let down = series(&[("2024-01", mg(5.0)), ("2024-03", mg(4.0))]);
        assert_eq!(
            (down.direction, down.sparkline()),
            (Some(Direction::Down), None)
        );
        let same = series(&[
            ("2024-01", json!({"value": 5, "unit": "mg"})),
            ("2024-03", mg(5.0)),
        ]);
        assert_eq!(same.direction, Some(Direction::Steady));
        let other = series(&[
            ("2024-01", mg(5.0)),
            ("2024-03", json!({"value": 5, "unit": "g"})),
        ]);
        assert_eq!(other.direction, None);
        let bound = series(&[
            ("2024-01", mg(5.0)),
            (
                "2024-03",
                json!({"value": 5, "unit": "mg", "comparator": "<"}),
            ),
        ]);
        assert_eq!(bound.direction, None);
        let undated = series(&[("", mg(5.0)), ("", mg(6.0)), ("2024-03", mg(4.0))]);
        assert_eq!((undated.direction, undated.sparkline()), (None, None));
        assert_eq!(undated.points[0].value, "4.0 mg");
    }

    #[test]
    fn sites_of_the_body_are_kept_apart_where_asked() {
        let of = |mut series: Series| {
            for (at, eye) in [(1, "left"), (2, "right")] {
                let json = json!({"resourceType": "Observation", "code": {"text": "Acuity"},
                    "bodySite": {"text": eye}, "valueString": "20/20"});
                let meta = vault_core::record::summary(&json.to_string()).unwrap();
                let record = RecordId::from_bytes([at; 16]);
                series.add(&Resource { record, meta, json }, None);
            }
            let trends = series.newest_first();
            trends
                .into_iter()
                .map(|trend| trend.text)
                .collect::<Vec<_>>()
        };
        assert_eq!(of(Series::by_site()), ["Acuity (left)", "Acuity (right)"]);
        assert_eq!(of(Series::default()), ["Acuity"]);
    }

    #[test]
    fn repeated_values_merge_and_only_the_newest_are_kept() {
        let five = json!({"value": 5, "unit": "mg"});
        let twice = series(&[("2024-01", five.clone()), ("2024-01", five.clone())]);
        assert_eq!((twice.count, twice.points[0].records.len()), (1, 2));
        let many: Vec<(String, Value)> = (1..=30)
            .map(|n| (format!("2024-01-{n:02}"), five.clone()))
            .collect();
        let many: Vec<(&str, Value)> = many
            .iter()
            .map(|(date, v)| (date.as_str(), v.clone()))
            .collect();
        let trend = series(&many);
        assert_eq!((trend.count, trend.points.len()), (30, 12));
        assert_eq!(
            trend.points[0].date.as_ref().unwrap().as_str(),
            "2024-01-30"
        );
    }
}
