"""SMART Health Cards and Links: which are signed by a known issuer, and what is in them.

Sources: SMART Health Cards Framework 1.4, sections "Encoding" and "Signing"; SMART Health Links.
Signatures are checked with `cryptography`.
"""

import base64
import collections
import json
import re
import zlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from .common import original, sha256

_JWS = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+\Z", re.ASCII)
_JWE = re.compile(r"[\w-]+\.[\w-]*\.[\w-]+\.[\w-]+\.[\w-]+\Z", re.ASCII)
_MAX_PAYLOAD = 16 << 20


def _b64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def issuer_keys(data):
    """The keys of a JWK set by their id; None when it is none."""
    try:
        keys = json.loads(data)["keys"]
    except (ValueError, KeyError, TypeError):
        return None
    out = {}
    for key in keys:
        if key.get("crv") == "P-256":
            x, y = (int.from_bytes(_b64(key[part]), "big") for part in "xy")
            numbers = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1())
            out[key["kid"]] = numbers.public_key()
    return out


def _verified(jws, header, keys):
    key = keys.get(header.get("kid"))
    signed, _, signature = jws.rpartition(".")
    raw = _b64(signature)
    if key is None or len(raw) != 64:
        return False
    der = encode_dss_signature(*(int.from_bytes(half, "big") for half in (raw[:32], raw[32:])))
    try:
        key.verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _payload(jws):
    header, payload, _ = jws.split(".")
    header, payload = json.loads(_b64(header)), _b64(payload)
    if header.get("zip") == "DEF":
        payload = zlib.decompressobj(-15).decompress(payload, _MAX_PAYLOAD)
    return header, json.loads(payload)


def _numeric(digits):
    """The JWS of a numeric QR code: two digits a character, 45 less than its code."""
    return "".join(chr(int(digits[i : i + 2]) + 45) for i in range(0, len(digits), 2))


def _qr(text):
    """(part, parts, digits) of the text of a QR code; None when it is none."""
    found = re.match(r"shc:/(?:(\d+)/(\d+)/)?(\d+)\Z", text)
    if not found:
        return None
    part, parts, digits = found.groups()
    return int(part or 1), int(parts or 1), digits


def _jws_list(text):
    """(format, the JWS in a file); None when it holds none."""
    qr = _qr(text)
    if qr:
        return ("shc-qr", [_numeric(qr[2])]) if qr[1] == 1 else ("shc-qr-part", [])
    if _JWS.match(text):
        return "shc-jws", [text]
    if text.startswith("{"):
        try:
            credentials = json.loads(text).get("verifiableCredential")
        except ValueError:
            return None
        if isinstance(credentials, list):
            return "shc-file", credentials
    return None


def _card(jws, keys):
    header, payload = _payload(jws)
    bundle = payload["vc"]["credentialSubject"]["fhirBundle"]
    resources = [entry["resource"] for entry in bundle["entry"]]
    return {
        "verified": _verified(jws, header, keys),
        "issuer": payload["iss"],
        "counts": dict(sorted(collections.Counter(r["resourceType"] for r in resources).items())),
        "resources": resources,
    }


def _patient(resource):
    name = (resource.get("name") or [{}])[0]
    return {
        "names": [{"family": name.get("family", ""), "given": (name.get("given") or [""])[0]}],
        "born": resource.get("birthDate"),
    }


def _codes(resources):
    for resource in resources:
        for key in ("code", "vaccineCode", "medicationCodeableConcept"):
            for coding in (resource.get(key) or {}).get("coding", []):
                if coding.get("system") and coding.get("code"):
                    yield f"{coding['system']}|{coding['code']}"


def read(data, keys):
    """What must come out of a health card or link, or None when it is none."""
    try:
        text = data.decode("utf-8").strip()
    except UnicodeDecodeError:
        return None
    whole = {"originals": [original(data)]}
    if re.match(r"(https?://\S+#)?shlink:/[\w-]+\Z", text, re.ASCII):
        link = json.loads(_b64(text.partition("shlink:/")[2]))
        return {"format": "shl", "label": link.get("label"), "flag": link.get("flag"), **whole}
    if _JWE.match(text):
        return {"format": "jwe", **whole}
    found = _jws_list(text)
    if found is None:
        return None
    form, jws_list = found
    if not jws_list:
        return {"format": form, **whole}
    cards = [_card(jws, keys) for jws in jws_list]
    counts, resources = collections.Counter(), []
    for card in cards:
        counts.update(card["counts"])
        resources += card.pop("resources")
    verified = all(card["verified"] for card in cards)
    return {
        "format": form,
        "verified": verified,
        "issuers": sorted({card["issuer"] for card in cards}),
        # the same card may come as text, as a file and as a picture
        "group": sha256("\n".join(jws_list).encode()),
        # a card whose signature nobody can check need not be taken apart
        "derived": {kind: [n if verified else 0, n] for kind, n in sorted(counts.items())},
        "patients": [_patient(r) for r in resources if r["resourceType"] == "Patient" and verified],
        "must": sorted(set(_codes(resources))) if verified else [],
        **whole,
    }


def joined(parts):
    """What the parts of one card, given as (name, data), come to; None when one is missing."""
    known = {}
    for _, data in parts:
        part, count, digits = _qr(data.decode().strip())
        known[part] = digits
    if sorted(known) != list(range(1, count + 1)):
        return None
    return _numeric("".join(known[part] for part in sorted(known)))
