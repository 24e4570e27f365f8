//! The files beside `export.xml` in the archive that the phone makes.

use std::collections::BTreeSet;

use vault_core::record::clean_title;
use vault_core::{Category, ClinicalDate, RecordMeta};

use super::stamp::Stamp;

/// What a file of the archive is, as its path says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberRole {
    /// The export itself: `export.xml`, in some languages under another name. Its content decides.
    Export,
    /// The same in parts as a CDA document; everything in it is in the export too.
    Cda,
    /// A FHIR resource in JSON, fetched from an institution.
    ClinicalRecord,
    /// The track of a workout in GPX.
    Route,
    /// An electrocardiogram in CSV.
    Electrocardiogram,
    /// Anything else.
    Other,
}

/// What a file of the archive is, as its path says. Paths are compared without regard to case.
pub fn member_role(path: &str) -> MemberRole {
    let path = path.replace('\\', "/").to_lowercase();
    let mut parts = path.rsplit('/');
    let name = parts.next().unwrap_or_default();
    let folder = parts.next().unwrap_or_default();
    // what a Mac keeps beside every file
    if name.starts_with("._") || path.split('/').any(|part| part == "__macosx") {
        return MemberRole::Other;
    }
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    match (folder, extension) {
        ("clinical-records", "json") => MemberRole::ClinicalRecord,
        ("workout-routes", "gpx") => MemberRole::Route,
        ("electrocardiograms", "csv") => MemberRole::Electrocardiogram,
        (_, "xml") if stem == "export_cda" => MemberRole::Cda,
        ("apple_health_export", "xml") if stem.ends_with("_cda") => MemberRole::Cda,
        ("apple_health_export", "xml") => MemberRole::Export,
        (_, "xml") if stem == "export" => MemberRole::Export,
        _ => MemberRole::Other,
    }
}

/// The summary of a route or an electrocardiogram; `None` for other files. `prefix` is the beginning
/// of the file, of which the first four KiB are enough.
///
/// The day of a route stands in its name. The time of an electrocardiogram stands at the head of the
/// table, on a line whose title depends on the language.
pub fn describe_member(path: &str, prefix: &[u8]) -> Option<RecordMeta> {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let (title, category, media_type, date) = match member_role(path) {
        MemberRole::Route => (
            "Workout route",
            Category::Other,
            "application/gpx+xml",
            day_in(name),
        ),
        MemberRole::Electrocardiogram => (
            "Electrocardiogram",
            Category::Vitals,
            "text/csv",
            recorded(prefix).or_else(|| day_in(name)),
        ),
        _ => return None,
    };
    Some(RecordMeta {
        category,
        date,
        title: clean_title(title),
        labels: BTreeSet::new(),
        media_type: media_type.to_owned(),
        ..RecordMeta::default()
    })
}

/// The first day in a text: `route_2024-01-05_9.46am.gpx`.
fn day_in(name: &str) -> Option<ClinicalDate> {
    let starts = 0..name.len().saturating_sub(9);
    starts
        .filter_map(|at| name.get(at..at + 10))
        .filter(|text| text.bytes().filter(|b| *b == b'-').count() == 2)
        .find_map(|text| ClinicalDate::new(text).ok())
}

/// The first time with its offset in the lines `title,value` at the head of a table.
fn recorded(prefix: &[u8]) -> Option<ClinicalDate> {
    let head = prefix.get(..4096).unwrap_or(prefix);
    let head = String::from_utf8_lossy(head);
    let values = head
        .lines()
        .take(20)
        .filter_map(|line| line.split_once([',', ';']));
    let mut stamps = values.filter_map(|(_, value)| {
        let value = value.trim().trim_matches('"');
        Stamp::parse(value)
    });
    stamps.next()?.clinical()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_by_path() {
        for (path, expected) in [
            ("apple_health_export/export.xml", MemberRole::Export),
            ("apple_health_export/Export.xml", MemberRole::Export),
            (
                "apple_health_export/\u{5c0e}\u{51fa}.xml",
                MemberRole::Export,
            ),
            ("export.xml", MemberRole::Export),
            ("mine\\apple_health_export\\export.xml", MemberRole::Export),
            ("apple_health_export/export_cda.xml", MemberRole::Cda),
            (
                "apple_health_export/exportaci\u{f3}n_cda.xml",
                MemberRole::Cda,
            ),
            ("other/notes.xml", MemberRole::Other),
            (
                "apple_health_export/clinical-records/Observation-1.json",
                MemberRole::ClinicalRecord,
            ),
            (
                "apple_health_export/workout-routes/route_2024-01-05_9.46am.gpx",
                MemberRole::Route,
            ),
            (
                "apple_health_export/electrocardiograms/ecg_2024-01-05.csv",
                MemberRole::Electrocardiogram,
            ),
            ("apple_health_export/electrocardiograms/", MemberRole::Other),
            ("apple_health_export/.DS_Store", MemberRole::Other),
            (
                "__MACOSX/apple_health_export/._export.xml",
                MemberRole::Other,
            ),
            ("apple_health_export/._export.xml", MemberRole::Other),
            ("", MemberRole::Other),
        ] {
            assert_eq!(member_role(path), expected, "{path}");
        }
    }

    #[test]
    fn routes_and_electrocardiograms() {
        let route = "apple_health_export/workout-routes/route_2024-01-05_9.46am.gpx";
        let meta = describe_member(route, b"").unwrap();
        assert_eq!(meta.title, "Workout route");
        assert_eq!(meta.date.unwrap().as_str(), "2024-01-05");
        assert_eq!(meta.media_type, "application/gpx+xml");
        let ecg = "apple_health_export/electrocardiograms/ecg_2024-01-05_1.csv";
        let date = |head: &[u8]| {
            let meta = describe_member(ecg, head).unwrap();
            assert_eq!(meta.category, Category::Vitals);
            assert_eq!(meta.title, "Electrocardiogram");
            meta.date.unwrap().as_str().to_owned()
        };
        let english = b"Name,Mira Lind\r\nDate of Birth,\"May 6, 1980\"\r\n\
            Recorded Date,2024-01-05 10:12:13 -0500\r\nClassification,Sinus Rhythm\r\n";
        assert_eq!(date(english), "2024-01-05T10:12:13-05:00");
        let german = b"Name,Mira Lind\nAufzeichnungsdatum,2024-01-05 10:12:13 +0100\n";
        assert_eq!(date(german), "2024-01-05T10:12:13+01:00");
        assert_eq!(date(b"\xff\xfe garbage"), "2024-01-05");
        assert_eq!(describe_member("apple_health_export/export.xml", b""), None);
        let nameless = describe_member(
            "workout-routes/\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}.gpx",
            b"",
        );
        assert_eq!(nameless.unwrap().date, None);
    }
}
