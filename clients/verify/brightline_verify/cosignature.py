"""Witnesses' cosignatures on a checkpoint (C2SP tlog-cosignature, Ed25519).

With its signature and its time, a witness states that a checkpoint extends every checkpoint of the same log that it
signed before. Its line is below the log's own in the same note.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from brightline_verify import note
from brightline_verify.note import NoteError

TYPE: Final = b"\x04"
_LENGTH: Final = 8 + 64


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness's name and public key."""

    name: str
    key: bytes

    @classmethod
    def parse(cls, text: str) -> Witness:
        """The key in "name+hex key id+base64(type || key)", of the type of cosignatures. Raises NoteError."""
        return cls(*note.parse_key(text, TYPE, "an Ed25519 witness key"))

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name || 0x0A || type || key)."""
        return note.key_id(self.name, TYPE, self.key)

    def __str__(self) -> str:
        return note.print_key(self.name, TYPE, self.key)

    def signed_at(self, signed: bytes) -> int | None:
        """The time, in seconds since 1970, at which this witness signed; None if it did not. Raises NoteError."""
        text, signatures = note.split(signed)
        mine = [s[4:] for name, s in signatures if name == self.name and s[:4] == self.key_id]
        if not mine:
            return None
        if len(mine) != 1 or len(mine[0]) != _LENGTH:
            raise NoteError(f"the cosignature of {self.name} is malformed, or there are two")
        time_s = int.from_bytes(mine[0][:8])
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(mine[0][8:], _message(time_s, text))
        except InvalidSignature as error:
            raise NoteError(f"the cosignature of {self.name} does not hold") from error
        return time_s


def signed_at(signed: bytes, witnesses: Sequence[Witness]) -> dict[str, int]:
    """The time of each signature, by witness name. If a witness has several keys, the earliest time counts.

    Witnesses that did not sign are left out. Raises NoteError.
    """
    times: dict[str, int] = {}
    for witness in witnesses:
        time_s = witness.signed_at(signed)
        if time_s is not None:
            times[witness.name] = min(time_s, times.get(witness.name, time_s))
    return times


class Cosigner:
    """A witness's private key. Raises NoteError for an invalid name."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.witness = Witness(note.checked(name), key.public_key().public_bytes_raw())

    def cosign(self, signed: bytes, time_s: int) -> bytes:
        """The note with this witness's line, which replaces an older one of its own.

        Raises NoteError, also if the note has no room for another line.
        """
        text, _ = note.split(signed)
        signature = time_s.to_bytes(8) + self._key.sign(_message(time_s, text))
        kept = note.without(signed, self.witness.name, self.witness.key_id)
        made = kept + note.line(self.witness.name, self.witness.key_id + signature)
        note.split(made)
        return made


def _message(time_s: int, text: str) -> bytes:
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()
