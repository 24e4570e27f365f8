//! One line that tells people what a file is.

use dicom_dictionary_std::tags;
use vault_core::record::clean_title;

use super::coded::Coded;
use super::elements::Elements;

/// `CT: Chest, axial, image 12`, as far as the file says.
pub(super) fn of(
    elements: &Elements,
    modality: Option<&str>,
    concepts: &[Coded],
    class: Option<&str>,
) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut add = |part: Option<String>| {
        // some write the parts of a description like those of a name
        let part = part.map(|part| clean_title(&part.replace('^', " ")));
        if let Some(part) = part.filter(|part| !part.is_empty() && !parts.contains(part)) {
            parts.push(part);
        }
    };
    if matches!(modality, Some("SR" | "DOC")) {
        add(elements.text(tags::DOCUMENT_TITLE));
        add(concepts.first().and_then(|concept| concept.meaning.clone()));
    }
    let study = elements.text(tags::STUDY_DESCRIPTION);
    add(study.or_else(|| elements.text(tags::BODY_PART_EXAMINED)));
    let series = elements.text(tags::SERIES_DESCRIPTION);
    add(series.or_else(|| {
        // the third value of a CT's image type tells the overview from the slices
        let plane = elements.texts(tags::IMAGE_TYPE).into_iter().nth(2)?;
        matches!(plane.as_str(), "AXIAL" | "LOCALIZER").then(|| plane.to_lowercase())
    }));
    if is_image(modality, class) {
        let number = elements.text(tags::INSTANCE_NUMBER);
        add(number.map(|number| format!("image {number}")));
    }
    let text = parts.join(", ");
    let said = |modality: &str| {
        let rest = text.get(..modality.len()).zip(text.get(modality.len()..));
        rest.is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(modality) && !rest.starts_with(char::is_alphanumeric)
        })
    };
    let title = match modality {
        Some(modality) if text.is_empty() => modality.to_owned(),
        Some(modality) if !said(modality) => format!("{modality}: {text}"),
        _ => text,
    };
    Some(clean_title(&title)).filter(|title| !title.is_empty())
}

/// Whether a file holds an image and not a report, a waveform, a plan or a way to show images.
///
/// Source: DICOM PS3.6, annex A.
fn is_image(modality: Option<&str>, class: Option<&str>) -> bool {
    const OTHERS: &[&str] = &["9.", "11.", "66", "67", "88.", "104.", "481."];
    let class = class.and_then(|class| class.strip_prefix("1.2.840.10008.5.1.4.1.1."));
    !matches!(modality, Some("SR" | "DOC" | "KO" | "PR"))
        && !class.is_some_and(|class| OTHERS.iter().any(|other| class.starts_with(other)))
}

#[cfg(test)]
mod tests {
    use dicom_core::VR;

    use super::super::instance::tests::summary;
    use super::*;

    #[test]
    fn titles_for_people() {
        for (class, modality, study, series, number, expected) in [
            (
                "2",
                "CT",
                "Chest",
                "lung",
                "12",
                "CT: Chest, lung, image 12",
            ),
            ("2", "CT", "Chest", "Chest", "12", "CT: Chest, image 12"),
            ("4", "MR", "abdomen^liver", "", "", "MR: abdomen liver"),
            ("2", "CT", "CT Head", "", "1", "CT Head, image 1"),
            ("2", "CT", "CTA Head", "", "1", "CT: CTA Head, image 1"),
            ("9.1.1", "ECG", "ecg", "", "1", "ecg"),
            ("481.3", "RTSTRUCT", "", "", "1", "RTSTRUCT"),
            ("11.1", "PR", "Chest", "", "1", "PR: Chest"),
            ("7", "", "Scan", "", "1", "Scan, image 1"),
            ("7", "", "", "", "", ""),
        ] {
            let meta = summary(|set| {
                set.text(
                    tags::SOP_CLASS_UID,
                    VR::UI,
                    &format!("1.2.840.10008.5.1.4.1.1.{class}"),
                )
                .text(tags::MODALITY, VR::CS, modality)
                .text(tags::STUDY_DESCRIPTION, VR::LO, study)
                .text(tags::SERIES_DESCRIPTION, VR::LO, series)
                .text(tags::INSTANCE_NUMBER, VR::IS, number);
            });
            assert_eq!(meta.title, expected);
        }
    }
}
