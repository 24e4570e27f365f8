#!/usr/bin/env python3
"""Counts the records in sample files, independently of the program.

Usage: count.py FOLDER FILE...    (FILE relative to FOLDER)

Uses nothing but Python's json module. Per file one line:

    FILE <tab> TOTAL <tab> TYPE=N TYPE=N ...

A FHIR bundle counts every entry.resource, and itself when it is of type document
or message; an array counts every resource or entry, NDJSON every line; anything
else counts as one Document.
"""

import collections
import json
import os
import sys


def is_resource(value):
    return isinstance(value, dict) and isinstance(value.get("resourceType"), str)


def count(value, types):
    """Adds the resources in a parsed value; says whether there were any to look for."""
    if is_resource(value):
        if value["resourceType"] == "Bundle":
            if value.get("type") in ("document", "message"):
                types["Bundle"] += 1
            for entry in value.get("entry", []):
                count(entry.get("resource"), types)
        else:
            types[value["resourceType"]] += 1
        return True
    if isinstance(value, list):
        inner = [v.get("resource", v) if isinstance(v, dict) else v for v in value]
        if any(is_resource(v) for v in inner):
            for v in inner:
                count(v, types)
            return True
    return False


def count_file(path):
    with open(path, "rb") as file:
        data = file.read()
    types = collections.Counter()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = None
    values = []
    if text is not None:
        try:
            values = [json.loads(text)]
        except ValueError:
            try:
                values = [json.loads(line) for line in text.splitlines() if line.strip()]
            except ValueError:
                values = []
    found = False
    for value in values:
        found = count(value, types) or found
    if not found:
        types = collections.Counter({"Document": 1})
    return types


def main():
    folder = sys.argv[1]
    for name in sys.argv[2:]:
        types = count_file(os.path.join(folder, name))
        listed = " ".join(f"{kind}={n}" for kind, n in sorted(types.items()))
        print(f"{name}\t{sum(types.values())}\t{listed}")


if __name__ == "__main__":
    main()
