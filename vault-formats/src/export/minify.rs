//! JSON on one line: white space between tokens goes, every token stays as it is written.

use std::borrow::Cow;

use serde_json::value::RawValue;

/// A text that is not one JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one JSON value")]
pub struct NotJson;

/// `text` without the white space between its tokens. Digits, strings and the order of members stay;
/// a text without such white space is returned as it is.
///
/// # Errors
/// [`NotJson`] when it is not exactly one JSON value. A byte order mark before it is passed over.
pub fn minify(text: &str) -> Result<Cow<'_, str>, NotJson> {
    let text = text.trim_start_matches('\u{feff}').trim();
    // raw values are checked and copied by no one
    serde_json::from_str::<&RawValue>(text).map_err(|_| NotJson)?;
    let mut out = String::new();
    let mut from = 0;
    let mut in_string = false;
    let mut escaped = false;
    for (at, b) in text.bytes().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b' ' | b'\t' | b'\n' | b'\r' if !in_string => {
                out.push_str(text.get(from..at).unwrap_or_default());
                from = at + 1;
            }
            _ => {}
        }
    }
    if from == 0 {
        return Ok(Cow::Borrowed(text));
    }
    out.push_str(text.get(from..).unwrap_or_default());
    Ok(Cow::Owned(out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn digits_strings_and_order_stay() {
        let text = "\u{feff} { \"b\" : 1.500 ,\r\n\t\"a\":[ 1E+2 , -0.0,\"x \\\" { \\\\\" , \"\u{e9} \\u00e9\" ] } \n";
        assert_eq!(
            minify(text).unwrap(),
            "{\"b\":1.500,\"a\":[1E+2,-0.0,\"x \\\" { \\\\\",\"\u{e9} \\u00e9\"]}"
        );
        assert!(matches!(minify("{\"a\":1}"), Ok(Cow::Borrowed(_))));
        for bad in ["", "{", "{} {}", "{\"a\":\"\n\"}", "{'a':1}", "01"] {
            assert_eq!(minify(bad), Err(NotJson), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_pretty_text_comes_back_compact(key in ".*", value in ".*", number in any::<i64>()) {
            let value = serde_json::json!({ key: [value, number, {"x": []}] });
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(minify(&pretty).unwrap(), value.to_string());
        }

        #[test]
        fn any_text_is_taken_or_refused(text in "[ \\n{}\\[\\]\",:a1\\\\\u{e9}]{0,40}") {
            if let Ok(compact) = minify(&text) {
                prop_assert!(!compact.contains('\n'));
            }
        }
    }
}
