from __future__ import annotations

import base64
import json
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from brightline_verify import export
from brightline_verify.cosignature import Cosigner
from brightline_verify.database import File
from brightline_verify.note import Checkpoint, Signer, open_checkpoint
from brightline_verify.record import Kind
from brightline_verify.report import Problem, Report, Seen, UnreadableError, in_words
from brightline_verify.whole import Trust
from gateway.audit.export import write
from gateway.audit.record import entry
from gateway.audit.sqlite import Sqlite
from gateway.audit.store import Store
from gateway.canonical import canonical
from tests.support import logs

SIZE = 300
EVERY = 7
WITNESS = Cosigner("witness.example/w", Ed25519PrivateKey.from_private_bytes(b"w" * 32))
SIGNED_S = logs.START_US // 1_000_000 + 60

Lines = list[bytes]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed log of SIZE records, intents and their outcomes, with a checkpoint after every seven."""
    folder = tmp_path_factory.mktemp("log")
    store = Store(Sqlite(logs.settings(folder).path), logs.signer(folder))
    for start in range(0, SIZE, EVERY):
        store.append([entry(made(n)) for n in range(start, min(start + EVERY, SIZE))])
        store.checkpoint()
    store.close()
    return folder


def made(number: int) -> dict[str, Any]:
    """Intents, each with its outcome two records later, and refusals between."""
    if number % 4 == 0:
        return {**logs.record(Kind.INTENT, number)}
    if number % 4 == 2:
        return {**logs.record(Kind.OUTCOME, number - 2, after_us=2)}
    return {**logs.record(Kind.REFUSAL, number)}


@pytest.fixture(scope="module")
def lines(folder: Path) -> Lines:
    """The lines of its export."""
    return exported(folder)


def exported(folder: Path, **how: Any) -> Lines:
    """The lines of an export of the log in `folder`."""
    path = folder / "export.jsonl"
    with path.open("wb") as out:
        write(File(folder / "audit.db"), logs.verifier(folder), out, **how)
    return path.read_bytes().splitlines()


def check(folder: Path, lines: Lines, trust: Trust | None = None, **how: Any) -> Report:
    """What the verifier says of these lines."""
    path = folder / "changed.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return export.verify(path, trust or logs.trust(folder), **how)


def found(folder: Path, lines: Lines, trust: Trust | None = None) -> Problem:
    """The problem that the verifier finds."""
    problem = check(folder, lines, trust).problem
    assert problem is not None
    return problem


def records(lines: Lines) -> list[int]:
    """Where the records are."""
    return [n for n, line in enumerate(lines) if not line.startswith(export.PREFIX)]


def test_an_export_verifies(folder: Path, lines: Lines) -> None:
    """Every record, root and signature of an export hold, and what it says is what the log has."""
    report = check(folder, lines)
    assert (report.problem, report.first, report.size, report.covered) == (None, 0, SIZE, SIZE)
    assert (report.checkpoints, report.open_intents, report.gap_us) == (43, (), 1)
    assert [lines[n] for n in records(lines)] == [canonical(made(n)) for n in range(SIZE)]


@pytest.mark.parametrize("piece", [1, 1000, 5000, 50_000])
def test_it_makes_no_difference_where_an_export_is_cut(
    folder: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    """Pieces of one line or of many, in one process or in several: the report is the same."""
    expected = check(folder, lines)
    monkeypatch.setattr(export, "_AT_ONCE", piece)
    monkeypatch.setattr(export, "_ALONE", 0)
    assert check(folder, lines, processes=1) == expected
    if piece == 5000:
        assert check(folder, lines, processes=3) == expected
        assert check(folder, [*lines[:-3], b"x", *lines[-3:]], processes=2).problem is not None


def test_a_part_of_a_log_verifies(folder: Path) -> None:
    """An export that begins later, at a checkpoint or not, is checked from there on."""
    for first in (1, 7, 14, 255, 256, 299):
        report = check(folder, exported(folder, first=first))
        assert (report.problem, report.first, report.size, report.covered) == (None, first, SIZE, SIZE)
    report = check(folder, exported(folder, first=2, until=20))
    assert (report.problem, report.size, report.earlier_outcomes) == (None, 14, 1)


def test_what_is_not_under_a_checkpoint_is_not_exported(folder: Path, tmp_path: Path) -> None:
    """Without a checkpoint, or beyond the last one, there is nothing to export."""
    with pytest.raises(UnreadableError, match="no checkpoint covers record 300"):
        exported(folder, first=300)
    with pytest.raises(UnreadableError, match="no checkpoint over at most 6 records covers record 0"):
        exported(folder, until=6)
    store = Store(Sqlite(logs.settings(tmp_path).path), logs.signer(tmp_path))
    store.append(logs.entries(3))
    store._kept.release()
    with pytest.raises(UnreadableError, match="no checkpoint covers record 0"):
        exported(tmp_path)


def at(index: int) -> Callable[[Lines], int]:
    """Where the record with that index is."""
    return lambda lines: records(lines)[index]


def replaced(index: int, old: bytes, new: bytes) -> Callable[[Lines], Lines]:
    """Text in a record becomes another."""

    def change(lines: Lines) -> Lines:
        n = records(lines)[index]
        assert old in lines[n]
        return [*lines[:n], lines[n].replace(old, new, 1), *lines[n + 1 :]]

    return change


def without(index: int) -> Callable[[Lines], Lines]:
    """A record is taken out."""
    return lambda lines: [line for n, line in enumerate(lines) if n != records(lines)[index]]


def swapped(index: int) -> Callable[[Lines], Lines]:
    """A record and the next change places."""

    def change(lines: Lines) -> Lines:
        one, other = records(lines)[index : index + 2]
        changed = list(lines)
        changed[one], changed[other] = lines[other], lines[one]
        return changed

    return change


def inserted(index: int, leaf: bytes) -> Callable[[Lines], Lines]:
    """A record is pushed in."""

    def change(lines: Lines) -> Lines:
        n = records(lines)[index]
        return [*lines[:n], leaf, *lines[n:]]

    return change


def meta(kind: str, number: int, **changes: Any) -> Callable[[Lines], Lines]:
    """A line of another kind says something else."""

    def change(lines: Lines) -> Lines:
        of_kind = [n for n, line in enumerate(lines) if line.startswith(b'{"brightline":"%s"' % kind.encode())]
        n = of_kind[number]
        return [*lines[:n], json.dumps(json.loads(lines[n]) | changes, separators=(",", ":")).encode(), *lines[n + 1 :]]

    return change


NEW = canonical(logs.record(Kind.REFUSAL, 5000, after_us=-4990))
CHANGES: dict[str, tuple[Callable[[Lines], Lines], int | None, str]] = {
    "a record": (replaced(9, b"node-1", b"node-2"), 9, "not the one that was hashed"),
    "a record to one of another version": (replaced(9, b'"v":1', b'"v":2'), 9, "not the one that was hashed"),
    "a record to no JSON": (replaced(9, b"{", b"["), 9, "not the one that was hashed"),
    "a record to another order": (replaced(9, b'"v":1', b'"a":1'), 9, "not the one that was hashed"),
    "a record taken out": (without(9), 9, "the record is missing"),
    "the first record taken out": (without(0), 0, "the record is missing"),
    "the last record taken out": (without(299), 299, "the record is missing"),
    "an intent taken out": (without(8), 8, "the record is missing"),
    "two records swapped": (swapped(21), 21, "have changed places"),
    "an outcome before its intent": (swapped(0), 0, "have changed places"),
    "a record put in": (inserted(9, NEW), 9, "the record was put in"),
    "a record twice": (lambda lines: inserted(11, lines[at(9)(lines)])(lines), 11, "the record was put in"),
    "an old record": (replaced(9, b"18000000000000", b"17000000000000"), 9, "not the one that was hashed"),
    "no record at all": (lambda lines: [line for n, line in enumerate(lines) if n not in records(lines)], 0, "missing"),
    "a checkpoint's root": (meta("checkpoint", 1, note="x\n1\ny\n\n- z"), 13, "no signatures"),
    "a checkpoint": (meta("checkpoint", 1, more=1), 13, "malformed"),
    "the hashes of others": (meta("leaves", 2, hashes=base64.b64encode(b"x" * 7 * 32).decode()), 14, "not the one"),
    "hashes that are none": (meta("leaves", 2, hashes="?"), 20, "malformed"),
    "hashes of more than there are": (meta("leaves", 2, first=5000), 21, "don't belong here"),
    "a line of another sort": (lambda lines: [lines[0], b'{"brightline":"x"}', *lines[1:]], 0, "malformed"),
    "an empty line": (lambda lines: [*lines, b""], 300, "no JSON"),
    "the number of records": (meta("export", 0, size=299), None, "number of records is 300, and should be 299"),
    "the name of the log": (meta("export", 0, origin="x"), None, "name of the log is x"),
    "another checkpoint in its place": (
        lambda lines: [*lines[:8], *(x for x in lines if b'checkpoint","note' in x), *lines[8:]],
        6,
        "a checkpoint stands where it does not belong",
    ),
}


@pytest.mark.parametrize(("change", "index", "what"), CHANGES.values(), ids=CHANGES)
def test_whatever_is_changed_is_found_and_named(
    folder: Path, lines: Lines, change: Callable[[Lines], Lines], index: int | None, what: str
) -> None:
    """The first record that is wrong is named, with what is wrong with it."""
    problem = found(folder, change(lines))
    assert (problem.index, what in problem.what) == (index, True), problem


def test_an_edit_with_its_hash_made_again_is_found(folder: Path, lines: Lines) -> None:
    """Who edits a record and the hashes beside it still lacks the signature on the root."""
    hashes = [base64.b64decode(json.loads(line)["hashes"]) for line in lines if b'"leaves"' in line[:30]]
    changed = replaced(9, b"node-1", b"node-2")(lines)
    leaf = changed[records(changed)[9]]
    forged = hashes[1].replace(hashes[1][64:96], export_hash(leaf))
    problem = found(folder, meta("leaves", 1, hashes=base64.b64encode(forged).decode())(changed))
    assert (problem.index, problem.what) == (13, "records 7 to 13 do not have the root that was signed")


def export_hash(leaf: bytes) -> bytes:
    """The hash of a leaf."""
    from hashlib import sha256

    return sha256(b"\x00" + leaf).digest()


def test_a_record_changed_in_the_log_is_named_in_the_export(folder: Path, tmp_path: Path) -> None:
    """What was changed in the database before the export is named by its index too."""
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    with logs.reading(copy) as db:
        db.execute("UPDATE entries SET leaf = CAST(replace(leaf, 'node-1', 'node-2') AS BLOB) WHERE idx = 9")
    problem = found(copy, exported(copy))
    assert (problem.index, problem.decision_id) == (9, f"{9:032x}")


def test_two_records_of_one_decision_are_found_however_far_apart(tmp_path: Path) -> None:
    """A decision that has two refusals is named by the second, although both are in the tree."""
    store = Store(Sqlite(logs.settings(tmp_path).path), logs.signer(tmp_path))
    store.append(logs.entries(30))
    store.append([entry(logs.record(Kind.REFUSAL, 3, after_us=100))])
    store.close()
    problem = found(tmp_path, exported(tmp_path))
    assert (problem.index, problem.decision_id) == (30, f"{3:032x}")
    assert "don't belong together" in problem.what


def test_open_intents_and_gaps_are_told(tmp_path: Path) -> None:
    """An intent without an outcome, and the longest time without a record, are in the report."""
    store = Store(Sqlite(logs.settings(tmp_path).path), logs.signer(tmp_path))
    for n, after_us in enumerate((0, 5, 5_000_000, 5_000_005)):
        store.append([entry(logs.record(Kind.INTENT, n, after_us=after_us - n))])
    store.close()
    report = check(tmp_path, exported(tmp_path))
    assert report.open_intents == tuple(f"{n:032x}" for n in range(4))
    assert (report.gap_us, report.gap_index) == (4_999_995, 2)


# --- what somebody kept or witnessed ----------------------------------------------------------------------------------


def note_at(lines: Lines, number: int) -> bytes:
    """The note of a checkpoint of an export."""
    return [json.loads(line)["note"].encode() for line in lines if b'"checkpoint"' in line[:30]][number]


def test_a_kept_checkpoint_shows_a_log_that_was_cut_back(folder: Path, lines: Lines) -> None:
    """A log that is shorter than a checkpoint that somebody kept, or went another way, does not verify."""
    kept = open_checkpoint(note_at(lines, -1), logs.verifier(folder))
    short = exported(folder, until=280)
    assert check(folder, short).problem is None
    trust = Trust(logs.verifier(folder), kept=(kept,))
    assert "covers 300 records, and these are 0 to 279" in found(folder, short, trust).what
    assert check(folder, lines, trust).problem is None
    other = Trust(logs.verifier(folder), kept=(Checkpoint(logs.ORIGIN, 280, b"r" * 32),))
    assert "do not have the root that was kept" in found(folder, lines, other).what
    early = Trust(logs.verifier(folder), kept=(open_checkpoint(note_at(lines, 0), logs.verifier(folder)),))
    assert "covers 7 records, and these are 14 to 299" in found(folder, exported(folder, first=14), early).what
    assert check(folder, exported(folder, first=7), early).problem is None


def test_witnesses_are_told_and_counted(folder: Path, lines: Lines) -> None:
    """What a witness signed goes into the export, is told, and is missed where it is asked for."""
    verifier = logs.verifier(folder)
    cosigned = WITNESS.cosign(note_at(lines, 2), SIGNED_S)
    witnessed = exported(folder, cosigned=[cosigned])
    trust = Trust(verifier, (WITNESS.witness,), 1)
    report = check(folder, witnessed, trust)
    assert (report.problem, report.witnesses) == (None, {WITNESS.witness.name: Seen(21, SIGNED_S)})
    assert in_words(report)[-1].endswith(f", and none of the {SIZE - 21} after them")
    assert "1 witnesses are asked for, and 0 signed" in found(folder, lines, trust).what
    assert check(folder, witnessed).witnesses == {}


def test_a_witness_can_not_have_signed_before_the_records(folder: Path, lines: Lines) -> None:
    """A cosignature from before the records that it covers is found, however the export is cut for checking."""
    trust = Trust(logs.verifier(folder), (WITNESS.witness,))
    for number, covers in ((2, 21), (-1, SIZE)):
        last_s = (logs.START_US + covers - 1) // 1_000_000
        early = f"a witness signed {covers} records before there were as many"
        for time_s, says in ((last_s - 9, None), (last_s - 12, early)):
            cosigned = exported(folder, cosigned=[WITNESS.cosign(note_at(lines, number), time_s)])
            for piece in (1, 1 << 20):
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(export, "_AT_ONCE", piece)
                    problem = check(folder, cosigned, trust).problem
                assert (problem.what if problem else None) == says


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"\xff",
        b"null",
        b"{}",
        b"[" * 5000,
        canonical(logs.record(Kind.STOP, 1)),
        b'{"brightline":"export","first":0,"nodes":[],"origin":"x","size":0,"v":2}',
        b'{"brightline":"export","first":1,"nodes":[],"origin":"x","size":1,"v":1}',
        b'{"brightline":"export","first":1,"nodes":["?"],"origin":"x","size":1,"v":1}',
        b'{"brightline":"export","first":1,"nodes":[1],"origin":"x","size":1,"v":1}',
        b'{"brightline":"export","first":1,"nodes":["eHg="],"origin":"x","size":1,"v":1}',
        b'{"brightline":"export","first":2,"nodes":[],"origin":"x","size":1,"v":1}',
        b'{"brightline":"export","first":-1,"nodes":[],"origin":"x","size":1,"v":1}',
    ],
)
def test_what_is_no_export_is_unreadable(folder: Path, lines: Lines, first: bytes) -> None:
    """A file that does not begin as an export is told apart from a bad one."""
    with pytest.raises(UnreadableError):
        check(folder, [first, *lines[1:]])


def test_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    """No file, and a folder, can't be read."""
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(UnreadableError):
            export.verify(path, logs.trust(tmp_path))


def made_up(lines: Lines, keep: int) -> Lines:
    """The same with the records from `keep` on made up, by who has no key: nothing of the log's is said of them."""
    ours = [n for n in records(lines) if json.loads(lines[n])["kind"] == "refusal"]
    last = records(lines)[keep - 1] if keep else 0
    before = [line for n, line in enumerate(lines[1:], 1) if n <= last + 2]
    made = [lines[n].replace(b"node-1", b"node-9") for n in ours if n > last]
    header = json.loads(lines[0]) | {"size": keep + len(made)}
    return [json.dumps(header, separators=(",", ":")).encode(), *(before if keep else []), *made]


@pytest.mark.parametrize("keep", [0, 7, 14])
def test_records_that_no_checkpoint_covers_do_not_verify(folder: Path, lines: Lines, keep: int) -> None:
    """An export whose end no checkpoint covers does not verify, whatever its records say."""
    problem = found(folder, made_up(lines, keep))
    assert (problem.index, f"no checkpoint covers the records from {keep} on" in problem.what) == (None, True), problem


def test_a_part_or_an_empty_export_without_a_checkpoint_does_not_verify(folder: Path, lines: Lines) -> None:
    """Neither a header alone nor the records of a part prove anything."""
    assert "no checkpoint covers the records from 0 on" in found(folder, meta("export", 0, size=0)(lines[:1])).what
    part = exported(folder, first=9)
    bare = [line for n, line in enumerate(part) if n == 0 or n in records(part)]
    assert "no checkpoint covers the records from 9 on" in found(folder, bare).what


def test_an_export_that_was_cut_off_is_found(folder: Path, lines: Lines) -> None:
    """An export that ends early, within a line or between two, is found."""
    whole = b"".join(line + b"\n" for line in lines)
    path = folder / "cut.jsonl"
    for end in (*range(len(lines[0]) + 1, len(whole), 9973), len(whole) - 1):
        path.write_bytes(whole[:end])
        assert export.verify(path, logs.trust(folder)).problem is not None


def test_a_file_without_line_ends_takes_no_memory(folder: Path, lines: Lines) -> None:
    """A few bytes that say they are gigabytes are found with the memory that any other export takes."""
    path = folder / "hollow"
    with path.open("wb") as out:
        out.write(lines[0] + b"\n")
        out.truncate(256 << 20)
    tracemalloc.start()
    try:
        report = export.verify(path, logs.trust(folder))
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
    assert report.problem is not None
    assert "ends within a line" in report.problem.what


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"v":1', b'"v":true'),
        (b'"v":1', b'"v":1.0'),
        (b'"first":0', b'"first":false'),
        (b'{"brightline"', b'\xef\xbb\xbf{"brightline"'),
        (b'"first":0', b'"first":7,"first":0'),
        (b'"v":1', b'"v":1,"w":2'),
    ],
)
def test_a_first_line_that_readers_could_take_for_different_things_is_none(
    folder: Path, lines: Lines, old: bytes, new: bytes
) -> None:
    """What the format does not have in the first line is refused: another verifier could read something else there."""
    with pytest.raises(UnreadableError):
        check(folder, [lines[0].replace(old, new), *lines[1:]])


def test_another_key_verifies_nothing(folder: Path, lines: Lines) -> None:
    """With the key of another log of the same name no signature holds, and the report says which key signed."""
    other = Signer(logs.ORIGIN, Ed25519PrivateKey.generate()).verifier
    what = found(folder, lines, Trust(other)).what
    assert f"not signed exactly once by {logs.ORIGIN}+{other.key_id.hex()}" in what
    assert f"with the key {logs.verifier(folder).key_id.hex()}; is the key that you gave the log's?" in what


def test_a_record_whose_decision_can_not_be_read_is_named_by_its_index(folder: Path, lines: Lines) -> None:
    """The report names what it knows of the record, and leaves no blank for the rest."""
    report = check(folder, [lines[0], lines[1] + b" ", *lines[2:]])
    assert in_words(report)[1] == "  record 0: the record is not the one that was hashed into the tree"


# --- any change at all ------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_change_of_the_records_passes(folder: Path, lines: Lines, data: st.DataObject) -> None:
    """Whatever is done to an export, what then verifies has the very records of the log, as many as it says."""
    changed = list(lines)
    for _ in range(data.draw(st.integers(1, 3))):
        n = data.draw(st.integers(0, len(changed) - 1))
        match data.draw(st.sampled_from(["edit", "delete", "repeat", "move", "cut"])):
            case "edit":
                line = bytearray(changed[n] or b"x")
                line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))
                changed[n] = bytes(line)
            case "delete":
                del changed[n]
            case "repeat":
                changed.insert(data.draw(st.integers(0, len(changed))), changed[n])
            case "move":
                changed.insert(data.draw(st.integers(0, len(changed) - 1)), changed.pop(n))
            case _:
                changed = changed[:n] or changed
    try:
        report = check(folder, changed)
    except UnreadableError:
        return
    if report.problem is None:
        assert (report.first, report.size) == (0, SIZE)
        assert [changed[n] for n in records(changed)] == [lines[n] for n in records(lines)]
