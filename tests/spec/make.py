"""The test vectors of docs/spec: `python -m tests.spec.make` writes them, and a test compares them.

Keys are made of fixed bytes, so that the files are the same each time.
"""

from __future__ import annotations

import io
import json
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from brightline_verify.cosignature import Cosigner
from brightline_verify.database import File
from brightline_verify.merkle import Frontier, consistency_proof, inclusion_proof, leaf_hash
from brightline_verify.note import Signer, encode
from brightline_verify.proof import Proof
from brightline_verify.record import Kind
from brightline_verify.stored import nodes_of
from gateway.audit import export
from gateway.audit.archive import Archive
from gateway.audit.filter import Filter
from gateway.audit.index import Held
from gateway.audit.keys import PROMPT, Commitments
from gateway.audit.marks import Marks
from gateway.audit.page_tokens import PageTokens
from gateway.audit.record import Entry, Record, columns, entry
from gateway.audit.sqlite import Sqlite
from gateway.audit.store import Store
from gateway.canonical import canonical
from tests.support import logs

VECTORS = Path(__file__).parents[2] / "docs" / "spec" / "vectors"
LOG, WITNESS, COMMITMENT = b"brightline test vectors: log key", b"brightline test vectors: witness", bytes(range(32))
ORIGIN = "vectors.example/log"
OTHER = Signer("vectors.example/other", Ed25519PrivateKey.from_private_bytes(b"brightline test vectors: another"))
CHECKPOINTS = (3, 8, 13)
PROVED = 5


def records() -> list[Record]:
    """A log's worth of records: every kind, an intent with its outcome, characters that need care."""
    intent, outcome = logs.record(Kind.INTENT, 3), logs.record(Kind.OUTCOME, 3, after_us=1)
    odd = logs.record(Kind.REFUSAL, 4, method='"\\/\b\t\u20ac\U0001f600\u2028', after_us=1)
    kinds = (
        Kind.CHECK,
        Kind.ACCESS,
        Kind.REVIEW,
        Kind.AGGREGATE,
        Kind.RELEASE,
        Kind.SEALED,
        Kind.REFUSAL,
        Kind.APPROVAL,
    )
    rest = [logs.record(kind, 5 + n, after_us=1) for n, kind in enumerate(kinds)]
    return [logs.record(Kind.START, 1), intent, outcome, odd, *rest, logs.record(Kind.STOP, 13, after_us=1)]


def files() -> dict[str, bytes]:
    """Every file by its name."""
    made = [canonical(record) for record in records()]
    signer = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(LOG))
    witness = Cosigner("vectors.example/witness", Ed25519PrivateKey.from_private_bytes(WITNESS))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.db"
        store = Store(Sqlite(path), signer)
        for start, end in zip((0, *CHECKPOINTS), CHECKPOINTS, strict=False):
            store.append(
                [Entry(leaf, *columns(record)) for leaf, record in zip(made, records(), strict=True)][start:end]
            )
            store.checkpoint()
        store.close()
        source = File(path)
        with source.reading() as rows:
            perfect = nodes_of(rows)
            size, note = rows.last_note() or (0, b"")
            assert isinstance(note, bytes)
            log = described(made, perfect, signer, witness, witness.cosign(note, 1_800_000_100))
            proof = Proof(PROVED, tuple(inclusion_proof(PROVED, size, perfect)), note)
        held = Held(source, Path(folder) / "index")
        archive = Archive(lambda: [held], held, {signer.verifier.name: signer.verifier}, PageTokens(bytes(32)))
        several = replace(archive, logs=lambda: [held, Held(other(Path(folder)), Path(folder) / "other-index")])
        return {
            "records.json": text(
                [
                    {"kind": r["kind"], "record": leaf.decode(), "leaf": leaf_hash(leaf).hex()}
                    for r, leaf in zip(records(), made, strict=True)
                ]
            ),
            "log.json": text(log),
            f"record-{PROVED}.json": made[PROVED],
            f"record-{PROVED}.tlog-proof": proof.text(),
            "export.jsonl": exported(source, signer, 0),
            "part.jsonl": exported(source, signer, 4),
            "records.jsonl": b"".join(archive.exported(Filter(tenant="t", kind="refusal"))),
            "several.jsonl": b"".join(several.exported(Filter(tenant="t", kind="refusal"))),
            "wrong.json": text(wrong(exported(source, signer, 0))),
        }


def other(folder: Path) -> File:
    """Another gateway's log: refusals between those of the first."""
    with closing(Store(Sqlite(folder / "other.db"), OTHER)) as store:
        store.append([entry(logs.record(Kind.REFUSAL, n, after_us=2)) for n in (2, 6, 20)])
    return File(folder / "other.db")


def described(made: list[bytes], perfect: Any, signer: Signer, witness: Cosigner, cosigned: bytes) -> dict[str, Any]:
    """The log as log.json has it."""
    tree, marks = Frontier(), Marks(signer)
    roots, marked = {0: tree.root().hex()}, {0: marks.of(tree).hex()}
    for leaf in made:
        tree.append(leaf)
        roots[tree.size], marked[tree.size] = tree.root().hex(), marks.of(tree).hex()
    size = len(made)
    return {
        "origin": ORIGIN,
        "key": str(signer.verifier),
        "private_key": LOG.hex(),
        "other_key": str(OTHER.verifier),
        "witness": str(witness.witness),
        "witness_private_key": WITNESS.hex(),
        "leaves": [leaf_hash(leaf).hex() for leaf in made],
        "roots": roots,
        "marks": marked,
        "inclusion": [
            {"index": i, "size": n, "hashes": [encode(h) for h in inclusion_proof(i, n, perfect)]}
            for n in (1, 2, 7, 8, size)
            for i in range(n)
        ],
        "consistency": [
            {"first": a, "second": b, "hashes": [encode(h) for h in consistency_proof(a, b, perfect)]}
            for b in (1, 3, 8, size)
            for a in range(1, b + 1)
        ],
        "checkpoint": cosigned.decode(),
        "cosigned_at": 1_800_000_100,
        "commitment": {
            "key": COMMITMENT.hex(),
            "key_id": Commitments(COMMITMENT).key_id,
            "decision_id": f"{3:032x}",
            "content": "What is a checkpoint?",
            "commitment": Commitments(COMMITMENT).of(PROMPT, f"{3:032x}", b"What is a checkpoint?"),
        },
    }


def wrong(export: bytes) -> list[dict[str, str]]:
    """Changes that a verifier has to find. old, new: bytes of the file, the first that there are."""
    header, *rest = export.decode().splitlines(keepends=True)
    changes = {
        "a word of a record is another": ('"kind":"refusal"', '"kind":"check"'),
        "a record is gone": ("RECORD 5", ""),
        "a record is there twice": ("RECORD 5", "RECORD 5\nRECORD 5"),
        "two records changed places": ("RECORD 5\nRECORD 6", "RECORD 6\nRECORD 5"),
        "a blank stands in a record": ('"kind":"access"', '"kind": "access"'),
        "a signature is another": ("\\n\\n\\u2014 vectors.example/log ", "\\n\\n\\u2014 vectors.example/log AAAA"),
        "a root is another": ("\\n8\\n", "\\n8\\nAAAA"),
        "a hash that is told is another": ('"hashes":"', '"hashes":"AAAA'),
        "the end is missing": ('"size":13', '"size":14'),
        "the last checkpoint is gone": (rest[-1], ""),
        "nothing is left but a header of no records": (
            "".join((header, *rest)),
            header.replace('"size":13', '"size":0'),
        ),
    }
    found = [{"file": "export.jsonl", "what": what, "old": old, "new": new} for what, (old, new) in changes.items()]
    chosen = {
        "a word of a record is another": ('\\"kind\\":\\"refusal\\"', '\\"kind\\":\\"check\\"'),
        "an index is another": ('"index":', '"index":1'),
        "a hash is another": ('"hashes":["', '"hashes":["AAAA'),
    }
    named = {"the log has another name": ('"origin":"vectors.example/log","v"', '"origin":"vectors.example/none","v"')}
    found += [
        {"file": "records.jsonl", "what": w, "old": old, "new": new} for w, (old, new) in (chosen | named).items()
    ]
    theirs = '"origin":"vectors.example/other","record"'
    for what, name in (("of the other log", "log"), ("of no log", "none")):
        chosen[f"a record is {what}"] = (theirs, theirs.replace("other", name))
    return found + [{"file": "several.jsonl", "what": w, "old": old, "new": new} for w, (old, new) in chosen.items()]


def exported(source: File, signer: Signer, first: int) -> bytes:
    """An export of the log from a record on."""
    out = io.BytesIO()
    export.write(source, signer.verifier, out, first=first)
    return out.getvalue()


def text(value: object) -> bytes:
    """JSON that people read."""
    return json.dumps(value, indent=1).encode() + b"\n"


def main() -> None:
    """Write the files."""
    VECTORS.mkdir(parents=True, exist_ok=True)
    for name, data in files().items():
        (VECTORS / name).write_bytes(data)


if __name__ == "__main__":
    main()
