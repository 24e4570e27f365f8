//! Tests of the splitter as a whole.

use super::*;
use proptest::prelude::*;

fn slices<'a>(input: &'a str, import: &Import) -> Vec<&'a str> {
    import
        .items
        .iter()
        .map(|i| &input[i.range.clone()])
        .collect()
}

fn problems(import: &Import) -> Vec<String> {
    import.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_bundle_gives_every_resource_unchanged() {
    let a = "{ \"resourceType\" :\"Patient\",\r\n \"id\":\"\\u0031\", \"x\": 1.500 }";
    let b = r#"{"resourceType":"Observation","id":"o","id":"o2","contained":[{"resourceType":"Patient"}]}"#;
    let bundle = format!(
        "\u{feff} {{\"entry\":[{{\"resource\":{a}}} ,\r\n{{\"fullUrl\":\"urn:uuid:1\",\"resource\": {b} }}],\"resourceType\":\"Bundle\"}}\r\n"
    );
    let import = read(bundle.as_bytes(), "x.json");
    assert_eq!(slices(&bundle, &import), [a, b]);
    assert!(import.problems.is_empty());
    assert_eq!(import.items[0].meta.source_id.as_deref(), Some("Patient/1"));
    assert_eq!(
        import.items[1].meta.source_id.as_deref(),
        Some("Observation/o2")
    );
    // the name plays no part
    assert_eq!(read(bundle.as_bytes(), "x.txt").items, import.items);
}

#[test]
fn a_broken_entry_is_reported_and_the_rest_added() {
    let bundle = r#"{"resourceType":"Bundle","type":"batch","entry":[
        {"resource":{"resourceType":"Patient"},"fullUrl":"urn:uuid:7"},
        {"resource":{"id":"no type"}}, {"resource":7}, 8, {"fullUrl":"x"},
        {"request":{"method":"DELETE"}}, {"response":{"status":"204"}},
        {"resource":{"resourceType":["a"]}}, {"resource":{"resourceType":"a b"}},
        {"resource":{"resourceType":"Patient"}}]}"#;
    let import = read(bundle.as_bytes(), "x.json");
    assert_eq!(import.items.len(), 2);
    assert_eq!(
        import.items[0].meta.source_id.as_deref(),
        Some("urn:uuid:7")
    );
    assert_eq!(
        problems(&import),
        [
            "entry 2: a resource without resourceType",
            "entry 3: not a JSON object",
            "entry 4: the entry is not a JSON object",
            "entry 5: the entry has no resource",
            "entry 8: resourceType is not the name of a resource type",
            "entry 9: resourceType is not the name of a resource type",
        ]
    );
}

#[test]
fn empty_and_nested_bundles() {
    for empty in [
        r#"{"resourceType":"Bundle"}"#,
        r#"{"resourceType":"Bundle","entry":[]}"#,
    ] {
        let import = read(empty.as_bytes(), "x.json");
        assert!(import.items.is_empty() && import.problems.is_empty());
    }
    let patient = r#"{"resourceType":"Patient"}"#;
    let nest = |levels: usize| {
        (0..levels).fold(patient.to_owned(), |inner, _| {
            format!(r#"{{"resourceType":"Bundle","entry":[{{"resource":{inner}}},{{}}]}}"#)
        })
    };
    let two = nest(2);
    let import = read(two.as_bytes(), "x");
    assert_eq!(slices(&two, &import), [patient]);
    assert_eq!(
        problems(&import),
        [
            "entry 1, entry 2: the entry has no resource",
            "entry 2: the entry has no resource"
        ]
    );
    assert_eq!(read(nest(8).as_bytes(), "x").items.len(), 1);
    let nine = read(nest(9).as_bytes(), "x");
    assert!(nine.items.is_empty());
    assert!(nine.problems[0].what.contains("too many bundles"));
}

#[test]
fn duplicate_members_lose_nothing() {
    let text = r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"A"}}],
        "entry":[{"resource":{"resourceType":"B"},"resource":{"resourceType":"C"}}]}"#;
    let import = read(text.as_bytes(), "x.json");
    let kinds: Vec<_> = import.items.iter().map(|i| i.meta.kind.as_str()).collect();
    assert_eq!(kinds, ["A", "B", "C"]);
}

#[test]
fn arrays_entries_and_the_providers_envelope() {
    let array = r#"[{"resourceType":"Patient"}, {"fullUrl":"urn:uuid:2","resource":{"resourceType":"Coverage"}}, 5]"#;
    let import = read(array.as_bytes(), "x.json");
    assert_eq!(import.items.len(), 2);
    assert_eq!(problems(&import), ["item 3: not a JSON object"]);

    let envelope = r#"{"providers":[{"name":"A","fhir":{"Patient":[{"resourceType":"Patient"}],
        "Observation":[{"resourceType":"Observation"},{"id":"x"}]},"attachments":[{"a":1}]},
        {"name":"B","fhir":{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Goal"}}]}},
        {"name":"C","fhir":[{"resourceType":"Device"}]}, 3]}"#;
    let import = read(envelope.as_bytes(), "x.json");
    let kinds: Vec<_> = import.items.iter().map(|i| i.meta.kind.as_str()).collect();
    assert_eq!(kinds, ["Patient", "Observation", "Goal", "Device"]);
    assert_eq!(
        problems(&import),
        [
            "provider 1, Observation 2: a resource without resourceType",
            "provider 1: \"attachments\" is not FHIR and was left out",
            "provider 4: the provider is not a JSON object",
        ]
    );
}

#[test]
fn ndjson_goes_on_after_a_broken_line() {
    let text = "\u{feff}{\"resourceType\":\"A\"}\r\n\r\n {\"resourceType\":\"B\"} \n{\"resource\n\
                [1]\n{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{\"resourceType\":\"C\"}}]}";
    let import = read(text.as_bytes(), "x.ndjson");
    assert_eq!(
        slices(text, &import),
        [
            r#"{"resourceType":"A"}"#,
            r#"{"resourceType":"B"}"#,
            r#"{"resourceType":"C"}"#
        ]
    );
    assert_eq!(
        problems(&import),
        [
            "line 4: not valid JSON at column 10",
            "line 5: not a JSON object"
        ]
    );
    // line by line gives the same
    let mut start = 0;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        for item in read_line(line.as_bytes(), number).items {
            let range = start + item.range.start..start + item.range.end;
            assert!(import.items.contains(&Item {
                range,
                meta: item.meta,
                part_of: None
            }));
        }
        start += line.len();
    }
    // a broken first line is still NDJSON by its name
    let import = read(b"{\"res\n{\"resourceType\":\"A\"}\n", "x.ndjson");
    assert_eq!((import.items.len(), import.problems.len()), (1, 1));
    // and lines of something else are a document
    let import = read(b"{\"a\":1}\n{\"b\":2}\n", "log.ndjson");
    assert_eq!(import.items[0].range, 0..16);
    assert_eq!(import.items[0].meta.media_type, "application/x-ndjson");
}

#[test]
fn broken_json_is_one_problem_with_its_place() {
    for (text, name, at) in [
        (
            "\n\n{\"resourceType\":\"Bundle\",\n\"entry\":[",
            "x",
            "line 4, column 9",
        ),
        ("{\"a\":1,}", "x", "line 1, column 8"),
        ("hello", "x.json", "line 1, column 1"),
        ("[{\"resourceType\":\"A\"},", "x", "line 1, column 22"),
        ("[[[[", "x.json", "line 1, column 4"),
        ("  \n ", "x.json", "line 2, column 0"),
        ("{\"a\":1} trailing", "x.json", "line 1, column 9"),
    ] {
        let import = read(text.as_bytes(), name);
        assert!(import.items.is_empty());
        assert_eq!(import.problems.len(), 1);
        assert_eq!(import.problems[0].at, at, "{text}");
    }
    let import = read(b"{\"a\":\"\xff\"}", "x.json");
    assert_eq!(import.problems[0].at, "byte 7");
    assert_eq!(problems(&read(b"", "x.pdf")), ["file: the file is empty"]);
}

#[test]
fn everything_else_is_one_document() {
    for (text, name, media_type) in [
        (
            "{\"verifiableCredential\":[]}",
            "x.json",
            "application/json",
        ),
        ("[]", "x.json", "application/json"),
        ("[1,2]", "x.json", "application/json"),
        ("[ ] a list to do", "x.txt", "text/plain"),
        ("[2024-01-01] Dear all", "x.txt", "text/plain"),
        ("{\\rtf1 x}", "x.rtf", "application/rtf"),
        ("%PDF-1.4", "x.json", "application/pdf"),
    ] {
        let import = read(text.as_bytes(), name);
        assert!(import.problems.is_empty(), "{text}");
        assert_eq!(import.items[0].range, 0..text.len());
        assert_eq!(import.items[0].meta.media_type, media_type, "{text}");
    }
}

#[test]
fn a_nesting_bomb_is_refused_and_costs_nothing() {
    let bomb = "[".repeat(1 << 20) + &"]".repeat(1 << 20);
    let import = read(bomb.as_bytes(), "x.json");
    assert_eq!(
        problems(&import),
        ["file: nested more than 127 levels deep"]
    );
    let bundle = format!(
        r#"{{"resourceType":"Bundle","entry":[{{"resource":{{"resourceType":"A","x":{bomb}}}}},{{"resource":{{"resourceType":"B"}}}}]}}"#
    );
    let import = read(bundle.as_bytes(), "x.json");
    assert_eq!(import.items.len(), 1);
    assert_eq!(
        problems(&import),
        ["entry 1: nested more than 127 levels deep"]
    );
    let open = "{\"a\":".repeat(1 << 20);
    assert_eq!(read(open.as_bytes(), "x").problems.len(), 1);
}

#[test]
fn one_line_of_ten_mebibytes() {
    let data = "x".repeat(10 << 20);
    let text = format!(r#"{{"resourceType":"Binary","id":"b","data":"{data}"}}"#);
    let import = read(text.as_bytes(), "x.json");
    assert_eq!(import.items[0].range, 0..text.len());
}

#[test]
fn the_size_limit_is_one_problem() {
    let text = r#"{"resourceType":"Patient"}"#;
    let import = read_limited(text.as_bytes(), "x.json", 10);
    assert!(import.items.is_empty());
    assert!(import.problems[0].what.contains("too large"));
    let two = format!("{text}\n{text}\n");
    assert_eq!(read_limited(two.as_bytes(), "x.ndjson", 10).items.len(), 2);
}

#[test]
fn a_document_is_a_record_and_its_resources_are_parts_of_it() {
    let composition = r#"{"resourceType":"Composition","title":"Discharge summary","date":"2024-03-01",
        "type":{"coding":[{"system":"http://loinc.org","code":"18842-5"}]},
        "author":[{"display":"Dr Lind"}],"confidentiality":"R"}"#;
    let inner = r#"{"resourceType":"Bundle","type":"message","timestamp":"2020-01-01T00:00:00Z","entry":[
        {"resource":{"resourceType":"MessageHeader","meta":{"security":[{"code":"V"}]}}}]}"#;
    let plain = r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Device"}}]}"#;
    let text = format!(
        r#" {{"resourceType":"Bundle","id":"b","type":"document","timestamp":"2024-03-02T08:00:00Z","entry":[
        {{"resource":{composition}}},{{"fullUrl":"urn:uuid:1","resource":{inner}}},{{"resource":{plain}}}]}}
        "#
    );
    let import = read(text.as_bytes(), "x.json");
    let found: Vec<_> = import
        .items
        .iter()
        .map(|item| (item.meta.kind.as_str(), item.part_of))
        .collect();
    assert_eq!(
        found,
        [
            ("Bundle", None),
            ("Composition", Some(0)),
            ("Bundle", Some(0)),
            ("MessageHeader", Some(2)),
            ("Device", Some(0)),
        ]
    );
    let whole = &import.items[0];
    assert_eq!(&text[whole.range.clone()], text.trim());
    assert_eq!(whole.meta.category, crate::record::Category::Note);
    assert_eq!(whole.meta.title, "Discharge summary");
    assert_eq!(whole.meta.date, Some("2024-03-01".parse().unwrap()));
    assert_eq!(whole.meta.author.as_deref(), Some("Dr Lind"));
    assert_eq!(whole.meta.source_id.as_deref(), Some("Bundle/b"));
    assert_eq!(whole.meta.codes, ["loinc|18842-5".parse().unwrap()].into());
    let labels: Vec<_> = whole.meta.labels.iter().map(|l| l.as_str()).collect();
    assert_eq!(labels, ["R", "V"]);
    let message = &import.items[2].meta;
    assert_eq!(&text[import.items[2].range.clone()], inner);
    assert_eq!(message.title, "Message");
    assert_eq!(
        message.date.as_ref().unwrap().as_str(),
        "2020-01-01T00:00:00Z"
    );
    assert_eq!(message.source_id.as_deref(), Some("urn:uuid:1"));
    // what cannot be read may say anything
    let broken = r#"{"resourceType":"Bundle","type":"document","entry":[{"resource":{"id":"1"}}]}"#;
    let import = read(broken.as_bytes(), "x.json");
    assert!(import.items[0].meta.is_sensitive());
}

#[test]
fn problems_are_listed_up_to_a_point() {
    let text = format!(r#"[{{"resourceType":"A"}}{}]"#, ",1".repeat(5000));
    let import = read(text.as_bytes(), "x.json");
    assert_eq!((import.items.len(), import.problems.len()), (1, 1001));
    assert!(import.problems[1000].what.contains("more problems"));
}

fn json_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("-1.50e+3".to_owned()),
        "[ -~\u{e9}\u{1f600}]{0,12}".prop_map(|s| serde_json::to_string(&s).unwrap()),
        Just(r#""\u00e9\n\\\"]}""#.to_owned()),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|v| format!("[{}]", v.join(" ,\n"))),
            prop::collection::vec(inner, 0..4).prop_map(|v| {
                let members: Vec<_> = v.iter().map(|v| format!("\"k\" : {v}")).collect();
                format!("{{ {}\t}}", members.join(","))
            }),
        ]
    })
}

fn resource() -> impl Strategy<Value = String> {
    (
        "[A-Z][a-z]{1,8}",
        prop::collection::vec(json_value(), 0..4),
        any::<bool>(),
    )
        .prop_map(|(kind, values, last)| {
            let kind = format!("\"resourceType\" : \"{kind}\"");
            let mut members: Vec<_> = (0..)
                .zip(values)
                .map(|(n, v)| format!("\"m{n}\":{v}"))
                .collect();
            members.insert(if last { members.len() } else { 0 }, kind);
            format!("{{\n {} }}", members.join(",\r\n"))
        })
}

proptest! {
    #[test]
    fn bytes_out_are_bytes_in(resources in prop::collection::vec(resource(), 0..6), gap in "[ \n\r\t]{0,3}") {
        let entries: Vec<_> = resources
            .iter()
            .map(|r| format!("{{\"fullUrl\":\"u\",{gap}\"resource\":{gap}{r}{gap}}}"))
            .collect();
        let bundle = format!(
            "{gap}{{\"resourceType\":\"Bundle\",\"entry\":[{}]}}{gap}",
            entries.join(&format!("{gap},"))
        );
        let import = read(bundle.as_bytes(), "x.json");
        prop_assert_eq!(slices(&bundle, &import), resources);
        prop_assert!(import.problems.is_empty());
    }

    #[test]
    fn no_bytes_cause_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), name in ".{0,12}") {
        let import = read(&bytes, &name);
        prop_assert!(import.items.iter().all(|i| bytes.get(i.range.clone()).is_some()));
        read_line(&bytes, 1);
        crate::record::sniff(&bytes, &name, None);
    }

    #[test]
    fn no_mutation_causes_a_panic(
        resources in prop::collection::vec(resource(), 1..4),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        ndjson in any::<bool>(),
    ) {
        let mut bytes = if ndjson {
            resources.iter().map(|r| r.replace(['\n', '\r'], " ") + "\n").collect::<String>()
        } else {
            format!("{{\"resourceType\":\"Bundle\",\"entry\":[{{\"resource\":{}}}]}}", resources.join("},{\"resource\":"))
        }.into_bytes();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len() * 4).max(1));
        for name in ["x.json", "x.ndjson", "x"] {
            let import = read(&bytes, name);
            for Item { range, meta, .. } in &import.items {
                prop_assert!(bytes.get(range.clone()).is_some());
                // every summary survives the strict encoding
                let encoded = crate::codec::encode(meta);
                prop_assert_eq!(crate::codec::decode(&encoded, 4096), Ok(meta.clone()));
            }
            let total = Some(MAX_FHIR_LEN as u64 + 1);
            crate::record::sniff(&bytes, name, total);
        }
    }
}
