//! Exports that are damaged, endless or too large.

use std::io::{self, Read};

use super::tests::{SAMPLE, WHEN, problems, read};
use super::*;

/// Gives a beginning, then a filling over and over, then an end.
struct Made<F> {
    head: Vec<u8>,
    fill: F,
    left: u64,
    tail: Vec<u8>,
    ready: io::Cursor<Vec<u8>>,
    step: usize,
    chunk: usize,
}

impl<F: FnMut(u64) -> Vec<u8>> Made<F> {
    fn new(head: &str, fill: F, times: u64, tail: &str) -> Self {
        Self {
            head: head.into(),
            fill,
            left: times,
            tail: tail.into(),
            ready: io::Cursor::new(Vec::new()),
            step: 0,
            chunk: usize::MAX,
        }
    }
}

impl<F: FnMut(u64) -> Vec<u8>> Read for Made<F> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = out.len().min(self.chunk);
        loop {
            let len = self.ready.read(&mut out[..most])?;
            if len > 0 || most == 0 {
                return Ok(len);
            }
            let next = match self.step {
                0 => std::mem::take(&mut self.head),
                1 if self.left > 0 => {
                    self.left -= 1;
                    (self.fill)(self.left)
                }
                1 => std::mem::take(&mut self.tail),
                _ => return Ok(0),
            };
            if self.step == 0 || (next.is_empty() && self.left == 0) || self.tail.is_empty() {
                self.step += 1;
            }
            self.ready = io::Cursor::new(next);
        }
    }
}

#[test]
fn one_endless_piece_is_refused_and_nothing_grows() {
    const MIB: usize = 1024 * 1024;
    for (head, tail, mebibytes) in [
        ("<HealthData><Record type=\"", "\"/></HealthData>", 1024),
        ("<HealthData>", "</HealthData>", 4),
        ("<HealthData><!--", "--></HealthData>", 4),
        ("<!DOCTYPE HealthData [<!--", "-->]><HealthData/>", 4),
        ("<HealthData", "/>", 4),
    ] {
        let mut made = Made::new(head, |_| vec![b'x'; MIB], mebibytes, tail);
        let export = understand(&mut made, "export.xml", WHEN);
        let first = problems(&export).remove(0);
        assert!(
            first.ends_with("one tag or text is longer than 1 MiB"),
            "{first}"
        );
        assert_eq!(made.left, 0, "the hash is of the whole file");
    }
}

#[test]
fn entities_are_not_expanded() {
    let bomb = "<!DOCTYPE HealthData [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;\">\
        <!ENTITY c SYSTEM \"file:///etc/passwd\">]><HealthData>&b;&c;\
        <Record type=\"HKQuantityTypeIdentifierHeartRate\" unit=\"count/min\" value=\"70\" \
        sourceName=\"&b;&c;\" startDate=\"2024-03-09 08:00:00 +0100\"/></HealthData>";
    let export = read(bomb.as_bytes());
    assert!(export.understood.derived.is_empty());
    assert_eq!(
        problems(&export),
        ["export.xml: 1 records have no type, date or value that can be read"]
    );
}

#[test]
fn too_many_groups_are_counted() {
    let record = |at: u64| {
        format!(
            "<Record type=\"HKQuantityTypeIdentifierStepCount\" unit=\"count\" value=\"70\" \
             startDate=\"{}-{:02}-01 08:00:00 +0100\"/>",
            1900 + at / 12,
            1 + at % 12
        )
        .into_bytes()
    };
    let mut made = Made::new("<HealthData>", record, 500, "</HealthData>");
    let export = understand_up_to(&mut made, "export.xml", WHEN, 100);
    // no person is known
    assert_eq!(export.understood.derived.len(), 101);
    assert_eq!(
        problems(&export),
        [
            "export.xml: 400 records are only in the original: there are too many types, days and months"
        ]
    );
}

#[test]
fn too_many_days_are_put_together() {
    let mut made = Made::new("<HealthData>", pulse_of_a_day, 336, "</HealthData>");
    let export = understand_up_to(&mut made, "export.xml", WHEN, 100);
    assert_eq!(
        problems(&export),
        [
            "export.xml: so many days that clinical measures are put together by month before 1000-12"
        ]
    );
    // eleven months, the 28 days of December, the provenance
    assert_eq!(export.understood.derived.len(), 40);
}

/// A pulse on each day of years of twelve times 28 days.
fn pulse_of_a_day(at: u64) -> Vec<u8> {
    let (year, rest) = (1000 + at / 336, at % 336);
    let (month, day) = (1 + rest / 28, 1 + rest % 28);
    format!(
        "<Record type=\"HKQuantityTypeIdentifierHeartRate\" unit=\"count/min\" value=\"70\" \
         sourceName=\"Mira&#8217;s Watch\" \
         startDate=\"{year}-{month:02}-{day:02} 08:00:00 +0100\"/>"
    )
    .into_bytes()
}

#[test]
fn the_size_of_reads_changes_nothing() {
    let whole = read(SAMPLE);
    for chunk in [1, 2, 3, 7, 64, 1000] {
        let mut made = Made::new("", |_| SAMPLE.to_vec(), 1, "");
        made.step = 1;
        made.chunk = chunk;
        let export = understand(&mut made, "export.xml", WHEN);
        assert_eq!(
            export.understood.derived, whole.understood.derived,
            "{chunk}"
        );
        assert_eq!(problems(&export), problems(&whole));
    }
}

#[test]
fn damage_never_panics() {
    for cut in 0..SAMPLE.len() {
        if cut % 7 == 0 {
            read(&SAMPLE[..cut]);
            looks_like(&SAMPLE[..cut]);
        }
    }
    let mut seed = 1u32;
    for round in 0..1500 {
        let mut bytes = SAMPLE.to_vec();
        for _ in 0..=(round % 4) {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = (seed >> 8) as usize % bytes.len();
            // what XML is made of does more harm than chance
            bytes[at] = b"<>&;\"'/![]-? =\xff\x009e"[(seed >> 3) as usize % 18];
        }
        let mut made = Made::new("", |_| bytes.clone(), 1, "");
        made.step = 1;
        made.chunk = 1 + round % 50;
        understand(&mut made, "export.xml", WHEN);
        looks_like(&bytes);
        describe_member("electrocardiograms/a.csv", &bytes);
    }
}

/// Prints how fast 200 MiB are read, and the most memory the process had.
#[test]
#[ignore = "takes a while"]
fn throughput() {
    let record = |at: u64| {
        let (day, hour, minute) = (1 + at / 86_400 % 28, at / 3600 % 24, at / 60 % 60);
        let (year, month) = (2010 + at / 200_000 % 15, 1 + at / 20_000 % 12);
        let kind = [
            "HeartRate",
            "StepCount",
            "ActiveEnergyBurned",
            "OxygenSaturation",
        ][(at % 4) as usize];
        let time = format!(
            "{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02} +0200",
            at % 60
        );
        format!(
            " <Record type=\"HKQuantityTypeIdentifier{kind}\" sourceName=\"Mira&#8217;s Watch\" \
             sourceVersion=\"10.2\" device=\"&lt;&lt;HKDevice: 0x3012772a0&gt;, name:Apple Watch, \
             manufacturer:Apple Inc., model:Watch, hardware:Watch6,7, software:10.2&gt;\" \
             unit=\"count/min\" creationDate=\"{time}\" startDate=\"{time}\" endDate=\"{time}\" \
             value=\"{}.5\"/>\n",
            at % 100
        )
        .into_bytes()
    };
    let one = record(12_345).len() as u64;
    let times = 200 * 1024 * 1024 / one;
    let mut made = Made::new("<HealthData>\n", record, times, "</HealthData>");
    let start = std::time::Instant::now();
    let mut sink = [0; 65_536];
    while made.read(&mut sink).unwrap() > 0 {}
    let making = start.elapsed();
    let mut made = Made::new("<HealthData>\n", record, times, "</HealthData>");
    let start = std::time::Instant::now();
    let export = understand(&mut made, "export.xml", WHEN);
    let took = start.elapsed().saturating_sub(making).as_secs_f64();
    println!(
        "{:.0} MB/s without making them, {times} records, {} derived, {}",
        (times * one) as f64 / took / 1e6,
        export.understood.derived.len(),
        peak()
    );
    assert!(export.understood.problems.is_empty());
}

/// Prints the most memory of the process with as many groups as there can be, each with components
/// and some with many.
#[test]
#[ignore = "takes a while"]
fn memory_at_the_limit() {
    let record = |at: u64| {
        let (year, month) = (1000 + at / 10 % 4000 / 12, 1 + at / 10 % 4000 % 12);
        let (kind, source) = (at / 40_000 % 10, at % 10 % 4);
        format!(
            "<Record type=\"HKQuantityTypeIdentifierDietaryX{kind}\" unit=\"count/min\" \
             value=\"70.125\" sourceName=\"Mira&#8217;s Watch {source}\" \
             startDate=\"{year}-{month:02}-01 08:00:00 +0100\"/>\
             <ClinicalRecord sourceName=\"Somewhere\" fhirVersion=\"4.0.1\" \
             receivedDate=\"{year}-{month:02}-01 08:00:00 +0100\" \
             resourceFilePath=\"/clinical-records/Observation-01234567-89ab-cdef-0123-{at:012}.json\"/>"
        )
        .into_bytes()
    };
    let mut made = Made::new("<HealthData>", record, 400_000, "</HealthData>");
    let export = understand(&mut made, "export.xml", WHEN);
    let derived = &export.understood.derived;
    let bytes: usize = derived.iter().map(|d| d.content.len()).sum();
    println!("{} derived, {bytes} bytes, {}", derived.len(), peak());
}

/// The most memory that this process ever had.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM"));
    peak.unwrap_or("peak not known").to_owned()
}
