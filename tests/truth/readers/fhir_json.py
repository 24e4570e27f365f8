"""FHIR in JSON, of any release: which records a file holds, byte for byte.

Python's json finds the ends of values; where a resource begins and ends in the file is worked out
here. The values that a summary needs are read through the typed models of `fhir.resources` where
one of its releases takes the resource, and compared with the plain JSON.
"""

import collections
import importlib
import json
import json.decoder
import re

from .common import day, sha256, short_code

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


def _skip(text, at):
    return _SPACE.match(text, at).end()


def members(text, at):
    """(name, value, start, end) of every member of the object that begins at `at`."""
    at = _skip(text, at + 1)
    while text[at] != "}":
        name, at = json.decoder.scanstring(text, at + 1)
        at = _skip(text, _skip(text, at) + 1)  # over the colon
        value, end = _DECODER.raw_decode(text, at)
        yield name, value, at, end
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def elements(text, at):
    """(value, start, end) of every element of the array that begins at `at`."""
    at = _skip(text, at + 1)
    while text[at] != "]":
        value, end = _DECODER.raw_decode(text, at)
        yield value, at, end
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _is_resource(value):
    return isinstance(value, dict) and isinstance(value.get("resourceType"), str)


def _walk(text, value, start, end, url, out):
    """Adds (resource, start, end, fullUrl) of every record in a value to `out`."""
    if isinstance(value, list):
        for element, at, stop in elements(text, start):
            if _is_resource(element):
                _walk(text, element, at, stop, None, out)
            elif isinstance(element, dict) and "resource" in element:
                _entry(text, element, at, out)
    elif _is_resource(value) and value["resourceType"] == "Bundle":
        for name, inner, at, _ in members(text, start):
            if name == "entry":
                for entry, entry_at, _ in elements(text, at):
                    _entry(text, entry, entry_at, out)
        if value.get("type") == "document":
            # a document is a whole: its parts say less without it
            out.append((value, start, end, None))
    elif _is_resource(value):
        out.append((value, start, end, url))


def _entry(text, entry, start, out):
    for name, inner, at, end in members(text, start):
        if name == "resource":
            _walk(text, inner, at, end, entry.get("fullUrl"), out)


def records(data):
    """(resource, its bytes, fullUrl) of every record in a file; None when it is not FHIR."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    if not text.lstrip().startswith(("{", "[")):
        return None
    out = []
    try:
        start = _skip(text, 0)
        value, end = _DECODER.raw_decode(text, start)
        if _skip(text, end) != len(text):
            raise ValueError("more than one value")
        _walk(text, value, start, end, None, out)
        if len(out) == 1 and out[0][1:3] == (start, end) and _is_resource(value):
            return [(value, data, None)]  # a lone resource keeps the space around it
    except ValueError:
        at = 0
        for line in text.split("\n"):
            stripped = line.strip(" \t\r")
            if stripped:
                start = at + line.index(stripped)
                try:
                    value = json.loads(stripped)
                except ValueError:
                    return None
                _walk(text, value, start, start + len(stripped), None, out)
            at += len(line) + 1
    found = [(value, text[start:end].encode(), url) for value, start, end, url in out]
    return found or None


# Per kind: where its codes stand, and its dates, the best first. Only kinds with a simple rule.
_RULES = {
    "Observation": (["code"], ["effectiveDateTime", "effectivePeriod", "effectiveInstant"]),
    "DiagnosticReport": (["code"], ["effectiveDateTime", "effectivePeriod"]),
    "Condition": (["code"], ["onsetDateTime", "onsetPeriod", "recordedDate"]),
    "AllergyIntolerance": (["code"], ["onsetDateTime", "onsetPeriod", "recordedDate"]),
    "Procedure": (["code"], ["performedDateTime", "performedPeriod"]),
    "Immunization": (["vaccineCode"], ["occurrenceDateTime"]),
    "MedicationRequest": (["medicationCodeableConcept"], ["authoredOn"]),
}
_RELEASES = ["R4B", "STU3", ""]  # "" is R5 in fhir.resources


def typed(resource):
    """The resource as a typed model gives it back, and the release; (None, None) if none takes it."""
    for release in _RELEASES:
        package = ".".join(filter(None, ["fhir.resources", release]))
        construct = importlib.import_module(package).construct_fhir_element
        try:
            model = construct(resource["resourceType"], resource)
        except Exception:  # whatever a model dislikes, another may take
            continue
        return json.loads(model.json()), release or "R5"
    return None, None


def _day_and_codes(resource):
    """What the simple rules say: the day, and the codes with a system."""
    code_keys, date_keys = _RULES[resource["resourceType"]]
    when = None
    for key in date_keys:
        value = resource.get(key)
        value = value.get("start") if isinstance(value, dict) else value
        if value:
            when = day(value)
            break
    codes = set()
    for key in code_keys:
        for coding in (resource.get(key) or {}).get("coding", []):
            if coding.get("system") and coding.get("code"):
                codes.add(short_code(coding["system"], coding["code"]))
    return when, sorted(codes)


def read(data):
    """What must come out of a FHIR file, or None when it is none."""
    found = records(data)
    if found is None:
        return None
    resources = []
    releases = collections.Counter()
    odd = []
    for value, own, url in found:
        kind = value["resourceType"]
        source_id = f"{kind}/{value['id']}" if "id" in value else url
        entry = {
            "kind": kind,
            "source_id": source_id,
            "sha256": sha256(own),
            "bytes": len(own),
        }
        if kind == "Patient":
            entry["day"] = None
        if kind in _RULES:
            when, codes = _day_and_codes(value)
            model, release = typed(value)
            releases[release or "plain"] += 1
            if model and _day_and_codes(model) != (when, codes):
                odd.append(f"{source_id}: the model and the JSON differ")
            if when:
                entry["day"] = when
            # a record keeps six codes; no sample has more
            if codes:
                entry["codes"] = codes
        resources.append(entry)
    counts = collections.Counter(entry["kind"] for entry in resources)
    return {
        "format": "fhir-json",
        "originals": [],
        "counts": dict(sorted(counts.items())),
        "resources": resources,
        "models": dict(releases),
        "odd": odd,
    }
