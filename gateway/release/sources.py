"""Where the release comes from, as the configuration says: a signed repository, or a folder that nobody signed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gateway.config import ReleaseSource, read_public
from gateway.release.client import Client, Found
from gateway.release.fetching import FOLDER, Folder, Https
from gateway.release.reading import load
from gateway.release.tuf_refresh import State
from gateway.types import Release


class Source(Protocol):
    """Loads what is there now, whole. It blocks, on files or on the network."""

    def load(self) -> Release:
        """The release. Raises StartError."""

    def find(self, known: State) -> Found:
        """The same; no release where it is the one of this state. Raises StartError."""


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A release folder. Its manifest says who agreed to it, and nobody checks that: for development only."""

    path: Path
    digest: str | None

    def load(self) -> Release:
        """The release. Raises StartError."""
        return load(self.path, self.digest)

    def find(self, known: State) -> Found:  # noqa: ARG002 - nobody signed when it was made
        """See Source."""
        return Found(self.load(), (), None)


@dataclass(frozen=True, slots=True)
class Signed:
    """A repository."""

    client: Client
    digest: str | None

    def load(self) -> Release:
        """The release that its signatures say. Raises StartError."""
        return self.client.load(self.digest)

    def find(self, known: State) -> Found:
        """See Source."""
        return self.client.find(self.digest, known)


def open_source(settings: ReleaseSource) -> Source:
    """The source that the configuration names. Raises StartError."""
    if settings.path is not None:
        return Unsigned(settings.path, settings.digest)
    if settings.root is None or settings.metadata is None:
        raise TypeError("the configuration was checked")
    root = read_public(settings.root, "release.root")
    if settings.url is not None:
        fetcher = Https(settings.ca, settings.file_s)
        address = settings.url if settings.url.endswith("/") else f"{settings.url}/"
        return Signed(Client(settings.url, fetcher, address, root, settings.metadata), settings.digest)
    if settings.repository is None:
        raise TypeError("the configuration was checked")
    name = str(settings.repository)
    return Signed(Client(name, Folder(settings.repository), FOLDER, root, settings.metadata), settings.digest)
