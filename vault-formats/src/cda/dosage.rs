//! How a medication is taken.
//!
//! Source: C-CDA R2.1, Medication Activity; IHE PCC, split and tapered doses; FHIR R4, data types
//! Dosage and Timing.

use serde_json::{Map, Value, json};

use super::medications::{duration, product};
use super::reader::{Coded, Node, attr, child, children, data_type, follows, is_null, path, put};
use super::value::{range, simple_quantity};
use super::work::{Claim, Status, Work, status};
use crate::fhir;

const FREE_TEXT_SIG: &[&str] = &["2.16.840.1.113883.10.20.22.4.147"];
/// Most steps of one administration.
const MAX_STEPS: usize = 50;
/// Most times of one dose.
const MAX_TIMES: usize = 16;
const SEE_ORIGINAL: &str = "see the original for the dose";

/// The dosages of an administration: its own, then those of its steps. `bounds` say from when to
/// when, where the resource has no place of its own for that.
pub(super) fn dosages<'a>(
    work: &mut Work<'a>,
    node: Node<'a>,
    medication: &Value,
    bounds: Option<Value>,
) -> Vec<Value> {
    let mut whole = dosage(work, node);
    let mut steps = Vec::new();
    let mut sig = None;
    for act in work.related(node, "substanceAdministration") {
        let relation = act.parent();
        if follows(act, FREE_TEXT_SIG) {
            sig = child(act, "text").and_then(|text| work.anchors.words(text));
        } else if relation.and_then(|relation| attr(relation, "typeCode")) == Some("COMP") {
            if steps.len() >= MAX_STEPS {
                work.report("more than 50 steps of a dose: the rest was left out");
                whole.unclear = true;
                break;
            }
            match step(work, act, medication) {
                Some(step) => steps.push(step),
                None => whole.unclear = true,
            }
        }
    }
    if sig.is_some() {
        whole.sig = sig;
    }
    let mut whole = whole.finish(bounds);
    let only_how = whole.keys().all(|key| key == "route" || key == "site");
    for step in &mut steps {
        for how in ["route", "site"] {
            if let (Some(known), false) = (whole.get(how), step.contains_key(how)) {
                step.insert(how.into(), known.clone());
            }
        }
    }
    if !steps.is_empty() && only_how {
        whole.clear();
    }
    let all = std::iter::once(whole).chain(steps);
    all.filter(|dosage| !dosage.is_empty())
        .map(Value::Object)
        .collect()
}

/// One step of a split or a tapered dose; `None`, and reported, when it is not understood.
fn step<'a>(work: &mut Work<'a>, node: Node<'a>, medication: &Value) -> Option<Map<String, Value>> {
    if work.claim_in_any_mood(node)? == Claim::Denied
        || matches!(status(node), Status::Cancelled | Status::Aborted)
    {
        work.report("left out: a step of a dose that is denied or was given up");
        return None;
    }
    let has_other = product(work, node).is_some_and(|own| {
        let codes = |of: &Value| of.get("coding").cloned();
        own != *medication && (codes(&own).is_none() || codes(&own) != codes(medication))
    });
    let nested = work.related(node, "substanceAdministration");
    if has_other || nested.iter().any(|act| !follows(*act, FREE_TEXT_SIG)) {
        work.report("a step of a dose that is not understood was left out");
        return None;
    }
    let mut own = dosage(work, node);
    for act in nested {
        own.sig = child(act, "text").and_then(|text| work.anchors.words(text));
    }
    let mut out = own.finish(duration(node).period());
    if out.is_empty() {
        work.report("a step of a dose that is not understood was left out");
        return None;
    }
    let number = node
        .parent()
        .and_then(|relation| child(relation, "sequenceNumber"))
        .filter(|number| !is_null(*number))
        .and_then(|number| attr(number, "value")?.parse::<u16>().ok());
    put(&mut out, "sequence", number.map(|number| json!(number)));
    Some(out)
}

/// A dosage that is being made.
#[derive(Default)]
struct Dosage {
    parts: Map<String, Value>,
    repeat: Map<String, Value>,
    /// The words of who prescribed it.
    sig: Option<String>,
    /// Times that do not fit `repeat`, in words.
    times: Option<String>,
    /// Whether something is there that is not understood.
    unclear: bool,
}

impl Dosage {
    fn finish(mut self, bounds: Option<Value>) -> Map<String, Value> {
        put(&mut self.repeat, "boundsPeriod", bounds);
        if !self.repeat.is_empty() {
            let timing = json!({ "repeat": self.repeat });
            self.parts.insert("timing".into(), timing);
        }
        let unclear = self.unclear.then(|| SEE_ORIGINAL.to_owned());
        let words = [self.sig, self.times, unclear];
        let words: Vec<String> = words.into_iter().flatten().collect();
        if !words.is_empty() {
            self.parts.insert("text".into(), json!(words.join("; ")));
        }
        self.parts
    }
}

/// What an administration itself says.
fn dosage<'a>(work: &mut Work<'a>, node: Node<'a>) -> Dosage {
    let mut out = Dosage::default();
    let concept = |name: &str| -> Option<Value> {
        work.anchors
            .coded(child(node, name))
            .filter(Coded::is_known)?
            .concept()
    };
    let (route, site, unit) = (
        concept("routeCode"),
        concept("approachSiteCode"),
        work.anchors.coded(child(node, "administrationUnitCode")),
    );
    put(&mut out.parts, "route", route);
    put(&mut out.parts, "site", site);
    let unit = unit.filter(Coded::is_known).and_then(|unit| unit.words());
    let mut amount = Map::new();
    for (name, key, unit) in [
        ("doseQuantity", "dose", unit.as_deref()),
        ("rateQuantity", "rate", None),
    ] {
        let Some(given) = child(node, name).filter(|given| !is_null(*given)) else {
            continue;
        };
        match (simple_quantity(given, unit), range(given)) {
            (Some(quantity), _) => put(&mut amount, &format!("{key}Quantity"), Some(quantity)),
            (None, Some(range)) => put(&mut amount, &format!("{key}Range"), Some(range)),
            (None, None) if says_a_number(given) => {
                work.report(match key {
                    "dose" => "a dose that is no number was left out",
                    _ => "a rate that is no number was left out",
                });
                out.unclear = true;
            }
            (None, None) => {}
        }
    }
    if !amount.is_empty() {
        out.parts.insert("doseAndRate".into(), json!([amount]));
    }
    if let Some(most) = child(node, "maxDoseQuantity").filter(|most| !is_null(*most)) {
        let part = |name: &str| child(most, name).and_then(|part| simple_quantity(part, None));
        match (part("numerator"), part("denominator")) {
            (Some(numerator), Some(denominator)) => {
                let ratio = json!({"numerator": numerator, "denominator": denominator});
                out.parts.insert("maxDosePerPeriod".into(), ratio);
            }
            _ if most.descendants().any(|part| attr(part, "value").is_some()) => {
                work.report("a highest dose that is not understood was left out");
                out.unclear = true;
            }
            _ => {}
        }
    }
    // "as needed, for": C-CDA Precondition for Substance Administration
    if let Some(criterion) = path(node, &["precondition", "criterion"]) {
        let reason = work
            .coded(child(criterion, "value"), criterion)
            .and_then(|value| value.concept());
        match reason {
            Some(reason) => out.parts.insert("asNeededCodeableConcept".into(), reason),
            None => out.parts.insert("asNeededBoolean".into(), json!(true)),
        };
    }
    out.sig = child(node, "text").and_then(|text| work.anchors.words(text));
    put_times(work, &mut out, node);
    out
}

/// Whether a quantity was meant to say something, in any of its parts.
fn says_a_number(given: Node<'_>) -> bool {
    let parts = given.descendants().take(64);
    attr(given, "value").is_some()
        || given.has_children()
            && parts.into_iter().any(|part| {
                part != given && part.is_element() && !is_null(part)
                    || part.is_text() && part.text().is_some_and(|text| !text.trim().is_empty())
            })
}

/// One of the times of a dose.
struct Time {
    repeat: Map<String, Value>,
    words: String,
    is_event: bool,
    /// Whether it narrows what the times before it say.
    narrows: bool,
}

/// How often, all of it: as one `repeat` where that can say it, else in words.
fn put_times<'a>(work: &mut Work<'a>, out: &mut Dosage, node: Node<'a>) {
    let mut times = Vec::new();
    let given = children(node, "effectiveTime").filter(|time| !is_null(*time));
    for (n, time) in given.enumerate() {
        let read = match data_type(time) {
            None | Some("IVL_TS" | "TS") => continue,
            _ if n >= MAX_TIMES => Err(()),
            Some("PIVL_TS") => period(time),
            Some("EIVL_TS") => event(time),
            Some(_) => Err(()),
        };
        match read {
            Ok(time) => times.extend(time),
            Err(()) => {
                if !out.unclear || n < MAX_TIMES {
                    work.report("a frequency that is not understood was left out");
                }
                out.unclear = true;
            }
        }
    }
    let events = times.iter().filter(|time| time.is_event).count();
    let plain = times.iter().all(|time| !time.repeat.contains_key("offset"));
    let fits = match times.as_slice() {
        [] | [_] => true,
        [_, second] if events == 1 => second.narrows,
        several => events == several.len() && plain,
    };
    if !fits {
        let words: Vec<&str> = times.iter().map(|time| time.words.as_str()).collect();
        out.times = Some(words.join(" and "));
        return;
    }
    let mut when = Vec::new();
    for mut time in times {
        if let Some(Value::Array(events)) = time.repeat.remove("when") {
            when.extend(events);
        }
        out.repeat.extend(time.repeat);
    }
    when.dedup();
    if !when.is_empty() {
        out.repeat.insert("when".into(), Value::Array(when));
    }
}

/// Whether a time narrows those before it (`A`) or adds to them (`I`).
fn narrows(time: Node<'_>) -> Result<bool, ()> {
    match attr(time, "operator") {
        Some("A") => Ok(true),
        None | Some("I") => Ok(false),
        Some(_) => Err(()),
    }
}

/// A period (PIVL_TS); none where it gives no period.
fn period(time: Node<'_>) -> Result<Option<Time>, ()> {
    let narrows = narrows(time)?;
    let period = child(time, "period").filter(|period| !is_null(*period));
    let Some(period) = period else {
        return Ok(None);
    };
    let bound = |name: &str| child(period, name).filter(|bound| !is_null(*bound));
    let low = bound("low").unwrap_or(period);
    let value = attr(low, "value").and_then(fhir::decimal).ok_or(())?;
    let unit = attr(low, "unit").and_then(period_unit).ok_or(())?;
    let mut words = format!("every {value} {unit}");
    let mut repeat = Map::new();
    repeat.insert("frequency".into(), json!(1));
    repeat.insert("period".into(), value);
    repeat.insert("periodUnit".into(), json!(unit));
    if let Some(high) = bound("high") {
        if attr(high, "unit").and_then(period_unit) != Some(unit) {
            return Err(());
        }
        let most = attr(high, "value").and_then(fhir::decimal).ok_or(())?;
        words = format!(
            "{} to {most} {unit}",
            words.trim_end_matches(unit).trim_end()
        );
        repeat.insert("periodMax".into(), most);
    }
    Ok(Some(Time {
        repeat,
        words,
        is_event: false,
        narrows,
    }))
}

/// An event of the day (EIVL_TS).
fn event(time: Node<'_>) -> Result<Option<Time>, ()> {
    let narrows = narrows(time)?;
    let code = child(time, "event").and_then(|event| attr(event, "code"));
    let (code, words) = EVENTS
        .iter()
        .find(|(known, _)| Some(*known) == code)
        .ok_or(())?;
    let mut words = (*words).to_owned();
    let mut repeat = Map::new();
    repeat.insert("when".into(), json!([code]));
    if let Some(offset) = child(time, "offset").filter(|offset| !is_null(*offset)) {
        let low = child(offset, "low").unwrap_or(offset);
        let value: u32 = attr(low, "value").and_then(|v| v.parse().ok()).ok_or(())?;
        let minutes = match attr(low, "unit") {
            Some("min") => value,
            Some("h") => value.checked_mul(60).ok_or(())?,
            _ => return Err(()),
        };
        // FHIR R4, tim-9: no offset from a meal as such; and one of up to a day
        if (matches!(*code, "C" | "CM" | "CD" | "CV") && minutes > 0) || minutes > 1440 {
            return Err(());
        }
        if minutes > 0 {
            words = format!("{minutes} min {words}");
            repeat.insert("offset".into(), json!(minutes));
        }
    }
    Ok(Some(Time {
        repeat,
        words,
        is_event: true,
        narrows,
    }))
}

/// Source: HL7 v3 code system TimingEvent, of which FHIR's EventTiming is made.
const EVENTS: &[(&str, &str)] = &[
    ("HS", "at bedtime"),
    ("WAKE", "after waking"),
    ("C", "with meals"),
    ("CM", "with breakfast"),
    ("CD", "with lunch"),
    ("CV", "with dinner"),
    ("AC", "before meals"),
    ("ACM", "before breakfast"),
    ("ACD", "before lunch"),
    ("ACV", "before dinner"),
    ("PC", "after meals"),
    ("PCM", "after breakfast"),
    ("PCD", "after lunch"),
    ("PCV", "after dinner"),
];

fn period_unit(unit: &str) -> Option<&'static str> {
    ["s", "min", "h", "d", "wk", "mo", "a"]
        .into_iter()
        .find(|known| *known == unit)
}
