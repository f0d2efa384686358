"""The vectors of docs/spec are what the code makes, and what a verifier that was written from the pages accepts."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from brightline_verify import export, records
from brightline_verify.note import Checkpoint, Verifier
from brightline_verify.proof import Proof
from brightline_verify.record import Kind
from brightline_verify.report import UnreadableError
from brightline_verify.whole import Trust
from tests.spec import independent, make

LOG: dict[str, Any] = json.loads((make.VECTORS / "log.json").read_bytes())
TRUST, OTHER = Trust(Verifier.parse(LOG["key"])), Trust(Verifier.parse(LOG["other_key"]))


def read(name: str) -> bytes:
    return (make.VECTORS / name).read_bytes()


def test_the_vectors_are_current() -> None:
    """They are made again, byte for byte, and there is no other file."""
    made = make.files()
    assert {p.name: p.read_bytes() for p in make.VECTORS.iterdir()} == made


def test_every_kind_has_a_record() -> None:
    """The first table of vectors has one of each kind, with its hash."""
    found = json.loads(read("records.json"))
    assert {one["kind"] for one in found} == set(map(str, Kind))
    for one in found:
        assert independent.canonical(one["record"])["kind"] == one["kind"]
        assert independent.leaf(one["record"].encode()).hex() == one["leaf"]


def test_the_tree_is_that_of_the_pages() -> None:
    """Roots, inclusion and consistency proofs are those of the definition."""
    leaves = [bytes.fromhex(h) for h in LOG["leaves"]]
    roots = {int(size): bytes.fromhex(r) for size, r in LOG["roots"].items()}
    assert all(independent.root(leaves[:size]) == found for size, found in roots.items())
    assert len(roots) == len(leaves) + 1
    for proof in LOG["inclusion"]:
        hashes = [independent.base64.b64decode(h) for h in proof["hashes"]]
        found = independent.root_by(leaves[proof["index"]], proof["index"], proof["size"], hashes)
        assert found == roots[proof["size"]]
    for proof in LOG["consistency"]:
        hashes = [independent.base64.b64decode(h) for h in proof["hashes"]]
        old, new = roots[proof["first"]], roots[proof["second"]]
        assert independent.consistent(proof["first"], proof["second"], old, hashes) == (old, new)


def test_the_checkpoint_is_signed_by_log_and_witness() -> None:
    """As the pages say it is."""
    size, found = independent.checkpoint(LOG["checkpoint"], LOG["key"])
    assert found.hex() == LOG["roots"][str(size)]
    assert independent.witnessed(LOG["checkpoint"], LOG["witness"]) == LOG["cosigned_at"]


def test_marks_are_made_as_the_pages_say() -> None:
    """With the private key anybody gets the same for the tree of every size."""
    leaves = [bytes.fromhex(h) for h in LOG["leaves"]]
    message = b"brightline.v1.mark\0" + LOG["origin"].encode()
    key = hmac.digest(bytes.fromhex(LOG["private_key"]), message, "sha256")
    for size, mark in LOG["marks"].items():
        nodes, first = b"", 0
        for level in reversed(range(int(size).bit_length())):
            if int(size) >> level & 1:
                nodes += independent.root(leaves[first : first + (1 << level)])
                first += 1 << level
        assert hmac.digest(key, int(size).to_bytes(8, "big") + nodes, "sha256").hex() == mark
    assert len(LOG["marks"]) == len(leaves) + 1


def test_a_commitment_is_made_as_the_pages_say() -> None:
    """With the key and the content anybody gets the same."""
    told = LOG["commitment"]
    secret = bytes.fromhex(told["key"])
    message = b"brightline.v1.prompt\0" + told["decision_id"].encode() + b"\0" + told["content"].encode()
    assert hmac.new(secret, message, hashlib.sha256).hexdigest() == told["commitment"]
    assert hmac.new(secret, b"brightline.v1.key", hashlib.sha256).hexdigest()[:16] == told["key_id"]


def test_a_proof_is_text_of_which_everything_is_known() -> None:
    """Both verifiers prove the record by it."""
    record, text = read("record-5.json"), read("record-5.tlog-proof")
    head, _, note = text.decode().partition("\n\n")
    first, index, *hashes = head.splitlines()
    assert (first, index) == ("c2sp.org/tlog-proof@v1", "index 5")
    size, root = independent.checkpoint(note, LOG["key"])
    decoded = [independent.base64.b64decode(h) for h in hashes]
    assert independent.root_by(independent.leaf(record), 5, size, decoded) == root
    assert Proof.parse(text).verify(record, TRUST.verifier).size == size


def test_exports_hold(tmp_path: Path) -> None:
    """For both verifiers, whole and in part, and chosen records."""
    size = len(LOG["leaves"])
    assert independent.export(read("export.jsonl"), LOG["key"]) == size
    assert independent.chosen(read("records.jsonl"), LOG["key"]) == 2
    for name, first in (("export.jsonl", 0), ("part.jsonl", 4)):
        report = export.verify(make.VECTORS / name, TRUST)
        assert (report.problem, report.first, report.size) == (None, first, size)
    found = records.verify(make.VECTORS / "records.jsonl", TRUST)
    assert (found.problem, found.count) == ("", 2)
    assert independent.chosen(read("several.jsonl"), LOG["key"], LOG["other_key"]) == 5
    found = records.verify(make.VECTORS / "several.jsonl", TRUST, OTHER)
    assert (found.problem, found.count, found.size) == ("", 5, size + 3)
    assert "not signed" in records.verify(make.VECTORS / "several.jsonl", TRUST).problem


def test_a_log_of_whose_name_no_key_was_given_is_not_proved(tmp_path: Path) -> None:
    """Not by another log's checkpoint either, under whose key its records would be counted twice."""
    head, *lines = map(json.loads, read("records.jsonl").splitlines())
    twice = [{"origin": name, "checkpoint": head["checkpoint"]} for name in (LOG["origin"], "vectors.example/none")]
    doubled = [{**line, "origin": one["origin"]} for one in twice for line in lines]
    renamed = head | {"origin": "vectors.example/none"}
    for given in ([{"brightline": "records", "logs": twice, "v": 2}, *doubled], [renamed, *lines]):
        data = "".join(f"{json.dumps(line)}\n" for line in given)
        (tmp_path / "forged").write_text(data)
        assert "not signed by a key that was given" in records.verify(tmp_path / "forged", TRUST).problem
        with pytest.raises(independent.WrongError):
            independent.chosen(data.encode(), *[LOG["key"]] * len(given[0].get("logs", [1])))


@pytest.mark.parametrize("name", [None, 1, True, [], ["x"], {}])
def test_a_log_that_has_no_name_is_a_problem_and_no_error(tmp_path: Path, name: object) -> None:
    """Whatever stands where a record names its log is found like anything else."""
    head, first, *lines = map(json.loads, read("several.jsonl").splitlines())
    (tmp_path / "forged").write_text(
        "".join(f"{json.dumps(one)}\n" for one in (head, first | {"origin": name}, *lines))
    )
    assert "malformed" in records.verify(tmp_path / "forged", TRUST, OTHER).problem


@pytest.mark.parametrize("more", [-1, 1])
def test_a_kept_checkpoint_that_chosen_records_can_not_be_compared_with_is_told(more: int) -> None:
    """Nobody who names a checkpoint to compare with is told that records are proved which were not compared with it."""
    size = len(LOG["leaves"])
    for kept in (Checkpoint(LOG["origin"], size + more, b"r" * 32), Checkpoint(LOG["origin"], size, b"r" * 32)):
        found = records.verify(make.VECTORS / "records.jsonl", replace(TRUST, kept=(kept,)))
        assert "kept" in found.problem
    same = Checkpoint(LOG["origin"], size, bytes.fromhex(LOG["roots"][str(size)]))
    assert not records.verify(make.VECTORS / "records.jsonl", replace(TRUST, kept=(same,))).problem


@pytest.mark.parametrize("of", ["checkpoint", "origin"])
def test_text_that_is_no_unicode_is_a_problem_and_no_error(tmp_path: Path, of: str) -> None:
    """Half a character in what a file says of its log is found like anything else."""
    head, *lines = map(json.loads, read("records.jsonl").splitlines())
    given = [head | {of: "\ud800" + head[of]}, *lines]
    (tmp_path / "forged").write_text("".join(f"{json.dumps(line)}\n" for line in given))
    assert records.verify(tmp_path / "forged", TRUST).problem


@pytest.mark.parametrize("change", json.loads(read("wrong.json")), ids=lambda c: f"{c['file']}: {c['what']}")
def test_what_is_wrong_is_found(tmp_path: Path, change: dict[str, str]) -> None:
    """Each change of the list changes its file, and both verifiers find it."""
    lines = [line for line in read(change["file"]).decode().split("\n") if not line.startswith('{"brightline":')]
    old, new = (_named(change[side], lines) for side in ("old", "new"))
    data = read(change["file"])
    spoilt = data.replace(old.encode(), new.encode(), 1)
    assert spoilt != data
    path = tmp_path / "spoilt"
    path.write_bytes(spoilt)
    if change["file"] == "export.jsonl":
        assert export.verify(path, TRUST).problem is not None
    else:
        assert records.verify(path, TRUST, OTHER).problem
    check = independent.export if change["file"] == "export.jsonl" else independent.chosen
    keys = [LOG["key"], *([LOG["other_key"]] if change["file"] == "several.jsonl" else [])]
    with pytest.raises((independent.WrongError, ValueError, KeyError)):
        check(spoilt, *keys)


def _named(text: str, lines: list[str]) -> str:
    """RECORD n stands for that record, with its line's end where it is the last."""
    for n in (5, 6):
        text = text.replace(f"RECORD {n}", lines[n] if n < len(lines) else "")
    return f"{text}\n" if "\n" not in text and text.startswith('{"clock"') else text


def test_what_is_no_export_is_unreadable(tmp_path: Path) -> None:
    """Neither an export of the other kind nor an empty file is taken for one."""
    (tmp_path / "empty").write_bytes(b"")
    for verify, path in (
        (export.verify, make.VECTORS / "records.jsonl"),
        (records.verify, make.VECTORS / "export.jsonl"),
        (export.verify, tmp_path / "empty"),
        (records.verify, tmp_path / "empty"),
    ):
        with pytest.raises(UnreadableError):
            verify(path, TRUST)
