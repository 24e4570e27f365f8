use std::collections::HashMap;
use std::io::{self, Cursor, Read, Write as _};

use vault_core::{Added, Digest, VaultError, VersionId};

use super::*;

/// Keeps everything in memory.
#[derive(Default)]
struct Kept {
    records: Vec<(RecordId, RecordMeta, Vec<u8>)>,
    known: HashMap<Digest, RecordId>,
    breaths: usize,
}

impl Shelf for Kept {
    type Error = VaultError;

    fn known(&self, digest: &Digest) -> Option<RecordId> {
        self.known.get(digest).copied()
    }

    fn may_know(&self, len: u64) -> bool {
        self.records
            .iter()
            .any(|(.., bytes)| bytes.len() as u64 == len)
    }

    fn has_derived(&self, origin: &RecordId) -> bool {
        self.records
            .iter()
            .any(|(_, meta, _)| meta.origin == Some(*origin))
    }

    fn add(
        &mut self,
        meta: RecordMeta,
        _: &str,
        content: Content<'_>,
    ) -> Result<Added, VaultError> {
        let mut bytes = Vec::new();
        match content {
            Content::Bytes(content) => bytes.extend_from_slice(&content),
            Content::Stream(stream) => {
                stream
                    .read_to_end(&mut bytes)
                    .map_err(vault_core::BodyError::Io)?;
            }
        }
        let digest = Digest::of(&bytes);
        if let Some(record) = self.known(&digest) {
            return Ok(Added::Known(record));
        }
        let record = RecordId::random();
        self.known.insert(digest, record);
        self.records.push((record, meta, bytes));
        Ok(Added::New(record, VersionId::random()))
    }

    fn breathe(&mut self) -> Result<(), VaultError> {
        self.breaths += 1;
        Ok(())
    }
}

impl Kept {
    fn of(&self, kind: &str) -> Vec<&RecordMeta> {
        let metas = self.records.iter().map(|(_, meta, _)| meta);
        metas.filter(|meta| meta.kind.as_str() == kind).collect()
    }

    fn id(&self, kind: &str) -> RecordId {
        let found = self
            .records
            .iter()
            .find(|(_, meta, _)| meta.kind.as_str() == kind);
        found.unwrap().0
    }
}

fn take_all<'a>(
    kept: &mut Kept,
    files: Vec<(&str, Box<dyn Source + 'a>)>,
    patient: &[Person],
) -> Report {
    let (keys, sensitivity) = (IssuerKeys::default(), Sensitivity::standard());
    let mut door = Door::new(&keys, &sensitivity, Moment(1_790_000_000), patient.to_vec());
    for (name, mut source) in files {
        door.take(kept, &mut *source, name).unwrap();
    }
    door.finish(kept).unwrap()
}

fn take(kept: &mut Kept, name: &str, bytes: &[u8]) -> Report {
    take_all(kept, vec![(name, Box::new(InMemory(bytes)))], &[])
}

const CDA: &str = r#"<ClinicalDocument xmlns="urn:hl7-org:v3">
<code code="34133-9" codeSystem="2.16.840.1.113883.6.1"/><title>Summary</title>
<effectiveTime value="20240312"/><confidentialityCode code="N"/>
<recordTarget><patientRole><id root="1.2.3"/><patient><name><given>Mira</given><family>Lind</family></name>
<birthTime value="19800506"/></patient></patientRole></recordTarget>
<component><structuredBody><component><section><code code="11450-4" codeSystem="2.16.840.1.113883.6.1"/>
<entry><act classCode="ACT" moodCode="EVN"><statusCode code="active"/><entryRelationship typeCode="SUBJ">
<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/>
<code code="55607006" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/>
<effectiveTime><low value="20200101"/></effectiveTime>
<value xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CD" code="86406008"
 codeSystem="2.16.840.1.113883.6.96" displayName="Human immunodeficiency virus infection"/>
</observation></entryRelationship></act></entry></section></component></structuredBody></component>
</ClinicalDocument>"#;

#[test]
fn what_is_derived_names_its_origin_and_its_labels_reach_the_original() {
    let mut kept = Kept::default();
    let report = take(&mut kept, "folder/portal.xml", CDA.as_bytes());
    assert_eq!(report.notes, []);
    let original = kept.of("Document")[0];
    let condition = kept.of("Condition")[0];
    let hiv = "HIV".parse().unwrap();
    assert!(condition.labels.contains(&hiv), "{condition:?}");
    // whoever gets the file gets all that it says
    assert!(original.labels.contains(&hiv), "{original:?}");
    assert_eq!(condition.origin, Some(kept.id("Document")));
    assert_eq!(kept.records[0].2, CDA.as_bytes());
    let counts = report.total();
    assert_eq!(
        (counts.added, counts.derived),
        (1, kept.records.len() as u64 - 1)
    );

    // again: nothing, not even a new provenance
    let before = kept.records.len();
    let again = take(&mut kept, "other name.xml", CDA.as_bytes());
    assert_eq!((again.total().known, again.added.len()), (1, 0));
    assert_eq!(kept.records.len(), before);
    assert_eq!(report.strangers, []);
}

#[test]
fn a_document_bundle_is_kept_whole_and_in_its_parts() {
    let bundle = r#"{"resourceType":"Bundle","type":"document","timestamp":"2024-01-02T00:00:00Z","entry":[
      {"resource":{"resourceType":"Composition","title":"Letter","date":"2024-01-02"}},
      {"resource":{"resourceType":"Condition","code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"B20"}],"text":"x"}}}]}"#;
    let mut kept = Kept::default();
    take(&mut kept, "letter.json", bundle.as_bytes());
    assert_eq!(kept.records.len(), 3);
    let whole = kept.of("Bundle")[0];
    assert_eq!((whole.title.as_str(), whole.origin), ("Letter", None));
    assert!(
        whole.labels.contains(&"HIV".parse().unwrap()),
        "a part's label covers the whole"
    );
    assert_eq!(kept.of("Condition")[0].origin, Some(kept.id("Bundle")));
    let bytes = &kept
        .records
        .iter()
        .find(|(_, meta, _)| meta.kind.as_str() == "Bundle")
        .unwrap()
        .2;
    assert_eq!(bytes, bundle.as_bytes());
    // a collection is only a container
    let mut kept = Kept::default();
    take(
        &mut kept,
        "c.json",
        bundle.replace("\"document\"", "\"collection\"").as_bytes(),
    );
    assert_eq!((kept.records.len(), kept.of("Bundle").len()), (2, 0));
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer
            .start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn archives_are_opened_and_their_members_named() {
    let pulse = br#"{"resourceType":"Observation","code":{"text":"Pulse"}}"#;
    let inner = zip(&[("a/pulse.json", pulse), ("note.txt", b"hello")]);
    let outer = zip(&[
        ("inner.zip", &inner),
        ("portal.xml", CDA.as_bytes()),
        ("broken.json", b"{\"resourceType\":"),
        ("__MACOSX/._x", b"litter"),
    ]);
    let mut kept = Kept::default();
    let report = take(&mut kept, "from portal.zip", &outer);
    assert_eq!(kept.of("Observation")[0].title, "Pulse");
    assert_eq!(kept.of("Condition").len(), 1);
    let titles: Vec<_> = kept
        .of("Document")
        .iter()
        .map(|meta| meta.title.as_str())
        .collect();
    assert_eq!(titles.len(), 2, "{titles:?}");
    let [refused] = &report.refused[..] else {
        panic!("{:?}", report.refused);
    };
    assert_eq!(refused.file, "from portal.zip!broken.json");
    // what holds a program's own files stays whole
    let letter = zip(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("word/document.xml", b"<a/>"),
    ]);
    let mut kept = Kept::default();
    take(&mut kept, "letter.docx", &letter);
    assert_eq!((kept.records.len(), &kept.records[0].2), (1, &letter));
}

#[test]
fn an_apple_export_says_where_its_clinical_records_are_from() {
    let export = br#"<HealthData locale="en"><ExportDate value="2024-06-01 10:00:00 +0000"/>
      <Me HKCharacteristicTypeIdentifierDateOfBirth="1980-05-06"/>
      <Record type="HKQuantityTypeIdentifierBodyMass" sourceName="Scale" unit="kg" startDate="2024-01-02 08:00:00 +0100" endDate="2024-01-02 08:00:00 +0100" value="70.50"/>
      <ClinicalRecord type="AllergyIntolerance" identifier="1" sourceName="Lakeside Clinic" sourceURL="https://x" fhirVersion="4.0.1" receivedDate="2024-01-03 08:00:00 +0100" resourceFilePath="/clinical-records/a.json"/>
      </HealthData>"#;
    let archive = zip(&[
        // before the export, as in real archives
        (
            "apple_health_export/clinical-records/a.json",
            br#"{"resourceType":"AllergyIntolerance","code":{"text":"Latex"}}"#,
        ),
        ("apple_health_export/export.xml", export),
        (
            "apple_health_export/workout-routes/route_2024-01-02_8.00am.gpx",
            b"<gpx/>",
        ),
    ]);
    let mut kept = Kept::default();
    take(&mut kept, "export.zip", &archive);
    assert_eq!(
        kept.of("AllergyIntolerance")[0].author.as_deref(),
        Some("Lakeside Clinic")
    );
    let weight = kept
        .records
        .iter()
        .find(|(_, meta, _)| meta.kind.as_str() == "Observation")
        .unwrap();
    let text = String::from_utf8(weight.2.clone()).unwrap();
    assert!(text.contains("70.50"), "{text}");
    assert!(
        kept.of("Document")
            .iter()
            .any(|meta| meta.title.starts_with("Workout route"))
    );
}

#[test]
fn files_about_somebody_else_are_told_of() {
    let mira = Person {
        given: vec!["Mira".into()],
        family: vec!["Lind".into()],
        born: "1980-05-06".parse().ok(),
    };
    let other = CDA.replace("Mira", "Tomas").replace("19800506", "20100101");
    let mut kept = Kept::default();
    let files: Vec<(&str, Box<dyn Source + '_>)> = vec![
        ("own.xml", Box::new(InMemory(CDA.as_bytes()))),
        ("other.xml", Box::new(InMemory(other.as_bytes()))),
    ];
    let report = take_all(&mut kept, files, &[mira]);
    let [stranger] = &report.strangers[..] else {
        panic!("{:?}", report.strangers);
    };
    assert_eq!(
        (stranger.file.as_str(), stranger.same),
        ("other.xml", SamePerson::Other)
    );
    assert_eq!(stranger.person.shown(), "Tomas Lind (2010-01-01)");
    // told of, and added all the same
    assert_eq!(kept.of("Patient").len(), 2);
}

#[test]
fn a_bulk_manifest_is_no_record() {
    let manifest =
        br#"{"transactionTime":"2024-01-01T00:00:00Z","request":"x","requiresAccessToken":false,
      "output":[{"type":"Patient","url":"https://x/Patient.000.ndjson"}],"error":[]}"#;
    let mut kept = Kept::default();
    let report = take(&mut kept, "manifest.json", manifest);
    assert_eq!((kept.records.len(), report.total().files), (0, 1));
    // other JSON is a document
    take(&mut kept, "settings.json", br#"{"output":[]}"#);
    assert_eq!(kept.records.len(), 1);
}

#[test]
fn what_is_kept_unread_is_unclear() {
    let (keys, sensitivity) = (IssuerKeys::default(), Sensitivity::standard());
    let mut door = Door::new(&keys, &sensitivity, Moment(0), Vec::new());
    door.as_documents = true;
    let mut kept = Kept::default();
    door.take(&mut kept, &mut InMemory(CDA.as_bytes()), "a.xml")
        .unwrap();
    assert_eq!(kept.records.len(), 1);
    assert!(kept.records[0].1.labels.contains(&Label::unclear()));
}

/// A source that breaks off.
struct Broken(&'static [u8]);

impl Source for Broken {
    fn open(&mut self) -> io::Result<Box<dyn Read + Send + '_>> {
        struct Fails;
        impl Read for Fails {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the stick was pulled out"))
            }
        }
        Ok(Box::new(self.0.chain(Fails)))
    }

    fn front(&mut self, most: usize) -> io::Result<Vec<u8>> {
        Ok(self.0.iter().take(most).copied().collect())
    }

    fn length(&self) -> Option<u64> {
        Some(1 << 20)
    }
}

#[test]
fn a_file_that_breaks_off_is_refused_and_the_rest_goes_on() {
    let mut kept = Kept::default();
    let files: Vec<(&str, Box<dyn Source>)> = vec![
        ("a.txt", Box::new(Broken(b"hello"))),
        (
            "a.json",
            Box::new(Broken(b"{\"resourceType\":\"Patient\"}\n")),
        ),
        (
            "a.xml",
            Box::new(Broken(b"<ClinicalDocument xmlns='urn:hl7-org:v3'>")),
        ),
        ("a.hl7", Box::new(Broken(b"MSH|^~\\&|"))),
        ("a.dcm", Box::new(Broken(b"\x08\0\x05\0CS\x0a\0ISO_IR 100"))),
        ("good.txt", Box::new(InMemory(b"good"))),
    ];
    let report = take_all(&mut kept, files, &[]);
    assert_eq!(report.refused.len(), 5, "{:?}", report.refused);
    let whole = report
        .refused
        .iter()
        .all(|r| r.what.ends_with("the stick was pulled out"));
    assert!(whole, "{:?}", report.refused);
    assert_eq!(kept.records.last().unwrap().2, b"good");
}

#[test]
fn labels_climb_through_every_bundle_and_into_files_inside() {
    let hiv = r#"{"resource":{"resourceType":"Condition","code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"B20"}]}}}"#;
    let inner = format!(r#"{{"resourceType":"Bundle","type":"document","entry":[{hiv}]}}"#);
    let outer = format!(
        r#"{{"resourceType":"Bundle","type":"document","entry":[{{"resource":{inner}}}]}}"#
    );
    let mut kept = Kept::default();
    take(&mut kept, "outer.json", outer.as_bytes());
    let hiv = "HIV".parse().unwrap();
    assert_eq!(kept.of("Bundle").len(), 2);
    assert!(
        kept.records
            .iter()
            .all(|(_, meta, _)| meta.labels.contains(&hiv))
    );

    let message = "MSH|^~\\&|LAB||||||ORU^R01|1|P|2.5\rPID|1||7||Lind^Mira||19800506\r\
        OBR|1|||1^Panel^L\rOBX|1|ST|25836-8^HIV 1 RNA^LN||detected||||||F\r\
        OBX|2|ED|1^Report^L||^AP^PDF^Base64^JVBERi0xLjQK||||||F\r";
    let mut kept = Kept::default();
    take(&mut kept, "lab.hl7", message.as_bytes());
    let pdf = kept
        .records
        .iter()
        .find(|(_, meta, _)| meta.media_type == "application/pdf");
    assert!(pdf.unwrap().1.labels.contains(&hiv), "{:?}", pdf.unwrap().1);
    assert!(kept.of("DiagnosticReport")[0].labels.contains(&hiv));
}

#[test]
fn what_was_not_looked_into_may_hold_anything() {
    let unclear = Label::unclear();
    let mut kept = Kept::default();
    // looks like a card and is none; an archive that is cut off; archives too deep in others
    let card = br#"{"verifiableCredential":[1]}"#;
    take(&mut kept, "card.json", card);
    let archive = zip(&[("a.txt", b"hello")]);
    take(&mut kept, "cut.zip", &archive[..archive.len() - 4]);
    let mut deep = archive;
    for _ in 0..3 {
        deep = zip(&[("inner.zip", &deep)]);
    }
    let report = take(&mut kept, "deep.zip", &deep);
    assert!(!report.notes.is_empty());
    // a kind of message that is not read
    let bill = b"MSH|^~\\&|A||||||ZZZ^Z01|1|P|2.5\rPID|1||7||Lind^Mira||19800506\rFT1|1||||||B20\r";
    let report = take(&mut kept, "bill.hl7", bill);
    assert_eq!(report.notes.len(), 1, "{:?}", report.notes);
    kept.records
        .retain(|(_, meta, _)| meta.kind.as_str() == "Document");
    assert_eq!(kept.records.len(), 4);
    assert!(
        kept.records
            .iter()
            .all(|(_, meta, _)| meta.labels.contains(&unclear))
    );
}

#[test]
fn the_vaults_own_name_counts_for_the_first_file() {
    let (keys, sensitivity) = (IssuerKeys::default(), Sensitivity::standard());
    let mut door = Door::new(&keys, &sensitivity, Moment(0), Vec::new());
    door.owner = Some(Person {
        family: vec!["Mira Lind".into()],
        ..Person::default()
    });
    let mut kept = Kept::default();
    let other = CDA
        .replace("Mira", "Ben")
        .replace("Lind", "Okafor")
        .replace("19800506", "20100101");
    door.take(&mut kept, &mut InMemory(other.as_bytes()), "ben.xml")
        .unwrap();
    door.take(&mut kept, &mut InMemory(CDA.as_bytes()), "mira.xml")
        .unwrap();
    let report = door.finish(&mut kept).unwrap();
    let files: Vec<_> = report.strangers.iter().map(|s| s.file.as_str()).collect();
    assert_eq!(files, ["ben.xml"]);
}
