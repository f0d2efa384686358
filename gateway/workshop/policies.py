"""Opens a policy: a release folder, a folder that a build wrote, or sources, which are built first."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway import release
from gateway.canonical import NotCanonicalError, parse
from gateway.errors import StartError
from gateway.release.documents import DATA, SOURCES, TENANTS, WASM
from gateway.release.reading import read_policy
from gateway.types import Release
from gateway.workshop.build import BuildError, build


@dataclass(frozen=True, slots=True)
class Opened:
    """A policy that both engines can decide with. shown: the path of its sources for readers.

    sources: the absolute path of the sources as Open Policy Agent loads them. release: without tenants if none was
    given.
    """

    shown: Path
    sources: Path
    release: Release


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Open the policy at `path`. Raises StartError if there is none or it does not compile."""
    sources = path.absolute() / SOURCES
    if (path / TENANTS).exists():
        yield Opened(path / SOURCES, sources, release.load(path, None))
    elif (path / WASM).exists():
        yield Opened(path / SOURCES, sources, _built(path))
    elif (path / "brightline").is_dir():
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out"
            try:
                build(path, out)
            except BuildError as error:
                raise StartError(f"{path}: {error}") from error
            yield Opened(path, out / SOURCES, _built(out))
    else:
        raise StartError(
            f"{path}: is no policy; name a release, what `brightline policy build` wrote, or a folder of sources "
            "with brightline/ in it"
        )


def _built(folder: Path) -> Release:
    """A built policy as an unsigned release without tenants or models."""
    revision, files = read_policy(folder)
    try:
        data = parse(files[DATA])
    except NotCanonicalError as error:
        raise StartError(f"{folder / DATA}: {error}; build it again") from error
    if not isinstance(data, Mapping):
        raise StartError(f"{folder / DATA}: is not an object; build it again")
    return Release("0" * 64, 0, (), revision, files[WASM], data, {}, {})
