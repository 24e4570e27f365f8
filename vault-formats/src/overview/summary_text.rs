//! The summary as plain text, and the sections that text and page share.

use super::shown::table;
use super::summary::Summary;
use super::summary_parts::Entry;
use super::text::{width, wrap};
use super::trend::{Point, Trend};

/// Most lines of one section; the others are counted.
pub(super) const MAX_ROWS: usize = 150;

/// A section of the page.
pub(super) struct Section<'a> {
    pub(super) title: &'static str,
    pub(super) rows: Rows<'a>,
    /// What records say that there is nothing, or nothing else.
    pub(super) none_known: &'a [Entry],
    /// What to say when nothing is recorded; without it the section is left out.
    pub(super) nothing: Option<&'static str>,
}

pub(super) enum Rows<'a> {
    Entries(Vec<&'a Entry>),
    Trends(&'a [Trend]),
}

impl Rows<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Rows::Entries(entries) => entries.len(),
            Rows::Trends(trends) => trends.len(),
        }
    }
}

impl Summary {
    /// The sections in the order of the page, without those that have nothing to say.
    pub(super) fn sections(&self) -> Vec<Section<'_>> {
        let none_known = |key: &str| self.none_known.get(key).map_or(&[][..], Vec::as_slice);
        let by = |active: bool| {
            let entries = self.problems.iter().filter(|entry| entry.active == active);
            Rows::Entries(entries.collect())
        };
        let nothing = Some("Nothing recorded.");
        let section = |title, rows, none_known, nothing| Section {
            title,
            rows,
            none_known,
            nothing,
        };
        let sections = vec![
            section(
                "Allergies and intolerances",
                Rows::Entries(self.allergies.iter().collect()),
                none_known("allergies"),
                Some("Nothing recorded. This does not mean that there are none."),
            ),
            section("Problems", by(true), none_known("problems"), nothing),
            section(
                "Current medication",
                Rows::Entries(self.medications.iter().collect()),
                none_known("medications"),
                nothing,
            ),
            section(
                "Immunizations",
                Rows::Entries(self.immunizations.iter().collect()),
                none_known("immunizations"),
                nothing,
            ),
            section(
                "Appointments",
                Rows::Entries(self.appointments.iter().collect()),
                &[],
                None,
            ),
            section("Results", Rows::Trends(&self.results), &[], None),
            section("Vital signs", Rows::Trends(&self.vitals), &[], None),
            section("Past problems", by(false), &[], None),
            section(
                "Diagnoses at visits",
                Rows::Entries(self.visit_diagnoses.iter().collect()),
                &[],
                None,
            ),
            section(
                "Procedures",
                Rows::Entries(self.procedures.iter().collect()),
                none_known("procedures"),
                None,
            ),
            section(
                "Care team",
                Rows::Entries(self.care_team.iter().collect()),
                &[],
                None,
            ),
            section(
                "Other observations",
                Rows::Trends(&self.observations),
                &[],
                None,
            ),
        ];
        let says =
            |s: &Section<'_>| s.rows.len() > 0 || !s.none_known.is_empty() || s.nothing.is_some();
        sections.into_iter().filter(says).collect()
    }

    /// Who it is about, in lines.
    pub(super) fn who(&self) -> Vec<String> {
        let lines = self.patients.iter().map(|who| {
            let name = if who.name.is_empty() {
                "No name"
            } else {
                who.name.as_str()
            };
            let mut parts = vec![name.to_owned()];
            parts.extend(who.born.as_ref().map(|born| format!("born {born}")));
            parts.extend(who.gender.clone());
            parts.extend(who.died.as_ref().map(|died| match died.as_str() {
                "yes" => "died".to_owned(),
                date => format!("died {date}"),
            }));
            parts.join(", ")
        });
        lines.collect()
    }

    /// What nobody may overlook, in lines.
    pub(super) fn loud(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.patients.len() > 1 {
            lines.push("These records name more than one person.".to_owned());
        }
        match self.not_about_patient.len() {
            0 => {}
            1 => lines.push(
                "1 record is about somebody else or does not say about whom; it is not in this summary."
                    .to_owned(),
            ),
            n => lines.push(format!(
                "{n} records are about somebody else or do not say about whom; they are not in this summary."
            )),
        }
        lines
    }

    /// What the page ends with.
    pub(super) fn closing(&self) -> String {
        let resources = self.resources;
        let mut text = format!("Made on {} from {resources} records.", self.today);
        if !self.withdrawn.is_empty() {
            let wrong = self.withdrawn.len();
            text.push_str(&format!(
                " Left out as entered in error or refuted: {wrong}."
            ));
        }
        if self.left_out > 0 {
            text.push_str(&format!(" Too many to be listed: {}.", self.left_out));
        }
        text
    }

    /// As plain text, for a terminal of `columns` columns (at least 40 are assumed).
    pub fn to_text(&self, columns: usize) -> String {
        let columns = columns.max(40);
        let mut out = Vec::new();
        for who in self.who() {
            out.extend(wrap(&who, columns));
        }
        for loud in self.loud() {
            out.extend(wrap(&loud, columns));
        }
        for section in self.sections() {
            if !out.is_empty() {
                out.push(String::new());
            }
            out.push(section.title.to_owned());
            match &section.rows {
                Rows::Entries(entries) => {
                    for entry in entries.iter().take(MAX_ROWS) {
                        item(&mut out, &line(entry), columns);
                    }
                }
                Rows::Trends(trends) => trend_table(&mut out, trends, columns),
            }
            for none in section.none_known {
                let text = match &none.date {
                    Some(date) => format!("Recorded: {} ({date})", none.text),
                    None => format!("Recorded: {}", none.text),
                };
                item(&mut out, &text, columns);
            }
            if let Some(more) = section.rows.len().checked_sub(MAX_ROWS).filter(|n| *n > 0) {
                out.push(format!("  … and {more} more"));
            }
            if section.rows.len() == 0 && section.none_known.is_empty() {
                out.extend(section.nothing.map(|text| format!("  {text}")));
            }
        }
        out.push(String::new());
        out.extend(wrap(&self.closing(), columns));
        let lines: Vec<&str> = out.iter().map(|line| line.trim_end()).collect();
        let mut text = lines.join("\n");
        text.push('\n');
        text
    }
}

/// An entry in one line.
fn line(entry: &Entry) -> String {
    let mut text = entry.text.clone();
    if let Some(detail) = &entry.detail {
        text.push_str(": ");
        text.push_str(detail);
    }
    let mut about: Vec<String> = entry.status.iter().cloned().collect();
    about.extend(entry.date.as_ref().map(ToString::to_string));
    if entry.count > 1 {
        about.push(format!("{} records", entry.count));
    }
    if !about.is_empty() {
        text.push_str(&format!(" ({})", about.join(", ")));
    }
    text
}

fn item(out: &mut Vec<String>, text: &str, columns: usize) {
    let mut lines = wrap(text, columns - 4).into_iter();
    out.extend(lines.next().map(|first| format!("  - {first}")));
    out.extend(lines.map(|line| format!("    {line}")));
}

/// The cells of a series: name, last value, flag, day, arrow, values before.
pub(super) fn cells(trend: &Trend, before: usize) -> Vec<String> {
    let last = trend.points.first();
    let day = last.and_then(|point| point.date.as_ref());
    // the unit is said once
    let unit = last.and_then(|point| point.value.split_once(' ').map(|(_, unit)| unit));
    let earlier: Vec<String> = trend
        .points
        .iter()
        .skip(1)
        .take(before)
        .map(|point| match point.value.split_once(' ') {
            Some((number, own))
                if Some(own) == unit && is_number(number) && point.status.is_none() =>
            {
                number.to_owned()
            }
            _ => point.shown(),
        })
        .collect();
    let arrow = trend.direction.map(|d| d.arrow()).unwrap_or_default();
    let spark = trend.sparkline().unwrap_or_default();
    vec![
        trend.text.clone(),
        last.map(Point::shown).unwrap_or_default(),
        last.and_then(|point| point.flag.clone())
            .unwrap_or_default(),
        day.map(|date| date.to_day().to_string())
            .unwrap_or_default(),
        format!("{arrow} {spark}").trim().to_owned(),
        earlier.join(", "),
    ]
}

fn is_number(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'))
}

/// The headings of [`cells`].
pub(super) const HEADS: [&str; 6] = ["What", "Last", "Flag", "Date", "Trend", "Before"];

fn trend_table(out: &mut Vec<String>, trends: &[Trend], columns: usize) {
    let before = if columns < 100 { 2 } else { 3 };
    let rows: Vec<Vec<String>> = trends
        .iter()
        .take(MAX_ROWS)
        .map(|trend| cells(trend, before))
        .collect();
    let used = |at: usize| {
        rows.iter()
            .any(|row| row.get(at).is_some_and(|cell| width(cell) > 0))
    };
    let kept: Vec<usize> = (0..HEADS.len()).filter(|at| used(*at)).collect();
    let keep = |row: &[String]| -> Vec<String> {
        kept.iter().filter_map(|at| row.get(*at).cloned()).collect()
    };
    let heads: Vec<String> = HEADS.iter().map(|head| (*head).to_owned()).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(|row| keep(row)).collect();
    table(out, &keep(&heads), &rows, columns);
}
