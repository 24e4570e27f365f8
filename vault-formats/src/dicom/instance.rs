//! One image or document of a study: what it says about itself.

use std::collections::BTreeSet;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use vault_core::record::{clean_field, clean_title};
use vault_core::{Category, ClinicalDate, Label, RecordMeta};

use super::coded::Coded;
use super::elements::{Elements, is_uid};
use super::scan::Want;
use super::title;
use super::value::{PersonName, date_and_time, date_time};
use crate::Person;

/// The patient as one file names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// The name in each way it is written.
    pub names: Vec<PersonName>,
    /// Date of birth.
    pub born: Option<ClinicalDate>,
    /// `M`, `F` or `O`.
    pub sex: Option<String>,
    /// The number at the institution.
    pub id: Option<String>,
    /// Who gave the number.
    pub issuer: Option<String>,
}

/// What a study needs to know about one of its files. Texts are clean and of bounded length.
///
/// Source: DICOM PS3.3, modules Patient, General Study, General Series, SOP Common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Study Instance UID (0020,000D).
    pub study_uid: String,
    /// Series Instance UID (0020,000E).
    pub series_uid: String,
    /// SOP Instance UID (0008,0018): this file.
    pub sop_uid: String,
    /// SOP Class UID (0008,0016): what kind of file.
    pub sop_class: String,
    /// Modality (0008,0060), for example `CT`.
    pub modality: Option<String>,
    /// When the study began.
    pub study_started: Option<ClinicalDate>,
    /// When the series began.
    pub series_started: Option<ClinicalDate>,
    /// Study Description (0008,1030).
    pub study_description: Option<String>,
    /// Series Description (0008,103E).
    pub series_description: Option<String>,
    /// Series Number (0020,0011).
    pub series_number: Option<u32>,
    /// Instance Number (0020,0013).
    pub number: Option<u32>,
    /// Body Part Examined (0018,0015).
    pub body_part: Option<String>,
    /// Anatomic Region Sequence (0008,2218).
    pub region: Option<Coded>,
    /// Laterality (0020,0060): `L`, `R` or `B`.
    pub laterality: Option<String>,
    /// Procedure Code Sequence (0008,1032).
    pub procedures: Vec<Coded>,
    /// The patient.
    pub patient: Subject,
    /// Referring physician.
    pub referrer: Option<String>,
    /// Performing physician.
    pub performer: Option<String>,
    /// Institution Name (0008,0080).
    pub institution: Option<String>,
    /// Accession Number (0008,0050).
    pub accession: Option<String>,
    /// Sensitivity labels.
    pub labels: BTreeSet<Label>,
}

/// The elements that are read.
pub(super) fn wanted(depth: usize, tag: Tag) -> Want {
    match (depth, tag) {
        (
            0,
            tags::PROCEDURE_CODE_SEQUENCE
            | tags::ANATOMIC_REGION_SEQUENCE
            | tags::CODING_SCHEME_IDENTIFICATION_SEQUENCE
            | tags::CONCEPT_NAME_CODE_SEQUENCE,
        ) => Want::Items,
        (
            0,
            tags::SPECIFIC_CHARACTER_SET
            | tags::IMAGE_TYPE
            | tags::SOP_CLASS_UID
            | tags::SOP_INSTANCE_UID
            | tags::STUDY_DATE
            | tags::SERIES_DATE
            | tags::ACQUISITION_DATE
            | tags::CONTENT_DATE
            | tags::ACQUISITION_DATE_TIME
            | tags::STUDY_TIME
            | tags::SERIES_TIME
            | tags::ACQUISITION_TIME
            | tags::CONTENT_TIME
            | tags::ACCESSION_NUMBER
            | tags::MODALITY
            | tags::INSTITUTION_NAME
            | tags::REFERRING_PHYSICIAN_NAME
            | tags::TIMEZONE_OFFSET_FROM_UTC
            | tags::STUDY_DESCRIPTION
            | tags::SERIES_DESCRIPTION
            | tags::PERFORMING_PHYSICIAN_NAME
            | tags::PATIENT_NAME
            | tags::PATIENT_ID
            | tags::ISSUER_OF_PATIENT_ID
            | tags::PATIENT_BIRTH_DATE
            | tags::PATIENT_SEX
            | tags::BODY_PART_EXAMINED
            | tags::STUDY_INSTANCE_UID
            | tags::SERIES_INSTANCE_UID
            | tags::SERIES_NUMBER
            | tags::INSTANCE_NUMBER
            | tags::LATERALITY
            | tags::IMAGE_LATERALITY
            | tags::CONFIDENTIALITY_CODE
            | tags::CONFIDENTIALITY_CONSTRAINT_ON_PATIENT_DATA_DESCRIPTION
            | tags::DOCUMENT_TITLE,
        )
        | (
            1,
            tags::SPECIFIC_CHARACTER_SET
            | tags::CODE_VALUE
            | tags::LONG_CODE_VALUE
            | tags::CODING_SCHEME_DESIGNATOR
            | tags::CODING_SCHEME_UID
            | tags::CODE_MEANING,
        ) => Want::Value,
        _ => Want::Nothing,
    }
}

/// Times of the data set by the tags of their date and time.
struct Times<'a> {
    elements: &'a Elements,
    offset: Option<String>,
}

impl Times<'_> {
    fn at(&self, date: Tag, time: Tag) -> Option<ClinicalDate> {
        let time = self.elements.text(time);
        let date = self.elements.text(date)?;
        date_and_time(&date, time.as_deref(), self.offset.as_deref())
    }

    /// When what the file shows was made.
    fn made(&self) -> Option<ClinicalDate> {
        self.at(tags::CONTENT_DATE, tags::CONTENT_TIME)
            .or_else(|| {
                let both = self.elements.text(tags::ACQUISITION_DATE_TIME)?;
                date_time(&both, self.offset.as_deref())
            })
            .or_else(|| self.at(tags::ACQUISITION_DATE, tags::ACQUISITION_TIME))
            .or_else(|| self.at(tags::SERIES_DATE, tags::SERIES_TIME))
            .or_else(|| self.at(tags::STUDY_DATE, tags::STUDY_TIME))
    }
}

impl Subject {
    fn of(elements: &Elements) -> Self {
        let field = |tag| elements.text(tag).map(|text| clean_field(&text));
        Self {
            names: elements
                .text(tags::PATIENT_NAME)
                .map(|name| PersonName::parse(&name))
                .unwrap_or_default(),
            born: elements
                .text(tags::PATIENT_BIRTH_DATE)
                .and_then(|date| date_and_time(&date, None, None)),
            sex: field(tags::PATIENT_SEX),
            id: field(tags::PATIENT_ID),
            issuer: field(tags::ISSUER_OF_PATIENT_ID),
        }
    }
}

/// The person that a data set or a directory record names.
pub(super) fn person(elements: &Elements) -> Option<Person> {
    let subject = Subject::of(elements);
    let mut person = Person {
        born: subject.born,
        ..Person::default()
    };
    for name in subject.names {
        person.given.extend(name.given);
        person.family.extend(name.family);
    }
    (!person.is_nobody()).then_some(person)
}

/// Fills the summary from the elements. `class` and `uid` are those of the file meta information.
/// The instance is `None` where one of the four UIDs is missing.
pub(super) fn describe(
    elements: &Elements,
    class: Option<&str>,
    uid: Option<&str>,
    meta: &mut RecordMeta,
) -> Option<Instance> {
    let field = |tag| elements.text(tag).map(|text| clean_field(&text));
    let line = |tag| elements.text(tag).map(|text| clean_title(&text));
    let physician = |tag| {
        let names = PersonName::parse(&elements.text(tag)?);
        names.first().map(PersonName::shown)
    };
    let number = |tag| {
        let number: i32 = elements.text(tag)?.parse().ok()?;
        u32::try_from(number).ok()
    };
    let given = |uid: Option<&str>| uid.filter(|uid| is_uid(uid)).map(str::to_owned);
    let schemes = elements.items(tags::CODING_SCHEME_IDENTIFICATION_SEQUENCE);
    let codes = |tag| Coded::all(elements.items(tag), schemes);
    let times = Times {
        elements,
        offset: elements.text(tags::TIMEZONE_OFFSET_FROM_UTC),
    };

    let sop_uid = elements.uid(tags::SOP_INSTANCE_UID).or_else(|| given(uid));
    let sop_class = elements.uid(tags::SOP_CLASS_UID).or_else(|| given(class));
    let modality = field(tags::MODALITY).filter(|text| text.len() <= 16);
    let procedures = codes(tags::PROCEDURE_CODE_SEQUENCE);
    let concepts = codes(tags::CONCEPT_NAME_CODE_SEQUENCE);
    let region = codes(tags::ANATOMIC_REGION_SEQUENCE).into_iter().next();
    let (referrer, performer) = (
        physician(tags::REFERRING_PHYSICIAN_NAME),
        physician(tags::PERFORMING_PHYSICIAN_NAME),
    );
    let institution = field(tags::INSTITUTION_NAME);
    let restricted = [
        tags::CONFIDENTIALITY_CODE,
        tags::CONFIDENTIALITY_CONSTRAINT_ON_PATIENT_DATA_DESCRIPTION,
    ];
    if restricted.iter().any(|tag| elements.text(*tag).is_some()) {
        meta.labels.insert(Label::unclear());
    }

    if matches!(modality.as_deref(), Some("SR" | "DOC")) {
        meta.category = Category::Note;
    }
    meta.date = times.made();
    meta.source_id = sop_uid.clone();
    meta.author = institution
        .clone()
        .or_else(|| performer.clone())
        .or_else(|| referrer.clone());
    let shown = title::of(
        elements,
        modality.as_deref(),
        &concepts,
        sop_class.as_deref(),
    );
    if let Some(shown) = shown {
        meta.title = shown;
    }
    let modality_code = modality.as_deref().map(|code| Coded {
        system: Some("DCM".to_owned()),
        code: code.to_owned(),
        meaning: None,
    });
    let all = modality_code.iter().chain(&concepts).chain(&procedures);
    let all = all.chain(&region).filter_map(Coded::code);
    meta.codes = all.take(vault_core::record::MAX_CODES).collect();

    Some(Instance {
        study_uid: elements.uid(tags::STUDY_INSTANCE_UID)?,
        series_uid: elements.uid(tags::SERIES_INSTANCE_UID)?,
        sop_uid: sop_uid?,
        sop_class: sop_class?,
        modality,
        study_started: times.at(tags::STUDY_DATE, tags::STUDY_TIME),
        series_started: times.at(tags::SERIES_DATE, tags::SERIES_TIME),
        study_description: line(tags::STUDY_DESCRIPTION),
        series_description: line(tags::SERIES_DESCRIPTION),
        series_number: number(tags::SERIES_NUMBER),
        number: number(tags::INSTANCE_NUMBER),
        body_part: field(tags::BODY_PART_EXAMINED),
        region,
        laterality: field(tags::LATERALITY).or_else(|| field(tags::IMAGE_LATERALITY)),
        procedures,
        patient: Subject::of(elements),
        referrer,
        performer,
        institution,
        accession: field(tags::ACCESSION_NUMBER),
        labels: meta.labels.clone(),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use dicom_core::VR;

    use super::super::testing::Build;
    use super::super::{MAX_LEN, Scanner};
    use super::*;

    pub(in super::super) fn summary(fill: impl FnOnce(&mut Build)) -> RecordMeta {
        let mut set = Build::explicit();
        fill(&mut set);
        let mut scanner = Scanner::new(&set.bytes[..], set.syntax, MAX_LEN);
        let collected = Elements::collect(&mut scanner, &wanted, &mut |_, _| true);
        let mut meta = RecordMeta::default();
        describe(&collected.elements, None, None, &mut meta);
        meta
    }

    #[test]
    fn the_best_date_and_author_that_there_are() {
        let day = |set: &mut Build, tag, value: &str| {
            set.text(tag, VR::DA, value);
        };
        let meta = summary(|set| {
            day(set, tags::STUDY_DATE, "20240301");
            day(set, tags::SERIES_DATE, "20240302");
            day(set, tags::ACQUISITION_DATE, "20240303");
            day(set, tags::CONTENT_DATE, "");
            set.text(tags::ACQUISITION_DATE_TIME, VR::DT, "202403041015-0500")
                .text(tags::REFERRING_PHYSICIAN_NAME, VR::PN, "Okafor^Ada")
                .text(tags::PERFORMING_PHYSICIAN_NAME, VR::PN, "Berg^Tom");
        });
        let date = meta.date.map(String::from);
        assert_eq!(date.as_deref(), Some("2024-03-04T10:15-05:00"));
        assert_eq!(meta.author.as_deref(), Some("Tom Berg"));
        let meta = summary(|set| {
            day(set, tags::STUDY_DATE, "20240301");
            day(set, tags::SERIES_DATE, "20240302");
            set.text(tags::STUDY_TIME, VR::TM, "1015");
        });
        assert_eq!(meta.date.map(String::from).as_deref(), Some("2024-03-02"));
        assert_eq!(meta.author, None);
    }
}
