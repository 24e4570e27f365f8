"""C-CDA documents, read with lxml: what must be derived, what may be, and what must never be.

Sources: HL7 CDA R2; HL7 Implementation Guide for CDA R2: Consolidated CDA Templates, R1.1 and R2.1.
Where the guide leaves room, a count is a range.
"""

import base64

from lxml import etree

from .common import original, sha256, uri_of_oid, v2_day

_V3 = "{urn:hl7-org:v3}"
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_CCDA = "2.16.840.1.113883.10.20.22.4."
_ALLERGY, _PROBLEM = _CCDA + "7", _CCDA + "4"
_IMMUNIZATION, _MEDICATION = _CCDA + "52", _CCDA + "16"
_RESULT, _VITAL = _CCDA + "2", _CCDA + "27"
_PROBLEM_SECTION = "11450-4"


def _path(element, path):
    return element.find("/".join(_V3 + step for step in path.split("/")))


def _templated(root, oid):
    """Every entry with this template, in the order of the document."""
    for template in root.iter(_V3 + "templateId"):
        if template.get("root") == oid:
            yield template.getparent()


def _negated(element):
    return element.get("negationInd") == "true"


def _code(element):
    """`URI|code` of a CD or CE without nullFlavor, or None."""
    if element is None or element.get("nullFlavor") or not element.get("code"):
        return None
    return f"{uri_of_oid(element.get('codeSystem', ''))}|{element.get('code').strip()}"


def _in_section(element, loinc):
    for above in element.iterancestors(_V3 + "section"):
        code = _path(above, "code")
        if code is not None and code.get("code") == loinc:
            return True
    return False


def _is_planned(element):
    """Whether it, or what it stands in, is an intent, a goal or a promise, not an event."""
    moods = [e.get("moodCode") for e in (element, *element.iterancestors())]
    return any(mood not in (None, "EVN") for mood in moods)


def _allergies(root, facts):
    sure, possible = 0, 0
    for allergy in _templated(root, _ALLERGY):
        substance = allergy.find(f".//{_V3}participantRole/{_V3}playingEntity/{_V3}code")
        code = _code(substance)
        if _negated(allergy):
            # "no allergy to …" may become a statement that none is known, never an allergy to it
            possible += 1
            if code:
                facts["must_not"].add(code)
        else:
            possible += 1
            if code:
                sure += 1
                facts["must"].add(code)
    facts["derived"]["AllergyIntolerance"] = [sure, possible]


def _problems(root, facts):
    sure, possible, coded, denied = 0, 0, set(), set()
    for problem in _templated(root, _PROBLEM):
        code = _code(_path(problem, "value"))
        if _negated(problem):
            denied.add(code)
            continue
        possible += 1
        # problems elsewhere, such as the diagnosis of an encounter, may stay part of that
        if code and _in_section(problem, _PROBLEM_SECTION):
            sure += 1
            coded.add(code)
    facts["must"] |= coded
    facts["must_not"] |= denied - coded - {None}
    facts["derived"]["Condition"] = [sure, possible]


def _immunizations(root, facts):
    given, refused = set(), set()
    counts = [0, 0]
    for act in _templated(root, _IMMUNIZATION):
        if _is_planned(act):
            continue
        code = _code(_path(act, "consumable/manufacturedProduct/manufacturedMaterial/code"))
        counts[_negated(act)] += 1
        (refused if _negated(act) else given).add(code)
    facts["derived"]["Immunization"] = [counts[0], sum(counts)]
    facts["given"] = counts[0]
    facts["must"] |= given - {None}
    # only with status not-done
    facts["not_done"] = sorted(refused - given - {None})


def _medications(root, facts):
    sure, possible = 0, 0
    for act in _templated(root, _MEDICATION):
        code = _code(_path(act, "consumable/manufacturedProduct/manufacturedMaterial/code"))
        possible += 1
        if code and not _negated(act):
            sure += 1
            facts["must"].add(code)
    facts["derived"]["MedicationStatement|MedicationRequest"] = [sure, 2 * possible]


def _observations(root, facts):
    sure, valued, unvalued = 0, set(), set()
    vitals = {}
    for template in (_RESULT, _VITAL):
        for observation in _templated(root, template):
            value, code = _path(observation, "value"), _code(_path(observation, "code"))
            given = value is not None and not value.get("nullFlavor")
            if not code or _negated(observation):
                continue
            status = _path(observation, "statusCode")
            if not given or status is None or status.get("code") != "completed":
                unvalued.add(code)
                continue
            sure += 1
            valued.add(code)
            if template == _VITAL:
                organizer = observation.getparent().getparent()
                vitals.setdefault(organizer, set()).add(code.split("|")[1])
    # systolic and diastolic of one moment may become one panel
    pairs = sum({"8480-6", "8462-4"} <= codes for codes in vitals.values())
    facts["must"] |= valued
    facts["no_value"] = sorted(unvalued - valued)
    everything = sum(1 for _ in root.iter(_V3 + "observation"))
    facts["derived"]["Observation"] = [sure - pairs, everything]


def _patients(root):
    out = []
    for patient in root.iterfind(f"{_V3}recordTarget/{_V3}patientRole/{_V3}patient"):
        born = _path(patient, "birthTime")
        names = [
            {
                "family": (name.findtext(_V3 + "family") or "").strip(),
                "given": (name.findtext(_V3 + "given") or "").strip(),
            }
            for name in patient.findall(_V3 + "name")
        ]
        out.append({"names": names, "born": v2_day(born.get("value")) if born is not None else None})
    return out


def _files(root):
    """Files that lie in the body, decoded."""
    out = []
    for text in root.iterfind(f"{_V3}component/{_V3}nonXMLBody/{_V3}text"):
        if text.get("representation") == "B64" and text.text:
            data = base64.b64decode(text.text)
            out.append(
                {"sha256": sha256(data), "bytes": len(data), "media_type": text.get("mediaType")}
            )
    return out


def read(data):
    """What must come out of a CDA document, or None when it is none."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError:
        return None
    if root.tag != _V3 + "ClinicalDocument":
        return None
    facts = {"must": set(), "must_not": set(), "derived": {}}
    for step in (_allergies, _problems, _immunizations, _medications, _observations):
        step(root, facts)
    known = {"title": " ".join(root.findtext(_V3 + "title").split())}
    effective = _path(root, "effectiveTime")
    known["day"] = v2_day(effective.get("value"))
    return {
        "format": "cda",
        "originals": [original(data, **known)],
        "patients": _patients(root),
        "files": _files(root),
        "derived": facts["derived"],
        "must": sorted(facts["must"]),
        "must_not": sorted(facts["must_not"] - facts["must"]),
        "no_value": facts["no_value"],
        "not_done": facts["not_done"],
        "given": facts["given"],
    }
