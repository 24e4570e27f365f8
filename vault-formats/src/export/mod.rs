//! Records written for other programs: FHIR collections, bulk NDJSON, patient summaries.
