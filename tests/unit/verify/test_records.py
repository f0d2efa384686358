"""Chosen records of several logs, and what witnesses signed of them."""

from __future__ import annotations

import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from brightline_verify import records
from brightline_verify.cosignature import Cosigner
from brightline_verify.merkle import leaf_hash, node_hash
from brightline_verify.note import Checkpoint, Signer, encode
from brightline_verify.record import Kind
from brightline_verify.whole import Trust
from gateway.canonical import canonical
from tests.support import logs

ONE, TWO = (Signer(name, Ed25519PrivateKey.generate()) for name in ("log.example/one", "log.example/two"))
W, V = (Cosigner(name, Ed25519PrivateKey.generate()) for name in ("witness.example/w", "witness.example/v"))
START_S = logs.START_US // 1_000_000
LEAVES = [canonical(logs.record(Kind.REFUSAL, n)) for n in range(2)]
TREE = [leaf_hash(leaf) for leaf in LEAVES]


def log(signer: Signer, *cosigned: tuple[Cosigner, int]) -> dict[str, str]:
    """A log of two records, with what witnesses signed and when."""
    note = signer.sign(Checkpoint(signer.verifier.name, 2, node_hash(*TREE)).text())
    for witness, time_s in cosigned:
        note = witness.cosign(note, time_s)
    return {"checkpoint": note.decode(), "origin": signer.verifier.name}


def verified(folder: Path, *given: dict[str, str]) -> records.Chosen:
    """What is found in an export that has a record of each log."""
    proved = {"hashes": [encode(TREE[0])], "index": 1, "record": LEAVES[1].decode()}
    lines = [{"brightline": "records", "logs": given, "v": 2}, *({**proved, "origin": one["origin"]} for one in given)]
    (folder / "chosen").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return records.verify(folder / "chosen", *(Trust(s.verifier, (W.witness, V.witness), 1) for s in (ONE, TWO)))


def test_a_witness_of_one_log_is_none_of_all(tmp_path: Path) -> None:
    """Who is told as a witness signed every log's checkpoint; the time is the first, whichever log stands last."""
    one, two = log(ONE, (W, START_S + 9), (V, START_S)), log(TWO, (W, START_S + 7))
    for given in ((one, two), (two, one)):
        found = verified(tmp_path, *given)
        assert (found.problem, found.count, found.witnesses) == ("", 2, {W.witness.name: START_S + 7})


def test_no_witness_signed_before_there_was_the_record(tmp_path: Path) -> None:
    """A record of a later time than that at which a witness signed its log is not proved."""
    found = verified(tmp_path, log(ONE, (W, START_S)), log(TWO, (W, START_S - 11)))
    assert (found.problem, found.count) == ("a witness signed before there was the record", 1)
