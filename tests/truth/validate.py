#!/usr/bin/env python3
"""Checks exported FHIR R4: a Bundle, an IPS document, or a folder of NDJSON.

Usage: validate.py FILE|FOLDER [--ips]

Every resource is parsed by the R4B model of its own type in `fhir.resources`; a document whose
Composition is a patient summary, and every one with --ips, is also held against the structure that
the HL7 IPS guide asks for. Prints one JSON document: `kind`, `total`, `counts` by type, `errors`
with their places. The exit code is 1 where there is an error.

Sources: FHIR R4, Bundle, "Documents", "JSON representation", "Narrative"; HL7 International Patient
Summary 2.0, profiles Bundle and Composition (uv-ips).
"""

import argparse
import collections
import json
import pathlib
import re
import sys

from fhir.resources.R4B import construct_fhir_element
from lxml import etree

_IPS = "60591-5"
# Required sections: medication summary, allergies and intolerances, problems.
_REQUIRED = {"10160-0": "medications", "48765-2": "allergies", "11450-4": "problems"}
_XHTML = "{http://www.w3.org/1999/xhtml}"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)\Z")
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}\Z")
_RELATIVE = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(/_history/[A-Za-z0-9.-]+)?\Z")


class Report:
    """What was found."""

    def __init__(self):
        self.counts = collections.Counter()
        self.errors = []

    def error(self, at, what):
        self.errors.append(f"{at}: {what}")


def _load(text, at, report):
    """JSON with every name once."""

    def unique(pairs):
        names = [name for name, _ in pairs]
        for name, count in collections.Counter(names).items():
            if count > 1:
                report.error(at, f"the name {name!r} occurs {count} times in one object")
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=unique)
    except ValueError as error:
        report.error(at, f"not JSON: {error}")
        return None


def _model_errors(resource, at, report):
    """Holds one resource against the model of its type."""
    kind = resource.get("resourceType")
    try:
        construct_fhir_element(kind, resource)
    except Exception as error:  # whatever the model says, with its place
        errors = getattr(error, "errors", None)
        if errors is None:
            return report.error(at, f"{kind}: {error}")
        for one in errors():
            place = ".".join(str(part) for part in one["loc"] if part != "__root__")
            report.error(f"{at} {kind}.{place}", one["msg"].replace("\n", " "))


def _empty_parts(value, at, report):
    """FHIR in JSON has nothing empty; null only to keep places in a list of primitives."""
    if isinstance(value, dict):
        for name, inner in value.items():
            place = f"{at}.{name}"
            if inner is None or inner in ("", [], {}):
                report.error(place, "empty")
            _empty_parts(inner, place, report)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _empty_parts(inner, f"{at}[{index}]", report)


def _narrative(resource, at, report):
    text = resource.get("text")
    if not text:
        return
    try:
        div = etree.fromstring(text.get("div", ""))
    except (etree.XMLSyntaxError, ValueError) as error:
        return report.error(f"{at}.text.div", f"not XML: {error}")
    if div.tag != _XHTML + "div":
        report.error(f"{at}.text.div", "not a div of XHTML")
    if not "".join(div.itertext()).strip() and div.find(f".//{_XHTML}img") is None:
        report.error(f"{at}.text.div", "says nothing")


def check_resource(resource, at, report):
    """All checks of one resource alone."""
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        return report.error(at, "not a resource")
    report.counts[resource["resourceType"]] += 1
    if "id" in resource and not _ID.match(str(resource["id"])):
        report.error(f"{at}.id", "not an id")
    _model_errors(resource, at, report)
    _empty_parts(resource, at, report)
    _narrative(resource, at, report)


def _references(value, at):
    """Every literal reference with its place."""
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"], at
        for name, inner in value.items():
            yield from _references(inner, f"{at}.{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _references(inner, f"{at}[{index}]")


def _resolves(reference, entry, urls):
    """FHIR R4, Bundle, section "Resolving references in Bundles"."""
    if reference.startswith("#"):
        contained = entry["resource"].get("contained", [])
        return reference == "#" or any(c.get("id") == reference[1:] for c in contained)
    relative = _RELATIVE.match(reference)
    if not relative:
        return reference.split("#")[0] in urls
    name = f"{relative[1]}/{relative[2]}"
    base = re.match(r"(https?://.+/)[A-Za-z]+/[A-Za-z0-9.-]{1,64}\Z", entry.get("fullUrl", ""))
    return bool(base) and base[1] + name in urls


def _sections(sections, at):
    for index, section in enumerate(sections or []):
        place = f"{at}.section[{index}]"
        yield section, place
        yield from _sections(section.get("section"), place)


def _loinc(concept):
    for coding in (concept or {}).get("coding", []):
        if coding.get("system") == "http://loinc.org":
            yield coding.get("code")


def check_document(bundle, report):
    """The structure of a document, and of a patient summary."""
    if bundle.get("type") != "document":
        report.error("Bundle.type", "not a document")
    identifier = bundle.get("identifier") or {}
    if not identifier.get("system") or not identifier.get("value"):
        report.error("Bundle.identifier", "system and value are required")
    if not _INSTANT.match(str(bundle.get("timestamp"))):
        report.error("Bundle.timestamp", "an instant is required")
    entries = [e for e in bundle.get("entry", []) if isinstance(e.get("resource"), dict)]
    urls = [e.get("fullUrl") for e in entries]
    for index, url in enumerate(urls):
        if not url:
            report.error(f"entry {index + 1}", "no fullUrl")
    by_url = {e.get("fullUrl"): e["resource"] for e in entries}
    for index, entry in enumerate(entries):
        resource, at = entry["resource"], f"entry {index + 1}"
        url = str(entry.get("fullUrl"))
        if url.startswith("http") and not url.endswith(
            f"/{resource.get('resourceType')}/{resource.get('id')}"
        ):
            report.error(at, "fullUrl and id differ")
        for reference, place in _references(resource, at):
            if not _resolves(reference, entry, by_url):
                report.error(place, f"{reference} is not in the document")
    composition = entries[0]["resource"] if entries else {}
    if composition.get("resourceType") != "Composition":
        return report.error("entry 1", "not the Composition")
    check_composition(composition, report)


def check_composition(composition, report):
    """Composition-uv-ips."""
    at = "Composition"
    if _IPS not in _loinc(composition.get("type")):
        report.error(f"{at}.type", f"LOINC {_IPS} is required")
    for name in ("status", "subject", "date", "author", "title"):
        if not composition.get(name):
            report.error(f"{at}.{name}", "required")
    missing = dict(_REQUIRED)
    for section, place in _sections(composition.get("section"), at):
        for code in _loinc(section.get("code")):
            missing.pop(code, None)
        if not section.get("title"):
            report.error(f"{place}.title", "required")
        if not (section.get("text") or {}).get("div"):
            report.error(f"{place}.text", "a narrative is required")
        if not section.get("code"):
            report.error(f"{place}.code", "required")
        _narrative(section, place, report)
        filled = section.get("entry") or section.get("section")
        if not filled and not section.get("emptyReason"):
            report.error(place, "neither entries nor a reason for none")
        if filled and section.get("emptyReason"):
            report.error(place, "entries and a reason for none")
    for code, name in missing.items():
        report.error(f"{at}.section", f"no section {code} ({name})")


def check_bundle(bundle, args, report):
    """A Bundle: its frame, then what is in it."""
    for index, entry in enumerate(bundle.get("entry", [])):
        check_resource(entry.get("resource"), f"entry {index + 1}", report)
    frame = {**bundle, "entry": []}
    frame.pop("entry")
    _model_errors(frame, "Bundle", report)
    urls = collections.Counter(
        (e["fullUrl"], (e.get("resource") or {}).get("meta", {}).get("versionId"))
        for e in bundle.get("entry", [])
        if e.get("fullUrl")
    )
    for (url, _), count in urls.items():
        if count > 1:
            report.error("Bundle", f"{url} occurs {count} times")
    first = ((bundle.get("entry") or [{}])[0]).get("resource") or {}
    is_summary = first.get("resourceType") == "Composition" and _IPS in _loinc(first.get("type"))
    if args.ips or (bundle.get("type") == "document" and is_summary):
        check_document(bundle, report)
        return "ips"
    return "bundle"


def check_ndjson(path, report):
    """One resource on each line, all of a file of the type in its name, if it names one."""
    for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
        at = f"{path.name} line {number}"
        if line.strip():
            resource = _load(line, at, report)
            if resource is not None:
                check_resource(resource, at, report)
                kind = path.name.split(".")[0]
                if kind[:1].isupper() and resource.get("resourceType") != kind:
                    report.error(at, f"a {resource.get('resourceType')} in a file of {kind}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=pathlib.Path)
    parser.add_argument("--ips", action="store_true")
    args = parser.parse_args()
    report = Report()
    if args.path.is_dir():
        kind = "ndjson"
        files = sorted(args.path.rglob("*.ndjson"))
        if not files:
            report.error(args.path.name, "no NDJSON file")
        for path in files:
            check_ndjson(path, report)
    elif args.path.suffix == ".ndjson":
        kind = "ndjson"
        check_ndjson(args.path, report)
    else:
        kind = "resource"
        value = _load(args.path.read_text("utf-8-sig"), args.path.name, report)
        if isinstance(value, dict) and value.get("resourceType") == "Bundle":
            kind = check_bundle(value, args, report)
        elif value is not None:
            check_resource(value, args.path.name, report)
    total = sum(report.counts.values())
    counts = dict(sorted(report.counts.items()))
    out = {"kind": kind, "total": total, "counts": counts, "errors": report.errors}
    json.dump(out, sys.stdout, ensure_ascii=False, indent=1)
    print()
    sys.exit(1 if report.errors else 0)


if __name__ == "__main__":
    main()
