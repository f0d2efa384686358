"""What a detector said of a passage, while it may be asked again: a conversation is read anew with each of its turns.

Of a passage there is a digest, with a key of this process, never the passage. Whose it is, is part of it: how fast an
answer comes says nothing of what other tenants ask.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["PassageCache"]

Scores = npt.NDArray[np.int16]


class PassageCache:
    """Scores of passages, those used last; the others are forgotten. Used by several threads. most: how many."""

    def __init__(self, most: int) -> None:
        self._most: Final = most
        self._key = secrets.token_bytes(32)
        self._rows: OrderedDict[bytes, Scores] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, whose: str, passage: str, say: Callable[[str], npt.NDArray[Any]]) -> Scores:
        """What `say` says of the passage, or said. Raises what it raises, and then remembers nothing."""
        name = self._name(whose, passage)
        with self._lock:
            if (row := self._rows.get(name)) is not None:
                self._rows.move_to_end(name)
                return row
        row = say(passage).astype(np.int16)
        with self._lock:
            self._rows[name] = row
            while len(self._rows) > self._most:
                self._rows.popitem(last=False)
        return row

    def _name(self, whose: str, passage: str) -> bytes:
        mine = hashlib.blake2b(whose.encode("utf-8", "surrogatepass"), key=self._key).digest()
        return hashlib.blake2b(passage.encode("utf-8", "surrogatepass"), key=mine, digest_size=32).digest()
