"""Signed notes and checkpoints (C2SP signed-note and tlog-checkpoint), Ed25519 only.

A note is text, an empty line, and signature lines "— name base64(key id || signature)". The text of a checkpoint is the
log's origin, its size in decimal and its root in base64, each on a line. Signatures by unknown keys are ignored, as the
specification requires, so that witnesses can add theirs.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from brightline_verify.merkle import HASH_BYTES

MAX_BYTES = 1 << 16
MAX_SIGNATURES = 100
_ED25519 = b"\x01"
_DASH = "— "
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class NoteError(ValueError):
    """The note, checkpoint or key is malformed, or the key did not sign."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key and its name."""

    name: str
    key: bytes

    @classmethod
    def parse(cls, text: str) -> Verifier:
        """The key in "name+hex key id+base64(type || key)". Raises NoteError."""
        return cls(*parse_key(text, _ED25519, "an Ed25519 verifier key"))

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name || 0x0A || type || key)."""
        return key_id(self.name, _ED25519, self.key)

    def __str__(self) -> str:
        return print_key(self.name, _ED25519, self.key)

    def open(self, note: bytes) -> str:
        """The text of a note, if this key's signature on it is valid. Raises NoteError."""
        text, signatures = split(note)
        mine = [s for name, s in signatures if name == self.name and s[:4] == self.key_id]
        if len(mine) != 1:
            others = sorted({s[:4].hex() for name, s in signatures if name == self.name} - {self.key_id.hex()})
            hint = f", but with the key {', '.join(others)}; is the key that you gave the log's?" if others else ""
            raise NoteError(f"not signed exactly once by {self.name}+{self.key_id.hex()}{hint}")
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(mine[0][4:], text.encode())
        except InvalidSignature as error:
            raise NoteError(f"the signature of {self.name}+{self.key_id.hex()} does not hold") from error
        return text


class Signer:
    """A private key and its name. Raises NoteError for an invalid name."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.verifier = Verifier(checked(name), key.public_key().public_bytes_raw())

    def sign(self, text: str) -> bytes:
        """The signed note of `text`, which ends with a newline."""
        return f"{text}\n".encode() + line(self.verifier.name, self.verifier.key_id + self._key.sign(text.encode()))

    def derived(self, label: bytes) -> bytes:
        """A secret for another use, which does not reveal the private key: HMAC-SHA256 of the label, under the key."""
        return hmac.digest(self._key.private_bytes_raw(), label, "sha256")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The commitment of a log. size: leaves. root: 32 bytes."""

    origin: str
    size: int
    root: bytes

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """The checkpoint in the text of a note. Extension lines are ignored. Raises NoteError."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
            raise NoteError("a checkpoint has an origin, a size and a root, one a line")
        origin, size, root = lines[:3]
        if not _SIZE.fullmatch(size):
            raise NoteError("the size of a checkpoint is a decimal number")
        if len(decode(root)) != HASH_BYTES:
            raise NoteError("the root of a checkpoint is a SHA-256")
        return cls(origin, int(size), decode(root))

    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{encode(self.root)}\n"


def open_checkpoint(note: object, verifier: Verifier) -> Checkpoint:
    """The checkpoint in a note, if it is signed and of this log. `note` may be any value from a store.

    Raises NoteError.
    """
    if not isinstance(note, bytes):
        raise NoteError("the note is not bytes")
    checkpoint = Checkpoint.parse(verifier.open(note))
    if checkpoint.origin != verifier.name:
        raise NoteError(f"the checkpoint is of the log {checkpoint.origin!r}, not of {verifier.name!r}")
    return checkpoint


def parse_key(text: str, kind: bytes, what: str) -> tuple[str, bytes]:
    """Name and public key from a key's text form of this signature type. Raises NoteError."""
    name, _, rest = text.strip("\n").partition("+")
    identifier, _, encoded = rest.partition("+")
    material = decode(encoded)
    if material[:1] != kind or len(material) != 33:
        raise NoteError(f"not {what}")
    if identifier != key_id(checked(name), kind, material[1:]).hex():
        raise NoteError(f"the key id of {what} does not belong to its name and key")
    return name, material[1:]


def print_key(name: str, kind: bytes, key: bytes) -> str:
    """The text form of a key."""
    return f"{name}+{key_id(name, kind, key).hex()}+{encode(kind + key)}"


def key_id(name: str, kind: bytes, key: bytes) -> bytes:
    """The first four bytes of SHA-256(name || 0x0A || signature type || public key)."""
    return hashlib.sha256(name.encode() + b"\n" + kind + key).digest()[:4]


def line(name: str, signature: bytes) -> bytes:
    """A signature line. signature: begins with the key id."""
    return f"{_DASH}{name} {encode(signature)}\n".encode()


def without(note: bytes, name: str, identifier: bytes) -> bytes:
    """The note without the lines of this key. Raises NoteError."""
    text, signatures = split(note)
    kept = [(n, s) for n, s in signatures if (n, s[:4]) != (name, identifier)]
    return f"{text}\n".encode() + b"".join(line(n, s) for n, s in kept)


def split(note: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    """The text of a note, its last newline included, and its signatures as (name, key id and signature)."""
    if len(note) > MAX_BYTES:
        raise NoteError("the note is too long")
    try:
        whole = note.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoteError("the note is not UTF-8") from error
    if any(c < " " and c != "\n" for c in whole):
        raise NoteError("the note holds control characters")
    text, separator, block = whole.rpartition("\n\n")
    if not separator or not block.endswith("\n"):
        raise NoteError("the note has no signatures")
    lines = block[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise NoteError("the note has too many signatures")
    return text + "\n", [_signature(line) for line in lines]


def _signature(line: str) -> tuple[str, bytes]:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    signature = decode(encoded)
    if not line.startswith(_DASH) or not space or len(signature) < 5:
        raise NoteError("a signature line is malformed")
    return checked(name), signature


def checked(name: str) -> str:
    """The name, if it is valid for a key. Raises NoteError."""
    if not _NAME.fullmatch(name):
        raise NoteError("a key name is not empty and has neither white space nor '+'")
    return name


def encode(data: bytes) -> str:
    """Base64."""
    return base64.b64encode(data).decode("ascii")


def decode(text: str) -> bytes:
    """The bytes of canonical base64. Raises NoteError."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError("not base64") from error
    if encode(data) != text:
        raise NoteError("not canonical base64")
    return data
