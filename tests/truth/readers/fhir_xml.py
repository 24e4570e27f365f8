"""FHIR in XML, read with lxml: the resources in it, by type.

Source: FHIR R4, section "XML representation"; the same since DSTU2.
"""

import collections

from lxml import etree

from .common import original

_FHIR = "{http://hl7.org/fhir}"


def _resources(element):
    name = etree.QName(element).localname
    if name != "Bundle":
        yield element
        return
    for entry in element.iterfind(_FHIR + "entry"):
        for resource in entry.iterfind(f"{_FHIR}resource/*"):
            yield from _resources(resource)


def _codings(resource):
    """`system|code` of the codings of the element that names a resource."""
    for key in ("code", "vaccineCode", "medicationCodeableConcept"):
        for coding in resource.iterfind(f"{_FHIR}{key}/{_FHIR}coding"):
            system, code = coding.find(_FHIR + "system"), coding.find(_FHIR + "code")
            if system is not None and code is not None:
                yield f"{system.get('value')}|{code.get('value')}"


def _texts(element, path):
    return [e.get("value") for e in element.iterfind("/".join(_FHIR + p for p in path.split("/")))]


def read(data):
    """What must come out of FHIR in XML, or None when it is none."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError:
        return None
    if not root.tag.startswith(_FHIR):
        return None
    counts, codes, patients = collections.Counter(), set(), []
    for resource in _resources(root):
        kind = etree.QName(resource).localname
        counts[kind] += 1
        codes.update(_codings(resource))
        if kind == "Patient":
            name = {
                "family": (_texts(resource, "name/family") or [""])[0],
                "given": (_texts(resource, "name/given") or [""])[0],
            }
            born = _texts(resource, "birthDate")
            patients.append({"names": [name], "born": born[0] if born else None})
    return {
        "format": "fhir-xml",
        "originals": [original(data)],
        "patients": patients,
        "derived": {kind: [n, n] for kind, n in sorted(counts.items())},
        "must": sorted(codes),
    }
