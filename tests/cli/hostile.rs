//! Files that are made to harm: bombs, lies, endless nesting. The command survives them in bounded
//! memory, says what it did not take, and adds what stands beside them.

mod archives;
mod feed;
#[cfg(unix)]
mod no_files;

use std::io::Write as _;

use crate::world::{World, bundle, observation};
use archives::{bomb, stored, zip};
use feed::{counts, kept, long, refused, same, take};

const CDA: &str = "<ClinicalDocument xmlns='urn:hl7-org:v3'>";
const PERSON: &str = "<recordTarget><patientRole><patient><name><family>Ode</family></name>\
    </patient></patientRole></recordTarget>";

#[test]
fn zip_archives_that_lie() {
    let w = World::of(&["a"]);
    let zeros = bomb();
    let bomb = zip(&[
        ("zeros.txt", &zeros, 8, 1 << 27, 0, None),
        stored("beside.txt", b"beside the bomb"),
    ]);
    refused(&w, "bomb.zip", &bomb, (1, 1));
    let inner = zip(&[stored("bomb.zip", &bomb)]);
    let nested = zip(&[stored("inner.zip", &inner), stored("ok.txt", b"outside")]);
    refused(&w, "nested.zip", &nested, (2, 0));
    // the one that lies deepest is a file like any other
    same(&w, "bomb.zip", &bomb);
    let body = vec![7; 1 << 20];
    let names: Vec<String> = (0..300).map(|i| format!("{i}.bin")).collect();
    let mut overlapping = vec![stored("first.bin", &body)];
    overlapping.extend(
        names
            .iter()
            .map(|n| (&n[..], &body[..], 0, 1 << 20, 0, Some(0))),
    );
    refused(&w, "overlap.zip", zip(&overlapping), (1, 300));
    let slip = zip(&[
        stored("../medvault-evil.txt", b"evil"),
        stored("/tmp/medvault-evil.txt", b"evil"),
        stored("a/../../../medvault-evil.txt", b"evil"),
        stored("C:\\medvault-evil.txt", b"evil"),
        ("link", b"/etc/passwd", 0, 11, 0o120_777 << 16, None),
        stored("a\u{1b}[31m\nrefused: b.txt", b"evil"),
        stored("fine.txt", b"fine"),
    ]);
    refused(&w, "slip.zip", slip, (1, 6));
    assert!(!std::path::Path::new("/tmp/medvault-evil.txt").exists());
    assert!(!w.path("../medvault-evil.txt").exists());
}

#[test]
fn xml_that_names_entities() {
    let w = World::of(&["a"]);
    let secret = w.file("secret.txt", "the secret of this disk");
    let mut inside = String::from("<!ENTITY e0 'lol'>");
    for i in 1..12 {
        inside += &format!("<!ENTITY e{i} '{}'>", format!("&e{};", i - 1).repeat(10));
    }
    let outside = format!("<!ENTITY e11 SYSTEM 'file://{secret}'>");
    for (which, entities) in [("inside", inside), ("outside", outside)] {
        let front = format!("<?xml version='1.0'?><!DOCTYPE x [{entities}]>");
        for (name, text) in [
            ("cda", format!("{CDA}<title>&e11;</title>{PERSON}</ClinicalDocument>")),
            ("fhir", "<Patient xmlns='http://hl7.org/fhir'><name><family value='&e11;'/></name></Patient>".into()),
            ("apple", "<HealthData locale='&e11;'><Record type='HKQuantityTypeIdentifierStepCount' value='&e11;'/></HealthData>".into()),
        ] {
            let report = kept(&w, &format!("{name}-{which}.xml"), format!("{front}{text}"));
            assert_eq!(report["derived"], 0, "{report}");
        }
    }
}

#[test]
fn nesting_without_an_end() {
    let w = World::of(&["a"]);
    let deep = |open: &str, close: &str| open.repeat(100_000) + &close.repeat(100_000);
    let lists = deep("[", "]");
    let patient = format!(r#"{{"resourceType":"Patient","x":{lists}}}"#);
    refused(&w, "lists.json", &lists, (0, 1));
    refused(&w, "patient.json", &patient, (0, 1));
    refused(
        &w,
        "entry.json",
        bundle(std::slice::from_ref(&patient)),
        (0, 1),
    );
    let lines = format!("{patient}\n{}\n", observation("line", "x", None));
    refused(&w, "lines.ndjson", lines, (1, 1));
    let tags = deep("<a>", "</a>");
    kept(&w, "cda.xml", format!("{CDA}{tags}</ClinicalDocument>"));
    kept(
        &w,
        "fhir.xml",
        format!("<Patient xmlns='http://hl7.org/fhir'>{tags}</Patient>"),
    );
    kept(&w, "apple.xml", format!("<HealthData>{tags}</HealthData>"));
}

#[test]
fn patients_that_are_shallow_and_wide() {
    let w = World::of(&["a"]);
    let patient = r#"{"resourceType":"Patient","name":[{"family":"Ode"}],"x":["#;
    let value = r#"{"a":"#.repeat(120) + "1" + &"}".repeat(120) + ",";
    kept(
        &w,
        "wide.json",
        format!("{patient}{}1]}}", value.repeat(5000)),
    );
    // and no memory for whatever comes later
    kept(&w, "later.txt", "later");
}

#[test]
fn patients_of_many_names() {
    let w = World::of(&["a"]);
    for id in ["b", "c"] {
        let front = r#"{"resourceType":"Patient","name":[{"given":[""#;
        let names = format!("{id} ").repeat(6_000_000);
        kept(
            &w,
            &format!("{id}.json"),
            format!(r#"{front}{names}"]}}]}}"#),
        );
    }
}

/// Lines of this length, as what they may be.
fn long_lines(mebibytes: usize) {
    let w = World::of(&["a"]);
    let resource = r#"{"resourceType":"Basic","id":"x","y":""#;
    let line = observation("line", "x", None);
    let cases = [
        ("line.txt", String::new(), b'a', String::new(), (1, 0)),
        ("line.json", String::new(), b'b', String::new(), (1, 0)),
        ("string.json", "\"".into(), b'a', "\"".into(), (1, 0)),
        ("resource.json", resource.into(), b'a', "\"}".into(), (1, 0)),
        (
            "line.ndjson",
            format!("{line}\n{resource}"),
            b'a',
            format!("\"}}\n{line}\n"),
            (1, 1),
        ),
        (
            "line.hl7",
            "MSH|^~\\&|LAB|X|||20240101||ORU^R01|1|P|2.5\r".into(),
            b'|',
            String::new(),
            (1, 0),
        ),
    ];
    for (name, front, fill, end, expected) in cases {
        long(&w, name, (&front, fill, &end), mebibytes);
        let report = take(&w, name);
        assert_eq!(counts(&report), expected, "{name}: {report}");
        if expected == (1, 0) && mebibytes < 100 {
            same(&w, name, &std::fs::read(w.path(name)).unwrap());
        }
        std::fs::remove_file(w.path(name)).unwrap();
    }
}

#[test]
fn lines_of_33_mebibytes() {
    long_lines(33);
}

#[test]
#[ignore = "takes many minutes and 3 GiB of disk"]
fn lines_of_a_gibibyte() {
    long_lines(1024);
}

/// A bundle of resources of 16 KiB.
fn long_bundle(resources: usize) {
    let w = World::of(&["a"]);
    let mut file = std::io::BufWriter::new(std::fs::File::create(w.path("bundle.json")).unwrap());
    let filling = "x".repeat(16 << 10);
    write!(
        file,
        r#"{{"resourceType":"Bundle","type":"collection","entry":[7"#
    )
    .unwrap();
    for id in 0..resources {
        write!(file, r#",{{"resource":{{"resourceType":"Basic","id":"{id}","code":{{"text":"{filling}"}}}}}}"#).unwrap();
    }
    write!(file, "]}}").unwrap();
    drop(file);
    let report = take(&w, "bundle.json");
    assert_eq!(counts(&report), (resources as u64, 1));
}

#[test]
fn a_bundle_of_40_mebibytes() {
    long_bundle(2560);
}

#[test]
#[ignore = "takes minutes"]
fn a_bundle_of_300_mebibytes() {
    long_bundle(19_200);
}

#[test]
fn text_that_is_none() {
    let w = World::of(&["a"]);
    let basic = |id: &[u8]| [&br#"{"resourceType":"Basic","id":""#[..], id, b"\"}\n"].concat();
    refused(&w, "bytes.json", basic(b"\xff\xfe"), (0, 1));
    refused(&w, "half.json", r#"{"resourceType":"Basic","id":""#, (0, 1));
    refused(&w, "ff.json", vec![0xff; 1 << 20], (0, 1));
    refused(&w, "empty.json", "", (0, 1));
    let lines = [
        basic(b"1"),
        basic(b"\xc3"),
        b"{\"resourceType\":\n".to_vec(),
        basic(b"4"),
    ];
    refused(&w, "lines.ndjson", lines.concat(), (2, 2));
    kept(&w, "ff.bin", vec![0xff; 1 << 20]);
    kept(
        &w,
        "cda.xml",
        [
            CDA.as_bytes(),
            b"<title>\xff\xc3</title></ClinicalDocument>",
        ]
        .concat(),
    );
    kept(
        &w,
        "fhir.xml",
        b"<Patient xmlns='http://hl7.org/fhir'><id value='\xff'/></Patient>",
    );
    kept(
        &w,
        "a.hl7",
        b"MSH|^~\\&|L|X|||20240101||ORU^R01|1|P|2.5\rPID|1||\xff\xc3||\xfe^\xff\r",
    );
}

#[test]
fn images_that_are_cut_off() {
    let w = World::of(&["a"]);
    let element = |group: u16, element: u16, kind: &str, value: &str| {
        let value = format!("{value:\0<len$}", len = value.len().next_multiple_of(2));
        let len = u16::try_from(value.len()).unwrap().to_le_bytes();
        let tag = [group.to_le_bytes(), element.to_le_bytes()].concat();
        [&tag, kind.as_bytes(), &len, value.as_bytes()].concat()
    };
    let mut image = [&[0; 128][..], b"DICM"].concat();
    image.extend(element(2, 2, "UI", "1.2.840.10008.5.1.4.1.1.2"));
    image.extend(element(2, 3, "UI", "1.2.3.4"));
    image.extend(element(2, 16, "UI", "1.2.840.10008.1.2.1"));
    image.extend(element(8, 0x18, "UI", "1.2.3.4"));
    image.extend(element(0x10, 0x10, "PN", "Ode^Ada"));
    image.extend(element(0x20, 0xd, "UI", "1.2.3"));
    image.extend([&b"\xe0\x7f\x10\0OW\0\0\xff\xff\xff\x7f"[..], &[9; 500]].concat());
    for len in [
        1,
        127,
        128,
        131,
        132,
        135,
        141,
        170,
        200,
        240,
        250,
        270,
        300,
        image.len(),
    ] {
        kept(&w, &format!("{len}.dcm"), &image[..len]);
    }
}

#[test]
fn nobody_two_people_and_nothing_there() {
    let w = World::of(&["a"]);
    let report = kept(&w, "nobody.xml", format!("{CDA}</ClinicalDocument>"));
    assert_eq!(report["derived"], 0);
    let report = kept(
        &w,
        "two.xml",
        format!(
            "{CDA}{PERSON}{}</ClinicalDocument>",
            PERSON.replace("Ode", "Bo")
        ),
    );
    assert_eq!(report["derived"], 0);
    assert!(!report["notes"].as_array().unwrap().is_empty());
    let patient = |id: &str| {
        format!(
            r#"{{"resourceType":"Patient","id":"{id}","name":[{{"family":"{id}"}}],"birthDate":"19{id}-01-01"}}"#
        )
    };
    refused(
        &w,
        "two.json",
        bundle(&[patient("50"), patient("80")]),
        (2, 0),
    );
    let dangling = r##"{"resourceType":"Observation","id":"d","status":"final","code":{"text":"d"},"subject":{"reference":"Patient/none"},"performer":[{"reference":"#x"},{"reference":"http://["}]}"##;
    refused(&w, "dangling.json", bundle(&[dangling.into()]), (1, 0));
}
