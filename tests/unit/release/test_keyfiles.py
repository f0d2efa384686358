"""Keys of those who sign: encrypted files, and a device."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import StartError
from gateway.release import keyfiles
from tests.support import softhsm
from tests.support.signing import Signing

SECRET = "correct horse"


def test_a_key_file_is_encrypted_and_its_owners_alone(tmp_path: Path) -> None:
    """The private key is unreadable without the passphrase and for others; with it, it signs."""
    key = keyfiles.create(tmp_path, "agency", "release", SECRET)
    path = tmp_path / "release.key"
    assert b"ENCRYPTED" in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    signer = keyfiles.signer(str(path), lambda: SECRET)
    key.verify_signature(signer.sign(b"x"), b"x")
    with pytest.raises(StartError, match="can't be opened with this passphrase"):
        keyfiles.signer(str(path), lambda: "another")
    path.chmod(0o644)
    with pytest.raises(StartError, match="chmod 600"):
        keyfiles.signer(str(path), lambda: SECRET)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    """A second key of the same name is refused with what to do, and the first one stays."""
    keyfiles.create(tmp_path, "agency", "release", "")
    before = (tmp_path / "release.key").read_bytes()
    with pytest.raises(StartError, match="exists, and no key is replaced; if a run that broke off made it, remove it"):
        keyfiles.create(tmp_path, "agency", "release", "")
    assert (tmp_path / "release.key").read_bytes() == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"keyid": 1}',
        '{"keyid": "a", "keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": "00"}}',
    ],
)
def test_what_is_no_public_key(tmp_path: Path, text: str) -> None:
    """A file that is no key, or a key that does not say whose it is, is refused by name."""
    (tmp_path / "x.pub").write_text(text)
    with pytest.raises(StartError, match=r"x\.pub"):
        keyfiles.public(tmp_path / "x.pub")


def test_a_key_of_nobody(tmp_path: Path) -> None:
    """Only the two holders have keys."""
    with pytest.raises(StartError, match="witness: is no holder"):
        keyfiles.create(tmp_path, "witness", "release", "")


def test_the_private_key_of_another(tmp_path: Path) -> None:
    """A private key beside another's public one is refused."""
    keyfiles.create(tmp_path / "a", "agency", "release", "")
    keyfiles.create(tmp_path / "b", "agency", "release", "")
    shutil.copyfile(tmp_path / "a/release.pub", tmp_path / "b/release.pub")
    with pytest.raises(StartError, match="is not the private key of"):
        keyfiles.signer(str(tmp_path / "b/release.key"), str)


DEVICE = """
import sys, pkcs11
from pathlib import Path
from pkcs11.util.ec import encode_named_curve_parameters
token = pkcs11.lib(sys.argv[1]).get_token(token_label="agency")
with token.open(rw=True, user_pin="1234") as session:
    curve = encode_named_curve_parameters("secp256r1")
    parameters = session.create_domain_parameters(pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: curve}, local=True)
    parameters.generate_keypair(store=True, id=b"\\x02", label="release")
"""


@softhsm.needed
def test_a_key_in_a_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that the agency signs with a key in a PKCS#11 device comes in force like any other."""
    library = str(softhsm.module())
    monkeypatch.setenv("PYKCS11LIB", library)
    subprocess.run([sys.executable, "-c", DEVICE, library], check=True)
    signing = Signing.create(tmp_path / "signing")
    key = keyfiles.from_device(tmp_path / "device", "agency", "release", "hsm:2?label=agency", lambda: "1234")
    old = keyfiles.public(signing.folder / "keys/agency/release.pub").keyid
    signing.repository.replace_key(old, key, signing.now, revoked=False)
    signing.sign(names=("root",))
    signing.stage()
    signing.sign({"provider"})
    signing.repository.sign(keyfiles.signer("hsm:2?label=agency", lambda: "1234", tmp_path / "device/release.pub"))
    signing.publish()
    found = signing.client().load()
    assert found.signers == ("agency", "provider")
    assert key.keyid in {s.key for s in found.signatures}


def test_a_device_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a device the reason says what is needed."""
    monkeypatch.delenv("PYKCS11LIB", raising=False)
    with pytest.raises(StartError, match="PYKCS11LIB"):
        keyfiles.from_device(tmp_path, "agency", "release", "hsm:2", str)
    with pytest.raises(StartError, match="needs its public key"):
        keyfiles.signer("hsm:2", str)
