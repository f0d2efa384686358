"""Proofs that a record is in a log, as text (C2SP tlog-proof): index, hashes along the path, and a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from brightline_verify.check import is_early
from brightline_verify.cosignature import Witness, signed_at
from brightline_verify.merkle import HASH_BYTES, ProofError, leaf_hash, verify_inclusion
from brightline_verify.note import Checkpoint, NoteError, Verifier, decode, encode, open_checkpoint

FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"
MOST_BYTES: Final = 1 << 17
_MOST_HASHES: Final = 64


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof. hashes: from the leaf's sibling upwards. note: the signed checkpoint, with any cosignatures."""

    index: int
    hashes: tuple[bytes, ...]
    note: bytes

    @classmethod
    def parse(cls, text: bytes) -> Proof:
        """Parse the text form. Extra data is ignored, because it is not authenticated. Raises ProofError."""
        head, separator, note = text.partition(b"\n\n")
        try:
            first, *lines = head.decode("ascii").split("\n")
            lines = lines[1:] if lines and lines[0].startswith("extra ") else lines
            if first != FIRST_LINE or not separator or len(text) > MOST_BYTES:
                raise ProofError(f"not a proof: it does not begin with {FIRST_LINE}, or is cut off, or too long")
            hashes = tuple(decode(line) for line in lines[1:])
            if len(hashes) > _MOST_HASHES or any(len(node) != HASH_BYTES for node in hashes):
                raise ProofError("the proof has too many hashes, or one that is no SHA-256")
            return cls(_index(lines[0] if lines else ""), hashes, note)
        except (UnicodeDecodeError, NoteError) as error:
            raise ProofError(f"the proof is malformed: {error}") from error

    def text(self) -> bytes:
        """The text form."""
        lines = [FIRST_LINE, f"index {self.index}", *map(encode, self.hashes)]
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.note

    def verify(self, leaf: bytes, verifier: Verifier) -> Checkpoint:
        """Verify the proof and return its checkpoint. Raises ProofError."""
        try:
            checkpoint = open_checkpoint(self.note, verifier)
        except NoteError as error:
            raise ProofError(f"the checkpoint of the proof: {error}") from error
        verify_inclusion(leaf_hash(leaf), self.index, checkpoint.size, self.hashes, checkpoint.root)
        return checkpoint

    def witnessed(self, witnesses: Sequence[Witness], quorum: int) -> dict[str, int]:
        """The time of each witness's signature, by name. Raises ProofError if fewer than `quorum` signed."""
        try:
            signed = signed_at(self.note, witnesses)
        except NoteError as error:
            raise ProofError(str(error)) from error
        if len(signed) < quorum:
            raise ProofError(f"{quorum} witnesses are asked for, and {len(signed)} signed")
        return signed


def not_early(signed: Mapping[str, int], time_us: int) -> None:
    """Check that no witness signed before the time of a record that the checkpoint covers. Raises ProofError."""
    if is_early(signed, time_us):
        raise ProofError("a witness signed before there was the record")


def _index(line: str) -> int:
    digits = line.removeprefix("index ")
    if digits == line or not digits.isdigit() or len(digits) > 19 or str(int(digits)) != digits:
        raise ProofError("the proof has no index")
    return int(digits)
