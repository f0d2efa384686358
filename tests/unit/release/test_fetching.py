"""A repository at an HTTPS address, and servers that answer as nobody should."""

from __future__ import annotations

import gc
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.config import ReleaseSource
from gateway.errors import StartError
from gateway.release import open_source
from tests.support.pki import Authority
from tests.support.signing import Signing

Answer = Callable[[ssl.SSLSocket, Path, str], None]
FILE_S = 2


def plain(connection: ssl.SSLSocket, folder: Path, name: str) -> None:
    """What the file holds."""
    path = folder / name
    if not path.is_file():
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        return
    data = path.read_bytes()
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(data) + data)


def endless(connection: ssl.SSLSocket, folder: Path, name: str) -> None:
    """Bytes without end instead of a timestamp."""
    if "timestamp" not in name:
        plain(connection, folder, name)
        return
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65536)


def slow(connection: ssl.SSLSocket, folder: Path, name: str) -> None:
    """One byte now and then instead of a timestamp, each well before anybody gives up waiting for it."""
    if "timestamp" not in name:
        plain(connection, folder, name)
        return
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\nConnection: close\r\n\r\n")
    never = threading.Event()
    while True:
        connection.sendall(b"x")
        never.wait(0.2)


def silent(connection: ssl.SSLSocket, folder: Path, name: str) -> None:
    """Nothing at all, until the other side goes."""
    connection.recv(1)


def elsewhere(connection: ssl.SSLSocket, folder: Path, name: str) -> None:
    """Another address."""
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:1/x\r\nContent-Length: 0\r\n\r\n")


def broken(connection: ssl.SSLSocket, folder: Path, name: str) -> None:
    """Something else than HTTP."""
    connection.sendall(b"SSH-2.0-x\r\n")


@contextmanager
def served(folder: Path, answer: Answer, authority: Authority) -> Iterator[str]:
    """The repository at an HTTPS address."""
    pair = folder.parent / "server.pem"
    server = authority.server()
    pair.write_bytes(server.certificate + server.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(raw,), daemon=True).start()

    def one(raw: socket.socket) -> None:
        try:
            with context.wrap_socket(raw, server_side=True) as connection:
                asked = connection.recv(65536).split(b" ")[1].decode()
                answer(connection, folder, asked.removeprefix("/releases/"))
        except (OSError, IndexError):
            raw.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/releases"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Signing:
    """One release."""
    made = Signing.create(tmp_path_factory.mktemp("signing"))
    made.release()
    return made


def settings(signing: Signing, url: str, folder: Path, authority: Authority) -> ReleaseSource:
    ca = folder / "ca.pem"
    ca.write_bytes(authority.ca.certificate)
    root = signing.folder / "root.json"
    return ReleaseSource(url=url, root=root, metadata=folder / "metadata", ca=ca, file_s=FILE_S)


def test_a_repository_at_an_address(signing: Signing, tmp_path: Path) -> None:
    """The same release comes from an HTTPS address as from the folder."""
    authority = Authority()
    with served(signing.repository.folder, plain, authority) as url:
        found = open_source(settings(signing, url, tmp_path, authority)).load()
    assert found.digest == signing.client().load().digest


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # http.client leaves what it waited for
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (endless, "DownloadLengthMismatchError"),
        (slow, "SlowRetrievalError"),
        (silent, "SlowRetrievalError"),
        (elsewhere, "answered 302"),
        (broken, "DownloadError"),
    ],
    ids=["endless data", "slow retrieval", "silence", "redirect", "no HTTP"],
)
def test_an_answer_as_nobody_should_give(signing: Signing, tmp_path: Path, answer: Answer, words: str) -> None:
    """What goes on without end or without haste, leads elsewhere or is no answer is given up, in bounded time."""
    authority = Authority()
    with (
        served(signing.repository.folder, answer, authority) as url,
        pytest.raises(StartError, match=r"release\.repository, release\.url") as error,
    ):
        open_source(settings(signing, url, tmp_path, authority)).load()
    assert words in str(error.value)
    del error
    gc.collect()  # what http.client leaves is found here, and not in whatever test comes next


def test_a_server_that_nobody_vouches_for(signing: Signing, tmp_path: Path) -> None:
    """A certificate of another CA ends it."""
    with (
        served(signing.repository.folder, plain, Authority()) as url,
        pytest.raises(StartError, match="SSLError"),
    ):
        open_source(settings(signing, url, tmp_path, Authority())).load()
