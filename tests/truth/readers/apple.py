"""The export of Apple Health, read with xml.etree.

`export.xml` lists single measurements; what is derived sums them up, by day or by month.
"""

import io
import xml.etree.ElementTree as ElementTree
import zipfile

from .common import original, sha256

# What a clinic measures too: summed up by day. Source: HealthKit, HKQuantityTypeIdentifier.
_VITALS = {
    "HKQuantityTypeIdentifier" + name
    for name in (
        "BloodGlucose",
        "BloodPressureDiastolic",
        "BloodPressureSystolic",
        "BodyFatPercentage",
        "BodyMass",
        "BodyMassIndex",
        "BodyTemperature",
        "HeartRate",
        "Height",
        "LeanBodyMass",
        "OxygenSaturation",
        "RespiratoryRate",
        "RestingHeartRate",
        "WaistCircumference",
    )
}


def _export(data):
    """The bytes of export.xml, out of the archive where it is one; None when it is neither."""
    if data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                if name.split("/")[-1] == "export.xml" and not name.startswith("__MACOSX"):
                    return archive.read(name)
        return None
    return data if b"<HealthData" in data[:100_000] else None


def read(data):
    """What must come out of an export, or None when it is none."""
    inner = _export(data)
    if inner is None:
        return None
    root = ElementTree.fromstring(inner)
    if root.tag != "HealthData":
        return None
    quantities, groups, latest = set(), set(), {}
    for record in root.iter("Record"):
        kind, start = record.get("type"), record.get("startDate")
        span = start[:10] if kind in _VITALS else start[:7]
        groups.add((kind, span))
        if kind.startswith("HKQuantityTypeIdentifier"):
            quantities.add(kind)
            latest[kind] = max(latest.get(kind, ("", "")), (start, record.get("value")))
    me = root.find("Me")
    born = me.get("HKCharacteristicTypeIdentifierDateOfBirth") if me is not None else None
    pulse = latest.get("HKQuantityTypeIdentifierHeartRate")
    return {
        "format": "apple-health-zip" if inner is not data else "apple-health",
        # an archive is a container: what it holds is the original
        "originals": [original(data)] if inner is data else [],
        "group": sha256(inner),
        "patients": [{"names": [], "born": born or None}],
        "derived": {"Observation": [len(quantities), len(groups)]},
        "quantity_types": sorted(quantities),
        "must": ["http://loinc.org|8867-4"] if pulse else [],
        # an Observation of this code must have this number, digit by digit
        "values": [["http://loinc.org|8867-4", pulse[1]]] if pulse else [],
    }
