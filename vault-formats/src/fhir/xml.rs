//! FHIR in XML, turned into JSON.
