"""What sections are made of."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from gateway import dsn


def _resolve(path: Path, info: ValidationInfo) -> Path:
    base: Path = (info.context or {}).get("base", Path())
    return path if path.is_absolute() else base / path


FilePath = Annotated[Path, AfterValidator(_resolve)]

Milliseconds = Annotated[int, Field(gt=0, le=3_600_000)]

Dsn = Annotated[str, AfterValidator(dsn.checked)]


class Section(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


def part(whole: int, workers: int) -> int:
    """One worker's part of what is counted over all: together never more than the whole, or one each."""
    return max(1, whole // workers)


def is_loopback(host: str) -> bool:
    """Whether it is an address of this machine alone. A name is none: who resolves it decides what it means."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
