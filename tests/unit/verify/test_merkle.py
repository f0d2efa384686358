from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from brightline_verify.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    Frontier,
    Perfect,
    ProofError,
    consistency_proof,
    frontier_at,
    inclusion_proof,
    leaf_hash,
    node_hash,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [bytes([n]) * n for n in range(70)]
SIZES = st.integers(1, len(LEAVES))


def grown(leaves: list[bytes]) -> tuple[Frontier, Perfect]:
    """The tree of `leaves`, grown by appending, and lookups in what appending returned."""
    frontier = Frontier()
    stored = [frontier.append(leaf) for leaf in leaves]

    def perfect(level: int, n: int) -> bytes:
        return stored[((n + 1) << level) - 1][level * HASH_BYTES : (level + 1) * HASH_BYTES]

    return frontier, perfect


def by_definition(leaves: list[bytes]) -> bytes:
    """MTH as section 2.1 of RFC 6962 writes it down."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = max(1 << k for k in range(10) if 1 << k < len(leaves))
    return hashlib.sha256(b"\x01" + by_definition(leaves[:split]) + by_definition(leaves[split:])).digest()


def test_hashes_are_those_of_the_rfc() -> None:
    """The empty root, a leaf and a node are SHA-256 with the prefixes of RFC 6962 section 2.1."""
    assert hashlib.sha256(b"").digest() == EMPTY_ROOT == Frontier().root()
    assert leaf_hash(b"x") == hashlib.sha256(b"\x00x").digest()
    assert node_hash(b"l" * 32, b"r" * 32) == hashlib.sha256(b"\x01" + b"l" * 32 + b"r" * 32).digest()


def test_a_leaf_is_never_a_node() -> None:
    """The bytes of two hashes as a leaf have another hash than the node above them."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)


def test_roots_follow_the_definition_and_pymerkle() -> None:
    """At every size the root of the incremental tree is the RFC's recursion and the oracle's state."""
    oracle, frontier = InmemoryTree(algorithm="sha256"), Frontier()
    for size, leaf in enumerate(LEAVES, 1):
        oracle.append_entry(leaf)
        frontier.append(leaf)
        assert frontier.root() == by_definition(LEAVES[:size]) == oracle.get_root(size)


def test_an_append_returns_the_nodes_that_it_completes() -> None:
    """The third and fourth leaf of a tree return one hash and three: leaf, pair and quad."""
    frontier = Frontier()
    first, second, third, fourth = (frontier.append(leaf) for leaf in (b"a", b"b", b"c", b"d"))
    assert [len(h) // HASH_BYTES for h in (first, second, third, fourth)] == [1, 2, 1, 3]
    assert fourth[64:] == node_hash(second[32:], node_hash(third, fourth[:32])) == frontier.root()


@given(SIZES)
def test_a_frontier_can_be_read_back_from_stored_nodes(size: int) -> None:
    """What was stored at every append is enough to go on appending at any size."""
    whole, perfect = grown(LEAVES)
    again = frontier_at(size, perfect)
    assert again == grown(LEAVES[:size])[0]
    for leaf in LEAVES[size:]:
        again.append(leaf)
    assert again == whole


def test_a_frontier_has_as_many_nodes_as_its_size_has_bits() -> None:
    """A frontier that can't be one is refused."""
    with pytest.raises(ValueError, match="2 perfect subtrees"):
        Frontier(3, [b"x" * 32])


@given(SIZES, st.data())
def test_every_inclusion_proof_verifies_and_is_the_oracles(size: int, data: st.DataObject) -> None:
    """Each leaf of each tree has a proof that verifies, the one that pymerkle makes."""
    index = data.draw(st.integers(0, size - 1))
    oracle = InmemoryTree(algorithm="sha256")
    for leaf in LEAVES[:size]:
        oracle.append_entry(leaf)
    frontier, perfect = grown(LEAVES[:size])
    proof = inclusion_proof(index, size, perfect)
    verify_inclusion(leaf_hash(LEAVES[index]), index, size, proof, frontier.root())
    path = oracle.prove_inclusion(index + 1, size).serialize()["path"]
    assert [node.hex() for node in proof] == path[1:]


@given(SIZES, SIZES)
def test_every_consistency_proof_verifies(one: int, other: int) -> None:
    """Any prefix of the log is proved to be one, and its proof has at most two hashes a level."""
    old, new = sorted((one, other))
    _, perfect = grown(LEAVES)
    proof = consistency_proof(old, new, perfect)
    verify_consistency(old, new, by_definition(LEAVES[:old]), by_definition(LEAVES[:new]), proof)
    assert len(proof) <= new.bit_length() + 1


def test_consistency_proofs_of_the_rfc_example() -> None:
    """The three consistency proofs of the seven-leaf example of RFC 6962 section 2.1.3."""
    leaves = [f"d{n}".encode() for n in range(7)]
    _, perfect = grown(leaves)
    a, b, c, d, e, f = (leaf_hash(leaf) for leaf in leaves[:6])
    g, h, i, j = node_hash(a, b), node_hash(c, d), node_hash(e, f), leaf_hash(leaves[6])
    k, tail = node_hash(g, h), node_hash(i, j)
    assert consistency_proof(3, 7, perfect) == [c, d, g, tail]
    assert consistency_proof(4, 7, perfect) == [tail]
    assert consistency_proof(6, 7, perfect) == [i, j, k]


def changes(proof: list[bytes]) -> list[list[bytes]]:
    """The proof cut, lengthened, and with each of its hashes changed."""
    flipped = [[*proof[:n], bytes(32), *proof[n + 1 :]] for n in range(len(proof))]
    return [proof[:-1], proof[1:], [*proof, bytes(32)], [bytes(32), *proof], *flipped]


@pytest.mark.parametrize(("index", "size"), [(0, 2), (2, 3), (5, 8), (6, 7), (68, 70)])
def test_a_forged_inclusion_proof_is_refused(index: int, size: int) -> None:
    """A proof that is cut, lengthened or changed, or for another leaf, index or root, does not verify."""
    frontier, perfect = grown(LEAVES[:size])
    proof, root, leaf = inclusion_proof(index, size, perfect), frontier.root(), leaf_hash(LEAVES[index])
    attempts: list[Callable[[], None]] = [
        *(lambda p=p: verify_inclusion(leaf, index, size, p, root) for p in changes(proof)),
        lambda: verify_inclusion(leaf_hash(b"other"), index, size, proof, root),
        lambda: verify_inclusion(leaf, (index + 1) % size, size, proof, root),
        lambda: verify_inclusion(leaf, index, size, proof, bytes(32)),
        lambda: verify_inclusion(leaf, size, size, proof, root),
        lambda: verify_inclusion(leaf, -1, size, proof, root),
        lambda: verify_inclusion(leaf, index, size * 4, proof, root),
    ]
    for attempt in attempts:
        with pytest.raises(ProofError):
            attempt()


@pytest.mark.parametrize(("old", "new"), [(1, 2), (3, 7), (4, 7), (6, 7), (64, 70)])
def test_a_forged_consistency_proof_is_refused(old: int, new: int) -> None:
    """A proof that is cut, lengthened or changed, or for other sizes or roots, does not verify."""
    _, perfect = grown(LEAVES)
    proof = consistency_proof(old, new, perfect)
    before, after = by_definition(LEAVES[:old]), by_definition(LEAVES[:new])
    attempts: list[Callable[[], None]] = [
        *(lambda p=p: verify_consistency(old, new, before, after, p) for p in changes(proof)),
        lambda: verify_consistency(old, new, bytes(32), after, proof),
        lambda: verify_consistency(old, new, before, bytes(32), proof),
        lambda: verify_consistency(old, new, before, after, []),
        lambda: verify_consistency(new, old, after, before, proof),
        lambda: verify_consistency(0, new, before, after, []),
        lambda: verify_consistency(0, new, EMPTY_ROOT, after, proof),
        lambda: verify_consistency(new, new, before, after, []),
    ]
    for attempt in attempts:
        with pytest.raises(ProofError):
            attempt()


def test_trivial_consistency_needs_no_proof() -> None:
    """Every tree continues the empty one and itself."""
    _, perfect = grown(LEAVES)
    root = by_definition(LEAVES)
    for old in (0, len(LEAVES)):
        assert consistency_proof(old, len(LEAVES), perfect) == []
        verify_consistency(old, len(LEAVES), by_definition(LEAVES[:old]), root, [])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_no_proof_of_what_is_not_there(index: int, size: int) -> None:
    """A proof of a leaf outside the tree, or of a prefix longer than the tree, can't be asked for."""
    _, perfect = grown(LEAVES)
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_proof(index, size, perfect)
    with pytest.raises(ValueError, match="no prefix"):
        consistency_proof(size + 1, size, perfect)


def test_checkpoints_chain() -> None:
    """Consistency holds from each size to the next, as a log publishes them."""
    _, perfect = grown(LEAVES)
    for old, new in pairwise(range(len(LEAVES) + 1)):
        proof = consistency_proof(old, new, perfect)
        verify_consistency(old, new, by_definition(LEAVES[:old]), by_definition(LEAVES[:new]), proof)
