"""Value types of the sections, and their base class."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from gateway import dsn


def _resolve(path: Path, info: ValidationInfo) -> Path:
    if "\0" in str(path):
        raise ValueError("has a control character; no file is called so")
    base: Path = (info.context or {}).get("base", Path())
    whole = path if path.is_absolute() else base / path
    try:
        str(whole).encode()
    except UnicodeEncodeError:  # workers and records get text as UTF-8
        raise ValueError("lies in a folder whose name is not UTF-8; give the folder another name") from None
    return whole


FilePath = Annotated[Path, AfterValidator(_resolve)]

Milliseconds = Annotated[int, Field(gt=0, le=3_600_000)]

Dsn = Annotated[str, AfterValidator(dsn.checked)]


_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that control a terminal, a log line or the reading order instead of being shown."""


class Section(BaseModel):
    """A table of the file. lines: keys whose text may have several lines."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)
    lines: ClassVar[frozenset[str]] = frozenset()

    @field_validator("*", mode="after")
    @classmethod
    def _printed(cls, value: object, info: ValidationInfo) -> object:
        for text in _texts(value):
            if _CONTROLS.search(text.translate(_BREAKS) if info.field_name in cls.lines else text):
                raise ValueError("has a control character; write what can be printed")
        return value


_BREAKS: Final = dict.fromkeys(map(ord, "\t\r\n"))


def _texts(value: object) -> list[str]:
    each = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, tuple) else [value]
    return [text for text in each if isinstance(text, str)]


def part(whole: int, workers: int) -> int:
    """One worker's share of a limit. The shares never exceed the limit together, except that each is at least one."""
    return max(1, whole // workers)


def is_loopback(host: str) -> bool:
    """Whether the host is a loopback address. A name never is: its resolver decides what it means."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
