//! The lossless splitter: from the bytes of a file to records, each an exact range of those bytes.

use std::ops::Range;

use super::json::{Members, elements, too_deep};
use super::{FhirError, RecordMeta, document, fhir, meta};

/// Largest FHIR JSON document that is read in one piece, in bytes (256 MiB).
///
/// NDJSON may be longer: it is read line by line, see [`read_line`].
pub const MAX_FHIR_LEN: usize = 256 << 20;

/// Bundles in bundles are opened this deep.
const MAX_BUNDLES: usize = 8;

/// What a file holds.
#[derive(Debug, Default)]
pub struct Import {
    /// The records, in the order of the file.
    pub items: Vec<Item>,
    /// The parts that could not be taken, and why.
    pub problems: Vec<Problem>,
}

/// One record in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where its bytes lie in the input. They are the record, unchanged.
    pub range: Range<usize>,
    /// Its summary.
    pub meta: RecordMeta,
}

/// A part of a file that could not be taken. The rest of the file is not affected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {what}")]
pub struct Problem {
    /// Where: for example `entry 12` (counted from 1), `line 7` or `file`.
    pub at: String,
    /// What is wrong, in words.
    pub what: String,
}

/// Takes the bytes of one file apart. `name` is the file's name; a path before it is dropped.
///
/// Every resource of a FHIR bundle (of any type, also one in another), of a bare array, of a
/// `providers` envelope, or of an NDJSON file becomes one item; a single resource is one item. A
/// broken entry or line is a problem and the rest goes on. JSON that is broken as a whole is one
/// problem and no item. Everything else is one document covering all of the input.
///
/// Never fails and never panics, whatever the input.
pub fn read(bytes: &[u8], name: &str) -> Import {
    read_limited(bytes, name, MAX_FHIR_LEN)
}

/// Takes one line of an NDJSON file apart; `number` counts from 1, ranges are relative to `line`.
///
/// A blank line holds nothing. The line end may be left on.
pub fn read_line(line: &[u8], number: usize) -> Import {
    let mut import = Import::default();
    add_line(line, 0, number, &mut import);
    import
}

fn read_limited(bytes: &[u8], name: &str, limit: usize) -> Import {
    if bytes.is_empty() {
        return Import::problem("file", "the file is empty");
    }
    let start = if bytes.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    };
    let body = bytes.get(start..).unwrap_or_default();
    if !is_json(body, name) {
        return Import::document(bytes, name);
    }
    if first_line_is_resource(body) {
        return lines(body, start);
    }
    if body.len() > limit {
        return too_large(body.len());
    }
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => {
            let at = format!("byte {}", start + error.valid_up_to() + 1);
            return Import::problem(&at, "not valid JSON: the text is not UTF-8");
        }
    };
    let trimmed = text.trim_matches([' ', '\t', '\r', '\n']);
    match whole(trimmed, text, start) {
        Ok(Some(import)) => import,
        Ok(None) if too_deep(trimmed) => Import::problem("file", &FhirError::TooDeep.to_string()),
        Ok(None) => Import::document(bytes, name),
        Err(error) => match lines_of_json(body, start, name) {
            Some(Lines::Fhir(import)) => import,
            Some(Lines::Other) => Import::document(bytes, name),
            None => {
                let before = text.len() - text.trim_start_matches([' ', '\t', '\r', '\n']).len();
                let skipped = text.get(..before).unwrap_or_default();
                broken(skipped, &error)
            }
        },
    }
}

pub(super) fn too_large(len: usize) -> Import {
    let what = format!(
        "a FHIR file of {} MiB is too large to read in one piece: split it into parts of at most \
         {} MiB, or convert it to NDJSON",
        len.div_ceil(1 << 20),
        MAX_FHIR_LEN >> 20
    );
    Import::problem("file", &what)
}

fn broken(skipped: &str, error: &serde_json::Error) -> Import {
    let lines = skipped.matches('\n').count();
    let line = error.line() + lines;
    let at = format!("line {line}, column {}", error.column());
    let what = if error.is_eof() {
        "not valid JSON: the file ends too early"
    } else {
        "not valid JSON"
    };
    Import::problem(&at, what)
}

impl Import {
    fn problem(at: &str, what: &str) -> Self {
        let mut import = Self::default();
        import.report(at, what);
        import
    }

    fn document(bytes: &[u8], name: &str) -> Self {
        let prefix = bytes.get(..super::SNIFF_LEN).unwrap_or(bytes);
        Self {
            items: vec![Item {
                range: 0..bytes.len(),
                meta: document::summary(prefix, name),
            }],
            problems: Vec::new(),
        }
    }

    fn report(&mut self, at: &str, what: &str) {
        self.problems.push(Problem {
            at: at.to_owned(),
            what: what.to_owned(),
        });
    }
}

/// Whether to read the bytes as JSON: they begin like it, or the name says so.
pub(super) fn is_json(body: &[u8], name: &str) -> bool {
    let named = has_extension(name, &["json", "ndjson", "jsonl"]);
    looks_like_json(body) || (named && !document::has_signature(body))
}

/// Whether bytes begin like a JSON object or array; prose and RTF may begin with a bracket,
/// too, so the next character counts.
pub(super) fn looks_like_json(bytes: &[u8]) -> bool {
    let mut visible = bytes.iter().filter(|b| !b.is_ascii_whitespace());
    match (visible.next(), visible.next()) {
        (Some(b'{'), next) => matches!(next, None | Some(b'"' | b'}')),
        (Some(b'['), next) => matches!(next, Some(b'{')),
        _ => false,
    }
}

pub(super) fn has_extension(name: &str, extensions: &[&str]) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, own)| extensions.iter().any(|e| own.eq_ignore_ascii_case(e)))
}

/// The records of a text that is one JSON value; `None` when it is not FHIR.
fn whole(trimmed: &str, text: &str, base: usize) -> Result<Option<Import>, serde_json::Error> {
    let mut splitter = Splitter {
        text,
        base,
        import: Import::default(),
    };
    if trimmed.starts_with('{') {
        let members = Members::parse(trimmed)?;
        if members.has("resourceType") {
            splitter.resource(trimmed, &members, "", None, 0);
        } else if let Some(providers) = envelope(&members) {
            splitter.providers(&providers);
        } else {
            return Ok(None);
        }
    } else {
        serde_json::from_str::<&serde_json::value::RawValue>(trimmed)?;
        let values = elements(trimmed).unwrap_or_default();
        if !values.iter().any(|value| is_resource_or_entry(value)) {
            return Ok(None);
        }
        splitter.list(&values, "", "item");
    }
    Ok(Some(splitter.import))
}

fn is_resource_or_entry(value: &str) -> bool {
    let has_type = |text| Members::parse(text).is_ok_and(|m: Members<'_>| m.has("resourceType"));
    has_type(value)
        || Members::parse(value).is_ok_and(|entry| entry.get("resource").is_some_and(has_type))
}

/// The providers of a `{"providers": [{"name": …, "fhir": …}]}` envelope.
fn envelope<'a>(members: &Members<'a>) -> Option<Vec<&'a str>> {
    let providers = elements(members.get("providers")?)?;
    let with_fhir = |p: &&str| Members::parse(p).is_ok_and(|p| p.has("fhir"));
    providers.iter().any(with_fhir).then_some(providers)
}

struct Splitter<'a> {
    /// The text that every slice lies in.
    text: &'a str,
    /// Where that text begins in the input.
    base: usize,
    import: Import,
}

impl<'a> Splitter<'a> {
    /// Adds one resource, or all that a bundle holds. `at` is empty for the file itself.
    fn resource(
        &mut self,
        raw: &'a str,
        members: &Members<'a>,
        at: &str,
        full_url: Option<&str>,
        bundles: usize,
    ) {
        let place = if at.is_empty() { "file" } else { at };
        let is_bundle = members.text("resourceType").as_deref() == Some("Bundle");
        if is_bundle && bundles == MAX_BUNDLES {
            self.import.report(place, "too many bundles in bundles");
        } else if is_bundle {
            self.bundle(members, at, bundles + 1);
        } else {
            match fhir::summary_of(raw, members) {
                Ok(mut meta) => {
                    if meta.source_id.is_none() {
                        meta.source_id = full_url.map(meta::clean_field);
                    }
                    let start = self.base + self.offset(raw);
                    let range = start..start + raw.len();
                    self.import.items.push(Item { range, meta });
                }
                Err(error) => self.import.report(place, &error.to_string()),
            }
        }
    }

    fn bundle(&mut self, members: &Members<'a>, at: &str, bundles: usize) {
        for entries in members.all("entry") {
            match elements(entries) {
                Some(entries) => {
                    for (number, entry) in (1..).zip(entries) {
                        self.entry(entry, &under(at, "entry", number), bundles);
                    }
                }
                None => {
                    let place = if at.is_empty() { "file" } else { at };
                    self.import
                        .report(place, "the bundle's entry is not a list");
                }
            }
        }
    }

    fn entry(&mut self, raw: &'a str, at: &str, bundles: usize) {
        let Ok(entry) = Members::parse(raw) else {
            self.import.report(at, "the entry is not a JSON object");
            return;
        };
        let full_url = entry.text("fullUrl");
        let mut resources = entry.all("resource").peekable();
        if resources.peek().is_none() && !entry.has("request") && !entry.has("response") {
            self.import.report(at, "the entry has no resource");
        }
        for resource in resources {
            self.value(resource, at, full_url.as_deref(), bundles);
        }
    }

    /// Adds a value that ought to be a resource.
    fn value(&mut self, raw: &'a str, at: &str, full_url: Option<&str>, bundles: usize) {
        match Members::parse(raw) {
            Ok(members) => self.resource(raw, &members, at, full_url, bundles),
            Err(_) => self.import.report(at, &FhirError::NotAnObject.to_string()),
        }
    }

    /// Adds a list of resources, or of bundle entries.
    fn list(&mut self, values: &[&'a str], parent: &str, noun: &str) {
        for (number, value) in (1..).zip(values) {
            let at = under(parent, noun, number);
            let is_entry = Members::parse(value)
                .is_ok_and(|members| !members.has("resourceType") && members.has("resource"));
            if is_entry {
                self.entry(value, &at, 0);
            } else {
                self.value(value, &at, None, 0);
            }
        }
    }

    fn providers(&mut self, providers: &[&'a str]) {
        for (number, provider) in (1..).zip(providers) {
            let at = under("", "provider", number);
            let Ok(members) = Members::parse(provider) else {
                self.import.report(&at, "the provider is not a JSON object");
                continue;
            };
            for (name, value) in members.iter() {
                match name {
                    "fhir" => self.provider(value, &at),
                    // plain values describe the download; lists and objects may hold records
                    _ if value.starts_with(['[', '{']) && value.len() > 2 => {
                        let what = format!("\"{}\" is not FHIR and was left out", brief(name));
                        self.import.report(&at, &what);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Adds one provider's data: a resource or bundle, a list, or lists by resource type.
    fn provider(&mut self, fhir: &'a str, at: &str) {
        if let Some(values) = elements(fhir) {
            return self.list(&values, at, "item");
        }
        match Members::parse(fhir) {
            Ok(members) if members.has("resourceType") => {
                self.resource(fhir, &members, at, None, 0);
            }
            Ok(members) => {
                for (name, value) in members.iter() {
                    match elements(value) {
                        Some(values) => self.list(&values, at, &brief(name)),
                        None => self.value(value, &format!("{at}, {}", brief(name)), None, 0),
                    }
                }
            }
            Err(_) => self.import.report(at, "\"fhir\" is not an object or list"),
        }
    }

    /// Where a slice of `text` begins in it.
    fn offset(&self, part: &str) -> usize {
        part.as_ptr() as usize - self.text.as_ptr() as usize
    }
}

fn under(parent: &str, noun: &str, number: usize) -> String {
    if parent.is_empty() {
        format!("{noun} {number}")
    } else {
        format!("{parent}, {noun} {number}")
    }
}

/// A foreign name, fit to print.
fn brief(name: &str) -> String {
    meta::clean_field(name).chars().take(40).collect()
}

enum Lines {
    Fhir(Import),
    /// JSON lines of something else.
    Other,
}

/// Whether the first line that is not blank is a whole resource, and another line follows.
pub(super) fn first_line_is_resource(body: &[u8]) -> bool {
    let mut lines = body.split_inclusive(|b| *b == b'\n').filter(|l| !blank(l));
    lines.next().is_some_and(|line| {
        line.ends_with(b"\n") && line.len() < body.len() && line_kind(line) == LineKind::Resource
    }) && lines.next().is_some()
}

/// Reads JSON lines where the first line does not tell; `None` when they are not JSON lines.
fn lines_of_json(body: &[u8], base: usize, name: &str) -> Option<Lines> {
    let kinds = || {
        body.split(|b| *b == b'\n')
            .filter(|l| !blank(l))
            .map(line_kind)
    };
    let named = has_extension(name, &["ndjson", "jsonl"]);
    match kinds().next() {
        None => return None,
        Some(LineKind::Broken) if !named => return None,
        Some(_) => {}
    }
    if kinds().any(|kind| kind == LineKind::Resource) {
        Some(Lines::Fhir(lines(body, base)))
    } else if kinds().all(|kind| kind == LineKind::Json) {
        Some(Lines::Other)
    } else {
        None
    }
}

#[derive(PartialEq, Eq)]
enum LineKind {
    Resource,
    Json,
    Broken,
}

fn line_kind(line: &[u8]) -> LineKind {
    let Ok(text) = std::str::from_utf8(line) else {
        return LineKind::Broken;
    };
    match Members::parse(text) {
        Ok(members) if members.has("resourceType") => LineKind::Resource,
        Ok(_) => LineKind::Json,
        Err(error) if error.is_data() => LineKind::Json,
        Err(_) => LineKind::Broken,
    }
}

fn lines(body: &[u8], base: usize) -> Import {
    let mut import = Import::default();
    let mut start = base;
    for (number, line) in (1..).zip(body.split_inclusive(|b| *b == b'\n')) {
        add_line(line, start, number, &mut import);
        start += line.len();
    }
    import
}

fn add_line(line: &[u8], start: usize, number: usize, import: &mut Import) {
    let (start, line) = match line.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) if number == 1 => (start + 3, rest),
        _ => (start, line),
    };
    if blank(line) {
        return;
    }
    let at = format!("line {number}");
    let Ok(text) = std::str::from_utf8(line) else {
        return import.report(&at, "not valid JSON: the text is not UTF-8");
    };
    let trimmed = text.trim_matches([' ', '\t', '\r', '\n']);
    let members = match Members::parse(trimmed) {
        Ok(members) => members,
        Err(error) if error.is_data() => {
            return import.report(&at, &FhirError::NotAnObject.to_string());
        }
        Err(error) => {
            let what = format!("not valid JSON at column {}", error.column());
            return import.report(&at, &what);
        }
    };
    let mut splitter = Splitter {
        text,
        base: start,
        import: std::mem::take(import),
    };
    splitter.resource(trimmed, &members, &at, None, 0);
    *import = splitter.import;
}

fn blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
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
                    meta: item.meta
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
    fn the_size_limit_names_the_way_out() {
        let text = r#"{"resourceType":"Patient"}"#;
        let import = read_limited(text.as_bytes(), "x.json", 10);
        assert!(import.items.is_empty());
        assert!(import.problems[0].what.contains("NDJSON"));
        let two = format!("{text}\n{text}\n");
        assert_eq!(read_limited(two.as_bytes(), "x.ndjson", 10).items.len(), 2);
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
                prop_assert!(import.items.iter().all(|i| bytes.get(i.range.clone()).is_some()));
                let total = Some(MAX_FHIR_LEN as u64 + 1);
                crate::record::sniff(&bytes, name, total);
            }
        }
    }
}
