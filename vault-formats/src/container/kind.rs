//! What an archive is, by the names in it.

use super::Entry;

/// What an archive is, which decides how it is taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveKind {
    /// An export of Apple Health: `export.xml`, in the language of the phone, holds what was
    /// measured; records of clinics, electrocardiograms and routes lie beside it. To be read as a
    /// whole.
    AppleHealth,
    /// FHIR Bulk Data: resources as lines of NDJSON. To be read member by member.
    BulkFhir,
    /// One document in the shape of an archive: office files, books (EPUB), programs (JAR, APK). To
    /// be kept as it is.
    Office,
    /// Images of DICOM, with or without a directory. To be read member by member, and put together
    /// into studies; other files may lie beside them.
    Dicom,
    /// Anything else. To be opened, member by member.
    Other,
}

/// Names of the main file of an Apple Health export in languages that translate it, without its
/// extension and in lower case.
const APPLE_NAMES: &[&str] = &[
    "export",
    "exportación",
    "exportacion",
    "exportar",
    "exportação",
    "exportation",
    "exporter",
    "esporta",
    "esportazione",
    "exporteren",
    "exportieren",
    "导出",
    "輸出",
    "書き出したデータ",
    "экспорт",
];

/// The kind of an archive with these members.
pub fn kind_of(entries: &[Entry]) -> ArchiveKind {
    let mut kind = ArchiveKind::Other;
    let (mut images, mut lines) = (false, false);
    for entry in entries {
        let (folder, name) = match entry.name.rsplit_once('/') {
            Some((folder, name)) => (folder, name),
            None => ("", entry.name.as_str()),
        };
        if is_document(&entry.name) {
            return ArchiveKind::Office;
        }
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let is = |known: &[&str]| known.iter().any(|k| extension.eq_ignore_ascii_case(k));
        if is(&["xml"]) && is_apple(folder, stem, entries) {
            kind = ArchiveKind::AppleHealth;
        }
        images |= name.eq_ignore_ascii_case("DICOMDIR") || is(&["dcm", "dicom", "ima"]);
        lines |= is(&["ndjson"]);
    }
    match kind {
        ArchiveKind::Other if images => ArchiveKind::Dicom,
        ArchiveKind::Other if lines => ArchiveKind::BulkFhir,
        kind => kind,
    }
}

/// Members that only archives have which are documents.
///
/// Sources: ECMA-376 part 2 (`[Content_Types].xml`), OpenDocument 1.3 part 2 and EPUB 3.3 OCF
/// (`mimetype`), the JAR file specification, Android application packages.
fn is_document(name: &str) -> bool {
    matches!(
        name,
        "[Content_Types].xml" | "mimetype" | "META-INF/MANIFEST.MF" | "AndroidManifest.xml"
    )
}

/// Whether an XML file is the main file of an Apple Health export: it lies in the folder of that
/// name, under whatever name, or has a known one beside the export's CDA file.
fn is_apple(folder: &str, stem: &str, entries: &[Entry]) -> bool {
    let stem = stem.to_lowercase();
    let last = folder.rsplit('/').next().unwrap_or(folder);
    if last.eq_ignore_ascii_case("apple_health_export") && !stem.ends_with("cda") {
        return true;
    }
    let beside = || {
        entries.iter().any(|entry| {
            let rest = entry.name.strip_prefix(folder);
            let rest = rest.map(|rest| rest.strip_prefix('/').unwrap_or(rest));
            rest.is_some_and(|rest| rest.eq_ignore_ascii_case("export_cda.xml"))
        })
    };
    APPLE_NAMES.contains(&stem.as_str()) && beside()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(names: &[&str]) -> ArchiveKind {
        let entries: Vec<Entry> = names
            .iter()
            .map(|name| Entry {
                name: (*name).to_owned(),
                size: 1,
                compressed_size: 1,
            })
            .collect();
        kind_of(&entries)
    }

    #[test]
    fn kinds_by_their_members() {
        for (names, expected) in [
            (
                &[
                    "apple_health_export/export.xml",
                    "apple_health_export/a.gpx",
                ][..],
                ArchiveKind::AppleHealth,
            ),
            (
                &["x/apple_health_export/Eksport.xml"],
                ArchiveKind::AppleHealth,
            ),
            (&["apple_health_export/export_cda.xml"], ArchiveKind::Other),
            (
                &["x/export_cda.xml", "x/导出.xml"],
                ArchiveKind::AppleHealth,
            ),
            (&["export.xml", "export_cda.xml"], ArchiveKind::AppleHealth),
            (&["export.xml", "y/export_cda.xml"], ArchiveKind::Other),
            (&["export.xml"], ArchiveKind::Other),
            (&["Patient.ndjson", "log.txt"], ArchiveKind::BulkFhir),
            (&["a/DICOMDIR", "a/IM1"], ArchiveKind::Dicom),
            (&["1.dcm", "report.pdf"], ArchiveKind::Dicom),
            (
                &["[Content_Types].xml", "word/document.xml"],
                ArchiveKind::Office,
            ),
            (&["mimetype", "content.xml"], ArchiveKind::Office),
            (&["META-INF/MANIFEST.MF", "a.class"], ArchiveKind::Office),
            (&["a/mimetype", "b.pdf"], ArchiveKind::Other),
            (&["a.pdf", "b.json"], ArchiveKind::Other),
            (&[], ArchiveKind::Other),
        ] {
            assert_eq!(kind(names), expected, "{names:?}");
        }
    }
}
