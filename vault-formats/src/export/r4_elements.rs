//! The elements of the resource types that a patient summary is made of.
//!
//! Source: FHIR R4 (4.0.1), the resource definitions. `meta`, `text` and what a summary has no use for
//! (photos, links between patients) are left out.

/// What an element holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// A string of any kind.
    Text,
    /// A date or an instant.
    Date,
    /// True or false.
    Flag,
    /// A number.
    Number,
    /// A CodeableConcept.
    Concept,
    /// A Reference.
    Link,
    /// Another data type or a part of the resource: an object.
    Object,
}

use Holds::{Concept, Date, Flag, Link, Number, Object, Text};

/// An element of a resource.
pub(super) struct Element {
    pub(super) name: &'static str,
    pub(super) holds: Holds,
    /// Whether it is a list.
    pub(super) many: bool,
}

/// A resource type.
pub(super) struct Type {
    pub(super) name: &'static str,
    pub(super) elements: &'static [Element],
    /// Elements that must be there; `medication` stands for all of its choices.
    pub(super) required: &'static [&'static str],
}

const fn one(name: &'static str, holds: Holds) -> Element {
    Element {
        name,
        holds,
        many: false,
    }
}

const fn many(name: &'static str, holds: Holds) -> Element {
    Element {
        name,
        holds,
        many: true,
    }
}

/// Lists of objects that every type has.
pub(super) const COMMON: &[&str] = &["extension", "modifierExtension", "identifier"];

/// The type of this name.
pub(super) fn of(name: &str) -> Option<&'static Type> {
    TYPES.iter().find(|kind| kind.name == name)
}

// one line for several elements: this is a table to be looked up in
#[rustfmt::skip]
const TYPES: &[Type] = &[
    Type { name: "AllergyIntolerance", required: &["patient"], elements: &[
        one("clinicalStatus", Concept), one("verificationStatus", Concept), one("type", Text),
        many("category", Text), one("criticality", Text), one("code", Concept),
        one("patient", Link), one("encounter", Link), one("onsetDateTime", Date),
        one("onsetAge", Object), one("onsetPeriod", Object), one("onsetRange", Object),
        one("onsetString", Text), one("recordedDate", Date), one("recorder", Link),
        one("asserter", Link), one("lastOccurrence", Date), many("note", Object),
        many("reaction", Object),
    ] },
    Type { name: "CarePlan", required: &["status", "intent", "subject"], elements: &[
        many("basedOn", Link), many("replaces", Link), many("partOf", Link), one("status", Text),
        one("intent", Text), many("category", Concept), one("title", Text),
        one("description", Text), one("subject", Link), one("encounter", Link),
        one("period", Object), one("created", Date), one("author", Link), many("contributor", Link),
        many("careTeam", Link), many("addresses", Link), many("supportingInfo", Link),
        many("goal", Link), many("activity", Object), many("note", Object),
    ] },
    Type { name: "Condition", required: &["subject"], elements: &[
        one("clinicalStatus", Concept), one("verificationStatus", Concept),
        many("category", Concept), one("severity", Concept), one("code", Concept),
        many("bodySite", Concept), one("subject", Link), one("encounter", Link),
        one("onsetDateTime", Date), one("onsetAge", Object), one("onsetPeriod", Object),
        one("onsetRange", Object), one("onsetString", Text), one("abatementDateTime", Date),
        one("abatementAge", Object), one("abatementPeriod", Object), one("abatementRange", Object),
        one("abatementString", Text), one("recordedDate", Date), one("recorder", Link),
        one("asserter", Link), many("stage", Object), many("evidence", Object),
        many("note", Object),
    ] },
    Type { name: "Device", required: &[], elements: &[
        one("definition", Link), many("udiCarrier", Object), one("status", Text),
        many("statusReason", Concept), one("distinctIdentifier", Text), one("manufacturer", Text),
        one("manufactureDate", Date), one("expirationDate", Date), one("lotNumber", Text),
        one("serialNumber", Text), many("deviceName", Object), one("modelNumber", Text),
        one("partNumber", Text), one("type", Concept), many("specialization", Object),
        many("version", Object), many("property", Object), one("patient", Link), one("owner", Link),
        many("contact", Object), one("location", Link), one("url", Text), many("note", Object),
        many("safety", Concept), one("parent", Link),
    ] },
    Type { name: "DeviceUseStatement", required: &["status", "subject", "device"], elements: &[
        many("basedOn", Link), one("status", Text), one("subject", Link), many("derivedFrom", Link),
        one("timingTiming", Object), one("timingPeriod", Object), one("timingDateTime", Date),
        one("recordedOn", Date), one("source", Link), one("device", Link),
        many("reasonCode", Concept), many("reasonReference", Link), one("bodySite", Concept),
        many("note", Object),
    ] },
    Type { name: "DiagnosticReport", required: &["status", "code"], elements: &[
        many("basedOn", Link), one("status", Text), many("category", Concept), one("code", Concept),
        one("subject", Link), one("encounter", Link), one("effectiveDateTime", Date),
        one("effectivePeriod", Object), one("issued", Date), many("performer", Link),
        many("resultsInterpreter", Link), many("specimen", Link), many("result", Link),
        many("imagingStudy", Link), many("media", Object), one("conclusion", Text),
        many("conclusionCode", Concept), many("presentedForm", Object),
    ] },
    Type { name: "Immunization", required: &["status", "vaccineCode", "patient", "occurrence"], elements: &[
        one("status", Text), one("statusReason", Concept), one("vaccineCode", Concept),
        one("patient", Link), one("encounter", Link), one("occurrenceDateTime", Date),
        one("occurrenceString", Text), one("recorded", Date), one("primarySource", Flag),
        one("reportOrigin", Concept), one("location", Link), one("manufacturer", Link),
        one("lotNumber", Text), one("expirationDate", Date), one("site", Concept),
        one("route", Concept), one("doseQuantity", Object), many("performer", Object),
        many("note", Object), many("reasonCode", Concept), many("reasonReference", Link),
        one("isSubpotent", Flag), many("subpotentReason", Concept), many("reaction", Object),
        many("protocolApplied", Object),
    ] },
    Type { name: "Medication", required: &[], elements: &[
        one("code", Concept), one("status", Text), one("manufacturer", Link), one("form", Concept),
        one("amount", Object), many("ingredient", Object), one("batch", Object),
    ] },
    Type { name: "MedicationRequest", required: &["status", "intent", "medication", "subject"], elements: &[
        one("status", Text), one("statusReason", Concept), one("intent", Text),
        many("category", Concept), one("priority", Text), one("doNotPerform", Flag),
        one("reportedBoolean", Flag), one("reportedReference", Link),
        one("medicationCodeableConcept", Concept), one("medicationReference", Link),
        one("subject", Link), one("encounter", Link), many("supportingInformation", Link),
        one("authoredOn", Date), one("requester", Link), one("performer", Link),
        one("performerType", Concept), one("recorder", Link), many("reasonCode", Concept),
        many("reasonReference", Link), many("basedOn", Link), one("courseOfTherapyType", Concept),
        many("insurance", Link), many("note", Object), many("dosageInstruction", Object),
        one("dispenseRequest", Object), one("substitution", Object), one("priorPrescription", Link),
        many("detectedIssue", Link), many("eventHistory", Link),
    ] },
    Type { name: "MedicationStatement", required: &["status", "medication", "subject"], elements: &[
        many("basedOn", Link), many("partOf", Link), one("status", Text),
        many("statusReason", Concept), one("category", Concept),
        one("medicationCodeableConcept", Concept), one("medicationReference", Link),
        one("subject", Link), one("context", Link), one("effectiveDateTime", Date),
        one("effectivePeriod", Object), one("dateAsserted", Date), one("informationSource", Link),
        many("derivedFrom", Link), many("reasonCode", Concept), many("reasonReference", Link),
        many("note", Object), many("dosage", Object),
    ] },
    Type { name: "Observation", required: &["status", "code"], elements: &[
        many("basedOn", Link), many("partOf", Link), one("status", Text), many("category", Concept),
        one("code", Concept), one("subject", Link), many("focus", Link), one("encounter", Link),
        one("effectiveDateTime", Date), one("effectivePeriod", Object),
        one("effectiveTiming", Object), one("effectiveInstant", Date), one("issued", Date),
        many("performer", Link), one("valueQuantity", Object), one("valueCodeableConcept", Concept),
        one("valueString", Text), one("valueBoolean", Flag), one("valueInteger", Number),
        one("valueRange", Object), one("valueRatio", Object), one("valueSampledData", Object),
        one("valueTime", Text), one("valueDateTime", Date), one("valuePeriod", Object),
        one("dataAbsentReason", Concept), many("interpretation", Concept), many("note", Object),
        one("bodySite", Concept), one("method", Concept), one("specimen", Link),
        one("device", Link), many("referenceRange", Object), many("hasMember", Link),
        many("derivedFrom", Link), many("component", Object),
    ] },
    Type { name: "Organization", required: &[], elements: &[
        one("active", Flag), many("type", Concept), one("name", Text), many("alias", Text),
        many("telecom", Object), many("address", Object), one("partOf", Link),
        many("contact", Object),
    ] },
    Type { name: "Patient", required: &[], elements: &[
        one("active", Flag), many("name", Object), many("telecom", Object), one("gender", Text),
        one("birthDate", Date), one("deceasedBoolean", Flag), one("deceasedDateTime", Date),
        many("address", Object), one("maritalStatus", Concept), one("multipleBirthBoolean", Flag),
        one("multipleBirthInteger", Number), many("contact", Object), many("communication", Object),
        many("generalPractitioner", Link), one("managingOrganization", Link),
    ] },
    Type { name: "Practitioner", required: &[], elements: &[
        one("active", Flag), many("name", Object), many("telecom", Object), many("address", Object),
        one("gender", Text), one("birthDate", Date), many("qualification", Object),
        many("communication", Concept),
    ] },
    Type { name: "PractitionerRole", required: &[], elements: &[
        one("active", Flag), one("period", Object), one("practitioner", Link),
        one("organization", Link), many("code", Concept), many("specialty", Concept),
        many("location", Link), many("healthcareService", Link), many("telecom", Object),
    ] },
    Type { name: "Procedure", required: &["status", "subject"], elements: &[
        many("basedOn", Link), many("partOf", Link), one("status", Text),
        one("statusReason", Concept), one("category", Concept), one("code", Concept),
        one("subject", Link), one("encounter", Link), one("performedDateTime", Date),
        one("performedPeriod", Object), one("performedString", Text), one("performedAge", Object),
        one("performedRange", Object), one("recorder", Link), one("asserter", Link),
        many("performer", Object), one("location", Link), many("reasonCode", Concept),
        many("reasonReference", Link), many("bodySite", Concept), one("outcome", Concept),
        many("report", Link), many("complication", Concept), many("complicationDetail", Link),
        many("followUp", Concept), many("note", Object), many("focalDevice", Object),
        many("usedReference", Link), many("usedCode", Concept),
    ] },
];
