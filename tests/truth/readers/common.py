"""What all readers share: hashes, days, code systems."""

import hashlib
import re

LOINC = "http://loinc.org"
CVX = "http://hl7.org/fhir/sid/cvx"

# Short name, FHIR URI, OID, abbreviations of HL7 v2 table 0396.
# Sources: terminology.hl7.org (code system pages), HL7 v2.8 table 0396.
_SYSTEMS = [
    ("loinc", LOINC, "2.16.840.1.113883.6.1", ["LN"]),
    ("snomed", "http://snomed.info/sct", "2.16.840.1.113883.6.96", ["SCT", "SNM"]),
    (
        "rxnorm",
        "http://www.nlm.nih.gov/research/umls/rxnorm",
        "2.16.840.1.113883.6.88",
        ["RXNORM"],
    ),
    ("cvx", CVX, "2.16.840.1.113883.12.292", ["CVX"]),
    ("mvx", "http://hl7.org/fhir/sid/mvx", "2.16.840.1.113883.12.227", ["MVX"]),
    ("ndc", "http://hl7.org/fhir/sid/ndc", "2.16.840.1.113883.6.69", ["NDC"]),
    ("icd10cm", "http://hl7.org/fhir/sid/icd-10-cm", "2.16.840.1.113883.6.90", ["I10C"]),
    ("icd10", "http://hl7.org/fhir/sid/icd-10", "2.16.840.1.113883.6.3", ["I10"]),
    ("icd9cm", "http://hl7.org/fhir/sid/icd-9-cm", "2.16.840.1.113883.6.103", ["I9C"]),
    ("icd11", "http://id.who.int/icd/release/11/mms", "2.16.840.1.113883.6.347", []),
    ("cpt", "http://www.ama-assn.org/go/cpt", "2.16.840.1.113883.6.12", ["C4"]),
    (
        "hcpcs",
        "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
        "2.16.840.1.113883.6.285",
        ["HCPCS"],
    ),
    ("atc", "http://www.whocc.no/atc", "2.16.840.1.113883.6.73", ["ATC"]),
    ("unii", "http://fdasis.nlm.nih.gov", "2.16.840.1.113883.4.9", ["UNII"]),
    ("dcm", "http://dicom.nema.org/resources/ontology/DCM", "1.2.840.10008.2.16.4", ["DCM"]),
]


def short_code(system, code):
    """`loinc|718-7` for a coding with a FHIR URI; an unknown system stays as it is."""
    system = system.strip()
    plain = system.removeprefix("urn:oid:")
    for short, uri, oid, _ in _SYSTEMS:
        if plain.rstrip("/") == uri or plain == oid:
            return f"{short}|{code.strip()}"
    return f"{plain}|{code.strip()}"


def uri_of_oid(oid):
    """The FHIR name of a code system: its URI where it has one, else `urn:oid:`."""
    for _, uri, known, _ in _SYSTEMS:
        if known == oid:
            return uri
    return f"urn:oid:{oid}"


def uri_of_v2(name):
    """The FHIR URI of a well-known HL7 v2 coding system; None for any other."""
    for _, uri, _, others in _SYSTEMS:
        if name in others:
            return uri
    return None


_DATE = re.compile(
    r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?)?)?\Z"
)


def day(text):
    """A FHIR date or dateTime without its time of day; None when it is none."""
    return text[:10] if isinstance(text, str) and _DATE.match(text) else None


def v2_day(text):
    """The day of a time stamp of HL7 v2, v3 or DICOM (`20240301…`), as precise as it is."""
    digits = re.match(r"\d*", (text or "").strip()).group()[:8]
    if len(digits) < 4:
        return None
    parts = [digits[:4], digits[4:6], digits[6:8]]
    return "-".join(part for part in parts if len(part) in (2, 4))


def sha256(data):
    """The SHA-256 in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def original(data, **known):
    """The one record that holds a file as it is, with what else its summary must say."""
    return {"sha256": sha256(data), "bytes": len(data), **known}
