"""`brightline-verify`: verifies a log, an export of it, or proofs of records, with public keys alone."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final, TypeVar

from brightline_verify import database, export, records
from brightline_verify.check import BadRecordError, Checker
from brightline_verify.cosignature import Witness
from brightline_verify.merkle import ProofError
from brightline_verify.note import Checkpoint, NoteError, Verifier, open_checkpoint
from brightline_verify.proof import Proof, not_early
from brightline_verify.report import UnreadableError, in_words, plain, printable
from brightline_verify.whole import Trust

T = TypeVar("T")
_SQLITE: Final = b"SQLite format 3\x00"
_BAR: Final = 30
_OFTEN_S: Final = 0.2


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command. Exits with 0 if everything holds, 1 if something does not, 2 if the input can't be read."""
    given = _parser().parse_args(arguments)
    try:
        sys.exit(given.run(given, *_trust(given)))
    except (UnreadableError, NoteError) as error:
        sys.stderr.write(f"error: {printable(str(error))}\n")
        sys.exit(2)


def _trust(given: argparse.Namespace) -> list[Trust]:
    """One Trust for each log key. A kept checkpoint belongs to the log whose key signed it."""
    verifiers = _each("--key", given.key, lambda raw: Verifier.parse(raw.decode()))
    witnesses = tuple(_each("--witness", given.witness, lambda raw: Witness.parse(raw.decode())))
    kept: dict[str, list[Checkpoint]] = {verifier.name: [] for verifier in verifiers}

    def keep(note: bytes) -> None:
        signer = next((v for v in verifiers[:-1] if _opens(note, v)), verifiers[-1])
        kept[signer.name].append(open_checkpoint(note, signer))

    _each("--kept", given.kept, keep)
    return [Trust(v, witnesses, given.witnesses, tuple(kept[v.name])) for v in verifiers]


def _each(option: str, paths: Sequence[Path], read: Callable[[bytes], T]) -> list[T]:
    """The parsed files of an option. Raises UnreadableError, which names option and file."""
    found = []
    for path in paths:
        try:
            found.append(read(_bytes(path)))
        except (NoteError, UnicodeDecodeError) as error:
            said = "is not text" if isinstance(error, UnicodeDecodeError) else f"is not read: {error}"
            raise UnreadableError(f"{option}: {path}: {said}") from error
    return found


def _opens(note: bytes, verifier: Verifier) -> bool:
    try:
        return bool(open_checkpoint(note, verifier))
    except NoteError:
        return False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("brightline-verify", description="Check an audit trail with public keys alone.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    log = commands.add_parser("log", help="check a whole log")
    log.add_argument("file", type=Path, metavar="FILE", help="an export, or the SQLite file of the gateway")
    log.add_argument("--processes", type=int, default=os.cpu_count(), help="how many check it (default: %(default)s)")
    log.set_defaults(run=_log)
    proof = commands.add_parser("proof", help="check the proof of one record")
    proof.add_argument("file", type=Path, metavar="FILE", help="the proof, as `brightline audit prove` writes it")
    proof.add_argument("--record", type=Path, required=True, help="the record, byte for byte")
    proof.set_defaults(run=_proof)
    chosen = commands.add_parser("records", help="check chosen records with their proofs")
    chosen.add_argument("file", type=Path, metavar="FILE", help="an export of records, as an auditor gets it")
    chosen.set_defaults(run=_records)
    proof.set_defaults(kept=[])
    for command in (log, chosen):
        command.add_argument(
            "--kept", type=Path, action="append", default=[], help="a checkpoint that you kept; repeat it"
        )
    for command in (log, proof):
        command.add_argument("--key", type=_only, required=True, help="the public key of the log")
    chosen.add_argument(
        "--key", type=Path, action="append", required=True, help="the public key of the log; of several, repeat it"
    )
    for command in (log, proof, chosen):
        command.add_argument("--witness", type=Path, action="append", default=[], help="a witness's key; repeat it")
        command.add_argument("--witnesses", type=int, default=0, help="how many of them have to have signed")
        command.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _only(path: str) -> list[Path]:
    return [Path(path)]


def _log(given: argparse.Namespace, trust: Trust) -> int:
    check = database.verify if _is_database(given.file) else export.verify
    bar = _Bar(shown=sys.stderr.isatty() and not given.json)
    report = check(given.file, trust, processes=given.processes, progress=bar.tell)
    bar.clear()
    if given.json:
        _say(json.dumps(report.as_json(), indent=2))
    else:
        _say("\n".join(in_words(report)))
    return 1 if report.problem else 0


def _proof(given: argparse.Namespace, trust: Trust) -> int:
    leaf, text = _bytes(given.record), _bytes(given.file)
    told: dict[str, object] = {"ok": False, "origin": trust.verifier.name}
    try:
        decision_id, kind, time_us, *_ = Checker().read(leaf)
        proof = Proof.parse(text)
        size = proof.verify(leaf, trust.verifier).size
        signed = proof.witnessed(trust.witnesses, trust.quorum)
        not_early(signed, time_us)
    except (ProofError, BadRecordError) as error:
        told["problem"] = str(error)
        words = f"NOT PROVED: {plain(str(error))}"
    else:
        told |= {"ok": True, "index": proof.index, "size": size, "decision_id": decision_id, "kind": kind}
        told["witnesses"] = signed
        words = f"PROVED record {proof.index} of {size} in {plain(trust.verifier.name)}: {kind}, decision {decision_id}"
    _say(json.dumps(told, indent=2) if given.json else words)
    return 0 if told["ok"] else 1


def _records(given: argparse.Namespace, *trusts: Trust) -> int:
    found = records.verify(given.file, *trusts)
    if given.json:
        _say(json.dumps({"ok": not found.problem, **asdict(found)}, indent=2))
    elif found.problem:
        at = "" if found.index is None else f"record {found.index}: "
        _say(f"NOT PROVED: {at}{plain(found.problem)}\n  {found.count} records before it hold")
    else:
        _say(f"PROVED {found.count} records of {found.size} in {plain(found.origin)}")
    return 1 if found.problem else 0


def _say(text: str) -> None:
    if sys.stdout is None:  # closed: only the exit code is wanted
        return
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError as error:
        sys.stdout = None  # prevents another flush at exit
        raise UnreadableError(f"the standard output can't be written: {error.strerror}") from error


class _Bar:
    """A progress bar on standard error, if that is a terminal."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._began = time.monotonic()
        self._next = self._began

    def tell(self, done: int, size: int) -> None:
        now = time.monotonic()
        if not self._shown or now < self._next:
            return
        self._next = now + _OFTEN_S
        part = done / max(size, 1)
        rate = done / max(now - self._began, 0.001)
        sys.stderr.write(f"\r{'=' * int(part * _BAR):{_BAR}} {part:4.0%} {done} records, {rate:,.0f}/s ")
        sys.stderr.flush()

    def clear(self) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")


def _is_database(path: Path) -> bool:
    return _bytes(path, len(_SQLITE)) == _SQLITE


def _bytes(path: Path, most: int = 1 << 20) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise UnreadableError(f"{path}: can't be read: {error.strerror}") from error


if __name__ == "__main__":
    main()
