"""Maps each file of a release to the holder that owns it, and to its name in a signed repository.

Files that both holders own (the manifest, the compiled policy with its data, the self-test) are in the top-level
targets. Every other file belongs to one holder and is named below it: provider/models.json, agency/tenants.json.
"""

from __future__ import annotations

from typing import Final

from gateway.release.documents import DATA, MANIFEST, TENANTS, VECTORS, WASM

AGENCY: Final = "agency"
PROVIDER: Final = "provider"
HOLDERS: Final = (AGENCY, PROVIDER)

_JOINT: Final = frozenset({MANIFEST, WASM, DATA, VECTORS, "rego/release/data.json"})
_AGENCYS: Final = "rego/brightline/agency/"
_DEPTH: Final = 10


def holder_of(name: str) -> str:
    """The holder that owns this file of a release; empty if both own it."""
    if name in _JOINT:
        return ""
    return AGENCY if name == TENANTS or name.startswith(_AGENCYS) else PROVIDER


def target(name: str) -> str:
    """The name of the file in a repository."""
    holder = holder_of(name)
    return f"{holder}/{name}" if holder else name


def paths(holder: str) -> list[str]:
    """TUF patterns that cover everything below the holder's name. In TUF, `*` matches within one path segment."""
    return ["/".join([holder, *["*"] * depth]) for depth in range(1, _DEPTH + 1)]
