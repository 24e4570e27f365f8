//! The walk against the usual reader.

use super::*;
use proptest::prelude::*;

/// Gives one byte at a time, so that every window ends everywhere.
struct Slow<'a>(&'a [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let Some((first, rest)) = self.0.split_first() else {
            return Ok(0);
        };
        out[0] = *first;
        self.0 = rest;
        Ok(1)
    }
}

fn is_json(bytes: &[u8], slow: bool) -> bool {
    fn whole<R: Read>(mut scan: Scan<R>) -> Result<(), ScanError> {
        scan.value()?;
        scan.white_space()?;
        match scan.peek()? {
            None => Ok(()),
            Some(_) => scan.wrong(),
        }
    }
    if slow {
        whole(Scan::new(Slow(bytes), 100)).is_ok()
    } else {
        whole(Scan::new(bytes, 100)).is_ok()
    }
}

#[test]
fn the_grammar_is_that_of_the_usual_reader() {
    for (text, good) in [
        ("{}", true),
        (" [ ] ", true),
        ("[1,2,{\"a\":[true,false,null]}]", true),
        ("-0.5e+10", true),
        ("\"\\u00e9\\n\\\"\u{e9}\u{1f600}\"", true),
        ("01", false),
        ("1.", false),
        ("-", false),
        ("[1,]", false),
        ("{\"a\":1,}", false),
        ("{\"a\"}", false),
        ("{a:1}", false),
        ("[1 2]", false),
        ("[}", false),
        ("\"\\x\"", false),
        ("\"\\u00g0\"", false),
        ("\"\n\"", false),
        ("tru", false),
        ("", false),
        ("[", false),
        ("{} {}", false),
    ] {
        let usual: Result<serde_json::Value, _> = serde_json::from_str(text);
        assert_eq!(usual.is_ok(), good, "{text}");
        assert_eq!(is_json(text.as_bytes(), false), good, "{text}");
        assert_eq!(is_json(text.as_bytes(), true), good, "{text}");
    }
    for bad in [
        &b"\"\xff\""[..],
        b"\"\xc3\"",
        b"\"\xe2\x82",
        b"\"\xed\xa0\x80\"",
    ] {
        assert!(!is_json(bad, false) && !is_json(bad, true), "{bad:?}");
    }
}

#[test]
fn what_is_kept_is_what_was_there_up_to_the_limit() {
    let text = "  {\"a\": \"\u{20ac}\u{20ac}\"} ";
    let mut scan = Scan::new(Slow(text.as_bytes()), 20);
    scan.white_space().unwrap();
    scan.keep();
    scan.value().unwrap();
    let Ok(Kept::Text(kept)) = scan.kept() else {
        panic!("too long");
    };
    assert_eq!((kept.as_str(), scan.position()), (text.trim(), 17));
    let mut scan = Scan::new(text.as_bytes(), 10);
    scan.keep();
    scan.value().unwrap();
    assert!(matches!(scan.kept(), Ok(Kept::TooLong)));
}

#[test]
fn depth_is_bounded() {
    let deep = "[".repeat(MAX_LEVELS + 2);
    let mut scan = Scan::new(deep.as_bytes(), 10);
    assert!(matches!(scan.value(), Err(ScanError::TooDeep)));
    let mut scan = Scan::new(&b"[[[]],{\"a\":[[[1]]]}]"[..], 10);
    let base = scan.watch_depth();
    scan.value().unwrap();
    assert_eq!((scan.deepest(base), scan.depth), (5, 0));
}

proptest! {
    #[test]
    fn any_text_is_judged_like_the_usual_reader_does(text in "[\\[\\]{}\",:0-9eE.+\\\\ntrufals\u{e9} -]{0,24}") {
        let usual = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
        prop_assert_eq!(is_json(text.as_bytes(), false), usual);
        prop_assert_eq!(is_json(text.as_bytes(), true), usual);
    }

    #[test]
    fn any_bytes_are_judged_like_the_usual_reader_does(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
        let quoted = [b"\"", &bytes[..], b"\""].concat();
        let usual = serde_json::from_slice::<&serde_json::value::RawValue>(&quoted).is_ok();
        prop_assert_eq!(is_json(&quoted, true), usual);
    }
}
