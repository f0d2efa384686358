"""The shape of a policy folder: which file is what, by its path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CLASSES: Final = ("red_line", "provider_baseline", "law", "directive", "agency")
ENTRY: Final = "brightline/decision.rego"
LEFT_OUT: Final = ("*_test.rego", "schemas", "fixtures")
"""What is in a policy folder and not in what is built from it."""

RULE_FOLDER: Final = re.compile(r"brightline/(rules|agency/[^/]+/rules)/")
RULE_FILE: Final = re.compile(
    rf"brightline/(rules/(?P<cls>{'|'.join(CLASSES)})|agency/(?P<agency>[^/]+)/rules)/(?P<id>[^/]+)/(?P=id)(_test)?\.rego"
)
"""Where a rule lies: of everyone, by class; of one agency, without."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a policy and what to do about it. line: 0 where there is none."""

    path: str
    text: str
    line: int = 0

    def below(self, folder: Path) -> str:
        """As compilers say it, so that editors can follow. folder: what `path` is relative to."""
        return f"{folder / self.path}:{self.line}: {self.text}" if self.line else f"{folder / self.path}: {self.text}"


def files(folder: Path) -> list[str]:
    """Every file below `folder`, relative to it."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def is_rego(path: str) -> bool:
    """Whether the file holds Rego rather than data."""
    return path.endswith(".rego")


def is_test(path: str) -> bool:
    """Whether the file holds tests."""
    return path.endswith("_test.rego")


def is_policy(path: str) -> bool:
    """Whether the file is part of what is built: neither a test nor what tests share."""
    return is_rego(path) and not is_test(path) and not path.startswith("fixtures/")


def tests_of(path: str) -> str:
    """The file with the tests of this one."""
    return path.removesuffix(".rego") + "_test.rego"
