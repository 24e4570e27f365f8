//! The stream against the reader that sees the whole file.

use std::io::Read;

use proptest::prelude::*;

use super::*;
use crate::record::read;

/// Gives a few bytes at a time.
struct Trickle<'a>(&'a [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let len = self.1.min(self.0.len()).min(out.len());
        let (now, later) = self.0.split_at(len);
        out[..len].copy_from_slice(now);
        self.0 = later;
        Ok(len)
    }
}

/// A record: where it lies, where the bundle lies that it is a part of, and its summary.
type Row = (Range<usize>, Option<Range<usize>>, RecordMeta);

#[derive(Debug, PartialEq)]
struct Rows {
    rows: Vec<Row>,
    problems: Vec<String>,
}

fn sorted(mut rows: Vec<Row>, problems: Vec<String>) -> Rows {
    rows.sort_by_key(|(range, ..)| (range.start, std::cmp::Reverse(range.end)));
    Rows { rows, problems }
}

fn rows_of(import: &Import, start: usize) -> Vec<Row> {
    let shift = |range: &Range<usize>| start + range.start..start + range.end;
    let part_of = |at: usize| shift(&import.items[at].range);
    let row = |item: &crate::record::Item| {
        (
            shift(&item.range),
            item.part_of.map(part_of),
            item.meta.clone(),
        )
    };
    import.items.iter().map(row).collect()
}

fn at_once(bytes: &[u8], name: &str) -> Rows {
    let import = read(bytes, name);
    let problems = import.problems.iter().map(ToString::to_string).collect();
    sorted(rows_of(&import, 0), problems)
}

fn streamed(bytes: &[u8], name: &str, limit: usize, chunk: usize) -> Rows {
    let (mut rows, mut problems) = (Vec::<Row>::new(), Vec::new());
    let reader = BundleReader::with_limit(Trickle(bytes, chunk), name, limit);
    let done: std::io::Result<()> = reader.read(|found| {
        match found {
            Streamed::Piece(piece) => {
                let start = piece.start as usize;
                let end = start + piece.bytes.len();
                assert!(bytes[start..end] == piece.bytes, "bytes changed");
                rows.extend(rows_of(&piece.import, start));
                problems.extend(piece.import.problems.iter().map(ToString::to_string));
            }
            Streamed::Whole { range, meta } => {
                let range = range.start as usize..range.end as usize;
                for (part, part_of, _) in &mut rows {
                    if part_of.is_none() && range.start <= part.start && part.end <= range.end {
                        *part_of = Some(range.clone());
                    }
                }
                rows.push((range, None, meta));
            }
            Streamed::Document { meta } => rows.push((0..bytes.len(), None, meta)),
            Streamed::Problem(problem) => problems.push(problem.to_string()),
        }
        Ok(())
    });
    done.unwrap();
    sorted(rows, problems)
}

const LIMIT: usize = 1 << 20;

fn agree(text: &str) {
    let expected = at_once(text.as_bytes(), "x.json");
    for chunk in [1, 7, 1 << 16] {
        let found = streamed(text.as_bytes(), "x.json", LIMIT, chunk);
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn every_shape_that_there_is() {
    let a = r#"{"resourceType":"Patient","id":"a\"]}\\"}"#;
    let doc = format!(
        r#"{{"resourceType":"Bundle","type":"document","entry":[{{"resource":{{"resourceType":"Composition","title":"T","confidentiality":"R"}}}},{{"resource":{a}}}]}}"#
    );
    for text in [
        a.to_owned(),
        format!("\u{feff} {a}\r\n"),
        doc.clone(),
        format!("\u{feff}\n{doc}\n"),
        format!(
            r#"{{"entry":[{{"resource":{a}}},{{"resource":{doc}}}],"type":"message","resourceType":"Bundle","id":"z"}}"#
        ),
        format!(
            r#"{{"type":"message","id":"z","entry":[{{"fullUrl":"u","resource":{a}}}, 5],"meta":{{"security":[{{"code":"V"}}]}},"timestamp":"2020-01-01T00:00:00Z","resourceType":"Bundle"}}"#
        ),
        format!(
            r#"{{"resourceType":"Bundle","entry":[{{"resource":{doc}}},{{}},7,{{"resource":{{"id":"x"}}}}],"entry":[{{"resource":{a}}}]}}"#
        ),
        format!(r#"{{"entry":[{{}},{{"resource":{a}}}],"resourceType":"Bundle"}}"#),
        format!(
            r#"{{"entry":[],"resourceType":"Bundle","type":"document","entry":[ {{"resource":{a}}} ]}}"#
        ),
        r#"{"resourceType":"Bundle"}"#.to_owned(),
        r#"{"resourceType":"List","entry":[{"item":{"reference":"X/1"}}]}"#.to_owned(),
        r#"{"entry":[{"item":{"reference":"X/1"}}],"resourceType":"List"}"#.to_owned(),
        format!(r#"[{a},{{"fullUrl":"u","resource":{a}}},5,{doc}]"#),
        format!(r#"[5,{{"a":1}},{a}]"#),
        "[]".to_owned(),
        "[{\"a\":1}]".to_owned(),
        "{\"verifiableCredential\":[]}".to_owned(),
        format!(
            r#"{{"name":"x","providers":[{{"name":"A","fhir":{{"Patient":[{a}],"Observation":[{{"id":"x"}}],"Device":{a}}},"attachments":[{{"a":1}}]}},
            {{"fhir":{doc}}},{{"fhir":[{a},{{"resource":{a}}}]}},{{"fhir":{{"patients":[{a}]}}}},{{"fhir":{a}}},{{"fhir":3}},{{"fhir":{{}}}},3]}}"#
        ),
        r#"{"providers":[{"name":"A"}]}"#.to_owned(),
        r#"{"providers":7}"#.to_owned(),
    ] {
        agree(&text);
    }
}

#[test]
fn what_is_too_large_is_left_out_and_the_rest_taken() {
    let large = format!(
        r#"{{"resourceType":"Binary","data":"{}"}}"#,
        "x".repeat(500)
    );
    let bundle = format!(
        r#"{{"resourceType":"Bundle","type":"document","entry":[{{"resource":{{"resourceType":"A"}}}},{{"resource":{large}}},{{"resource":{{"resourceType":"B"}}}}]}}"#
    );
    let found = streamed(bundle.as_bytes(), "x", 300, 100);
    let kinds: Vec<_> = found.rows.iter().map(|row| row.2.kind.as_str()).collect();
    assert_eq!(kinds, ["Bundle", "A", "B"]);
    assert_eq!(found.rows[0].0, 0..bundle.len());
    assert!(found.rows[0].2.is_sensitive(), "a part was not read");
    assert_eq!(found.rows[1].1, Some(0..bundle.len()));
    assert_eq!(
        found.problems,
        ["entry 2: larger than 1 MiB and was left out"]
    );
    // one resource is kept whole
    let found = streamed(large.as_bytes(), "x.json", 300, 100);
    assert_eq!(found.rows[0].0, 0..large.len());
    assert_eq!(found.rows[0].2.labels, [crate::Label::unclear()].into());
    assert_eq!(found.rows[0].2.media_type, "application/json");
    // a bundle of any length whose type comes last
    let entries = vec![r#"{"resource":{"resourceType":"A"}}"#; 200].join(",");
    let text = format!(r#"{{"entry":[{entries}],"type":"collection","resourceType":"Bundle"}}"#);
    let found = streamed(text.as_bytes(), "x.json", 300, 1000);
    assert_eq!((found.rows.len(), found.problems.len()), (200, 0));
}

#[test]
fn an_error_has_its_place_and_comes_last() {
    let text =
        r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"A"}},{"resource" 1}]}"#;
    let found = streamed(text.as_bytes(), "x", LIMIT, 9);
    assert_eq!(found.rows.len(), 1);
    let at = text.find("1}").unwrap() + 1;
    assert_eq!(found.problems, [format!("byte {at}: not valid JSON")]);
    let cut = &text[..60];
    let found = streamed(cut.as_bytes(), "x", LIMIT, 9);
    assert_eq!(
        found.problems,
        ["byte 61: not valid JSON: the file ends too early"]
    );
    let found = streamed(b"{\"a\":\"\xff\"}", "x", LIMIT, 2);
    assert_eq!(found.problems, ["byte 7: not valid JSON"]);
    let found = streamed(
        b"{\"resourceType\":\"A\"}\n{\"resourceType\":\"B\"}",
        "x",
        LIMIT,
        2,
    );
    assert_eq!(found.problems, ["byte 22: not valid JSON"]);
}

#[test]
fn a_nesting_bomb_costs_nothing() {
    let bomb = "[".repeat(1 << 20) + &"]".repeat(1 << 20);
    let text = format!(
        r#"{{"resourceType":"Bundle","entry":[{{"resource":{{"resourceType":"A","x":{bomb}}}}},{{"resource":{{"resourceType":"B"}}}}]}}"#
    );
    let found = streamed(text.as_bytes(), "x", 4 << 20, 1 << 16);
    assert_eq!(found, at_once(text.as_bytes(), "x"));
    let open = "[".repeat(5 << 20);
    let found = streamed(open.as_bytes(), "x", LIMIT, 1 << 16);
    assert_eq!(found.problems, ["file: nested more than 127 levels deep"]);
}

#[test]
fn every_sample_file_in_both_ways() {
    let folder = std::env::var("MEDVAULT_SAMPLE_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared").to_owned());
    let Ok(folders) = std::fs::read_dir(folder + "/data") else {
        return println!("skipped: no sample data");
    };
    let mut compared = 0;
    for folder in folders
        .map(|folder| folder.unwrap().path())
        .filter(|p| p.is_dir())
    {
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let name = path.file_name().unwrap().to_str().unwrap();
            if serde_json::from_slice::<&serde_json::value::RawValue>(&bytes).is_ok() {
                let found = streamed(&bytes, name, 32 << 20, 50_000);
                assert_eq!(found, at_once(&bytes, name), "{name}");
                compared += 1;
            }
        }
    }
    assert!(compared > 100, "{compared}");
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("-1.50e+3".to_owned()),
        Just(r#""\u00e9\n\\\"]}""#.to_owned()),
        "[a-z\u{e9}]{0,5}".prop_map(|text| format!("{text:?}")),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|v| format!("[ {}]", v.join(" ,"))),
            inner.prop_map(|v| format!("{{\"k\":{v} }}")),
        ]
    })
}

fn resource() -> impl Strategy<Value = String> {
    let kinds = prop::sample::select(vec!["Patient", "Composition", "List", "A b", "Observation"]);
    (kinds, value(), any::<bool>(), any::<bool>()).prop_map(|(kind, value, last, label)| {
        let kind = format!("\"resourceType\":\"{kind}\"");
        let label = if label {
            ",\"meta\":{\"security\":[{\"code\":\"R\"}]}"
        } else {
            ""
        };
        if last {
            format!("{{\"entry\": {value}{label},{kind}}}")
        } else {
            format!("{{ {kind},\"title\":{value}{label} }}")
        }
    })
}

fn bundle(inner: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let entry = prop_oneof![
        6 => inner.prop_map(|r| format!("{{\"fullUrl\":\"urn:x\",\"resource\": {r} }}")),
        1 => Just("{}".to_owned()),
        1 => value(),
    ];
    let kinds = prop::sample::select(vec!["document", "message", "collection", "batch"]);
    (
        prop::collection::vec(entry, 0..4),
        kinds,
        0..4usize,
        "[ \n\t]{0,2}",
    )
        .prop_map(|(entries, kind, order, gap)| {
            let entries = format!("\"entry\":[{}]", entries.join(&format!("{gap},")));
            let kind = format!("\"type\":\"{kind}\",\"id\":\"1\"");
            let resource = "\"resourceType\":\"Bundle\"".to_owned();
            let members = match order {
                0 => [resource, kind, entries],
                1 => [resource, entries, kind],
                2 => [kind, entries, resource],
                _ => [entries, resource, kind],
            };
            format!("{{{gap}{}{gap}}}", members.join(","))
        })
}

fn file() -> impl Strategy<Value = String> {
    let one = prop_oneof![3 => resource(), 1 => bundle(resource())].boxed();
    let list = prop::collection::vec(prop_oneof![3 => one.clone(), 1 => value()], 0..4)
        .prop_map(|v| format!("[{}]", v.join(",\n")))
        .boxed();
    let fhir = prop_oneof![
        list.clone(),
        one.clone(),
        value(),
        (list.clone(), list.clone())
            .prop_map(|(a, b)| format!("{{\"Patient\":{a}, \"goals\":{b}}}")),
    ];
    let provider = prop_oneof![
        4 => (fhir, value()).prop_map(|(f, v)| format!("{{\"more\":{v},\"fhir\":{f}}}")),
        1 => value(),
    ];
    prop_oneof![
        bundle(one.clone()),
        one,
        list,
        prop::collection::vec(provider, 0..3)
            .prop_map(|v| format!("{{\"providers\":[{}],\"x\":1}}", v.join(","))),
        value(),
    ]
}

proptest! {
    #[test]
    fn both_ways_find_the_same(text in file(), chunk in 1..40usize) {
        let expected = at_once(text.as_bytes(), "x.json");
        prop_assert_eq!(streamed(text.as_bytes(), "x.json", LIMIT, chunk), expected, "{}", text);
    }

    #[test]
    fn no_bytes_cause_a_panic(
        text in file(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        cut in any::<prop::sample::Index>(),
        limit in 1..300usize,
    ) {
        let mut bytes = text.into_bytes();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len() * 3).max(1));
        streamed(&bytes, "x.json", limit, 13);
        streamed(&bytes, "x", LIMIT, 5);
    }
}
