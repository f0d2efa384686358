"""Field types of release documents, and the base class of every document."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway import marking


def without_null(value: object) -> object:
    """Refuse null: rules compare attributes, and null sorts below every number. A missing fact is a missing key."""
    pending = [value]
    while pending:
        item = pending.pop()
        if item is None:
            raise ValueError("null is no fact; leave the key out")
        if isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
    return value


def _banner(value: str) -> str:
    """Check that a ceiling is a valid banner line; otherwise nothing could be compared with it."""
    if wrong := _explained(value):
        raise ValueError(f'"{value}" is not a banner line: {wrong}')
    return value


_explained = lru_cache(maxsize=1024)(marking.explain)
"""Cached because ten thousand tenants share a few ceilings."""


def _within(value: str) -> str:
    """Check that a file name stays within the release's folder, whoever signed the name."""
    if {"", ".", ".."} & {*value.split("/")} or "\\" in value or not value.isprintable():
        raise ValueError(f"{value!a} is no path below the release; name folders and a file, parted by /")
    return value


Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Name = Annotated[str, Field(min_length=1, max_length=256)]
Banner = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_banner)]
Revision = Annotated[str, Field(min_length=1, max_length=128)]
Within = Annotated[str, Field(max_length=1024), AfterValidator(_within)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

# ISO 3166-1 alpha-2.
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]

# The SPIFFE ID of a workload (SPIFFE-ID section 2), or the SHA-256 of a DER certificate. Each has one spelling.
Certificate = Annotated[
    str, Field(pattern=r"^(spiffe://[a-z0-9._-]{1,255}(/[A-Za-z0-9._-]+)+|sha256:[0-9a-f]{64})$", max_length=2048)
]


class Document(BaseModel):
    """Base class of documents: strict, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
