from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from brightline_verify.cosignature import Cosigner
from brightline_verify.merkle import Frontier, Perfect, ProofError, inclusion_proof
from brightline_verify.note import Checkpoint, Signer
from brightline_verify.proof import Proof

LOG = Signer("log.example/a", Ed25519PrivateKey.from_private_bytes(b"k" * 32))
WITNESS = Cosigner("witness.example/w", Ed25519PrivateKey.from_private_bytes(b"w" * 32))
LEAVES = [bytes([n]) * 9 for n in range(21)]


def perfect_of(leaves: list[bytes]) -> Perfect:
    """Looks up nodes of the tree of these leaves."""

    def perfect(level: int, n: int) -> bytes:
        frontier = Frontier()
        for leaf in leaves[n << level : (n + 1) << level]:
            frontier.append(leaf)
        return frontier.root()

    return perfect


def proof_of(index: int) -> Proof:
    """The proof of a leaf."""
    frontier = Frontier()
    for leaf in LEAVES:
        frontier.append(leaf)
    note = LOG.sign(Checkpoint("log.example/a", len(LEAVES), frontier.root()).text())
    return Proof(index, tuple(inclusion_proof(index, len(LEAVES), perfect_of(LEAVES))), note)


def test_every_leaf_is_proved_by_the_text_alone() -> None:
    """A proof survives its text form, proves its leaf, and proves no other."""
    for index in range(len(LEAVES)):
        proof = Proof.parse(proof_of(index).text())
        assert proof.verify(LEAVES[index], LOG.verifier).size == len(LEAVES)
        for other in {index ^ 1, 0, len(LEAVES) - 1} - {index}:
            if other < len(LEAVES):
                with pytest.raises(ProofError):
                    proof.verify(LEAVES[other], LOG.verifier)


def test_the_text_is_that_of_the_specification() -> None:
    """First line, index, hashes, an empty line, and the checkpoint as it is; extra data may stand between."""
    proof = proof_of(3)
    head, _, note = proof.text().partition(b"\n\n")
    lines = head.decode().split("\n")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 3"]
    assert len(lines) == 2 + len(proof.hashes)
    assert note == proof.note
    assert Proof.parse(proof.text().replace(b"\nindex", b"\nextra eHg=\nindex")) == proof


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "another version": lambda text: text.replace(b"@v1", b"@v2"),
    "no index": lambda text: text.replace(b"index 3\n", b""),
    "an index with a zero": lambda text: text.replace(b"index 3", b"index 03"),
    "an index below zero": lambda text: text.replace(b"index 3", b"index -1"),
    "another index": lambda text: text.replace(b"index 3", b"index 2"),
    "an index beyond the tree": lambda text: text.replace(b"index 3", b"index 21"),
    "an index without end": lambda text: text.replace(b"index 3", b"index " + b"9" * 5000),
    "a hash less": lambda text: b"\n".join(text.split(b"\n")[:2] + text.split(b"\n")[3:]),
    "a hash more": lambda text: text.replace(b"index 3\n", b"index 3\n" + text.split(b"\n")[2] + b"\n"),
    "a short hash": lambda text: text.replace(b"index 3\n", b"index 3\neHg=\n"),
    "no base64": lambda text: text.replace(b"index 3\n", b"index 3\n?\n"),
    "another size": lambda text: text.replace(b"\n21\n", b"\n20\n"),
    "no checkpoint": lambda text: text.partition(b"\n\n")[0],
    "no signature": lambda text: text.rpartition(b"\n\n")[0] + b"\n\n",
    "very long": lambda text: text + b"x" * (1 << 17),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_proof_proves_nothing(change: Callable[[bytes], bytes]) -> None:
    """A proof of the wrong form, size, index or length is refused, with the one error."""
    with pytest.raises(ProofError):
        Proof.parse(change(proof_of(3).text())).verify(LEAVES[3], LOG.verifier)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_proof_or_the_one_error(text: bytes) -> None:
    """Parsing never fails otherwise."""
    for whole in (text, proof_of(3).text()[:60] + text):
        with pytest.raises(ProofError):
            Proof.parse(whole).verify(LEAVES[3], LOG.verifier)


def test_a_node_is_no_leaf() -> None:
    """The proof of a node that is passed off as a leaf does not hold."""
    pair = perfect_of(LEAVES)(0, 0) + perfect_of(LEAVES)(0, 1)
    shorter = Proof(0, proof_of(0).hashes[1:], proof_of(0).note)
    with pytest.raises(ProofError):
        shorter.verify(pair, LOG.verifier)


def test_witnesses_are_counted() -> None:
    """A proof tells which witnesses signed its checkpoint, and too few are refused."""
    proof = proof_of(3)
    witnessed = Proof(3, proof.hashes, WITNESS.cosign(proof.note, 5))
    assert witnessed.witnessed([WITNESS.witness], 1) == {"witness.example/w": 5}
    assert proof.witnessed([WITNESS.witness], 0) == {}
    with pytest.raises(ProofError, match="1 witnesses are asked for"):
        proof.witnessed([WITNESS.witness], 1)
    with pytest.raises(ProofError):
        Proof(3, proof.hashes, b"x").witnessed([WITNESS.witness], 0)
