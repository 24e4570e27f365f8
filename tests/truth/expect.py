#!/usr/bin/env python3
"""Works out, independently of the program, what must come out of every sample file.

Usage: expect.py FOLDER [--folder NAME] [--brief]

FOLDER holds folders of files, as the sample data does. --folder takes one of them, --brief leaves
out the single resources. Needs the packages of requirements.txt.
Prints one JSON document:

    files: {"folder/file": {
        format      what it is
        originals   the records that hold the file as it is: sha256, bytes, and what else their
                    summary says (title, day, source_id, codes, category, media_type)
        counts      FHIR in JSON: resources by type
        resources   FHIR in JSON: kind, source_id, sha256, bytes of each record; `day` and `codes`
                    where the rule is simple
        derived     FHIR type (or types, with `|`): [fewest, most] resources derived
        patients    names and date of birth of whom it is about
        must        system|code that a derived resource has
        must_not    system|code that none may have
        no_value    system|code to which no derived Observation may give a value
        not_done    vaccines that only an Immunization with status not-done may have
        given       Immunizations with another status than not-done, at most
        values      [system|code, digits]: an Observation of this code has this number
        files       files inside it: sha256, bytes, media_type
        group       files with the same group say the same; it may be derived from one of them
        odd         what is wrong with the sample itself, or where a model and the JSON differ
        (and, for people, what else the format says: message, verified, issuers, modality, …)
    }}
    folders: {"folder": {studies: [UID, …]}}    one ImagingStudy each

Nothing of the samples is kept or written.
"""

import argparse
import json
import pathlib
import sys

from readers import apple, cards, cda, dicom, fhir_json, fhir_xml, hl7v2
from readers.common import original


def read(data, keys):
    """The first reader that knows a file."""
    readers = [
        fhir_json.read,
        lambda data: cards.read(data, keys),
        hl7v2.read,
        dicom.read,
        apple.read,
        cda.read,
        fhir_xml.read,
    ]
    for reader in readers:
        found = reader(data)
        if found is not None:
            return found
    found = {"format": "document", "originals": [original(data)]}
    if data[1:2] == b"\x08" and dicom.read(data[1:]):
        found["odd"] = ["a DICOM data set behind one stray byte: pydicom cannot read it"]
    return found


def join_parts(files, folder, names):
    """Notes what QR codes that belong together come to."""
    parts = [n for n in names if files[n]["format"] == "shc-qr-part"]
    if not parts:
        return
    jws = cards.joined([(n, (folder / n.split("/")[1]).read_bytes()) for n in parts])
    for name in parts:
        files[name]["joined"] = jws is not None
        whole = cards.read((jws or "").encode(), {}) or {}
        files[name]["group"] = whole.get("group")
        # one file alone says nothing; together they may say what is in the card
        files[name]["derived"] = {kind: [0, n[1]] for kind, n in whole.get("derived", {}).items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--folder", dest="only")
    parser.add_argument("--brief", action="store_true")
    args = parser.parse_args()
    keys = {}
    for path in sorted(args.folder.rglob("*jwks.json")):
        keys.update(cards.issuer_keys(path.read_bytes()) or {})
    files, folders = {}, {}
    for folder in sorted(p for p in args.folder.iterdir() if p.is_dir()):
        if args.only and folder.name != args.only:
            continue
        names = []
        for path in sorted(folder.iterdir()):
            name = f"{folder.name}/{path.name}"
            names.append(name)
            files[name] = read(path.read_bytes(), keys)
            if args.brief:
                files[name].pop("resources", None)
        join_parts(files, folder, names)
        studies = {files[name]["study"] for name in names if "study" in files[name]}
        folders[folder.name] = {"studies": sorted(studies)}
    json.dump({"files": files, "folders": folders}, sys.stdout, ensure_ascii=False, indent=1)
    print()


if __name__ == "__main__":
    main()
