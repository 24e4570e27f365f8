"""HL7 v2: what must be derived from a message, read with hl7apy.

Sources: HL7 v2.5.1 and v2.8, chapters 2, 4A and 7; tables 0085 (status of a result) and 0125.
"""

import warnings

from hl7apy import get_default_version
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import get_message_info, parse_segment

from .common import CVX, LOINC, original, uri_of_v2, v2_day

# Statuses of a result that says something: final, preliminary, corrected.
_TELLING = {"F", "P", "C"}
# Values that are no result: files and pointers to files.
_FILES = {"ED", "RP"}


def _segments(text):
    """The segments, each parsed alone: order and grouping of real messages are often not by the book."""
    lines = [line for line in text.replace("\n", "\r").split("\r") if line.strip()]
    chars, _, version = get_message_info(lines[0])
    version = (version or get_default_version()).strip()
    out = []
    for line in lines:
        try:
            segment = parse_segment(line, version, chars, VALIDATION_LEVEL.TOLERANT)
        except Exception:  # one segment that hl7apy does not know
            continue
        out.append((line[:3], segment, line))
    return out


class _Reader:
    """Fields of one segment by number, as lists of repetitions of lists of components."""

    def __init__(self, segment):
        self.segment = segment
        self.name = segment.name.lower()

    def repetitions(self, number):
        return list(getattr(self.segment, f"{self.name}_{number}"))

    def text(self, number):
        found = self.repetitions(number)
        return found[0].to_er7() if found else ""

    def part(self, number, component, repetition=0):
        found = self.repetitions(number)
        if len(found) <= repetition:
            return ""
        parts = found[repetition].to_er7().split("^")
        return parts[component - 1] if len(parts) >= component else ""


def _codes(reader, number):
    """`URI|code` of the codings of a CE or CWE field whose system is known."""
    out = set()
    for code, system in ((1, 3), (4, 6)):
        uri = uri_of_v2(reader.part(number, system))
        value = reader.part(number, code)
        if uri and value:
            out.add(f"{uri}|{value}")
    return out


def _patient(pid):
    names = []
    for repetition in range(len(pid.repetitions(5))):
        family = pid.part(5, 1, repetition).split("&")[0]
        names.append({"family": family, "given": pid.part(5, 2, repetition)})
    return {"names": names, "born": v2_day(pid.text(7))}


def read(data):
    """What must come out of a file of HL7 v2, or None when it is none."""
    text = data.decode("utf-8-sig", "replace").lstrip()
    if not text.startswith("MSH|"):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _read(data, text)


def _read(data, text):
    segments = [(name, _Reader(segment), line) for name, segment, line in _segments(text)]
    by_name = {}
    for name, reader, _ in segments:
        by_name.setdefault(name, []).append(reader)
    # MSH-9 is the ninth field, the separator itself being the first
    kind = by_name["MSH"][0].part(9, 1)

    seen_text = set()
    observations, waiting, must, no_result, told = 0, 0, set(), set(), set()
    order = 0
    for name, reader, _ in segments:
        if name in ("OBR", "RXA"):
            order += 1
        if name != "OBX":
            continue
        value_type, status = reader.text(2), reader.text(11)
        codes = {code for code in _codes(reader, 3) if code.startswith(LOINC + "|")}
        if status not in _TELLING or value_type in _FILES or not reader.text(5).strip():
            # a pointer to a file elsewhere may be kept as words
            (told if status in _TELLING else no_result).update(codes)
            # a result that is announced may stand without a value
            if status in ("I", "O", "S", "R", "P", "N"):
                waiting += max(1, len(reader.repetitions(5)))
            continue
        key = (order, reader.text(3), reader.text(4))
        if value_type in ("TX", "FT") and key in seen_text:
            continue
        seen_text.add(key)
        observations += 1
        must |= codes

    given = [r for r in by_name.get("RXA", []) if r.part(5, 1) not in ("998", "")]
    vaccines = {c for r in given for c in _codes(r, 5) if c.startswith(CVX + "|")}
    derived = {"Immunization": [len(given), len(given)]}
    if kind == "VXU":
        # what stands below a vaccination (funding, dates of leaflets) may stay part of it
        derived["Observation"] = [0, observations]
        must = set()
    else:
        derived["Observation"] = [observations, observations + waiting]
    if kind == "ORU":
        reports = len(by_name.get("OBR", []))
        derived["DiagnosticReport"] = [reports, reports]
        for reader in by_name.get("OBR", []):
            must |= {code for code in _codes(reader, 4) if code.startswith(LOINC + "|")}
    return {
        "format": "hl7v2",
        "message": f"{kind}^{by_name['MSH'][0].part(9, 2)}",
        "originals": [original(data)],
        "patients": [_patient(pid) for pid in by_name.get("PID", [])],
        "derived": derived,
        "must": sorted(must | vaccines),
        # no Observation may give these a value
        "no_value": sorted((no_result - told) - must),
    }
