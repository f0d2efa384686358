"""A witness: signs a checkpoint only if the log extends the last checkpoint that it signed.

It runs on another host than the gateway, reads the log's published tiles, and has its own key. Its state is what it
signed last. The state is durable before the signature leaves, so that no crash makes it sign two histories.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from brightline_verify import tiles
from brightline_verify.cosignature import Cosigner
from brightline_verify.merkle import EMPTY_ROOT, ProofError, consistency_proof, verify_consistency
from brightline_verify.note import Checkpoint, NoteError, Verifier, open_checkpoint
from brightline_verify.tiles import TileError
from gateway import regular_files
from gateway.audit import disk


class RefusedError(Exception):
    """The witness does not sign: the log was truncated or forked, or the witness can't rule that out."""


def witness(  # noqa: PLR0917 - who signs what, and where it is kept
    folder: Path, log: Verifier, cosigner: Cosigner, state: Path, to: Path, now_s: int, *, begin: bool = False
) -> bytes:
    """The log's published checkpoint with the witness's signature, also written to `to`. Raises RefusedError, OSError.

    1 no other process uses this state  2 this witness signed it, it is not older than what is in `to`, and it is
    missing only if `begin`  3 the log signed the published checkpoint  4 the checkpoint is not smaller, and not
    different at the same size  5 it extends the last one  6 the time is not before the last signature's  7 the state is
    durable before the signature leaves
    """
    lock = disk.hold(state.with_name(state.name + ".lock"))  # 1
    try:
        published = (folder / "checkpoint").read_bytes()
        last, last_s = _last(state, log, cosigner, begin=begin)  # 2
        _newest(last, to, log, cosigner)  # 2
        checkpoint = open_checkpoint(published, log)  # 3
        _goes_on(folder, last, checkpoint)  # 4, 5
        if now_s < last_s:  # 6
            raise RefusedError(
                f"the clock is {last_s - now_s} s before the last signature; set it right; if it is right now and was "
                "ahead before, begin with a new key"
            )
        signed = cosigner.cosign(published, now_s)
        # Crash before this: the old state, and a signature that nobody has. Crash after it: the same is signed again.
        disk.replace(state, signed)  # 7
        disk.replace(to, signed)
        return signed
    except (NoteError, ProofError, TileError) as error:
        raise RefusedError(f"the published log does not hold: {error}") from error
    finally:
        os.close(lock)


def _last(state: Path, log: Verifier, cosigner: Cosigner, *, begin: bool) -> tuple[Checkpoint, int]:
    try:
        note = state.read_bytes()
    except FileNotFoundError:
        if not begin:
            raise RefusedError(f"{state} is missing: without it a log that was cut back looks whole") from None
        return Checkpoint(log.name, 0, EMPTY_ROOT), 0
    if begin:
        raise RefusedError(f"{state} is there: this witness began before; leave out --begin")
    try:
        time_s = cosigner.witness.signed_at(note)
        if time_s is None:
            raise RefusedError(f"{state} was not signed by {cosigner.witness.name}")
        return open_checkpoint(note, log), time_s
    except NoteError as error:
        raise RefusedError(f"{state}: {error}") from error


def _newest(last: Checkpoint, to: Path, log: Verifier, cosigner: Cosigner) -> None:
    """Raise RefusedError for a state that is older than what left: a witness that forgot it could sign otherwise."""
    with suppress(FileNotFoundError, NoteError):  # NoteError: another log's, or of no witness
        note = regular_files.read(to)
        if cosigner.witness.signed_at(note) is None or (left := open_checkpoint(note, log)).size <= last.size:
            return
        raise RefusedError(
            f"{to} was signed over {left.size} records, and the state knows of {last.size}: an older state was put "
            "back; put back the one that was last, or begin with a new key"
        )


def _goes_on(folder: Path, last: Checkpoint, checkpoint: Checkpoint) -> None:
    if checkpoint.size < last.size:
        raise RefusedError(f"the log was cut back: {last.size} records were signed, and now it has {checkpoint.size}")
    if checkpoint.size == last.size and checkpoint.root != last.root:
        raise RefusedError(f"the log went another way: there are two checkpoints over {last.size} records")
    proof = consistency_proof(last.size, checkpoint.size, tiles.nodes_of(folder, checkpoint.size))
    try:
        verify_consistency(last.size, checkpoint.size, last.root, checkpoint.root, proof)
    except ProofError as error:
        raise RefusedError(f"the log went another way after at most {last.size} records: {error}") from error
