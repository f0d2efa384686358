"""The Merkle tree of RFC 6962 section 2: hashing, appending, proofs and their verification.

A *perfect* node (level, n) covers the leaves [n << level, (n + 1) << level). Appending a leaf completes its own hash
and one perfect node for each trailing one bit of its index. If these are stored beside the leaf, in this order, every
proof can be made from O(log n) stored hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TypeAlias

HASH_BYTES = 32
EMPTY_ROOT = sha256().digest()
"""The root of the empty tree (RFC 6962 section 2.1)."""

Perfect: TypeAlias = Callable[[int, int], bytes]
"""Looks up the stored hash of the perfect node (level, n)."""


_LEAF = sha256(b"\x00")  # copied for each hash, which is faster than joining


class ProofError(ValueError):
    """The proof does not prove the claim."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf. The prefix 0x00 separates leaves from nodes."""
    hashing = _LEAF.copy()
    hashing.update(leaf)
    return hashing.digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an interior node."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a tree, which suffices for appending. `nodes` are its perfect subtrees, largest first."""

    def __init__(self, size: int = 0, nodes: Sequence[bytes] = ()) -> None:
        if len(nodes) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} perfect subtrees, not {len(nodes)}")
        self.size = size
        self.nodes = list(nodes)

    def append(self, leaf: bytes) -> bytes:
        """Add a leaf. Returns the hashes that it completes, joined: its own, then its perfect nodes upwards."""
        node = leaf_hash(leaf)
        completed = [node]
        carry = self.size
        while carry & 1:
            node = node_hash(self.nodes.pop(), node)
            completed.append(node)
            carry >>= 1
        self.nodes.append(node)
        self.size += 1
        return b"".join(completed)

    def extend(self, row: bytes) -> list[bytes]:
        """Add leaves by their hashes, joined. Returns the perfect nodes that they complete, joined for each level."""
        rows, kept, level = [row], [], 0
        size = self.size
        self.size += len(row) // HASH_BYTES
        while row:
            if size >> level & 1:
                row = self.nodes.pop() + row
            if len(row) // HASH_BYTES & 1:
                kept.append(row[-HASH_BYTES:])
            pairs = range(0, len(row) - HASH_BYTES, 2 * HASH_BYTES)
            row = b"".join([sha256(b"\x01" + row[at : at + 2 * HASH_BYTES]).digest() for at in pairs])
            rows.append(row)
            level += 1
        self.nodes += reversed(kept)
        return rows

    def root(self) -> bytes:
        """The Merkle tree hash of all leaves."""
        if not self.nodes:
            return EMPTY_ROOT
        *rest, root = self.nodes
        for left in reversed(rest):
            root = node_hash(left, root)
        return root

    def copy(self) -> Frontier:
        """An independent frontier of the same tree."""
        return Frontier(self.size, self.nodes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frontier) and (self.size, self.nodes) == (other.size, other.nodes)

    __hash__ = None  # type: ignore[assignment]  # mutable


def frontier_at(size: int, perfect: Perfect) -> Frontier:
    """The frontier of the first `size` leaves, from stored nodes."""
    nodes, start = [], 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            nodes.append(perfect(level, start >> level))
            start += 1 << level
    return Frontier(size, nodes)


def inclusion_proof(index: int, size: int, perfect: Perfect) -> list[bytes]:
    """The path from leaf `index` to the root of the first `size` leaves (RFC 6962 section 2.1.1), leaf side first."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    n, last, level = index, size - 1, 0
    while last:
        if n & 1:
            path.append(perfect(level, n - 1))
        elif n + 2 << level <= size:
            path.append(perfect(level, n + 1))
        elif n < last:  # at most once: the right edge of the tree
            path.append(_range(n + 1 << level, size, perfect))
        n, last, level = n >> 1, last >> 1, level + 1
    return path


def consistency_proof(old: int, new: int, perfect: Perfect) -> list[bytes]:
    """Proves that the first `old` leaves are a prefix of the first `new` (RFC 6962 section 2.1.2)."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} has no prefix of {old}")
    if old in (0, new):
        return []
    path: list[bytes] = []
    start, end = 0, new
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(_range(middle, end, perfect))
            end = middle
        else:
            path.append(_range(start, middle, perfect))
            start = middle
    if start:
        path.append(_range(start, end, perfect))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf with hash `leaf` is at `index` (RFC 9162 section 2.1.3.2). Raises ProofError."""
    if not 0 <= index < size:
        raise ProofError(f"no leaf {index} in a tree of {size}")
    fn, sn, node = index, size - 1, leaf
    for sibling in proof:
        if sn == 0:
            raise ProofError("the proof is too long")
        if fn & 1 or fn == sn:
            node = node_hash(sibling, node)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = node_hash(node, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise ProofError("the proof is too short")
    if node != root:
        raise ProofError("the proof leads to another root")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree `old` is a prefix of the tree `new` (RFC 9162 section 2.1.4.2). Raises ProofError."""
    if not 0 <= old <= new:
        raise ProofError(f"a tree of {new} has no prefix of {old}")
    if old in (0, new):
        if proof or old_root != (new_root if old == new else EMPTY_ROOT):
            raise ProofError("the roots or the proof do not fit an empty or equal tree")
        return
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        raise ProofError("the proof is too short")
    if _climb(old - 1, new - 1, path) != (old_root, new_root):
        raise ProofError("the proof leads to other roots")


def _climb(fn: int, sn: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The two roots that a consistency proof yields. fn and sn are the last leaves of the two trees."""
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old = new = path[0]
    for node in path[1:]:
        if sn == 0:
            raise ProofError("the proof is too long")
        if fn & 1 or fn == sn:
            old, new = node_hash(node, old), node_hash(node, new)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            new = node_hash(new, node)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise ProofError("the proof is too short")
    return old, new


def _split(count: int) -> int:
    """The largest power of two smaller than `count`."""
    return 1 << (count - 1).bit_length() - 1


def _range(start: int, end: int, perfect: Perfect) -> bytes:
    """The Merkle tree hash of the leaves [start, end). start is a multiple of a power of two above the length."""
    count = end - start
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return perfect(level, start >> level)
    middle = start + _split(count)
    return node_hash(_range(start, middle, perfect), _range(middle, end, perfect))
