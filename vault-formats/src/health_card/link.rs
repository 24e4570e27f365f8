//! SMART Health Links: the address of health data that lie encrypted elsewhere, with the key.
//!
//! Source: SMART Health Links (HL7), "Construct a SMART Health
//! Link". Nothing is fetched.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;
use vault_core::record::clean_title;
use vault_core::{Label, RecordMeta};

use crate::{Moment, Understood};

const SCHEME: &str = "shlink:/";
/// Longest link, in bytes.
const MAX_LEN: usize = 16 << 10;
/// Times later than this are in milliseconds: as seconds it is the year 5138.
const LAST_SECOND: f64 = 1e11;

#[derive(Deserialize)]
struct Payload {
    label: Option<Value>,
    exp: Option<Value>,
}

/// Whether a file that begins like this is a SMART Health Link: `shlink:/…`, or a viewer's address
/// that ends in `#shlink:/…`.
pub fn is_health_link(prefix: &[u8]) -> bool {
    std::str::from_utf8(prefix).is_ok_and(|text| payload_of(text).is_some())
}

/// The payload of a link in base64url.
fn payload_of(text: &str) -> Option<&str> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let link = if text.get(..4)?.eq_ignore_ascii_case("http") {
        text.split_once('#')?.1
    } else {
        text
    };
    let (scheme, payload) = link.split_at_checked(SCHEME.len())?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let fits = scheme.eq_ignore_ascii_case(SCHEME)
        && text.len() <= MAX_LEN
        && !payload.is_empty()
        && payload.bytes().all(plain);
    fits.then_some(payload)
}

/// Understands a link. Whoever has it can open what it leads to, so it is labelled as unclear.
pub(super) fn understand(text: &str, when: Moment) -> Option<Understood> {
    let encoded = payload_of(text)?;
    let mut understood = Understood {
        meta: RecordMeta {
            title: "SMART Health Link".to_owned(),
            media_type: "text/plain".to_owned(),
            labels: [Label::unclear()].into(),
            ..RecordMeta::default()
        },
        ..Understood::default()
    };
    let decoded = URL_SAFE_NO_PAD.decode(encoded).ok();
    let payload: Option<Payload> = decoded.and_then(|json| serde_json::from_slice(&json).ok());
    let Some(payload) = payload else {
        understood.report("file", "the link cannot be read");
        return Some(understood);
    };
    if let Some(label) = payload.label.as_ref().and_then(Value::as_str) {
        understood.meta.title = clean_title(&format!("SMART Health Link: {label}"));
    }
    if let Some(expires) = payload.exp.as_ref().and_then(seconds) {
        let day = Moment(expires).instant();
        let day = day.split('T').next().unwrap_or_default();
        if expires < when.0 {
            understood.report("file", format!("the link expired on {day}"));
        } else {
            // a long label must not push the date out
            let label: String = understood.meta.title.chars().take(160).collect();
            understood.meta.title = clean_title(&format!("{label} (until {day})"));
        }
    }
    Some(understood)
}

/// Seconds since 1970. Some issuers write milliseconds, or a number as a text.
fn seconds(value: &Value) -> Option<u64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let number = number.filter(|number| number.is_finite() && *number >= 0.0)?;
    let seconds = if number > LAST_SECOND {
        number / 1000.0
    } else {
        number
    };
    // the year of a longer time is past what can be shown
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Some(seconds as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment(1_790_000_000);

    fn link(json: &str) -> String {
        format!("shlink:/{}", URL_SAFE_NO_PAD.encode(json))
    }

    #[test]
    fn links_alone_and_behind_a_viewer() {
        let bare = link(r#"{"url":"https://example.org/a","key":"k","label":"Shots\u001b[2J"}"#);
        for text in [bare.clone(), format!("https://view.example.org/#{bare}\n")] {
            assert!(is_health_link(text.as_bytes()));
            let understood = understand(&text, NOW).unwrap();
            assert_eq!(understood.meta.title, "SMART Health Link: Shots[2J");
            assert!(understood.meta.is_sensitive());
            assert!(understood.problems.is_empty() && understood.derived.is_empty());
        }
        for other in [
            "",
            "shlink:/",
            "shlink:/a b",
            "https://example.org/",
            "http",
            "shlink:/%",
            "é",
        ] {
            assert!(!is_health_link(other.as_bytes()), "{other}");
            assert!(understand(other, NOW).is_none());
        }
        assert!(!is_health_link(b"shlink:/\xff"));
        let broken = understand("shlink:/AAAA", NOW).unwrap();
        assert_eq!(
            broken.problems[0].to_string(),
            "file: the link cannot be read"
        );
    }

    #[test]
    fn the_end_of_a_link_is_said() {
        for exp in [
            "1798761600",
            "1798761600.0",
            "\"1798761600000\"",
            "1798761600000",
        ] {
            let understood = understand(&link(&format!("{{\"exp\":{exp}}}")), NOW).unwrap();
            assert_eq!(
                understood.meta.title,
                "SMART Health Link (until 2027-01-01)"
            );
        }
        let past = understand(&link(r#"{"exp":1767225600,"label":7}"#), NOW).unwrap();
        assert_eq!(past.meta.title, "SMART Health Link");
        assert_eq!(
            past.problems[0].to_string(),
            "file: the link expired on 2026-01-01"
        );
        for odd in ["-1", "1e999", "\"NaN\"", "[]"] {
            let understood = understand(&link(&format!("{{\"exp\":{odd}}}")), NOW).unwrap();
            assert_eq!(understood.meta.title, "SMART Health Link", "{odd}");
        }
        let long = format!("{{\"exp\":1e300,\"label\":\"{}\"}}", "x".repeat(500));
        assert!(
            understand(&link(&long), NOW)
                .unwrap()
                .meta
                .title
                .ends_with("(until 9999-12-31)")
        );
    }
}
