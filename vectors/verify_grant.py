#!/usr/bin/python3
"""Checks Trefoil grants offline. Written from the words of docs/FORMATS.md alone; needs Debian's python3-cryptography.

    verify_grant.py --root KEY [--alg ed25519|p256] [--at MS] [--session-key KEY] BUNDLE
    verify_grant.py --vectors FOLDER     all of FOLDER/valid must be accepted, all of FOLDER/invalid refused as they say;
                                         of documents, the licenses
"""
import argparse
import base64
import datetime
import hashlib
import json
import pathlib
import re
import sys
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

MAX_INTEGER = 2**53 - 1
DOCUMENT_BYTES = 262_144
MODES = ["session", "station", "user", "exclusive", "uncounted"]
TERMS = ["version", "quantity", "counting", "features", "notBefore", "notAfter", "units",
         "sessionTimeoutSeconds", "offlineGraceSeconds", "lingerSeconds"]
MINUTE, DAY = 60, 86_400


class Refused(Exception):
    """`args[0]` is the code of the refusal."""


def need(condition, code="malformed"):
    if not condition:
        raise Refused(code)


# §1 Canonical bytes

def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def tag(name):
    return name.encode().ljust(16, b"\0")


def to_base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text):
    need(re.fullmatch("[A-Za-z0-9_-]*", text) and len(text) % 4 != 1)
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    need(to_base64url(data) == text)  # spare bits are zero
    return data


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def raw(self, length):
        need(self.at + length <= len(self.data))
        self.at += length
        return self.data[self.at - length:self.at]

    def integer(self, width):
        value = int.from_bytes(self.raw(width), "big")
        need(value <= MAX_INTEGER)
        return value

    def text(self, maximum):
        length = self.integer(2)
        need(length <= maximum)
        return utf8(self.raw(length))

    def end(self):
        need(self.at == len(self.data))


def utf8(data):
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("malformed") from None


# §2 JSON, fields, keys, documents

def strict_json(data, maximum):
    need(len(data) <= maximum)
    text = utf8(data)
    need(not text.startswith("\ufeff"))
    try:
        value = json.loads(text, object_pairs_hook=unique_object, parse_int=whole, parse_float=refuse, parse_constant=refuse)
    except (ValueError, RecursionError):
        raise Refused("malformed") from None
    check_value(value, 0)
    return value


def refuse(_text):
    raise Refused("malformed")


def whole(text):
    need(text != "-0" and len(text) <= 17 and abs(int(text)) <= MAX_INTEGER)
    return int(text)


def unique_object(pairs):
    need(len({key for key, _ in pairs}) == len(pairs))
    return dict(pairs)


def check_value(value, depth):
    need(depth <= 12)
    if isinstance(value, str):
        need(not re.search("[\ud800-\udfff]", value))
    elif isinstance(value, list):
        for item in value:
            check_value(item, depth + 1)
    elif isinstance(value, dict):
        for name, item in value.items():
            check_value(name, 0)
            check_value(item, depth + 1)


def fields(value, required, optional=()):
    need(isinstance(value, dict) and set(required) <= set(value) <= {*required, *optional})
    return value


def string(value, maximum=128, minimum=1):
    need(isinstance(value, str) and minimum <= len(value.encode()) <= maximum)
    return value


def code(value):
    need(re.fullmatch("[a-z0-9][a-z0-9._-]*", string(value, 64)))
    return value


def integer(value, low, high):
    need(type(value) is int and low <= value <= high)
    return value


def octets(value, length):
    data = from_base64url(string(value, DOCUMENT_BYTES))
    need(len(data) == length)
    return data


def items(value, maximum):
    need(isinstance(value, list) and len(value) <= maximum)
    return value


def time(value):
    need(re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", string(value)))
    try:
        moment = datetime.datetime.strptime(value + "+0000", "%Y-%m-%dT%H:%M:%SZ%z")
    except ValueError:
        raise Refused("malformed") from None
    need(moment.year >= 1970 and moment.strftime("%S") == value[17:19])
    return int(moment.timestamp()) * 1000


class Key(NamedTuple):
    alg: str
    data: bytes


SMALL_ORDER = [bytes.fromhex(text) for text in (
    "00" * 32, "01" + "00" * 31,
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ec" + "ff" * 30 + "7f", "ed" + "ff" * 30 + "7f", "ee" + "ff" * 30 + "7f")]
ORDER = 2**252 + 27742317777372353535851937790883648493


def sound_point(data):
    y = data[:31] + bytes([data[31] & 0x7F])
    return y not in SMALL_ORDER and int.from_bytes(y, "little") < 2**255 - 19


def key(alg, text):
    need(alg in ("ed25519", "p256"))
    data = octets(text, 32 if alg == "ed25519" else 33)
    need(sound_point(data) if alg == "ed25519" else data[0] in (2, 3), "weak-key")
    return Key(alg, data)


def key_id(of):
    return sha256(tag("trefoil/key"), of.alg.encode(), of.data)[:16]


def signed_by(of, message, signature):
    if len(signature) != 64:
        return False
    try:
        if of.alg == "ed25519":
            if not sound_point(signature[:32]) or int.from_bytes(signature[32:], "little") >= ORDER:
                return False
            ed25519.Ed25519PublicKey.from_public_bytes(of.data).verify(signature, message)
        else:
            point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), of.data)
            r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
            point.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
        return True
    except (InvalidSignature, ValueError):
        return False


def document(text, kind, signer):
    """The payload of a document of this kind that `signer` signed."""
    need(len(text) <= DOCUMENT_BYTES, "too-large")
    parts = text.split(".")
    need(len(parts) == 3)
    header = fields(strict_json(from_base64url(parts[0]), 1024), ["alg", "kid", "typ"])
    for value in header.values():
        string(value)
    signature = from_base64url(parts[2])
    need(header["typ"] == kind, "wrong-type")
    payload = strict_json(from_base64url(parts[1]), DOCUMENT_BYTES)
    need(isinstance(payload, dict))
    need(header["alg"] == {"ed25519": "Ed25519", "p256": "ES256"}[signer.alg], "unknown-key")
    need(header["kid"] == to_base64url(key_id(signer)), "unknown-key")
    need(signed_by(signer, f"{parts[0]}.{parts[1]}".encode(), signature), "bad-signature")
    return payload


def issuing_key(text, root):  # §2.1
    one = fields(document(text, "trefoil-issuing-key", root), ["format", "vendor", "alg", "key", "notBefore", "notAfter"])
    integer(one["format"], 1, 1)
    result = {"vendor": code(one["vendor"]), "key": key(one["alg"], one["key"]),
              "notBefore": time(one["notBefore"]), "notAfter": time(one["notAfter"])}
    need(result["notBefore"] < result["notAfter"])
    return result


def issued_under(issuing, vendor, issued_at):
    need(vendor == issuing["vendor"], "wrong-vendor")
    need(issuing["notBefore"] <= issued_at, "not-yet")
    need(issued_at < issuing["notAfter"], "expired")


def configuration(text, issuing):  # §2.2
    one = fields(document(text, "trefoil-configuration", issuing["key"]),
                 ["format", "vendor", "set", "name", "version", "threshold", "containers", "issuedAt", "expires"])
    integer(one["format"], 1, 1), code(one["vendor"]), string(one["name"])
    result = {"set": octets(one["set"], 16), "version": integer(one["version"], 1, 2**32 - 1),
              "threshold": integer(one["threshold"], 1, 2), "issuedAt": time(one["issuedAt"]), "expires": time(one["expires"])}
    keys, serials = {}, set()
    for place, item in enumerate(items(one["containers"], 3), 1):
        fields(item, ["member", "kind", "serial", "alg", "signingKey", "sealingKey"])
        need(integer(item["member"], 1, 3) == place and item["kind"] in ("software", "pkcs11", "tpm"))
        serials.add(octets(item["serial"], 16))
        keys[place] = key(item["alg"], item["signingKey"])
        octets(item["sealingKey"], 32)
    need(len(keys) == (3 if result["threshold"] == 2 else 1))
    need(result["issuedAt"] < result["expires"])
    need(len(serials) == len(keys) == len(set(keys.values())))
    issued_under(issuing, one["vendor"], result["issuedAt"])
    return {**result, "keys": keys}


def license_(text, issuing):  # §2.3
    one = fields(document(text, "trefoil-license", issuing["key"]),
                 ["format", "vendor", "set", "license", "version", "product", "name", "tmrId", "terms", "issuedAt"])
    integer(one["format"], 1, 1), code(one["vendor"]), string(one["name"])
    result = {"set": octets(one["set"], 16), "license": code(one["license"]), "version": integer(one["version"], 1, 2**32 - 1),
              "product": code(one["product"]), "tmrId": integer(one["tmrId"], 0, MAX_INTEGER), "terms": terms(one["terms"])}
    issued_under(issuing, one["vendor"], time(one["issuedAt"]))
    return {**result, "digest": sha256(text.encode())}


def terms(value):  # §2.4
    need(isinstance(value, dict))
    version = integer(value.get("version"), 1, 1000)
    need(version <= 2, "unknown-term")
    for name in optional(value, "critical", lambda names: items(names, 100), []):
        need(string(name, 64, 0) in TERMS or name in OPTIONS, "unknown-term")
    need(version == 2 or not set(value) & set(OPTIONS))
    quantity = integer(value.get("quantity"), 0, 10**9)
    timeout = optional(value, "sessionTimeoutSeconds", whole_number(10, 86400), 60)
    begin, end = optional(value, "notBefore", time), optional(value, "notAfter", time)
    need(begin is None or end is None or begin < end)
    counting = optional(value, "counting", lambda modes: items(modes, 5), ["session"])
    need(counting and all(mode in MODES for mode in counting) and len(set(counting)) == len(counting))
    optional(value, "units", whole_number(0, MAX_INTEGER))
    life = optional(value, "offlineGraceSeconds", whole_number(1, 86400), timeout)
    need(life <= timeout)
    optional(value, "lingerSeconds", whole_number(0, 86400))
    result = {"quantity": quantity, "counting": counting, "notBefore": begin, "notAfter": end, "lifeMs": life * 1000,
              **{name: optional(value, name, read) for name, read in OPTIONS.items()}, "units": value.get("units")}
    result["features"] = features(optional(value, "features", lambda list_: items(list_, 1000), []), version, result)
    check_options(result)
    return {**result, "overdraft": overdraft_seats(result), "graceMs": (result["grace"] or 0) * 1000}


def optional(value, name, read, default=None):
    return read(value[name]) if name in value else default


def whole_number(low, high):
    return lambda value: integer(value, low, high)


def one_of(*words):
    def read(value):
        need(value in words)
        return value
    return read


def flag(value):
    need(isinstance(value, bool))
    return value


def record(required, **reads):
    """Reads an object with these fields and no other."""
    def read(value):
        fields(value, required, reads)
        return {name: reads[name](one) for name, one in value.items()}
    return read


def duration(low, high):
    """Reads ISO 8601, days to seconds; gives seconds."""
    pattern = re.compile("P(?:([0-9]{1,9})D)?(T(?=[0-9])(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})S)?)?")

    def read(value):
        found = pattern.fullmatch(string(value))
        need(found and any(found.groups()))
        days, _, hours, minutes, seconds = (int(part) if part and part[0] != "T" else 0 for part in found.groups())
        return integer(((days * 24 + hours) * 60 + minutes) * 60 + seconds, low, high)
    return read


def version_number(value):
    need(re.fullmatch(r"(0|[1-9][0-9]{0,8})(\.(0|[1-9][0-9]{0,8})){0,3}", string(value)))
    return [int(number) for number in value.split(".")]


def versions(value):
    one = record([], **{"from": version_number, "to": version_number})(value)
    need(one)
    low, high = one.get("from", []), one.get("to", [])
    need(low + [0] * (4 - len(low)) <= high + [MAX_INTEGER] * (4 - len(high)))
    return one


def maintenance(value):
    one = record(["until"], **{"from": time, "until": time})(value)
    need(one.get("from", -1) < one["until"])
    return one


def overdraft(value):
    one = record([], seats=whole_number(1, 10**9), percent=whole_number(1, 1000))(value)
    need(len(one) == 1)
    return one


def texts(maximum):
    def read(value):
        need(isinstance(value, dict) and len(value) <= 100)
        for name, text in value.items():
            need(re.fullmatch("[A-Za-z][A-Za-z0-9._-]{0,63}", name))
            need(not re.search("[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", string(text, maximum)))
        return value
    return read


def in_languages(value):
    need(isinstance(value, dict))
    for language, text in value.items():
        need(re.fullmatch("[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", language))
        texts(1024)(text)
    return value


def vendor_data(value):
    need(len(from_base64url(string(value, DOCUMENT_BYTES))) <= 65_536)
    return value


YEARS = duration(MINUTE, 3650 * DAY)
OPTIONS = {  # version 2
    "versions": versions,
    "maintenance": maintenance,
    "downgrade": flag,
    "grace": duration(1, 3650 * DAY),
    "usagePeriod": duration(1, 3650 * DAY),
    "metering": one_of("prepaid", "postpaid"),
    "seatTime": record(["every"], every=duration(1, DAY), units=whole_number(1, 10**6)),
    "overdraft": overdraft,
    "borrowing": record(["seats", "longest"], seats=whole_number(1, 10**9), longest=duration(MINUTE, 366 * DAY),
                        extensions=whole_number(0, 1000), writeOffs=record(["count", "within"], count=whole_number(1, 1000), within=YEARS)),
    "named": record(["who", "changes", "within"], who=one_of("user", "device"), changes=whole_number(0, 1000), within=YEARS),
    "queue": flag,
    "minimum": record([], server=whole_number(1, 65535), client=whole_number(1, 65535)),
    "standby": one_of("cold", "hot"),
    "transfer": record([], moves=whole_number(0, 1000), returns=whole_number(0, 1000), splits=flag, wait=duration(0, 3650 * DAY)),
    "returned": flag,
    "texts": in_languages,
    "customer": texts(128),
    "vendorData": vendor_data,
}
FEATURE = {"name": code, "quantity": whole_number(0, 10**9), "notAfter": time}
FEATURE_2 = {**FEATURE, "within": code, "notBefore": time, "versions": versions, "maintenance": maintenance,
             "tokens": whole_number(1, 10**6), "weight": whole_number(0, 10**6)}


def check_options(one):
    """What ties the terms together, and contradictions."""
    counted = one["quantity"] > 0 and one["counting"] != ["uncounted"]
    metered = one["units"] is not None or one["metering"] is not None
    parts = [one, *one["features"].values()]
    need(not one["downgrade"] or any("from" in (each[name] or {}) for each in parts for name in ("versions", "maintenance")))
    need(one["grace"] is None or one["usagePeriod"] is not None or any(each["notAfter"] is not None for each in parts))
    need(one["metering"] != "prepaid" or one["units"] is not None)
    need(one["seatTime"] is None or metered)
    need(one["overdraft"] is None or counted)
    need(one["borrowing"] is None or counted and one["borrowing"]["seats"] <= one["quantity"])
    need(one["named"] is None or one["quantity"] > 0)
    need(one["standby"] != "cold" or one["usagePeriod"] is not None)
    need(one["standby"] != "hot" or one["seatTime"] is not None)
    need(metered or all(each["weight"] == 1 for each in one["features"].values()))


def overdraft_seats(one):
    given = one["overdraft"] or {"seats": 0}
    return given["seats"] if "seats" in given else -(-one["quantity"] * given["percent"] // 100)


def features(list_, version, conditions):
    """By name, each with what holds for it."""
    given = [record(["name"], **(FEATURE if version == 1 else FEATURE_2))(one) for one in list_]
    by_name = {one["name"]: one for one in given}
    need(len(by_name) == len(given))
    return {one["name"]: holding(one, by_name, conditions) for one in given}


def holding(feature, by_name, conditions):
    chain = [feature]
    while "within" in chain[-1]:
        need(chain[-1]["within"] in by_name and len(chain) < 8)
        chain.append(by_name[chain[-1]["within"]])
    all_of = lambda name: [one[name] for one in chain if name in one]
    nearest = lambda name, otherwise: next(iter(all_of(name)), otherwise)
    begins, ends = ([one for one in [*all_of(name), conditions[name]] if one is not None] for name in ("notBefore", "notAfter"))
    quantities, most = all_of("quantity"), conditions["quantity"]
    need(quantities == sorted(quantities) and all(most == 0 or quantity <= most for quantity in quantities))
    need(all(1 <= tokens <= most for tokens in all_of("tokens")))
    need(not begins or not ends or max(begins) < min(ends))
    return {"notBefore": max(begins, default=None), "notAfter": min(ends, default=None), "quantity": min(quantities, default=None),
            "tokens": nearest("tokens", 1), "weight": nearest("weight", 1),
            **{name: nearest(name, conditions[name]) for name in ("versions", "maintenance")}}


# §3 Certificates

def certificate(data, config):
    reader = Reader(data)
    statement, votes, previous = reader.raw(136), [], 0
    count = reader.integer(1)
    need(1 <= count <= 3)
    for _ in range(count):
        member = reader.integer(1)
        need(1 <= member <= 3)
        need(member > previous, "not-enough-votes")
        votes.append((member, reader.raw(64)))
        previous = member
    reader.end()
    reader = Reader(statement)
    need(reader.raw(16) == tag("trefoil/accept"))
    set_id, version = reader.raw(16), reader.integer(4)
    accept = {"epoch": reader.integer(8), "index": reader.integer(8), "head": reader.raw(32), "root": reader.raw(32),
              "count": reader.integer(4), "logTime": reader.integer(8), "utc": reader.integer(8)}
    need(set_id == config["set"], "wrong-set")
    need(version == config["version"], "wrong-configuration")
    for member, signature in votes:
        need(member in config["keys"], "not-a-member")
        need(signed_by(config["keys"][member], statement, signature), "bad-signature")
    need(len(votes) >= config["threshold"], "not-enough-votes")
    return accept


# §5 Outcomes

def under_root(outcome, index, count, path, root):
    if index >= count:
        return False
    result, f, s = sha256(b"\0", outcome), index, count - 1
    for sibling in path:
        if s == 0:
            return False
        if f % 2 == 1 or f == s:
            result = sha256(b"\1", sibling, result)
            while f % 2 == 0 and f != 0:
                f, s = f // 2, s // 2
        else:
            result = sha256(b"\1", result, sibling)
        f, s = f // 2, s // 2
    return s == 0 and result == root


def grants_of(data):
    """(whether it is fresh, its grants) of an outcome that is granted or renewed."""
    reader = Reader(data)
    kind = reader.integer(1)
    need(1 <= kind <= 16)
    need(kind in (2, 3), "wrong-proof")
    reader.raw(32), reader.raw(16), reader.integer(8)
    if kind == 3:
        reader.integer(8)
    grants = []
    for _ in range(reader.integer(2)):
        grant = {"license": reader.text(64), "version": reader.integer(4), "digest": reader.raw(32), "tmrId": reader.integer(8),
                 "product": reader.text(64), "feature": reader.text(64), "seats": reader.integer(4), "mode": reader.integer(1),
                 "user": reader.text(128), "host": reader.text(128), "sessionKey": reader.raw(32), "hold": reader.integer(8),
                 "item": reader.integer(1), "flags": reader.integer(1), "releaseHash": reader.raw(32),
                 "logTime": reader.integer(8), "utc": reader.integer(8), "lifeMs": reader.integer(8), "end": reader.integer(8)}
        need(grant["mode"] < len(MODES) and grant["item"] < 16 and grant["flags"] <= 15)
        grants.append(grant)
    if kind == 3:
        for _ in range(reader.integer(2)):  # what waits
            reader.integer(8), need(reader.integer(4) >= 1)
    reader.end()
    need(grants, "wrong-proof")
    return kind == 2, grants


# §6 Grant bundle

def verify(bundle, root, at=None, session_key=None):
    """Until when (utc, ms) the grants of this bundle (bytes) are valid. Raises Refused."""
    one = fields(strict_json(bundle, 524_288),
                 ["format", "issuingKey", "configuration", "licenses", "outcome", "leafIndex", "path", "certificate"])
    need(one["format"] == "trefoil-grant-1")
    string(one["issuingKey"], DOCUMENT_BYTES), string(one["configuration"], DOCUMENT_BYTES)
    texts = [string(text, DOCUMENT_BYTES, 0) for text in items(one["licenses"], 256)]
    outcome = from_base64url(string(one["outcome"], DOCUMENT_BYTES))
    index = integer(one["leafIndex"], 0, 2**20 - 1)
    path = [octets(text, 32) for text in items(one["path"], 20)]
    votes = from_base64url(string(one["certificate"], 2048))
    issuing = issuing_key(one["issuingKey"], root)
    config = configuration(one["configuration"], issuing)
    accept = certificate(votes, config)
    need(under_root(outcome, index, accept["count"], path, accept["root"]), "wrong-proof")
    fresh, grants = grants_of(outcome)
    licenses = {each["digest"]: each for each in (license_(text, issuing) for text in texts)}
    need({grant["digest"] for grant in grants} == set(licenses) and len(licenses) == len(texts), "wrong-license")
    holder = grants[0]["sessionKey"] if session_key is None else session_key
    for grant in grants:
        check_grant(grant, licenses[grant["digest"]], config, accept, holder, fresh)
    until = min([config["expires"], *(grant["utc"] + grant["lifeMs"] for grant in grants), *(g["end"] for g in grants if g["end"])])
    instant = accept["utc"] if at is None else at
    need(instant < until, "expired")
    need(instant >= max(config["issuedAt"], *(grant["utc"] for grant in grants)), "not-yet")
    return until


def check_grant(grant, lic, config, accept, session_key, fresh):
    need(grant["sessionKey"] == session_key, "wrong-session")
    need(grant["utc"] <= accept["utc"] and grant["logTime"] <= accept["logTime"], "wrong-proof")
    need(lic["set"] == config["set"], "wrong-set")
    need(lic["tmrId"] == 0 or config["threshold"] == 2, "needs-two-votes")
    conditions = lic["terms"]
    of_all = {**conditions, "quantity": None, "tokens": 1}
    holds = conditions["features"].get(grant["feature"], of_all)
    last, flags = holds["notAfter"], grant["flags"]
    need(all(grant[name] == lic[name] for name in ("license", "version", "product", "tmrId"))
         and grant["seats"] >= 1 and grant["lifeMs"] <= (366 * 86_400_000 if flags & 8 else 86_400_000), "wrong-license")
    if last is not None:
        need(0 < grant["end"] <= last + conditions["graceMs"] and (grant["utc"] < last or flags & 1), "wrong-license")
    else:
        need(conditions["usagePeriod"] is None or grant["end"] != 0, "wrong-license")
    if not fresh:
        return
    need(not conditions["returned"], "wrong-license")
    mode = MODES[grant["mode"]]
    away = conditions["borrowing"] or {"longest": 0, "seats": 0}
    life = away["longest"] * 1000 if flags & 8 else conditions["lifeMs"]
    need(not flags & 8 or grant["seats"] <= away["seats"], "wrong-license")
    need((grant["feature"] == "" or grant["feature"] in conditions["features"]) and mode in conditions["counting"]
         and grant["lifeMs"] <= life
         and (holds["notBefore"] is None or grant["utc"] >= holds["notBefore"]), "wrong-license")
    if conditions["quantity"] > 0 and mode != "uncounted":
        most = conditions["quantity"] + (conditions["overdraft"] if flags & 2 else 0)
        need(grant["seats"] * holds["tokens"] <= most, "wrong-license")
        need(holds["quantity"] is None or grant["seats"] <= holds["quantity"], "wrong-license")


# Command line

def check_vectors(folder):
    """Prints what is not as a vector says; the number of vectors that are."""
    good = bad = 0
    for file in sorted(folder.glob("*/*.json")):
        vector = json.loads(file.read_text(encoding="utf-8"))
        if vector.get("type", "trefoil-license") != "trefoil-license":
            continue
        try:
            said = check_vector(vector)
        except Refused as refusal:
            said = refusal.args[0]
        expected = vector.get("why" if file.parent.name == "invalid" else "validUntilUtc")
        if said == expected:
            good += 1
        else:
            bad += 1
            print(f"{file.parent.name}/{file.stem}: {said}, not {expected}")
    print(f"{good} as expected, {bad} not")
    return 0 if good and not bad else 1


def check_vector(vector):
    """Until when a grant is valid; nothing of a license."""
    root = key(vector["root"]["alg"], vector["root"]["key"])
    if "document" in vector:
        license_(vector["document"], issuing_key(vector["issuingKey"], root))
        return None
    session_key = from_base64url(vector["sessionKey"]) if "sessionKey" in vector else None
    return verify(vector["bundle"].encode(), root, vector.get("at"), session_key)


def main():
    parser = argparse.ArgumentParser(description="Checks Trefoil grants offline.")
    parser.add_argument("--vectors", type=pathlib.Path)
    parser.add_argument("--root", help="the vendor's root public key, base64url")
    parser.add_argument("--alg", default="ed25519", choices=["ed25519", "p256"])
    parser.add_argument("--at", type=int, help="the instant in question, ms since 1970")
    parser.add_argument("--session-key", help="who has to hold the grant, base64url")
    parser.add_argument("bundle", nargs="?", type=pathlib.Path)
    options = parser.parse_args()
    if options.vectors:
        return check_vectors(options.vectors)
    if not options.root or not options.bundle:
        parser.error("--root and a bundle are needed")
    try:
        session_key = from_base64url(options.session_key) if options.session_key else None
        until = verify(options.bundle.read_bytes(), key(options.alg, options.root), options.at, session_key)
    except Refused as refusal:
        print(f"refused: {refusal.args[0]}")
        return 1
    print(f"accepted: valid until {datetime.datetime.fromtimestamp(until / 1000, datetime.timezone.utc).isoformat()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
