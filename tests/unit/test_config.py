"""The configuration: one way to say each thing, and a clear refusal of everything else."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gateway import transport
from gateway.config import FORMS, Config, believing, load, read_private
from gateway.errors import StartError

GOOD = """
profile = "{profile}"
marking_ceiling = "CUI"
[listener]
address = "127.0.0.1:0"
certificate = "server.pem"
key = "server.key"
client_ca = "ca.pem"
[identity]
audience = "gateway"
ledger = "ledger.db"
[[identity.issuers]]
issuer = "https://issuer.test"
jwks_file = "jwks.json"
[release]
repository = "repository"
root = "root.json"
metadata = "state"
digest = "{digest}"
[audit]
path = "log.db"
origin = "gateway.test/one"
signing_key = "log.key"
commitment_key = "commitment.key"
[[upstreams]]
name = "model"
kind = "openai"
base_url = "https://models.test/v1"
api_key = "api.key"
"""


def written(folder: Path, text: str) -> Path:
    """A configuration file with this text."""
    path = folder / "gateway.toml"
    path.write_text(text, encoding="utf-8")
    return path


def good(profile: str = "production") -> str:
    """A configuration that is accepted."""
    return GOOD.format(profile=profile, digest="0" * 64)


@pytest.mark.parametrize("profile", ["development", "production"])
def test_paths_are_relative_to_the_file(tmp_path: Path, profile: str) -> None:
    """A relative path means the folder of the configuration, wherever the gateway is started from."""
    config = load(written(tmp_path, good(profile)))
    assert config.listener.key == tmp_path / "server.key"
    assert config.identity.issuers[0].jwks_file == tmp_path / "jwks.json"
    assert config.profile == profile


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('audience = "gateway"', 'audience = "gateway"\naudiance = "x"', "identity.audiance: unknown key"),
        ("[release]", "[relaese]\nx = 1\n[release]", "relaese: unknown key"),
        ('profile = "production"', 'profile = "staging"', "profile: "),
        ('profile = "production"', "", "profile: "),
        ('marking_ceiling = "CUI"', "", "marking_ceiling: the production profile needs"),
        ('address = "127.0.0.1:0"', 'address = "everywhere"', "listener.address: "),
        ('client_ca = "ca.pem"', 'client_ca = "ca.pem"\nsecurity = "plaintext"', "listener.security: "),
        ('client_ca = "ca.pem"', 'client_ca = "ca.pem"\nreflection = true', "listener.reflection: "),
        ('[[identity.issuers]]\nissuer = "https://issuer.test"\njwks_file = "jwks.json"', "", "identity.issuers: "),
        ('jwks_file = "jwks.json"', "", "identity.issuers.0: needs exactly one"),
        ('jwks_file = "jwks.json"', 'jwks_url = "http://issuer.test/jwks"', "identity.issuers.0.jwks_url: "),
        (
            'repository = "repository"\nroot = "root.json"\nmetadata = "state"',
            'path = "release"',
            "release.path: the production",
        ),
        ('repository = "repository"', "", "release: needs exactly one of path, repository and url"),
        ('repository = "repository"', 'repository = "a"\npath = "b"', "release: needs exactly one of path, repository"),
        (
            'repository = "repository"',
            'url = "http://releases.test"',
            "release.url: must be an address that begins with",
        ),
        ("[audit]\n", '[quotas]\nurl = "redis://localhost:6379"\n[audit]\n', "quotas.url: must be valkeys://HOST:PORT"),
        ('root = "root.json"', "", "release: a signed release needs root"),
        ('metadata = "state"', "", "release: a signed release needs root"),
        (f'digest = "{"0" * 64}"', 'digest = "sha256"', "release.digest: "),
        ('kind = "openai"', 'kind = "loopback"', "upstreams: the production profile has no loopback"),
        ('kind = "openai"', 'kind = "other"', "upstreams.0.kind: "),
        ('origin = "gateway.test/one"', 'origin = "one two"', "audit.origin: "),
        ('signing_key = "log.key"', 'signing_key = "log.key"\nfail_open = true', "audit.fail_open: unknown key"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    """Unknown keys, missing keys and settings that the production profile forbids refuse, naming file and key."""
    text = good()
    assert old in text
    path = written(tmp_path, text.replace(old, new))
    with pytest.raises(StartError) as refused:
        load(path)
    assert f"{path}: {named}" in str(refused.value)


def test_a_folder_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    """Paths in a folder that is not called in UTF-8 are named; workers and records could not be told of them."""
    folder = tmp_path / os.fsdecode(b"\xff")
    folder.mkdir()
    with pytest.raises(StartError, match=r"listener\.key: lies in a folder whose name is not UTF-8"):
        load(written(folder, good()))


@pytest.mark.parametrize("twice", ["upstreams", "issuers"])
def test_two_with_one_name_are_ambiguous(tmp_path: Path, twice: str) -> None:
    """Two upstreams or two issuers of one name refuse the start."""
    extra = {
        "upstreams": '[[upstreams]]\nname = "model"\nkind = "anthropic"\napi_key = "k"\n',
        "issuers": '[[identity.issuers]]\nissuer = "https://issuer.test"\njwks_file = "other.json"\n',
    }[twice]
    with pytest.raises(StartError, match="same name"):
        load(written(tmp_path, good() + extra))


@pytest.mark.parametrize(
    "text",
    [
        "profile = ",
        "\x00",
        "[listener",
        pytest.param(".".join("a" * 5000) + " = 1", id="nested"),
        pytest.param("a = 0x" + "f" * 5000, id="long"),
    ],
)
def test_what_is_not_toml_is_said_to_be_so(tmp_path: Path, text: str) -> None:
    """A file that is not TOML is refused with its name."""
    with pytest.raises(StartError, match=r"gateway\.toml: is not TOML"):
        load(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A configuration that is not there is refused with its name."""
    with pytest.raises(StartError, match=r"absent\.toml: cannot be read"):
        load(tmp_path / "absent.toml")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """A private key that the group or the world can read is refused with its mode and the command that mends it."""
    path = tmp_path / "log.key"
    path.write_bytes(b"secret")
    path.chmod(mode)
    with pytest.raises(StartError) as refused:
        read_private(path, "audit.signing_key")
    assert str(refused.value) == (
        f"audit.signing_key: {path} can be read by others (mode {mode:04o})\n"
        f"a private key must be 0600; run: chmod 600 {path}"
    )


def test_a_key_of_its_owner_is_read(tmp_path: Path) -> None:
    """A private key with mode 0600 is read; a missing one is named with its key."""
    path = tmp_path / "log.key"
    path.write_bytes(b"secret")
    path.chmod(0o600)
    assert read_private(path, "audit.signing_key") == b"secret"
    with pytest.raises(StartError, match=r"audit\.signing_key: .*absent"):
        read_private(tmp_path / "absent", "audit.signing_key")


NOBODY = 65_534
READS = """
import os, sys
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from gateway.config import read_private
from gateway.errors import StartError
os.setgroups([int(sys.argv[2])])
os.setuid(int(sys.argv[2]))
try:
    print(read_private(Path(sys.argv[1]), "listener.key"))
except StartError as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to root, which only root can")
@pytest.mark.parametrize(
    ("owner", "mode", "taken"),
    [(0, 0o440, True), (0, 0o640, True), (0, 0o444, False), (0, 0o460, False), (NOBODY, 0o440, False)],
)
def test_a_key_of_root_is_read_by_a_group(owner: int, mode: int, taken: bool) -> None:
    """Root may let a group read a key, as Kubernetes does with secrets; nobody else may, and no group may write it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # where every user may look
        Path(folder).chmod(0o755)
        path = Path(folder) / "tls.key"
        path.write_bytes(b"secret")
        os.chown(path, owner, NOBODY)
        path.chmod(mode)
        command = [sys.executable, "-c", READS, str(path), str(NOBODY)]
        said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        assert ("secret" in said, "can be read by others" in said) == (taken, not taken)


# --- what is said of a wrong value -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('address = "127.0.0.1:0"', 'address = "8443"', "listener.address: must be host and port, such as"),
        ('digest = "0', 'digest = "x', "release.digest: must be 64 hexadecimal digits"),
        ('origin = "gateway.test/one"', 'origin = "a b"', "audit.origin: must be a name without white space"),
        ('name = "model"', 'name = "The Model"', "upstreams.0.name: must be a short name"),
        ('path = "log.db"', "", "audit.path: is missing"),
    ],
)
def test_a_wrong_value_is_told_with_what_would_be_accepted(tmp_path: Path, old: str, new: str, said: str) -> None:
    """The key is named, and what it takes is said in words, not as a pattern."""
    text = good()
    assert old in text
    with pytest.raises(StartError) as error:
        load(written(tmp_path, text.replace(old, new)))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("[release]", '[signals]\nlearned = "no"\n[release]', "signals.learned: "),
        ("[release]", "[signals]\nlearned = 0\n[release]", "signals.learned: "),
        ("[release]", "[approvals]\nvalid_s = true\n[release]", "approvals.valid_s: "),
        ('key = "server.key"', 'key = "server.key"\nworkers = true', "listener.workers: "),
        ('key = "server.key"', 'key = "server.key"\nworkers = "2"', "listener.workers: "),
        ('key = "server.key"', 'key = "server.key"\nworkers = 2.0', "listener.workers: "),
        ('key = "server.key"', 'key = "server.key"\nworkers = nan', "listener.workers: "),
        ('key = "server.key"', f'key = "server.key"\nworkers = {"9" * 4000}', "listener.workers: "),
        ('key = "server.key"', f'key = "server.key"\nworkers = {"9" * 5000}', "is not TOML: "),
        ('audience = "gateway"', "audience = 7", "identity.audience: "),
        ('audience = "gateway"', "audience = 2026-11-30", "identity.audience: "),
        ('path = "log.db"', "path = 7", "audit.path: "),
        ('path = "log.db"', 'path = "a\\u0000b"', "audit.path: has a control character"),
        ('path = "log.db"', 'path = "log.db"\nnode = "a\\u0000b\\u001b[31m"', "audit.node: has a control character"),
        ('path = "log.db"', 'path = "log.db"\nenclave = "a\\nb"', "audit.enclave: has a control character"),
        ('path = "log.db"', 'path = "log.db"\nnode = "a\\u202eb"', "audit.node: has a control character"),
        ("[release]", '[review]\nauditor_role = "a\\u007f"\n[release]', "review.auditor_role: has a control"),
        ("[release]", '[review]\ninspector_role = "a"\ninspector_tenants = ["b\\u0001"]\n[release]',
         "review.inspector_tenants: has a control"),
        ('marking_ceiling = "CUI"', 'marking_ceiling = "CUI"\nappeal = "a\\u001b[31m"', "appeal: has a control"),
    ],
)  # fmt: skip
def test_every_key_has_one_type(tmp_path: Path, old: str, new: str, named: str) -> None:
    """A truth value is no number, a word is neither, and no text has what a terminal would obey; the key is named."""
    text = good()
    assert old in text
    path = written(tmp_path, text.replace(old, new, 1))
    with pytest.raises(StartError) as refused:
        load(path)
    assert str(refused.value).startswith(f"{path}: {named}")
    assert "\x1b" not in str(refused.value)


def test_what_is_meant_is_read(tmp_path: Path) -> None:
    """Text in any script, and an address of several lines for appeals, are as they are written."""
    text = good().replace('path = "log.db"', 'path = "log.db"\nnode = "Rechner Süd 東"')
    text = text.replace('marking_ceiling = "CUI"', 'marking_ceiling = "CUI"\nappeal = """Office\nStreet 1"""')
    config = load(written(tmp_path, text))
    assert (config.audit.node, config.appeal) == ("Rechner Süd 東", "Office\nStreet 1")
    assert Config.model_validate_json(config.model_dump_json()) == config  # as workers get it


def test_every_pattern_has_words() -> None:
    """Whatever key has a pattern is explained by FORMS."""
    found: set[str] = set()
    for section in Config.model_json_schema()["$defs"].values():
        for key, field in section["properties"].items():
            if "pattern" in str(field):
                found.add(key)
    assert found == {key.rpartition(".")[2] for key in FORMS}


TLS = "host=db.test dbname=audit user=gateway sslmode=verify-full"


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ('store = "postgresql"', 'audit: dsn: store = "postgresql" needs it'),
        (f'dsn = "{TLS}"', "audit: dsn: "),
        (f'store = "postgresql"\ndsn = "{TLS}"', "audit.lock_store: the production profile needs"),
        (f'store = "postgresql"\nlock_store = "l"\nlock_dsn = "{TLS}"\ndsn = "{TLS}"', "audit: lock_dsn: give"),
        ('store = "postgresql"\nlock_store = "l"\ndsn = "host=db.test dbname=a user=g"', "audit.dsn: the production"),
        ('lock_dsn = "host=db.test dbname=a user=g sslmode=require"', "audit.lock_dsn: the production profile"),
        ('dsn = "host=db.test user=g password=hunter2"', "audit.dsn: password does not belong here"),
        ('dsn = "postgresql://g:hunter2@db.test/audit"', "audit.dsn: password does not belong here"),
        ('dsn = "host=db.test user=g scram_client_key=hunter2"', "audit.dsn: scram_client_key does not belong here"),
        ('dsn = "host=db.test user=g oauth_client_secret=hunter2"', "audit.dsn: oauth_client_secret does not belong"),
        ('dsn = "host=db.test user=g sslkeylogfile=hunter2"', "audit.dsn: sslkeylogfile does not belong here"),
        ('lock_dsn = "host=/run/pg hostaddr=192.0.2.1 dbname=a user=g"', "audit.lock_dsn: the production profile"),
        ('dsn = "hunter2 hunter2"', "audit.dsn: is no connection string"),
        ('dsn = "host=db.test dbname=audit"', "audit.dsn: user is missing"),
        ('password_file = "p"', "audit: password_file: goes with dsn"),
    ],
)
def test_a_database_is_named_whole_protected_and_without_secrets(tmp_path: Path, keys: str, named: str) -> None:
    """What is missing or does not belong in a connection string is told, and nothing of the string is repeated."""
    path = written(tmp_path, good().replace("[audit]\n", f"[audit]\n{keys}\n"))
    with pytest.raises(StartError) as refused:
        load(path)
    assert f"{path}: {named}" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_protected_database_is_accepted(tmp_path: Path) -> None:
    """With TLS that proves the server's name, or by a socket of this host, and with a lock store."""
    for dsn in (TLS, "host=/run/postgresql dbname=audit user=gateway"):
        keys = f'store = "postgresql"\ndsn = "{dsn}"\nlock_dsn = "{TLS}"\npassword_file = "p"'
        settings = load(written(tmp_path, good().replace("[audit]\n", f"[audit]\n{keys}\n"))).audit
        assert (settings.dsn, settings.password_file) == (dsn, tmp_path / "p")


def test_workers_together_have_no_more_than_is_configured(tmp_path: Path) -> None:
    """What is counted over all calls is divided among the workers, and they are told the port that they share."""
    text = good() + "[limits]\nconcurrent_calls = 7\nconnections = 9\n"
    config = load(written(tmp_path, text.replace("[listener]\n", "[listener]\nworkers = 2\n")))
    config = config.model_copy(update={"audit": config.audit.model_copy(update={"unauthenticated_per_s": 1})})
    one = config.of_worker(8443)
    assert (one.limits.concurrent_calls, one.limits.connections) == (3, 4)
    assert (one.audit.unauthenticated_per_s, one.listener.address) == (1, "127.0.0.1:8443")


def test_what_the_keeper_looks_at_can_not_be_another_for_other_workers(tmp_path: Path) -> None:
    """Callers and bounds may be others; a port, a number of workers or a log refuses, and is named."""
    config = load(written(tmp_path, good()))
    fresh = load(written(tmp_path, good() + "[limits]\nconnections = 9\n"))
    assert config.renewed(fresh).limits.connections == 9
    for old, new, named in (
        ("[listener]\n", "[listener]\nworkers = 2\n", "listener.workers: changed"),
        ('origin = "gateway.test/one"', 'origin = "gateway.test/two"', "audit: changed"),
    ):
        with pytest.raises(StartError, match=named):
            config.renewed(load(written(tmp_path, good().replace(old, new))))


@pytest.mark.parametrize(("content", "said"), [(b"", "holds no PEM"), (b"x", "holds no PEM"), (None, "read")])
def test_a_file_without_cas_is_never_taken_for_the_systems(tmp_path: Path, content: bytes | None, said: str) -> None:
    """A CA file that is empty, something else or missing is refused and named; the system's don't take its place."""
    if content is not None:
        (tmp_path / "ca.pem").write_bytes(content)
    with pytest.raises(StartError, match=rf"^quotas\.ca: .*{said}"):
        believing(tmp_path / "ca.pem", "quotas.ca")


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "gateway..example", "nowhere.invalid"])
def test_an_address_that_is_no_host_is_refused(host: str) -> None:
    """A name that no host can have, or has, is told with its key before anything is served."""
    with pytest.raises(StartError, match=rf"listener\.address: {host}:8443 cannot be listened on: "):
        transport.reserved(f"{host}:8443")
