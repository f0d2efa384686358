from __future__ import annotations

from collections.abc import Sequence

import pytest

from brightline_verify.blocks import BYTES, WIDTH, Growing, blocks_at, growing_at, place_of
from brightline_verify.merkle import HASH_BYTES, Frontier

SIZE = WIDTH**2 + 3 * WIDTH + 7
"""Three levels of blocks, the second with one that is complete."""


class Tree:
    """The hashes that each record completes, and the blocks beside records."""

    def __init__(self) -> None:
        frontier, growing = Frontier(), Growing()
        self.hashes = [frontier.append(b"%d" % n) for n in range(SIZE)]
        self.blocks = {n: blocks for n, row in enumerate(self.hashes) if (blocks := growing.append(row))}

    def look_up(self, indexes: Sequence[int]) -> dict[int, bytes]:
        """As a database would."""
        return {index: self.hashes[index] for index in indexes}


@pytest.fixture(scope="module")
def tree() -> Tree:
    """Grown once."""
    return Tree()


def test_each_block_stands_beside_the_record_that_completes_it(tree: Tree) -> None:
    """Every 256th record has one, and the one that completes 65,536 has one of the next level too."""
    assert list(tree.blocks) == list(range(WIDTH - 1, SIZE, WIDTH))
    assert {index: len(blocks) for index, blocks in tree.blocks.items() if len(blocks) != BYTES} == {65_535: 2 * BYTES}


def test_every_node_is_where_it_is_looked_for(tree: Tree) -> None:
    """All nodes of complete blocks are found in them, as the records' own hashes have them."""
    found = 0
    for index, row in enumerate(tree.hashes):
        for level in range(len(row) // HASH_BYTES):
            record, at = place_of(level, index >> level)
            if record in tree.blocks:
                node = row[level * HASH_BYTES : (level + 1) * HASH_BYTES]
                assert tree.blocks[record][at : at + HASH_BYTES] == node
                found += 1
    assert found == sum(map(len, tree.blocks.values())) // HASH_BYTES


def test_blocks_can_be_made_again_from_single_hashes(tree: Tree) -> None:
    """What stands beside a record follows from the hashes beside those before it."""
    assert all(b"".join(blocks_at(index, tree.look_up)) == blocks for index, blocks in tree.blocks.items())
    assert [list(blocks_at(index, tree.look_up)) for index in (0, 254, 256)] == [[], [], []]


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, SIZE - 1])
def test_growing_goes_on_from_any_size(tree: Tree, size: int) -> None:
    """A writer that starts at some size makes the same blocks as one that was there from the beginning."""
    growing = growing_at(size, tree.look_up)
    made = {n: blocks for n in range(size, SIZE) if (blocks := growing.append(tree.hashes[n]))}
    assert made == {index: blocks for index, blocks in tree.blocks.items() if index >= size}
