"""DICOM Part 10 files, and files without the preamble, read with pydicom."""

import io
import warnings

import pydicom
from pydicom.filereader import read_dataset

from .common import original, v2_day


def _dataset(data):
    if data[128:132] == b"DICM":
        return pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
    # without the preamble a file begins with its first element: group 0008, written little-endian
    if data[:2] != b"\x08\x00":
        return None
    explicit = data[4:6].isalpha() and data[4:6].isupper()
    return read_dataset(io.BytesIO(data), not explicit, True, stop_when=_at_pixels)


def _at_pixels(tag, vr, length):
    return tag == 0x7FE00010


def read(data):
    """What must come out of a DICOM file, or None when it is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = _dataset(data)
    if dataset is None or "SOPInstanceUID" not in dataset:
        return None
    name = dataset.get("PatientName")
    known = {
        "source_id": str(dataset.SOPInstanceUID),
        "codes": [f"dcm|{dataset.Modality}"],
        # a structured report is a text
        "category": "note" if dataset.Modality in ("SR", "DOC") else "imaging",
        "media_type": "application/dicom",
    }
    # when the image was taken counts before when the study began
    dates = ("AcquisitionDate", "ContentDate", "SeriesDate", "StudyDate")
    when = next((day for day in map(v2_day, map(dataset.get, dates)) if day), None)
    if when:
        known["day"] = when
    return {
        "format": "dicom",
        "originals": [original(data, **known)],
        # no rule says which of the resources names the patient
        "person": name.family_name,
        "study": str(dataset.StudyInstanceUID),
        "series": str(dataset.SeriesInstanceUID),
        "modality": str(dataset.Modality),
    }
