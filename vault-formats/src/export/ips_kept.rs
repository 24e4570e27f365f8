//! What of all records may belong into a patient summary, while they pass by.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::ips_sections::{
    ALLERGIES, Beside, DEVICES, MEDICATIONS, PREGNANCY, SECTION_KINDS, SECTIONS, key, says_none,
    section_of, tells,
};
use super::{IpsOptions, LeftOut, Resource};
use crate::Moment;
use crate::overview::{
    About, Known, Rank, Standing, Statements, absence, denied, drug, has_code, has_other_focus,
    is_active_allergy, is_past, is_wrong, medication_end, names, string, target, title,
};

/// Most supporting resources, such as drugs and doctors, that are kept until the end.
const MAX_SUPPORT: usize = 20_000;
/// Months after which a pregnancy is over.
const PREGNANCY_MONTHS: i32 = 10;

/// A record of a section, and what its row needs to know beside it.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) resource: Resource,
    /// What goes into its row.
    pub(super) beside: Beside,
}

/// What may belong into the document.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) known: Known,
    pub(super) sections: BTreeMap<usize, BTreeMap<String, Vec<Chosen>>>,
    pub(super) support: Vec<Resource>,
    pub(super) left_out: Vec<LeftOut>,
}

impl Kept {
    /// Of all resources, what may belong into a document of this day.
    pub(super) fn of<R: Borrow<Resource>>(
        resources: impl IntoIterator<Item = R>,
        when: Moment,
        options: &IpsOptions,
    ) -> Self {
        let mut kept = Self::default();
        let mut statements = Statements::default();
        for resource in resources {
            let resource = resource.borrow();
            let kind = string(&resource.json, "resourceType").unwrap_or_default();
            let supports = [
                "Medication",
                "Practitioner",
                "PractitionerRole",
                "Organization",
                "Device",
            ];
            if supports.contains(&kind) {
                if kept.support.len() < MAX_SUPPORT && !is_wrong(&resource.json) {
                    kept.support.push(resource.clone());
                }
                statements.add(resource, false);
            } else {
                statements.add(resource, SECTION_KINDS.contains(&kind));
            }
        }
        let now = when.instant();
        let today = now.get(..10).unwrap_or_default();
        kept.known = statements.finish(
            options.patient,
            options.owner.as_ref(),
            |known, standing| {
                kept.add(known, standing, today, options);
            },
        );
        kept
    }

    /// Keeps a statement if it may belong into the document.
    fn add(&mut self, known: &Known, standing: Standing, today: &str, options: &IpsOptions) {
        let Standing {
            resource,
            about,
            older,
            in_error,
            isolate,
        } = standing;
        let json = &resource.json;
        let Some(at) = section_of(&resource).filter(|_| tells(json)) else {
            return;
        };
        let why = match about {
            _ if in_error || is_wrong(json) => Some("entered in error or refuted"),
            About::Other => Some("about another person"),
            About::Unclear => Some("about whom is not clear"),
            About::Patient if has_other_focus(json) => Some("about something else"),
            About::Patient if at == PREGNANCY && is_old_pregnancy(&resource, today) => {
                Some("a pregnancy of an earlier time")
            }
            About::Patient => None,
        };
        if let Some(why) = why {
            self.left_out.push(LeftOut {
                record: resource.record,
                what: why.into(),
            });
            return;
        }
        let is_drug = at == MEDICATIONS;
        let named = if is_drug {
            drug(&resource, &known.names)
        } else {
            None
        };
        let ended = medication_end(json).filter(|end| is_drug && is_past(end, today));
        let beside = Beside {
            ended: ended.map(|end| end.get(..10).unwrap_or(end).to_owned()),
            older,
            isolate,
            drug: is_drug.then(|| named.clone().map(|named| named.text)),
        };
        let newest = SECTIONS.get(at).is_some_and(|section| section.newest);
        let drug_key = named.map(|named| named.key);
        let key = key(&resource, newest, &beside, drug_key);
        let alike = self.sections.entry(at).or_default().entry(key).or_default();
        let most = if newest {
            options.results_per_code.max(1)
        } else {
            1
        };
        let rank = Rank::of(&resource);
        let place = alike.partition_point(|known| Rank::of(&known.resource) > rank);
        if place < most {
            alike.insert(place, Chosen { resource, beside });
            alike.truncate(most);
        }
    }

    /// Drops records of no allergy that another record speaks against.
    pub(super) fn drop_denied(&mut self) {
        let Some(allergies) = self.sections.get_mut(&ALLERGIES) else {
            return;
        };
        let all = allergies.values().flatten().map(|one| &one.resource.json);
        let some: Vec<Value> = all
            .filter(|json| absence(json).is_none() && is_active_allergy(json))
            .map(|json| json!({"category": json.get("category")}))
            .take(1000)
            .collect();
        let mut left_out = Vec::new();
        for alike in allergies.values_mut() {
            alike.retain(|one| {
                let none = &one.resource;
                let kept =
                    !says_none(&none.json) || !some.iter().any(|some| denied(&none.json, some));
                if !kept {
                    left_out.push(LeftOut {
                        record: none.record,
                        what: "no known allergy, which other records speak against".into(),
                    });
                }
                kept
            });
        }
        self.left_out.append(&mut left_out);
    }
}

/// Whether an observation of a pregnancy is too old to be of one that lasts.
fn is_old_pregnancy(resource: &Resource, today: &str) -> bool {
    let lasting = ["82810-3", "11778-8", "11779-6", "11780-4"];
    if !has_code(resource.json.get("code"), &lasting) {
        return false;
    }
    let Ok(day) = today.parse::<jiff::civil::Date>() else {
        return false;
    };
    let since = day.checked_sub(jiff::Span::new().months(PREGNANCY_MONTHS));
    let Ok(since) = since else { return false };
    let date = resource.meta.date.as_ref();
    date.is_none_or(|date| is_past(date.as_str(), &since.to_string()))
}

/// Supporting resources by the names that lead to them; names that lead to two different ones lead
/// nowhere.
pub(super) fn supports(support: &[Resource]) -> BTreeMap<String, usize> {
    let mut by_name: BTreeMap<String, Option<usize>> = BTreeMap::new();
    for (at, resource) in support.iter().enumerate() {
        for name in names(&resource.json) {
            let known = by_name.entry(name).or_insert(Some(at));
            let other = known.and_then(|known| support.get(known));
            if other.is_some_and(|other| !alike(&other.json, &resource.json)) {
                *known = None;
            }
        }
    }
    by_name
        .into_iter()
        .filter_map(|(name, at)| Some((name, at?)))
        .collect()
}

/// Whether two resources of one name are the same thing: equal, but for when they were written.
fn alike(a: &Value, b: &Value) -> bool {
    let said = |of: &Value| {
        let mut of = of.clone();
        if let Some(object) = of.as_object_mut() {
            object.remove("meta");
            object.remove("text");
        }
        of
    };
    let medicine = string(a, "resourceType") == Some("Medication");
    said(a) == said(b) || (medicine && title(a) == title(b) && a.get("code") == b.get("code"))
}

/// Statements that a person's devices are in use, for those that no record says it of.
pub(super) fn device_uses(
    chosen: &[(usize, Chosen)],
    support: &[Resource],
    patient: &str,
) -> Vec<(usize, Chosen)> {
    let said: BTreeSet<String> = chosen
        .iter()
        .filter(|(at, _)| *at == DEVICES)
        .filter_map(|(_, one)| target(string(one.resource.json.get("device")?, "reference")?))
        .collect();
    let mut uses = Vec::new();
    for device in support {
        let json = &device.json;
        let own = string(json, "resourceType") == Some("Device") && json.get("patient").is_some();
        let active = string(json, "status").is_none_or(|status| status == "active");
        let names = names(json);
        let Some(name) = names.first() else { continue };
        if !own || !active || names.iter().any(|name| said.contains(name)) {
            continue;
        }
        let mut using = device.clone();
        using.json = json!({
            "resourceType": "DeviceUseStatement",
            "status": "active",
            "subject": {"reference": patient},
            "device": {"reference": name},
        });
        let beside = Beside::default();
        uses.push((
            DEVICES,
            Chosen {
                resource: using,
                beside,
            },
        ));
    }
    uses
}
