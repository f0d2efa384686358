"""Where the release comes from, by configuration: a signed repository, or an unsigned folder."""

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
    """Loads the current release as a whole. Blocks on files or on the network."""

    def load(self) -> Release:
        """The release. Raises StartError."""

    def find(self, known: State) -> Found:
        """The current release, or no release if it is the one of the state `known`. Raises StartError."""


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A release folder. Nobody checks the signers that its manifest names, so it is for development only."""

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
    """A signed repository."""

    client: Client
    digest: str | None

    def load(self) -> Release:
        """The release, with its signatures verified. Raises StartError."""
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
