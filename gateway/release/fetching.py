"""Fetches the files of a repository from a folder or an HTTPS address. Nothing here is trusted: TUF verifies it.

TUF bounds the length of every file but not the time. A server that sends a byte now and then could hold a refresh for
ever, so each file has a deadline.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import urllib3
from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError
from tuf.ngclient.fetcher import FetcherInterface

from gateway import regular_files

CHUNK: Final = 64 << 10
FOLDER: Final = "file:///"
"""The prefix of file names in a folder. python-tuf expects URLs."""


class Folder(FetcherInterface):
    """Fetches from a folder: a repository on this machine, or a copy on removable media."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = (self._folder / unquote(url.removeprefix(FOLDER))).resolve()
        if not path.is_relative_to(self._folder):
            raise DownloadError(f"{url}: lies outside the repository")
        try:
            file = regular_files.opened(path)
        except (FileNotFoundError, NotADirectoryError) as error:
            if not self._folder.is_dir():
                raise DownloadError(f"{self._folder}: there is no such folder") from error
            raise DownloadHTTPError(f"{path}: is not there", 404) from error
        except OSError as error:
            raise DownloadError(f"{path}: cannot be read: {error.strerror}") from error
        with file:
            while chunk := file.read(CHUNK):
                yield chunk


class Https(FetcherInterface):
    """Fetches from an HTTPS address. It follows no redirect, uses no proxy and retries nothing.

    ca: PEM roots, trusted instead of the system's. deadline_s: the limit for one file.
    """

    def __init__(self, ca: Path | None, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._pool = urllib3.PoolManager(
            cert_reqs="CERT_REQUIRED", ca_certs=str(ca) if ca else None, retries=False, maxsize=1
        )

    def _fetch(self, url: str) -> Iterator[bytes]:
        if urlsplit(url).scheme != "https":
            raise DownloadError(f"{url}: is not an HTTPS address")
        give_up = time.monotonic() + self._deadline_s
        try:
            response = self._pool.request(
                "GET", url, preload_content=False, redirect=False, timeout=urllib3.Timeout(self._deadline_s)
            )
        except urllib3.exceptions.TimeoutError as error:
            raise SlowRetrievalError(f"{url}: no answer within {self._deadline_s:g} s") from error
        except urllib3.exceptions.HTTPError as error:
            raise DownloadError(f"{url}: {type(error).__name__}") from error
        if response.status != 200:
            response.close()
            raise DownloadHTTPError(f"{url}: answered {response.status}", response.status)
        return self._chunks(url, response, give_up)

    def _chunks(self, url: str, response: urllib3.BaseHTTPResponse, give_up: float) -> Iterator[bytes]:
        try:
            while chunk := response.read1(CHUNK, decode_content=False):
                if time.monotonic() > give_up:
                    raise SlowRetrievalError(f"{url}: did not come whole within {self._deadline_s:g} s")
                yield chunk
            response.release_conn()
        except urllib3.exceptions.TimeoutError as error:
            raise SlowRetrievalError(f"{url}: did not come whole within {self._deadline_s:g} s") from error
        except urllib3.exceptions.HTTPError as error:
            raise DownloadError(f"{url}: {type(error).__name__}") from error
        finally:
            response.close()
