//! Observations of every kind.
//!
//! Source: C-CDA R2.1, Result Observation; FHIR R4, resource Observation.

use serde_json::{Map, Value, json};

use super::reader::{Coded, Node, child, children, fixed, is_null, put, put_list};
use super::time::Interval;
use super::value::{put_value, range as bounds_of};
use super::work::{Claim, Status, Work, status};

/// Where an observation is filed. Source: FHIR R4, value set ObservationCategoryCodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Category {
    /// Laboratory.
    Laboratory,
    /// Imaging.
    Imaging,
    /// Vital signs.
    VitalSigns,
    /// Social history.
    SocialHistory,
}

impl Category {
    fn concept(self) -> Value {
        let (code, display) = match self {
            Self::Laboratory => ("laboratory", "Laboratory"),
            Self::Imaging => ("imaging", "Imaging"),
            Self::VitalSigns => ("vital-signs", "Vital Signs"),
            Self::SocialHistory => ("social-history", "Social History"),
        };
        fixed("observation-category", code, display)
    }
}

/// Derives one Observation and returns its reference. `around` is the time of what it is part of,
/// `code` what it is about where the entry does not say.
pub(super) fn observe<'a>(
    work: &mut Work<'a>,
    node: Node<'a>,
    category: Category,
    around: Option<&Interval>,
    code: Option<Value>,
) -> Option<String> {
    observe_with(work, node, category, around, code, Vec::new())
}

/// [`observe`], with these components.
pub(super) fn observe_with<'a>(
    work: &mut Work<'a>,
    node: Node<'a>,
    category: Category,
    around: Option<&Interval>,
    code: Option<Value>,
    components: Vec<Value>,
) -> Option<String> {
    if work.claim(node)? == Claim::Denied {
        work.report("left out: an observation that is denied");
        return None;
    }
    let own = work.coded(child(node, "code"), node);
    // an assertion says nothing about what is observed
    let own = own.filter(|own| own.is_known() && !own.is_any(&["ASSERTION"]));
    let Some(code) = own.and_then(|own| own.concept()).or(code) else {
        work.report("left out: an observation that does not say of what");
        return None;
    };
    let mut resource = work.begin(node, "subject");
    resource.insert("code".into(), code);
    resource.insert("category".into(), json!([category.concept()]));
    put_value(work, &mut resource, node);
    let has_value = !resource.contains_key("dataAbsentReason");
    let state = match status(node) {
        Status::Completed => "final",
        Status::Active if has_value => "preliminary",
        Status::Active | Status::Suspended | Status::Waiting => "registered",
        Status::Cancelled | Status::Aborted => {
            work.report("left out: an observation that was given up");
            return None;
        }
        Status::Unsaid | Status::Unknown => "unknown",
    };
    resource.insert("status".into(), json!(state));
    let mut when = Interval::of(child(node, "effectiveTime"));
    if when.is_empty()
        && let Some(around) = around
    {
        when = around.clone();
    }
    when.put(&mut resource, "effective");
    let concepts = |name: &'static str| -> Vec<Value> {
        let codes = children(node, name).filter_map(|code| work.anchors.coded(Some(code)));
        codes
            .filter_map(|code: Coded<'_>| code.concept())
            .take(8)
            .collect()
    };
    let (flags, methods, sites) = (
        concepts("interpretationCode"),
        concepts("methodCode"),
        concepts("targetSiteCode"),
    );
    put_list(&mut resource, "interpretation", flags);
    put(&mut resource, "method", methods.into_iter().next());
    put(&mut resource, "bodySite", sites.into_iter().next());
    put_list(
        &mut resource,
        "referenceRange",
        reference_ranges(work, node),
    );
    put_list(&mut resource, "component", components);
    work.add("Observation", resource)
}

fn reference_ranges<'a>(work: &Work<'a>, node: Node<'a>) -> Vec<Value> {
    let ranges = children(node, "referenceRange")
        .filter(|range| !is_null(*range))
        .take(8);
    let ranges = ranges.filter_map(|range| {
        let range = child(range, "observationRange").filter(|range| !is_null(*range))?;
        let bounds = child(range, "value").and_then(bounds_of);
        let mut out = match bounds {
            Some(Value::Object(bounds)) => bounds,
            _ => Map::new(),
        };
        let text = child(range, "text").and_then(|text| work.anchors.words(text));
        put(&mut out, "text", text.map(Value::String));
        (!out.is_empty()).then_some(Value::Object(out))
    });
    ranges.collect()
}
