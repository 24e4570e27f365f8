#!/usr/bin/env python3
"""Reads Consents with the models of others.

Usage: consent.py FILE...

A file is parsed by the Consent of R5 when its name begins with `r5-`, else by that of R4B, of
`fhir.resources`; a file `*.ndjson` has one R4 Consent on each line. Prints a JSON object: by file,
`errors`, and `permits`, one for each permit of the (last) Consent as a stranger's program sees it: what
it selects, what bounds it, which labels are denied inside it.

Sources: FHIR R4 and R5, resource Consent.
"""

import json
import pathlib
import sys

from fhir.resources.consent import Consent as ConsentR5
from fhir.resources.R4B.consent import Consent as ConsentR4


def _codes(codings):
    return sorted(f"{c.system}|{c.code}" for c in codings or [])


def _concepts(concepts):
    return sorted(code for c in concepts or [] for code in _codes(c.coding))


def _text(value):
    # dates of less than a day are texts in the model
    return value if value is None or isinstance(value, str) else value.isoformat()


def _period(period):
    return [_text(period.start), _text(period.end)] if period else [None, None]


def _permit(provision):
    classes = getattr(provision, "class_fhir", None) or getattr(provision, "resourceType", None)
    return {
        "classes": _codes(classes),
        "codes": _concepts(provision.code),
        "records": sorted(d.reference.identifier.value for d in provision.data or []),
        "labels": _codes(provision.securityLabel),
        "denied": sorted(
            code for inner in provision.provision or [] for code in _codes(inner.securityLabel)
        ),
        "period": _period(provision.period),
        "dataPeriod": _period(provision.dataPeriod),
        "purpose": _codes(provision.purpose),
        "actors": [
            a.reference.identifier.value if a.reference.identifier else a.reference.reference
            for a in provision.actor or []
        ],
        "modifiers": [e.url for e in provision.modifierExtension or []],
    }


def _permits(consent):
    if isinstance(consent, ConsentR5):
        return consent.provision or [] if consent.decision == "deny" else []
    root = consent.provision
    if root is None:
        return []
    inner = [p for p in root.provision or [] if p.type == "permit"]
    return inner or [root] if root.type == "permit" else inner


def check(path):
    errors, permits = [], []
    lines = path.read_text("utf-8")
    for number, line in enumerate(lines.split("\n") if path.suffix == ".ndjson" else [lines], 1):
        if not line.strip():
            continue
        resource = json.loads(line)
        resource.pop("resourceType")
        model = ConsentR5 if path.name.startswith("r5-") else ConsentR4
        try:
            consent = model(**resource)
        except Exception as error:  # whatever the model says
            errors.append(f"{path.name} line {number}: {error}")
            continue
        permits = [_permit(p) for p in _permits(consent)]
    return {"errors": errors, "permits": permits}


def main():
    found = {pathlib.Path(name).name: check(pathlib.Path(name)) for name in sys.argv[1:]}
    json.dump(found, sys.stdout, ensure_ascii=False, indent=1)
    print()
    sys.exit(1 if any(file["errors"] for file in found.values()) else 0)


if __name__ == "__main__":
    main()
