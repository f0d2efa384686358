"""Page tokens: where a search or watch continues, bound to the caller's tenant and the request, and unforgeable.

A token contains only what the caller saw: positions in logs. A token that was changed, or is used with another filter
or tenant, is refused. The key is derived from the log's commitment key, so a token survives restarts and works at every
gateway with that key.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from dataclasses import dataclass
from typing import Final

from gateway.audit.search import Position
from gateway.canonical import MAX_INTEGER, Json, NotCanonicalError, canonical, parse

_TAG_BYTES: Final = 16


class PageError(ValueError):
    """The token was not issued for this request."""


@dataclass(frozen=True, slots=True)
class PageTokens:
    """Makes and reads page tokens. key: at least 32 bytes."""

    key: bytes

    def word(self, position: Position, bound: Json) -> str:
        """The token for a position. bound: whose it is, and what was asked for."""
        place = json.dumps(dict(position), separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._tag(place, bound) + place).decode("ascii").rstrip("=")

    def position(self, word: str, bound: Json) -> Position:
        """The position. Raises PageError unless the token was made for the same `bound`."""
        try:
            data = base64.b64decode(word + "=" * (-len(word) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise PageError("is not base64url") from error
        tag, place = data[:_TAG_BYTES], data[_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(place, bound)):
            raise PageError("was not given for this")
        return _read(place)

    def _tag(self, place: bytes, bound: Json) -> bytes:
        return hmac.digest(self.key, canonical(bound) + b"\0" + place, "sha256")[:_TAG_BYTES]


def _read(place: bytes) -> Position:
    try:
        value = parse(place)
    except NotCanonicalError as error:
        raise PageError("holds no position") from error
    if not isinstance(value, dict) or not all(type(n) is int and 0 <= n <= MAX_INTEGER for n in value.values()):
        raise PageError("holds no position")
    return {str(origin): int(n) for origin, n in value.items()}
