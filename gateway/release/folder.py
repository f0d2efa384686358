"""Reads the files of a release folder: exactly those that the manifest names, of bounded size, and no links."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from gateway import regular_files
from gateway.errors import StartError
from gateway.release.documents import MANIFEST

MAX_BYTES: Final = 64 << 20
"""The limit on the total size of a release's files."""

MAX_FILES: Final = 10_000

AGAIN: Final = "build or copy the release again; a release is never edited in place"


def contents(path: Path, named: Mapping[str, str], required: tuple[str, ...], budget: int) -> dict[str, bytes]:
    """The bytes of every file but the manifest, checked to be exactly the files that the manifest names.

    Raises StartError.
    """
    present = sorted(set(_walk(path, "")) - {MANIFEST})
    for name in present:
        if name not in named:
            raise StartError(f"{path / name}: is not named in {MANIFEST}; remove it, or {AGAIN}")
    for name in (*named, *required):
        if name not in present:
            raise StartError(f"{path / name}: is missing from the release; {AGAIN}")
    files = {}
    for name in present:
        files[name] = read(path / name, budget)
        budget -= len(files[name])
        if hashlib.sha256(files[name]).hexdigest() != named[name]:
            raise StartError(f"{path / name}: is not the file that {MANIFEST} names (SHA-256 differs); {AGAIN}")
    return files


def _walk(path: Path, prefix: str) -> Iterator[str]:
    """Relative names of the files in the folder, in no particular order."""
    try:
        entries = list(os.scandir(path / prefix))
    except OSError as error:
        raise StartError(f"{path / prefix}: cannot be read: {error.strerror}") from error
    if len(entries) > MAX_FILES:
        raise StartError(f"{path / prefix}: holds more than {MAX_FILES} files; {AGAIN}")
    for entry in entries:
        name = f"{prefix}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, f"{name}/")
        elif entry.is_file(follow_symlinks=False):
            yield name
        else:
            raise StartError(f"{path / name}: is neither a file nor a folder; a release holds no links or devices")


def read(path: Path, budget: int) -> bytes:
    """The bytes of one file. Raises StartError."""
    try:
        with regular_files.opened(path) as file:
            raw = file.read(budget + 1)
    except OSError as error:
        raise StartError(f"{path}: cannot be read: {error.strerror}; {AGAIN}") from error
    if len(raw) > budget:
        raise StartError(f"{path}: the release is larger than {MAX_BYTES} bytes; remove data from it")
    return raw
