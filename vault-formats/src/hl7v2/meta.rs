//! The summary of a file of messages.

use vault_core::record::{clean_field, clean_title};
use vault_core::{Category, ClinicalDate, Code, RecordMeta};

use super::documents::type_words;
use super::fields::Coded;
use super::frames::Message;
use super::systems::section;
use super::time::Time;
use super::visits::event_words;

/// Media type of HL7 v2 in its own encoding.
pub(super) const MEDIA_TYPE: &str = "application/hl7-v2";

/// What one message says of itself.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) kind: String,
    pub(super) event: String,
    version: Option<String>,
    category: Category,
    title: String,
    date: Option<ClinicalDate>,
    codes: Vec<Code>,
    author: Option<String>,
}

impl Summary {
    pub(super) fn read(message: &Message) -> Self {
        let msh = message.first("MSH");
        let comp = |field, component| msh.as_ref().and_then(|msh| msh.comp(field, component));
        let kind = comp(9, 1).unwrap_or_default().to_uppercase();
        let event = comp(9, 2).unwrap_or_default().to_uppercase();
        let shelf = shelf(&kind, message);
        let (codes, names) = subjects(&kind, message);
        Self {
            category: shelf,
            title: title(&kind, &event, shelf, message, &names),
            date: date(&kind, message),
            codes,
            author: author(&kind, message),
            version: comp(12, 1),
            kind,
            event,
        }
    }

    /// For a Provenance: `HL7 v2.5.1 ORU^R01`.
    pub(super) fn format(&self) -> String {
        let version = self.version.as_deref().unwrap_or("2");
        let text = format!("HL7 v{version} {}^{}", self.kind, self.event);
        clean_title(text.trim_end_matches(['^', ' ']))
    }
}

/// The summary of the file. Labels are set by the caller.
pub(super) fn meta(summaries: &[Summary]) -> RecordMeta {
    let first = summaries.first();
    let shelves = || summaries.iter().map(|s| (s.category, s.kind.as_str()));
    let same = shelves().all(|shelf| Some(shelf) == shelves().next());
    let category = first
        .filter(|_| same)
        .map_or(Category::Other, |s| s.category);
    let mut titles: Vec<&str> = Vec::new();
    for summary in summaries.iter().take(50) {
        if !titles.contains(&summary.title.as_str()) {
            titles.push(&summary.title);
        }
    }
    let title = match (titles.as_slice(), summaries.len()) {
        ([], _) => "HL7 messages".to_owned(),
        ([one], _) => (*one).to_owned(),
        (some, count) => format!("{count} messages: {}", some.join("; ")),
    };
    let mut kept: Vec<Code> = Vec::new();
    for code in summaries.iter().flat_map(|s| &s.codes) {
        if kept.len() < vault_core::record::MAX_CODES && !kept.contains(code) {
            kept.push(code.clone());
        }
    }
    RecordMeta {
        category,
        date: summaries.iter().find_map(|s| s.date.clone()),
        title: clean_title(&title),
        media_type: MEDIA_TYPE.to_owned(),
        codes: kept.into_iter().collect(),
        author: summaries.iter().find_map(|s| s.author.clone()),
        ..RecordMeta::default()
    }
}

fn shelf(kind: &str, message: &Message) -> Category {
    let by_section = || {
        let mut sections = message
            .named("OBR")
            .filter_map(|obr| section(&obr.text(24)?));
        sections.next()
    };
    match kind {
        "ORU" | "OUL" | "ORA" => by_section().unwrap_or(Category::Lab),
        "OML" => by_section().unwrap_or(Category::Lab),
        "ORM" | "OMG" | "OMI" | "ORL" | "OPL" => match by_section() {
            Some(Category::Lab) => Category::Lab,
            None if message.has("RXO") || message.has("RXE") => Category::Medication,
            _ => Category::Procedure,
        },
        "VXU" => Category::Immunization,
        "RDE" | "RDS" | "RAS" | "RGV" | "OMP" => Category::Medication,
        "MDM" => Category::Note,
        "ADT" => Category::Identity,
        _ => Category::Other,
    }
}

/// Where the subject of a kind of message stands: segment and field.
fn subject_field(kind: &str) -> &'static [(&'static str, usize)] {
    match kind {
        "VXU" => &[("RXA", 5)],
        "RDE" | "RDS" | "OMP" | "RGV" => &[("RXE", 2), ("RXO", 1), ("RXD", 2)],
        "RAS" => &[("RXA", 5), ("RXO", 1)],
        "MDM" => &[("TXA", 2), ("OBR", 4)],
        "ADT" => &[("DG1", 3)],
        "SIU" => &[("AIS", 3), ("SCH", 8)],
        _ => &[("OBR", 4), ("RXO", 1), ("OBX", 3)],
    }
}

/// Codes and names of what a message is about. The first field that says anything decides, except
/// for documents, where a type and an examination are told.
fn subjects(kind: &str, message: &Message) -> (Vec<Code>, Vec<String>) {
    let (mut codes, mut names) = (Vec::new(), Vec::new());
    for (segment, field) in subject_field(kind) {
        if !names.is_empty() && kind != "MDM" {
            break;
        }
        let coded = |segment: super::fields::Segment<'_>| segment.coded(*field);
        // CVX 998 is no vaccine
        let is_told = |coded: &Coded| !(kind == "VXU" && coded.is("998"));
        for coded in message
            .named(segment)
            .filter_map(coded)
            .filter(is_told)
            .take(20)
        {
            // a table's own short code is no code of a terminology
            let worthy = *segment != "TXA" || coded.choices.iter().any(|c| c.system.is_some());
            if worthy {
                codes.extend(coded.codes());
            }
            names.extend(coded.words().filter(|name| !names.contains(name)));
        }
    }
    (codes, names)
}

fn title(kind: &str, event: &str, shelf: Category, message: &Message, names: &[String]) -> String {
    let list = names.join("; ");
    let about = |what: &str| match list.as_str() {
        "" => what.to_owned(),
        list => format!("{what}: {list}"),
    };
    match kind {
        "ORU" | "OUL" | "ORA" => about(match shelf {
            Category::Lab => "Lab results",
            Category::Imaging => "Imaging report",
            _ => "Report",
        }),
        "VXU" => "Immunizations".to_owned(),
        "RDE" | "OMP" => about("Prescription"),
        "RDS" => about("Dispensed medication"),
        "RAS" | "RGV" => about("Given medication"),
        "MDM" => {
            let words = message.first("TXA").and_then(|txa| type_words(&txa));
            let examined = message.first("OBR").and_then(|obr| obr.coded(4)?.words());
            let parts: Vec<String> = [words, examined].into_iter().flatten().collect();
            match parts.is_empty() {
                true => "Document".to_owned(),
                false => format!("Document: {}", parts.join("; ")),
            }
        }
        "ADT" if event.is_empty() => event_words(event).to_owned(),
        "ADT" => format!("{} ({event})", event_words(event)),
        "SIU" => about("Appointment"),
        "ORM" | "OML" | "OMG" | "OMI" | "ORL" | "OPL" => about("Order"),
        "" => "HL7 message".to_owned(),
        _ => format!("HL7 message {kind} {event}"),
    }
}

/// When what a message tells happened, else when it was sent.
fn date(kind: &str, message: &Message) -> Option<ClinicalDate> {
    let fields: &[(&str, usize)] = match kind {
        "VXU" | "RAS" => &[("RXA", 3)],
        "MDM" => &[("TXA", 4), ("OBR", 7)],
        "ADT" => &[("PV1", 44), ("EVN", 6)],
        "RDE" | "OMP" => &[("ORC", 9)],
        "RDS" => &[("RXD", 3), ("ORC", 9)],
        "SIU" => &[("AIS", 4)],
        "ORM" | "OML" | "OMG" | "OMI" => &[("OBR", 7), ("ORC", 9)],
        _ => &[("OBR", 7), ("OBX", 14), ("RXA", 3), ("TXA", 4), ("PV1", 44)],
    };
    let booked = || {
        let text = message.first("SCH")?.comp(11, 4)?;
        Time::parse(&text)
    };
    let told = fields.iter().find_map(|(segment, field)| {
        let mut segments = message.named(segment);
        segments.find_map(|segment| segment.time(*field))
    });
    let sent = || message.first("MSH").and_then(|msh| msh.time(7));
    let time = match kind {
        "SIU" => booked().or(told),
        _ => told,
    };
    time.or_else(sent)?.clinical()
}

/// Who did it or asked for it: a person, else the place that sent it.
fn author(kind: &str, message: &Message) -> Option<String> {
    let people: &[(&str, usize)] = match kind {
        "VXU" => &[("RXA", 10), ("ORC", 12)],
        "MDM" => &[("TXA", 9), ("TXA", 22), ("OBR", 16)],
        "ADT" => &[("PV1", 7), ("PV1", 17)],
        "RDE" | "RDS" | "RAS" | "OMP" => &[("ORC", 12), ("RXO", 14), ("RXE", 13)],
        "SIU" => &[("AIP", 3)],
        "ORU" | "OUL" => &[],
        _ => &[("OBR", 16), ("ORC", 12)],
    };
    let person = people.iter().find_map(|(segment, field)| {
        let mut segments = message.named(segment);
        segments.find_map(|segment| segment.person(*field))
    });
    // results: the laboratory before the one who asked for them
    let laboratory = || {
        let results = matches!(kind, "ORU" | "OUL").then_some(());
        results?;
        message.named("OBX").find_map(|obx| obx.text(23))
    };
    let sender = || message.first("MSH").and_then(|msh| msh.text(4));
    let orderer = || {
        let mut orders = message.named("OBR");
        orders.find_map(|obr| obr.person(16))
    };
    let name = person.or_else(laboratory).or_else(sender).or_else(orderer);
    name.map(|name| clean_field(&name))
        .filter(|name| !name.is_empty())
}
