"""Whose part of a release a file is, and the name that it has in a signed repository.

What both made together (the manifest, the compiled policy with its data, the self-test) stands in the top-level
targets. Everything else belongs to one holder and stands below its name: provider/models.json, agency/tenants.json.
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
    """The holder whose part this file of a release is; empty for what is both's."""
    if name in _JOINT:
        return ""
    return AGENCY if name == TENANTS or name.startswith(_AGENCYS) else PROVIDER


def target(name: str) -> str:
    """What the file is called in a repository."""
    holder = holder_of(name)
    return f"{holder}/{name}" if holder else name


def paths(holder: str) -> list[str]:
    """The patterns of everything below the holder's name: in TUF a star stands for one level."""
    return ["/".join([holder, *["*"] * depth]) for depth in range(1, _DEPTH + 1)]
