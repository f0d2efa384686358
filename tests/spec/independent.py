"""A verifier written from docs/spec alone: the standard library, and Ed25519 from `cryptography`. Slow and plain.

It shares nothing with ours, so that what both say of the vectors is what the pages say.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class WrongError(Exception):
    """Something does not hold."""


def ensure(holds: bool, what: str) -> None:
    """Raise WrongError unless it holds."""
    if not holds:
        raise WrongError(what)


# --- the tree (RFC 6962 section 2.1), as it is defined -----------------------------------------------------------


def leaf(record: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + record).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(size: int) -> int:
    """The largest power of two below a size above 1."""
    return 1 << (size - 1).bit_length() - 1


def root(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256().digest()
    at = split(len(leaves))
    return node(root(leaves[:at]), root(leaves[at:]))


def root_by(hashed: bytes, index: int, size: int, hashes: list[bytes]) -> bytes:
    """The root that an inclusion proof leads to."""
    ensure(0 <= index < size, "the index is not in the tree")
    if size == 1:
        ensure(not hashes, "hashes are left over")
        return hashed
    ensure(bool(hashes), "hashes are missing")
    at, beside = split(size), hashes[-1]
    if index < at:
        return node(root_by(hashed, index, at, hashes[:-1]), beside)
    return node(beside, root_by(hashed, index - at, size - at, hashes[:-1]))


def consistent(first: int, second: int, old: bytes, hashes: list[bytes], *, whole: bool = True) -> tuple[bytes, bytes]:
    """The roots of both trees that a consistency proof leads to."""
    if first == second:
        if whole:
            return old, old
        ensure(bool(hashes), "hashes are missing")
        return hashes[0], hashes[0]
    at, beside = split(second), hashes[-1]
    if first <= at:
        before, after = consistent(first, at, old, hashes[:-1], whole=whole)
        return before, node(after, beside)
    before, after = consistent(first - at, second - at, old, hashes[:-1], whole=False)
    return node(beside, before), node(beside, after)


# --- signed notes ------------------------------------------------------------------------------------------------


def key(text: str, kind: bytes) -> tuple[str, bytes, bytes]:
    """Name, key id and public key."""
    name, identifier, encoded = text.split("+", 2)
    material = base64.b64decode(encoded, validate=True)
    ensure(material[:1] == kind, "the key is of another type")
    expected = hashlib.sha256(name.encode() + b"\n" + material).digest()[:4]
    ensure(expected.hex() == identifier, "the key id is another")
    return name, expected, material[1:]


def signature(note: str, name: str, identifier: bytes) -> bytes:
    """The one signature of that key."""
    lines = [line for line in note.rpartition("\n\n")[2].splitlines() if line.startswith(f"\u2014 {name} ")]
    found = [base64.b64decode(line.split(" ")[2], validate=True) for line in lines]
    mine = [one[4:] for one in found if one[:4] == identifier]
    ensure(len(mine) == 1, "not signed exactly once")
    return mine[0]


def signed(message: str, by: bytes, made: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(by).verify(made, message.encode())
    except InvalidSignature as error:
        raise WrongError("the signature does not hold") from error


def checkpoint(note: str, public: str) -> tuple[int, bytes]:
    """Size and root, once the log signed them."""
    name, identifier, by = key(public, b"\x01")
    text = note.rpartition("\n\n")[0] + "\n"
    signed(text, by, signature(note, name, identifier))
    origin, size, encoded = text.splitlines()[:3]
    ensure(origin == name, "it is of another log")
    return int(size), base64.b64decode(encoded, validate=True)


def witnessed(note: str, public: str) -> int:
    """When a witness signed, in seconds."""
    name, identifier, by = key(public, b"\x04")
    made = signature(note, name, identifier)
    time_s = int.from_bytes(made[:8], "big")
    signed(f"cosignature/v1\ntime {time_s}\n{note.rpartition(chr(10) * 2)[0]}\n", by, made[8:])
    return time_s


# --- files -------------------------------------------------------------------------------------------------------


def export(data: bytes, public: str) -> int:
    """How many records a whole export has that hold. From its beginning only: a part needs the tree before it."""
    first, *lines = data.decode().split("\n")
    header = json.loads(first)
    ensure(header["brightline"] == "export" and header["v"] == 1 and header["first"] == 0, "not such an export")
    ensure(lines.pop() == "", "cut off")
    leaves: list[bytes] = []
    records: list[dict[str, Any]] = []
    told: list[bytes] = []
    last = -1
    for line in lines:
        if not line.startswith('{"brightline":'):
            records.append(canonical(line))
            leaves.append(leaf(line.encode()))
            continue
        mark = json.loads(line)
        if mark["brightline"] == "leaves":
            ensure(mark["first"] == len(told), "hashes that don't belong here")
            joined = base64.b64decode(mark["hashes"], validate=True)
            told += [joined[at : at + 32] for at in range(0, len(joined), 32)]
        else:
            last, expected = checkpoint(mark["note"], public)
            ensure((last, expected) == (len(leaves), root(leaves)), "another root")
    ensure(told == leaves and last == len(leaves) == header["size"], "not as many, or others, than told")
    between(records)
    return len(records)


def chosen(data: bytes, *publics: str) -> int:
    """How many chosen records hold."""
    first, *lines = data.decode().split("\n")
    ensure(lines.pop() == "", "cut off")
    header = json.loads(first)
    trees = {one["origin"]: one["checkpoint"] for one in header.get("logs", [header])}
    keys = dict(zip(trees, publics, strict=True))
    ensure(all(public.startswith(f"{origin}+") for origin, public in keys.items()), "a key of another log")
    signed = {origin: checkpoint(note, keys[origin]) for origin, note in trees.items()}
    last = {origin: size for origin, (size, _) in signed.items()}
    for line in lines:
        one = json.loads(line)
        canonical(one["record"])
        origin = one["origin"] if header["v"] == 2 else header["origin"]
        size, expected = signed[origin]
        hashes = [base64.b64decode(h, validate=True) for h in one["hashes"]]
        ensure(one["index"] < last[origin], "not in order")
        ensure(root_by(leaf(one["record"].encode()), one["index"], size, hashes) == expected, "not proved")
        last[origin] = one["index"]
    return len(lines)


def canonical(text: str) -> dict[str, Any]:
    """The record in a text. All its keys are ASCII, so that sorting them is simple."""
    record: dict[str, Any] = json.loads(text)
    again = json.dumps(record, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    ensure(again == text and len(text.encode()) <= 65_535, "not canonical")
    return record


def between(records: list[dict[str, Any]]) -> None:
    """What holds between the records of a log."""
    latest = 0
    intents: set[str] = set()
    seen: set[str] = set()
    for record in records:
        ensure(record["time_us"] >= latest - 10_000_000, "older than the ones before")
        latest = max(latest, record["time_us"])
        if record["kind"] == "outcome":
            ensure(record["decision_id"] in intents, "an outcome without an open intent")
            intents.discard(record["decision_id"])
            continue
        ensure(record["decision_id"] not in seen, "a second record of a decision")
        seen.add(record["decision_id"])
        if record["kind"] == "intent":
            intents.add(record["decision_id"])
