from __future__ import annotations

import base64
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from brightline_verify.note import MAX_BYTES, MAX_SIGNATURES, Checkpoint, NoteError, Signer, Verifier, open_checkpoint

GO_VECTOR_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_VECTOR = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
SIGNER = Signer("log.example/a", Ed25519PrivateKey.from_private_bytes(b"k" * 32))
OTHER = Signer("log.example/b", Ed25519PrivateKey.from_private_bytes(b"o" * 32))
NOTE = SIGNER.sign(Checkpoint("log.example/a", 7, b"r" * 32).text())
TEXT, LINE = NOTE[: NOTE.index(b"\n\n") + 2], NOTE[NOTE.index(b"\n\n") + 2 :]


def test_the_vector_of_the_reference_implementation_opens() -> None:
    """The example note in the documentation of golang.org/x/mod/sumdb/note verifies under its key."""
    verifier = Verifier.parse(GO_VECTOR_KEY)
    assert verifier.open(GO_VECTOR.encode()).startswith("If you think cryptography")
    assert str(verifier) == GO_VECTOR_KEY


def test_a_checkpoint_survives_signing_and_opening() -> None:
    """What was signed is what comes out: origin, size and root."""
    assert open_checkpoint(NOTE, SIGNER.verifier) == Checkpoint("log.example/a", 7, b"r" * 32)
    assert NOTE.startswith(b"log.example/a\n7\n" + base64.b64encode(b"r" * 32) + b"\n\n\xe2\x80\x94 log.example/a ")


def test_a_verifier_key_survives_printing_and_parsing() -> None:
    """The text form of a verifier key is one to one."""
    assert Verifier.parse(f"{SIGNER.verifier}\n") == SIGNER.verifier


def test_signatures_of_strangers_are_ignored() -> None:
    """A witness may add its line without making the note unreadable to those who do not know it."""
    witness = OTHER.sign(TEXT[:-1].decode()).rpartition(b"\n\n")[2]
    assert SIGNER.verifier.open(NOTE + witness) == TEXT[:-1].decode()
    assert OTHER.verifier.open(NOTE + witness) == TEXT[:-1].decode()


def test_a_checkpoint_of_another_log_is_refused() -> None:
    """A key of this log can't vouch for the checkpoint of another."""
    with pytest.raises(NoteError, match="of the log"):
        open_checkpoint(SIGNER.sign(Checkpoint("log.example/b", 7, b"r" * 32).text()), SIGNER.verifier)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\n\n",
        TEXT,
        LINE,
        TEXT + LINE[:-1],
        TEXT + b"\n" + LINE,
        TEXT + LINE + LINE,
        TEXT + LINE + b"\n",
        TEXT.replace(b"7", b"8") + LINE,
        TEXT + LINE.replace("—".encode(), b"-"),
        TEXT + LINE.replace(b" log", b"  log"),
        TEXT + LINE.replace(b"example/a", b"example/c"),
        TEXT + LINE[:40] + b"\n",
        TEXT + LINE[:-3] + b"\n",
        TEXT + LINE[:-2] + b"!\n",
        TEXT + LINE.replace(b"\n", b"\r\n"),
        TEXT.replace(b"log", b"\x00log") + LINE,
        TEXT.replace(b"log", b"\xfflog") + LINE,
        b"x" * MAX_BYTES + b"\n\n" + LINE,
        TEXT + LINE + "".join(f"— k{n} AAAAAAA=\n" for n in range(MAX_SIGNATURES)).encode(),
        OTHER.sign(TEXT[:-1].decode()),
    ],
)
def test_a_malformed_or_unsigned_note_is_refused(note: bytes) -> None:
    """Anything but exactly one good signature of the key on exactly this text is one kind of error."""
    with pytest.raises(NoteError):
        SIGNER.verifier.open(note)


STRANGER = "— stranger AAAAAAA=\n".encode()


@pytest.mark.parametrize(
    "note",
    [
        SIGNER.sign("log.example/a\n7\n\x00\n"),
        SIGNER.sign("log.example/a\n7\n\x1b[2J\n"),
        SIGNER.sign("log.example/a\r\n7\n"),
        SIGNER.sign("x" * MAX_BYTES + "\n"),
        NOTE + STRANGER[:-1] + b"x",
        NOTE + STRANGER * MAX_SIGNATURES,
        NOTE + STRANGER.replace("— ".encode(), b""),
        NOTE + STRANGER.replace(b"AAAAAAA=", b"AAAAAA=="),
        NOTE + STRANGER.replace(b"stranger", b"str+nger"),
    ],
)
def test_what_is_no_note_is_refused_however_well_it_is_signed(note: bytes) -> None:
    """The log's valid signature makes up for nothing else: control characters, length, lines of others."""
    with pytest.raises(NoteError):
        SIGNER.verifier.open(note)


def test_the_longest_note_and_the_most_signatures_are_read() -> None:
    """At the bounds a note is still one."""
    long = "x" * (MAX_BYTES - len(SIGNER.sign("\n"))) + "\n"
    assert len(SIGNER.sign(long)) == MAX_BYTES
    assert SIGNER.verifier.open(SIGNER.sign(long)) == long
    assert SIGNER.verifier.open(NOTE + STRANGER * (MAX_SIGNATURES - 1)) == TEXT[:-1].decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "o\n",
        "o\n1\n",
        f"o\n1\n{base64.b64encode(b'r' * 31).decode()}\n",
        f"o\n1\n{base64.b64encode(b'r' * 32).decode()}",
        f"o\n1\n{base64.b64encode(b'r' * 32).decode()}\n\n",
        f"o\n01\n{base64.b64encode(b'r' * 32).decode()}\n",
        f"o\n-1\n{base64.b64encode(b'r' * 32).decode()}\n",
        f"o\n\u0661\n{base64.b64encode(b'r' * 32).decode()}\n",
        f"o\n\n{base64.b64encode(b'r' * 32).decode()}\n",
        f"\n1\n{base64.b64encode(b'r' * 32).decode()}\n",
        f"o\n1\n{base64.b64encode(b'r' * 32).decode()[:-1]}\n",
        f"o\n1\n{'r' * 42}9=\n",
    ],
)
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    """A size that is not plain decimal, a root that is no SHA-256, missing or empty lines: one kind of error."""
    with pytest.raises(NoteError):
        Checkpoint.parse(text)


def test_extension_lines_are_ignored() -> None:
    """The specification lets a log append lines of its own after the root."""
    text = Checkpoint("o", 1, b"r" * 32).text() + "more to say\n"
    assert Checkpoint.parse(text) == Checkpoint("o", 1, b"r" * 32)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "name",
        "name+00000000",
        str(SIGNER.verifier)[:-1],
        str(SIGNER.verifier).replace("log.example/a", "log.example/b"),
        str(SIGNER.verifier).replace("log.example/a", ""),
        str(SIGNER.verifier).replace("log.example/a", "a b"),
        f"name+00000000+{base64.b64encode(b'2' + b'k' * 32).decode()}",
        f"name+00000000+{base64.b64encode(bytes([1]) + b'k' * 31).decode()}",
    ],
)
def test_a_malformed_verifier_key_is_refused(key: str) -> None:
    """A key of another type or length, or whose id is not that of its name, is refused."""
    with pytest.raises(NoteError):
        Verifier.parse(key)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2028b"])
def test_a_name_that_a_note_cannot_carry_is_refused(name: str) -> None:
    """White space and '+' would make signature lines and keys ambiguous."""
    with pytest.raises(NoteError):
        Signer(name, Ed25519PrivateKey.generate())


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_whatever_the_bytes_a_note_is_opened_or_one_error(data: bytes) -> None:
    """No input makes the parser of notes raise anything but NoteError, and no unsigned input opens."""
    with pytest.raises(NoteError):
        SIGNER.verifier.open(data)


@given(st.integers(0, len(NOTE) - 1), st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed(position: int, change: int) -> None:
    """A note with any one byte changed is refused."""
    changed = bytearray(NOTE)
    changed[position] ^= change
    with pytest.raises(NoteError):
        open_checkpoint(bytes(changed), SIGNER.verifier)


@given(st.text(max_size=120))
def test_whatever_the_text_a_key_or_checkpoint_is_parsed_or_one_error(text: str) -> None:
    """The parsers of verifier keys and checkpoints raise NoteError and nothing else."""
    for parse in (Verifier.parse, Checkpoint.parse):
        try:
            parse(text)
        except NoteError as error:
            assert str(error)


GO_PROGRAM = """package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/mod/sumdb/note"
)

func main() {
	verifier, err := note.NewVerifier(os.Args[1])
	if err != nil {
		panic(err)
	}
	msg, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	opened, err := note.Open(msg, note.VerifierList(verifier))
	if err != nil {
		panic(err)
	}
	fmt.Print(opened.Text)
}
"""


@pytest.fixture(scope="module")
def go_reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that opens notes with Go's own implementation."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go here")
    folder = tmp_path_factory.mktemp("go")
    (folder / "main.go").write_text(GO_PROGRAM)
    (folder / "go.mod").write_text("module reader\n\ngo 1.22\n\nrequire golang.org/x/mod v0.24.0\n")
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}
    fetched = subprocess.run([go, "mod", "tidy"], cwd=folder, env=environment, capture_output=True, check=False)
    if fetched.returncode:
        pytest.skip("golang.org/x/mod can't be fetched here")
    subprocess.run([go, "build", "-o", "reader", "."], cwd=folder, env=environment, check=True)
    return folder / "reader"


def test_go_opens_our_notes(go_reader: Path) -> None:
    """golang.org/x/mod/sumdb/note accepts our verifier key and our checkpoint, and refuses a changed one."""
    command = [go_reader, str(SIGNER.verifier)]
    opened = subprocess.run(command, input=NOTE, capture_output=True, check=True)
    assert opened.stdout == TEXT[:-1]
    changed = subprocess.run(command, input=NOTE.replace(b"7", b"8", 1), capture_output=True, check=False)
    assert changed.returncode != 0
