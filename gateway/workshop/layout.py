"""The layout of a policy folder: the path of a file says what the file is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.errors import StartError

CLASSES: Final = ("red_line", "provider_baseline", "law", "directive", "agency")
ENTRY: Final = "brightline/decision.rego"
SHARED: Final = ("authorities", "evidence", "labels", "levels", "limits", "purposes", "tenant_thresholds", "thresholds")
"""Folders below brightline/ with data that every rule may read."""

MAX_BYTES: Final = 1 << 20
"""The size limit of a file: a gateway keeps all data in the engine's memory, beside the rules."""

RULE_FOLDER: Final = re.compile(r"brightline/(rules|agency/[^/]+/rules)/")
RULE_FILE: Final = re.compile(
    rf"brightline/(rules/(?P<cls>{'|'.join(CLASSES)})|agency/(?P<agency>[^/]+)/rules)/(?P<id>[^/]+)/(?P=id)(_test)?\.rego"
)
"""The place of a rule: shared rules by class, an agency's rules without one."""

_AGENCY: Final = re.compile(r"brightline/agency/([^/]+)/")
_DATA: Final = re.compile(rf"brightline/({'|'.join(SHARED)}|agency(/[a-z][a-z0-9_]*)+)/data\.(yaml|yml|json)")
_SCHEMA: Final = re.compile(r"schemas/(data/)?[a-z][a-z0-9_]*\.json")


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault of a policy and its remedy. line: 0 if unknown."""

    path: str
    text: str
    line: int = 0

    def below(self, folder: Path) -> str:
        """The finding as compilers print messages, which editors recognise. folder: `path` is relative to it."""
        return f"{folder / self.path}:{self.line}: {self.text}" if self.line else f"{folder / self.path}: {self.text}"


def policy_folder(path: Path) -> Path:
    """The path itself, if it is a policy folder. Raises StartError."""
    if not (path / "brightline").is_dir():
        raise StartError(f"{path}: is no policy folder; name one with brightline/ in it: --rego PATH")
    return path


def files(folder: Path) -> list[str]:
    """Every file and link below `folder`, relative to it, without hidden files and editors' backups."""
    found = []
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        found += [(Path(place) / n).relative_to(folder).as_posix() for n in (*names, *links)]
    return sorted(path for path in found if not path.endswith("~") and not re.search(r"(^|/)\.", path))


def sources(rego: Path) -> list[str]:
    """The files that are built: policy and data, without tests, fixtures and schemas."""
    return [path for path in files(rego) if is_policy(path) or is_data(path)]


def is_rego(path: str) -> bool:
    """Whether the file holds Rego rather than data."""
    return path.endswith(".rego")


def is_test(path: str) -> bool:
    """Whether the file holds tests."""
    return path.endswith("_test.rego")


def is_policy(path: str) -> bool:
    """Whether the file is policy: neither a test nor a fixture."""
    return is_rego(path) and not is_test(path) and not path.startswith("fixtures/")


def keeps_to_its_folder(path: str, text: bytes) -> bool:
    """Whether the first line of code is the literal package declaration that matches the file's folder.

    Any other spelling counts as another package, which other policy may depend on.
    """
    folder = path.rpartition("/")[0]
    lines = (line.strip() for line in text.decode(errors="replace").split("\n"))
    code = next((line for line in lines if line and not line.startswith("#")), "")
    return "." not in folder and code.split() == ["package", folder.replace("/", ".")]


def is_data(path: str) -> bool:
    """Whether the file is data that rules read, and is where such data belongs."""
    return _DATA.fullmatch(path) is not None


def tests_of(path: str) -> str:
    """The path of this file's tests."""
    return path.removesuffix(".rego") + "_test.rego"


def agency_of(path: str) -> str:
    """The agency that owns the file; empty for shared files."""
    owner = _AGENCY.match(path)
    return owner[1] if owner else ""


def agencies(rego: Path) -> list[str]:
    """The agencies that have a policy of their own."""
    return sorted({agency_of(path) for path in files(rego) if is_policy(path)} - {""})


def misplaced(rego: Path) -> Iterator[Finding]:
    """Files that can't be used: links, files that are too large, and anything but Rego or data in its place."""
    for path in files(rego):
        file = rego / path
        if file.is_symlink():
            yield Finding(path, "is a link; put the file itself there")
        elif (size := file.stat().st_size) > MAX_BYTES:
            yield Finding(
                path, f"holds {size} bytes, and a file may hold {MAX_BYTES}; keep what rules ask about, no more"
            )
        elif not (is_rego(path) or is_data(path) or _SCHEMA.fullmatch(path)):
            yield Finding(
                path,
                "is neither Rego, nor data in its place, nor a schema; data lies in "
                f"brightline/<{'|'.join(SHARED)}>/data.yaml, or below brightline/agency/<agency>/",
            )
