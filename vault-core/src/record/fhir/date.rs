//! When a resource's matter happened.

use serde_json::Value;

use super::fields::Fields;
use crate::record::ClinicalDate;

/// Where the time of a resource stands: when it happened comes before when it was written down.
const DATES: &[&str] = &[
    "effectiveDateTime",
    "effectivePeriod",
    "effectiveInstant",
    "effectiveTiming",
    "effectiveTimeDateTime",
    "effectiveTimePeriod",
    "onsetDateTime",
    "onsetPeriod",
    "onset",
    "performedDateTime",
    "performedPeriod",
    "occurrenceDateTime",
    "occurrencePeriod",
    "occurrenceTiming",
    "occurenceDateTime",
    "occurencePeriod",
    "occurredDateTime",
    "occurredPeriod",
    "identifiedDateTime",
    "identifiedPeriod",
    "whenHandedOver",
    "whenPrepared",
    "collection",
    "started",
    "start",
    "sent",
    "authoredOn",
    "dateWritten",
    "recordedDate",
    "assertedDate",
    "dateRecorded",
    "dateAsserted",
    "dateTime",
    "issued",
    "actualPeriod",
    "period",
    "context",
    "servicedDate",
    "servicedPeriod",
    "billablePeriod",
    "startDate",
    "statusDate",
    "date",
    "authored",
    "created",
    "recorded",
    "receivedTime",
];

/// The first date that is one.
pub(super) fn date(fields: &Fields<'_, '_>) -> Option<ClinicalDate> {
    DATES
        .iter()
        .find_map(|key| fields.get(key).and_then(|value| date_in(&value)))
}

/// The date in a `dateTime`, Period, Timing, or one of the few elements that hold one.
fn date_in(value: &Value) -> Option<ClinicalDate> {
    match value {
        Value::String(text) => ClinicalDate::new(text).ok(),
        Value::Array(items) => items.iter().find_map(date_in),
        Value::Object(object) => [
            "start",
            "event",
            "collectedDateTime",
            "collectedPeriod",
            "period",
            "end",
        ]
        .iter()
        .find_map(|key| object.get(*key).and_then(date_in)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::summary;

    #[test]
    fn dates_of_every_shape() {
        for (rest, expected) in [
            (
                r#""effectivePeriod":{"end":"2024","start":"2023-01"}"#,
                Some("2023-01"),
            ),
            (
                r#""onset":"as a child","recordedDate":"2020""#,
                Some("2020"),
            ),
            (
                r#""effectiveDateTime":7,"issued":"2020-01-02""#,
                Some("2020-01-02"),
            ),
            (
                r#""collection":{"collectedDateTime":"2021-05"}"#,
                Some("2021-05"),
            ),
            (
                r#""context":{"period":{"start":"2019"}},"date":"2020""#,
                Some("2019"),
            ),
            (r#""birthDate":"1950-01-01""#, None),
        ] {
            let date = summary(&format!(r#"{{"resourceType":"X",{rest}}}"#))
                .unwrap()
                .date;
            assert_eq!(date.as_ref().map(ClinicalDate::as_str), expected, "{rest}");
        }
    }
}
