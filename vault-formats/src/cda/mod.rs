//! HL7 CDA R2 documents, as portals hand them out (C-CDA).
