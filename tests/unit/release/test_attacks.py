"""What a gateway's client refuses, one attack each, against the real client on files that somebody tampered with.

The attacker serves the files. Where it says so, it also has the online key, or the keys of one holder.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import sys
import threading
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import SSlibKey
from tuf.api.metadata import DelegatedRole, Delegations, Key, Metadata, Root, TargetFile, Targets
from tuf.ngclient import Updater

from gateway.audit.rollback_guard import FORGOTTEN, RollbackGuard
from gateway.errors import StartError
from gateway.release import folder, holders, keyfiles, repository
from gateway.release.client import Client
from gateway.release.fetching import FOLDER, Folder
from gateway.release.holders import REVOKED
from gateway.release.parts import AGENCY, HOLDERS, PROVIDER
from gateway.release.restrictions import MAX_BYTES
from gateway.types import Release
from tests.support.failing import failing_at
from tests.support.releases import ATTRIBUTES, MODEL, TENANT
from tests.support.signing import Signing, named

WIDER: Any = {
    "tenants": [
        {
            "id": TENANT.id,
            "certificates": list(TENANT.certificates),
            "attributes": {**ATTRIBUTES, "purposes": ["summarisation", "x"]},
        }
    ]
}


@pytest.fixture
def signing(tmp_path: Path) -> Signing:
    """Two releases, of which a gateway has seen both."""
    made = Signing.create(tmp_path)
    made.release()
    made.client().load()
    made.kept("first")
    made.release(tenants=WIDER)
    made.client().load()
    return made


def refused(client: Client, *words: str) -> None:
    with pytest.raises(StartError) as error:
        client.load()
    for word in words:
        assert word in str(error.value)


def loaded(signing: Signing, gateway: str = "gateway") -> Release:
    return signing.client(gateway).load()


# --- what is signed is what comes --------------------------------------------------------------------------------


def test_what_both_signed_comes(signing: Signing) -> None:
    """Without an attack: the second release, with both holders as its signers and the version of every role."""
    found = loaded(signing)
    assert (found.version, found.signers) == (2, ("agency", "provider"))
    assert found.metadata == {"root": 1, "targets": 2, "agency": 2, "provider": 2, "snapshot": 2, "timestamp": 2}
    assert {(s.holder, s.role) for s in found.signatures} == {(h, r) for h in HOLDERS for r in ("targets", h)}
    assert found.tenants[TENANT.id].attributes["purposes"] == ["summarisation", "x"]


# --- rollback ----------------------------------------------------------------------------------------------------


def old_timestamp(signing: Signing) -> None:
    signing.newest("timestamp").write_bytes((signing.folder / "first/metadata/timestamp.json").read_bytes())


def old_snapshot(signing: Signing) -> None:
    signing.stamp((signing.metadata / "1.snapshot.json").read_bytes())


def old_role(role: str) -> Callable[[Signing], None]:
    def back(signing: Signing) -> None:
        signing.online(lambda s: s.meta.update({f"{role}.json": named(signing.metadata / f"1.{role}.json")}))

    return back


ROLLBACKS = {
    "timestamp": old_timestamp,
    "snapshot": old_snapshot,
    "targets": old_role("targets"),
    "provider": old_role("provider"),
    "agency": old_role("agency"),
}


@pytest.mark.parametrize("role", ROLLBACKS)
def test_rollback(signing: Signing, role: str) -> None:
    """An older version of a role is refused, also when the attacker has the online key."""
    ROLLBACKS[role](signing)
    refused(signing.client(), "BadVersionNumberError")


def test_rollback_of_root(signing: Signing) -> None:
    """A root that was seen stays, when the attacker serves only older ones."""
    rotate(signing, PROVIDER, "release")
    assert loaded(signing).metadata["root"] == 2
    (signing.metadata / "2.root.json").unlink()
    assert loaded(signing).metadata["root"] == 2


def test_rollback_after_the_metadata_was_lost(signing: Signing) -> None:
    """All of an older repository, to a gateway that lost its trusted metadata: TUF can't know, and the log does."""
    log = FORGOTTEN.after(loaded(signing))
    signing.serve(signing.folder / "first")
    older = loaded(signing, "lost")
    with pytest.raises(StartError, match="is older than 2, which the log says was in force"):
        log.check(older)


# --- freeze, mixtures, and what is not what was signed ------------------------------------------------------------


def test_freeze(tmp_path: Path) -> None:
    """Metadata that somebody withholds news from expires, and is then refused."""
    signing = Signing.create(tmp_path, datetime.now(UTC) - timedelta(days=20))
    signing.release()
    refused(signing.client(), "ExpiredMetadataError", "timestamp")


def test_freeze_by_who_renews_the_times(tmp_path: Path) -> None:
    """The online key alone can't keep an old release alive: what both signed expires, too."""
    signing = Signing.create(tmp_path, datetime.now(UTC) - timedelta(days=200))
    signing.release()
    signing.now = datetime.now(UTC)
    signing.publish()
    refused(signing.client(), "ExpiredMetadataError", "targets")


def expiring(signing: Signing, role: str, at: datetime) -> None:
    """The newest metadata of the role, signed again by whose it is, until then."""
    if role == "snapshot":
        signing.online(lambda s: setattr(s, "expires", at))
        return
    name = {"root": "root", "timestamp": "online"}.get(role, "release")
    metadata = Metadata[Any].from_file(str(signing.newest(role)))
    metadata.signed.version += 1
    metadata.signed.expires = at
    metadata.signatures.clear()
    for holder in HOLDERS if role in {"root", "targets"} else {role} & {PROVIDER} or {AGENCY}:
        metadata.sign(signing.signer(holder, name), append=True)
    if role == "timestamp":
        signing.newest(role).write_bytes(metadata.to_bytes())
        return
    signing.put(metadata, role)
    if role != "root":
        signing.online(lambda s: s.meta.update({f"{role}.json": named(signing.newest(role))}))


@pytest.mark.parametrize("role", ["root", "targets", "provider", "agency", "snapshot", "timestamp"])
def test_a_release_is_good_until_the_first_of_its_signatures_expires(signing: Signing, role: str) -> None:
    """However long the others are good for: what a gateway has loaded ends with the metadata that ends first."""
    at = (signing.now + timedelta(hours=1)).replace(microsecond=0)
    expiring(signing, role, at)
    assert loaded(signing).expires_us == int(at.timestamp()) * 1_000_000


def test_mix_and_match(signing: Signing) -> None:
    """Parts of two releases, put together with the online key, are none: the manifest that both signed names others."""
    signing.release(tenants=WIDER)
    newest = signing.newest
    mixed = {"targets.json": named(newest("targets")), "provider.json": named(newest("provider"))}
    third = signing.kept("third")
    signing.serve(signing.folder / "first")
    shutil.copytree(third / "targets", signing.repository.folder / "targets", dirs_exist_ok=True)
    for name in ("3.targets.json", "3.provider.json", "3.snapshot.json", "timestamp.json"):
        (signing.metadata / name).write_bytes((third / "metadata" / name).read_bytes())
    signing.online(lambda s: s.meta.update({**mixed, "agency.json": named(signing.metadata / "1.agency.json")}))
    refused(signing.client("fresh"), "is not the file that both signed")


def test_metadata_of_another_version(signing: Signing) -> None:
    """Older metadata under the name of the newer one has another digest than the snapshot says."""
    (signing.metadata / "2.provider.json").write_bytes((signing.metadata / "1.provider.json").read_bytes())
    refused(signing.client("fresh"), "LengthOrHashMismatchError")


@pytest.mark.parametrize("change", [lambda data: data[:-1] + b"!", lambda data: data + b" ", lambda data: data[:-1]])
def test_wrong_length_or_hash(signing: Signing, change: Callable[[bytes], bytes]) -> None:
    """A file that is not, byte for byte, what was signed is not used."""
    found = (signing.repository.folder / "targets/agency").glob("*.tenants.json")
    published = max(found, key=lambda path: path.stat().st_size)
    published.write_bytes(change(published.read_bytes()))
    refused(signing.client("fresh"), "Mismatch")


def test_endless_data(signing: Signing) -> None:
    """A file that goes on beyond what it may have is not read to its end, whichever it is."""
    for path in (signing.newest("timestamp"), signing.newest("targets")):
        whole = path.read_bytes()
        with path.open("r+b") as file:
            file.truncate(1 << 40)  # a hole: a terabyte that nobody stores
        refused(signing.client("fresh"), "Mismatch")
        path.write_bytes(whole)


def test_targets_removed(signing: Signing) -> None:
    """A holder who removes a file of its part, or changes one, has no release of both any more."""
    for change in (lambda t: t.pop("provider/models.json"), swapped):
        before = Metadata[Targets].from_file(str(signing.newest("provider")))
        before.signed.version += 1
        change(before.signed.targets)
        before.sign(signing.signer(PROVIDER, "release"))
        signing.put(before, "provider")
        signing.online(lambda s: s.meta.update({"provider.json": named(signing.newest("provider"))}))
        refused(signing.client(), "provider/models.json: is ")


def swapped(targets: dict[str, TargetFile]) -> None:
    targets["provider/models.json"] = TargetFile.from_data("provider/models.json", b'{"models": []}', ["sha256"])


def test_same_version_with_other_content(signing: Signing) -> None:
    """Two releases with the same versions, each signed by both: what was in force first is the one."""
    log = FORGOTTEN.after(loaded(signing))
    signing.serve(signing.folder / "first")
    signing.release()
    other = loaded(signing, "fresh")
    assert other.metadata == log.versions
    with pytest.raises(StartError, match="with the versions of"):
        log.check(other)


# --- signatures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("holder", HOLDERS)
def test_one_signer_only(signing: Signing, holder: str) -> None:
    """What one holder signed alone does not come in force, whatever the online key does."""
    signing.stage()
    signing.force({holder})
    refused(signing.client(), "UnsignedMetadataError", "targets was signed by 1/2 keys")


def test_nobody_signed(signing: Signing) -> None:
    """Nor does what nobody signed."""
    signing.stage()
    signing.force()
    refused(signing.client(), "UnsignedMetadataError", "targets was signed by 0/2 keys")


@pytest.mark.parametrize("holder", HOLDERS)
def test_one_holder_twice(signing: Signing, holder: str) -> None:
    """Two keys of one holder are one signature: the second one is not in root, nor can the holder put it there."""
    signing.key(holder, "release", "more")
    signing.stage()
    signing.sign({holder})
    metadata = signing.repository.newest("targets")
    metadata.sign(signing.signer(holder, "release", "more"), append=True)
    first = next(iter(metadata.signatures.values()))
    metadata.signatures["ff" * 32] = type(first)("ff" * 32, first.signature)
    (signing.repository.folder / "staged/targets.json").write_bytes(metadata.to_bytes())
    signing.force()
    refused(signing.client(), "UnsignedMetadataError", "targets was signed by 1/2 keys")


def test_one_holder_changes_root(signing: Signing) -> None:
    """A root with two keys of one holder needs the other's signature, too, and is refused even with it."""
    second = signing.key(PROVIDER, "release", "more")
    root = Metadata[Root].from_file(str(signing.newest("root")))
    root.signed.version = 2
    root.signed.add_key(second, "targets")
    for holder in (PROVIDER, AGENCY):
        root.sign(signing.signer(holder, "root"), append=holder != PROVIDER)
        (signing.metadata / "2.root.json").write_bytes(root.to_bytes())
        words = ("UnsignedMetadataError",) if holder == PROVIDER else ("exactly one key each of agency and provider",)
        refused(signing.client(f"at {holder}"), *words)


def test_threshold_counted_by_key(tmp_path: Path) -> None:
    """A root whose targets have two keys of the provider satisfies TUF with the provider alone, and not us."""
    signing = Signing.create(tmp_path)
    second = signing.key(PROVIDER, "release", "more")
    root = Metadata[Root].from_bytes(signing.root)
    root.signed.add_key(second, "targets")
    for holder in HOLDERS:
        root.sign(signing.signer(holder, "root"), append=holder != HOLDERS[0])
    for path in (signing.folder / "root.json", signing.newest("root")):
        path.write_bytes(root.to_bytes())
    signing.stage()
    signing.sign({PROVIDER})
    signing.add(PROVIDER, "release", "more")
    signing.force()
    folder = tmp_path / "plain"
    folder.mkdir()
    Updater(
        str(folder), f"{FOLDER}metadata/", fetcher=Folder(signing.repository.folder), bootstrap=signing.root
    ).refresh()
    refused(signing.client(), "targets has threshold 2 of keys of agency, provider, provider")


@pytest.mark.parametrize("spelled", [str, str.upper, lambda public: f" {public}"])
def test_a_key_under_two_names(tmp_path: Path, spelled: Callable[[str], str]) -> None:
    """The same key, once as the provider's and once as the agency's, is one key, however it is written."""
    signing = Signing.create(tmp_path)
    signing.release()
    root = Metadata[Root].from_bytes(signing.root)
    provider, agency = (
        next(k for k in root.signed.roles["targets"].keyids if holds(root, k, h)) for h in (PROVIDER, AGENCY)
    )
    keyval = root.signed.keys[provider].keyval
    root.signed.keys[agency].keyval = {**keyval, "public": spelled(keyval["public"])}
    root.signatures.clear()
    for holder in HOLDERS:
        root.sign(signing.signer(holder, "root"), append=True)
    (signing.folder / "root.json").write_bytes(root.to_bytes())
    refused(signing.client(), "are the same key")


def test_a_point_in_two_forms_is_one_key() -> None:
    """A key of a device, in PEM, is the same key with its point compressed and not, and in lines of another length."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    short = b64encode(bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200") + point).decode()
    whole = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    head, *body, foot = whole.splitlines()
    texts = (whole, f"{head}\n{''.join(body)}\n{foot}", f"{head}\n{short}\n{foot}\n")
    keys = [SSlibKey("id", "ecdsa", "ecdsa-sha2-nistp256", {"public": text}) for text in texts]
    assert len({holders.public(key) for key in keys}) == 1


def online(root: Root) -> str:
    """The name of the key that snapshot and timestamp are signed with."""
    (keyid,) = root.roles["timestamp"].keyids
    return keyid


ROOTS: dict[str, tuple[Callable[[Root, Key], object], str]] = {
    "in no one state": (lambda root, _: setattr(root, "consistent_snapshot", False), "consistent_snapshot is not set"),
    "one signs root": (lambda root, _: setattr(root.roles["root"], "threshold", 1), "root has threshold 1 of keys"),
    "one signs targets": (lambda root, _: setattr(root.roles["targets"], "threshold", 1), "targets has threshold 1"),
    "a second root key": (lambda root, key: root.add_key(key, "root"), "root has threshold 2 of keys of agency, prov"),
    "another snapshot": (lambda root, key: root.add_key(key, "snapshot"), "snapshot has keys of others than agency"),
    "another timestamp": (lambda root, key: root.add_key(key, "timestamp"), "timestamp has keys of others than agency"),
    "a key that is not there": (lambda root, _: root.keys.pop(online(root)), "is named and not there"),
    "a revoked key": (lambda root, _: root.unrecognized_fields.update({REVOKED: [online(root)]}), "was revoked and is"),
    "no list of revoked keys": (
        lambda root, _: root.unrecognized_fields.update({REVOKED: "ab"}),
        "is not a list of keys",
    ),
    "a revoked key without a name": (
        lambda root, _: root.unrecognized_fields.update({REVOKED: [1]}),
        "is not a list of",
    ),
}


@pytest.mark.parametrize(("change", "what"), ROOTS.values(), ids=ROOTS)
def test_a_root_by_which_less_than_both_holders_would_do(
    tmp_path: Path, change: Callable[[Root, Key], object], what: str
) -> None:
    """A root by which one holder, a stranger or a revoked key would do is refused, though both signed it."""
    signing = Signing.create(tmp_path)
    signing.release()
    root = Metadata[Root].from_bytes(signing.root)
    change(root.signed, signing.key(PROVIDER, "release", "more"))
    root.signatures.clear()
    for holder in HOLDERS:
        root.sign(signing.signer(holder, "root"), append=True)
    (signing.folder / "root.json").write_bytes(root.to_bytes())
    refused(signing.client(), what)


def holds(root: Metadata[Root], keyid: str, holder: str) -> bool:
    return root.signed.keys[keyid].unrecognized_fields["x-brightline-holder"] == holder


@pytest.mark.parametrize("role", ["root", "targets", "provider", "agency", "snapshot", "timestamp"])
def test_unknown_key(signing: Signing, role: str) -> None:
    """Metadata that is signed with keys that root does not have is refused, whichever role it is."""
    for holder, name in (
        ("provider", "root"),
        ("provider", "release"),
        ("agency", "root"),
        ("agency", "release"),
        ("agency", "online"),
    ):
        signing.key(holder, name, "strange")
    if role in {"snapshot", "timestamp"}:
        signing.online(signer=signing.signer(AGENCY, "online", "strange"))
    else:
        name = "root" if role == "root" else "release"
        metadata = Metadata[Any].from_file(str(signing.newest(role)))
        metadata.signed.version += 1
        for holder in HOLDERS:
            metadata.sign(signing.signer(holder, name, "strange"), append=holder != HOLDERS[0])
        signing.put(metadata, role)
        if role != "root":
            signing.online(lambda s: s.meta.update({f"{role}.json": named(signing.newest(role))}))
    refused(signing.client(), "UnsignedMetadataError")


@pytest.mark.parametrize("role", ["targets", "provider", "agency", "snapshot", "timestamp"])
def test_metadata_that_was_edited(signing: Signing, role: str) -> None:
    """A change of one value in signed metadata is refused."""
    signing.edit(role, lambda signed: signed.update(expires="2099-01-01T00:00:00Z"))
    refused(signing.client("fresh"), "")


def rotate(signing: Signing, holder: str, name: str, *, revoked: bool = False) -> str:
    """Another key in the place of the holder's; returns the old one."""
    old = keyfiles.public(signing.folder / "keys" / holder / f"{name}.pub").keyid
    new = signing.key(holder, name, "new")
    signing.repository.replace_key(old, new, signing.now, revoked=revoked)
    signing.sign(names=("root",))
    if name == "root":
        signing.sign({holder}, ("root",), "new")
    if name == "release":
        signing.sign({holder}, ("release",), "new")
        signing.sign(set(HOLDERS) - {holder})
    signing.publish()
    return old


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("name", ["root", "release"])
def test_a_rotated_key(signing: Signing, holder: str, name: str) -> None:
    """A holder's key is exchanged with both holders' signatures, and the release stays in force with the new one."""
    before = loaded(signing)
    rotate(signing, holder, name)
    after = loaded(signing)
    assert (after.digest, after.metadata["root"], after.signers) == (before.digest, 2, ("agency", "provider"))


def test_one_holder_can_not_rotate(signing: Signing) -> None:
    """While a key is rotated, one holder with the old and the new key still counts once."""
    new = signing.key(PROVIDER, "root", "new")
    old = keyfiles.public(signing.folder / "keys/provider/root.pub").keyid
    signing.repository.replace_key(old, new, signing.now, revoked=False)
    signing.sign({PROVIDER}, ("root",))
    signing.force({PROVIDER}, ("root",), "new")
    refused(signing.client(), "UnsignedMetadataError")


def test_revoked_key(signing: Signing) -> None:
    """A release that is signed with a revoked key is refused, and no later root brings the key back."""
    old = rotate(signing, PROVIDER, "release", revoked=True)
    loaded(signing)
    signing.stage()
    signing.add(PROVIDER, "release", "keys")
    signing.force({AGENCY})
    refused(signing.client(), "UnsignedMetadataError")
    root = Metadata[Root].from_file(str(signing.newest("root")))
    root.signed.version += 1
    root.signed.unrecognized_fields.pop("x-brightline-revoked")
    (new,) = [k for k in root.signed.roles["targets"].keyids if holds(root, k, PROVIDER)]
    root.signed.revoke_key(new, "targets")
    root.signed.add_key(keyfiles.public(signing.folder / "keys/provider/release.pub"), "targets")
    for holder in HOLDERS:
        root.sign(signing.signer(holder, "root"), append=holder != HOLDERS[0])
    (signing.metadata / f"{root.signed.version}.root.json").write_bytes(root.to_bytes())
    refused(signing.client(), f"key {old} was revoked and is used again")


def disguised(signing: Signing, holder: str, at: str, name: str) -> Key:
    """The release key in the folder `at`, called by another name in its .pub, which is what signs and is signed."""
    path = signing.folder / at / holder / "release.pub"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "keyid": name}))
    return keyfiles.public(path)


def test_revoked_key_under_another_name(signing: Signing) -> None:
    """A key that was revoked does not come back by another name, though both signed the root that has it."""
    rotate(signing, PROVIDER, "release", revoked=True)
    loaded(signing)
    again = disguised(signing, PROVIDER, "keys", "ab" * 32)
    new = keyfiles.public(signing.folder / "new/provider/release.pub").keyid
    root = Metadata[Root].from_file(str(signing.newest("root")))
    root.signed.version += 1
    root.signed.revoke_key(new, "targets")
    root.signed.add_key(again, "targets")
    for holder in HOLDERS:
        root.sign(signing.signer(holder, "root"), append=holder != HOLDERS[0])
    signing.put(root, "root")
    signing.release()
    refused(signing.client(), f"key {again.keyid} was revoked and is used again")


def test_a_revoked_key_can_not_be_staged(signing: Signing) -> None:
    """Who proposes a key that was revoked, by whatever name, is told before anybody signs."""
    rotate(signing, PROVIDER, "release", revoked=True)
    again = disguised(signing, PROVIDER, "keys", "ab" * 32)
    new = keyfiles.public(signing.folder / "new/provider/release.pub").keyid
    with pytest.raises(StartError, match="was revoked and is used again"):
        signing.repository.replace_key(new, again, signing.now, revoked=False)


def test_root_chain_with_a_gap(signing: Signing) -> None:
    """A root that can't be reached version by version is not reached, and what it alone would allow is refused."""
    rotate(signing, PROVIDER, "release")
    (signing.metadata / "3.root.json").write_bytes((signing.metadata / "2.root.json").read_bytes())
    (signing.metadata / "2.root.json").unlink()
    refused(signing.client(), "UnsignedMetadataError")


# --- what one holder can do --------------------------------------------------------------------------------------


@pytest.mark.parametrize("holder", HOLDERS)
def test_delegated_role_outside_its_paths(signing: Signing, holder: str) -> None:
    """What a holder's role says about the other's files, or about what is both's, is not looked at."""
    before = loaded(signing)
    other = {"agency/tenants.json", "provider/models.json", "manifest.json", "policy.wasm"}
    role = Metadata[Targets].from_file(str(signing.newest(holder)))
    role.signed.version += 1
    for name in other - set(role.signed.targets):
        role.signed.targets[name] = TargetFile.from_data(name, b"{}", ["sha256"])
    role.sign(signing.signer(holder, "release"))
    signing.put(role, holder)
    signing.online(lambda s: s.meta.update({f"{holder}.json": named(signing.newest(holder))}))
    after = loaded(signing)
    assert (after.digest, after.tenants, after.models) == (before.digest, before.tenants, before.models)


GRANT: Any = {
    "id": "g",
    "tenant": TENANT.id,
    "rule": "weapons_design",
    "purposes": ["x"],
    "conditions": [],
    "not_before": 0,
    "expires": 1 << 42,
    "addendum": "a",
}


@pytest.mark.parametrize("name", ["agency/grants.json", "provider/grants.json", "grants.json"])
def test_a_grant_that_the_agency_signs(signing: Signing, name: str) -> None:
    """With every key of its own the agency gives no grant: whatever its role names, nobody looks there for one."""
    before = loaded(signing)
    role = Metadata[Targets].from_file(str(signing.newest(AGENCY)))
    role.signed.version += 1
    role.signed.targets[name] = TargetFile.from_data(name, json.dumps({"grants": [GRANT]}).encode(), ["sha256"])
    role.sign(signing.signer(AGENCY, "release"))
    signing.put(role, AGENCY)
    signing.online(lambda s: s.meta.update({"agency.json": named(signing.newest(AGENCY))}))
    after = loaded(signing)
    assert after.digest == before.digest
    assert after.tenants[TENANT.id].attributes["grants"] == []


def test_a_grant_that_the_providers_role_does_not_hold(signing: Signing) -> None:
    """Also when the provider signed the manifest that names it: its own role has to have signed the grants."""
    signing.stage(grants={"grants": [GRANT]})
    (signing.repository.folder / "staged/provider.json").unlink()
    signing.sign({AGENCY})
    signing.add(PROVIDER, "release", "keys")
    signing.force()
    refused(signing.client(), "provider/grants.json: is no target of this release")


def test_a_delegation_that_reaches_further(signing: Signing) -> None:
    """Delegations with other paths, keys, thresholds or roles are refused, even when both signed them."""

    def wider(targets: Targets) -> None:
        assert targets.delegations is not None
        assert targets.delegations.roles is not None
        targets.delegations.roles["provider"].paths = ["*/*"]

    def endless(targets: Targets) -> None:
        assert targets.delegations is not None
        assert targets.delegations.roles is not None
        targets.delegations.roles["provider"].terminating = False

    def never(targets: Targets) -> None:
        assert targets.delegations is not None
        assert targets.delegations.roles is not None
        targets.delegations.roles["provider"].threshold = 2

    def nobody(targets: Targets) -> None:
        targets.delegations = None

    for version, change in enumerate((wider, endless, never, nobody), 3):
        targets = Metadata[Targets].from_file(str(signing.metadata / "2.targets.json"))
        targets.signed.version = version
        change(targets.signed)
        for holder in HOLDERS:
            targets.sign(signing.signer(holder, "release"), append=holder != HOLDERS[0])
        signing.put(targets, "targets")
        signing.online(lambda s: s.meta.update({"targets.json": named(signing.newest("targets"))}))
        refused(signing.client(f"at {version}"), "targets version")


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_delegation_to_a_key_that_root_does_not_name(signing: Signing, holder: str) -> None:
    """A key that root doesn't name takes back no restriction, though both signed a delegation to it."""
    strange = signing.key(holder, "release", "strange")
    signing.stage()
    targets = Metadata[Targets].from_file(str(signing.repository.folder / "staged/targets.json"))
    found = targets.signed.delegations
    assert found is not None
    assert found.roles is not None
    found.keys[strange.keyid], found.roles[holder].keyids = strange, [strange.keyid]
    (signing.repository.folder / "staged/targets.json").write_bytes(targets.to_bytes())
    signing.sign()
    signing.force({holder}, at="strange")
    refused(signing.client(), f"the role {holder} has another key")


@pytest.mark.parametrize("name", ["online", "root"])
def test_a_delegation_to_a_key_that_root_has_for_something_else(signing: Signing, name: str) -> None:
    """Neither the online key nor a root key signs the agency's part, though both signed a delegation to it."""
    other = keyfiles.public(signing.folder / f"keys/agency/{name}.pub")
    signing.stage()
    targets = Metadata[Targets].from_file(str(signing.repository.folder / "staged/targets.json"))
    found = targets.signed.delegations
    assert found is not None
    assert found.roles is not None
    found.keys[other.keyid], found.roles[AGENCY].keyids = other, [other.keyid]
    (signing.repository.folder / "staged/targets.json").write_bytes(targets.to_bytes())
    signing.sign()
    signing.force({AGENCY}, [name])
    refused(signing.client(), "the role agency has another key")


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_delegation_to_another_key_by_the_name_that_root_has(signing: Signing, holder: str) -> None:
    """Nor does a key that is called as root's is, though both signed the delegation to it."""
    signing.key(holder, "release", "strange")
    own = keyfiles.public(signing.folder / "keys" / holder / "release.pub").keyid
    strange = disguised(signing, holder, "strange", own)
    signing.repository.restrict(holder, json.dumps({"format": 1, "purposes": ["x"]}).encode(), signing.now)
    signing.force({holder})
    assert loaded(signing).tenants[TENANT.id].attributes["purposes"] == ["summarisation"]
    targets = Metadata[Targets].from_file(str(signing.newest("targets")))
    assert targets.signed.delegations is not None
    targets.signed.version += 1
    targets.signed.delegations.keys[own] = strange
    for signer in HOLDERS:
        targets.sign(signing.signer(signer, "release"), append=signer != HOLDERS[0])
    signing.put(targets, "targets")
    role = Metadata[Targets].from_file(str(signing.newest(holder)))
    role.signed.version += 1
    del role.signed.targets[f"{holder}/restrictions.json"]
    role.sign(signing.signer(holder, "release", "strange"))
    signing.put(role, holder)
    signing.online(lambda s: s.meta.update({f"{n}.json": named(signing.newest(n)) for n in ("targets", holder)}))
    refused(signing.client(), f"the role {holder} has another key")


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_holder_that_delegates_further(signing: Signing, holder: str) -> None:
    """A holder's own role names nobody else to sign in its place, however well the other one signs."""
    key = signing.key(holder, "release", "more")
    role = Metadata[Targets].from_file(str(signing.newest(holder)))
    role.signed.version += 1
    other = DelegatedRole("other", [key.keyid], 1, terminating=True, paths=[f"{holder}/*"])
    role.signed.delegations = Delegations({key.keyid: key}, {"other": other})
    role.sign(signing.signer(holder, "release"))
    signing.put(role, holder)
    deeper = Metadata(Targets(expires=role.signed.expires))
    deeper.sign(signing.signer(holder, "release", "more"))
    signing.put(deeper, "other")
    signing.online(lambda s: s.meta.update({f"{name}.json": named(signing.newest(name)) for name in (holder, "other")}))
    refused(signing.client(), f"{holder} version 3: delegates further")


def test_a_signed_release_beyond_the_size_bound(
    signing: Signing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that both signed stays within the bound together, not each file by itself."""
    signing.client().extract(tmp_path / "whole")
    size = sum(path.stat().st_size for path in (tmp_path / "whole").rglob("*") if path.is_file())
    monkeypatch.setattr(folder, "MAX_BYTES", size)
    signing.client("within").load()
    monkeypatch.setattr(folder, "MAX_BYTES", size - 1)
    refused(signing.client("beyond"), f"the release is larger than {size - 1} bytes")


@pytest.mark.parametrize("holder", HOLDERS)
def test_restrictions_without_end(signing: Signing, holder: str) -> None:
    """What one holder takes away alone has a length that is asked before it is fetched."""
    whole = json.dumps({"format": 1}).encode()
    for more, name in ((0, "whole"), (1, "longer")):
        signing.repository.restrict(holder, whole.ljust(MAX_BYTES + more), signing.now)
        signing.force({holder})
        if more:
            refused(signing.client(name), f"{holder}/restrictions.json: the release is larger than")
        else:
            signing.client(name).load()


@pytest.mark.parametrize("holder", HOLDERS)
def test_key_compromise_of_one_holder(signing: Signing, holder: str) -> None:
    """With all keys of one holder and the online key an attacker can take away, and nothing else."""
    before = loaded(signing)
    gone = {"format": 1, "purposes": ["x"], "tenants": ["nobody"], "models": [MODEL.id]}
    signing.repository.restrict(holder, json.dumps(gone).encode(), signing.now)
    signing.force({holder})
    after = loaded(signing)
    assert after.tenants[TENANT.id].attributes["purposes"] == ["summarisation"]
    assert (after.models, after.base) == ({}, before.digest)
    assert after.digest != before.digest
    for more in ({"grants": [{"id": "g"}]}, {"add": ["x"]}, {"purposes": "x"}, {"format": 2}):
        signing.repository.restrict(holder, json.dumps({"format": 1, **more}).encode(), signing.now)
        signing.force({holder})
        refused(signing.client(), "restrictions.json")
    signing.repository.restrict(holder, None, signing.now)
    signing.force({holder})
    assert loaded(signing).digest == before.digest


# --- what breaks underneath --------------------------------------------------------------------------------------


def in_a_child(work: Callable[[], object]) -> int:
    """Runs it in a process that is forked off and ended at once; its exit code."""
    child = os.fork()
    if child == 0:
        code = 3
        try:
            code = int(bool(work()))
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


WRITES = {"os.rename", "os.remove", "os.symlink", "os.mkdir", "open"}
CRASHED = 9


def crashing(at: int, folder: Path, work: Callable[[], object]) -> object:
    """Ends the process before the write number `at` below the folder."""
    seen = [0]

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in WRITES or not any(
            isinstance(a, str | bytes | Path) and str(folder) in str(a) for a in arguments
        ):
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        seen[0] += 1
        if seen[0] == at:
            os._exit(CRASHED)

    sys.addaudithook(look)
    return work()


def test_crash_at_each_write_of_the_local_metadata(signing: Signing) -> None:
    """Killed before any of its writes, a gateway loads the newest release at its next try, and nothing older."""
    log = FORGOTTEN.after(loaded(signing))
    rotate(signing, AGENCY, "release")
    signing.stage()
    signing.sign({PROVIDER})
    signing.sign({AGENCY}, at="new")
    signing.publish()
    crashes = 0
    while True:
        folder = signing.folder / f"crash {crashes}"
        os.system(f"cp -a '{signing.folder / 'gateway'}' '{folder}'")  # noqa: S605 - our own paths, links as they are
        work = lambda f=folder, n=crashes + 1: crashing(n, f, signing.client(f.name).load) is None  # noqa: E731 - in a child
        if in_a_child(work) != CRASHED:
            break
        crashes += 1
        found = loaded(signing, folder.name)
        log.check(found)
        assert (found.version, found.metadata["root"]) == (3, 2)
        assert not list(folder.glob("tmp*"))
    assert crashes > 15


def test_crash_at_each_write_of_a_revocation(signing: Signing) -> None:
    """Killed before any of its writes, the same revocation again stages all of it, and both put it in force."""
    old, new = signing.signer(AGENCY, "release").public_key.keyid, signing.key(AGENCY, "release", "new")

    def revoke(at: Signing) -> None:
        at.repository.replace_key(old, new, at.now, revoked=True)

    for step in count(1):
        at = replace(signing, folder=signing.folder / f"crash {step}")
        shutil.copytree(signing.folder, at.folder, ignore=shutil.ignore_patterns("crash *"), symlinks=True)
        if in_a_child(lambda n=step, at=at: crashing(n, at.repository.folder, lambda: revoke(at)) is None) != CRASHED:
            break
        revoke(at)
        at.sign(names=["root"])
        at.sign({PROVIDER})
        at.sign({AGENCY}, at="new")
        at.publish()
        assert at.client("fresh").load().metadata["root"] == 2
    assert step > 6


def test_a_rotation_that_breaks_off_is_seen_between_its_last_two_files_alone(
    signing: Signing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A root is found by its number, so it comes last before the timestamp: until then gateways start with what was."""
    old, new = signing.signer(AGENCY, "release").public_key.keyid, signing.key(AGENCY, "release", "new")
    signing.repository.replace_key(old, new, signing.now, revoked=False)
    signing.sign(names=["root"])
    signing.sign({PROVIDER})
    signing.sign({AGENCY}, at="new")
    before, broken = signing.kept("before"), []
    for step in count(1):
        signing.serve(before)
        with monkeypatch.context() as patch:
            done = failing_at(step, patch, [(repository, "put")])
            with contextlib.suppress(StartError):
                signing.publish()
        if len(done) < step:
            break
        with contextlib.suppress(StartError):
            loaded(signing, f"fresh {step}")
            continue
        broken.append(step)
        signing.publish()
        assert loaded(signing, f"again {step}").metadata["root"] == 2
    assert broken == [step - 1]


def test_a_root_without_what_its_keys_sign_is_not_published(signing: Signing) -> None:
    """Of a rotation, root alone would make a repository that every gateway refuses: nothing is written."""
    old, new = signing.signer(AGENCY, "release").public_key.keyid, signing.key(AGENCY, "release", "new")
    signing.repository.replace_key(old, new, signing.now, revoked=False)
    for role in ("targets", AGENCY):
        (signing.repository.folder / f"staged/{role}.json").unlink()
    signing.sign(names=["root"])
    with pytest.raises(StartError, match="targets is not signed by agency yet"):
        signing.publish()
    assert signing.client("fresh").load().metadata["root"] == 1


def test_two_gateways_refreshing_at_once(signing: Signing) -> None:
    """Gateways that share their trusted metadata take turns: each gets a whole release, and at last the newest."""
    found: list[Release] = []
    troubles: list[Exception] = []

    def refresh() -> None:
        try:
            for _ in range(5):
                found.append(signing.client().load())  # noqa: PERF401 - what there was before one failed counts
        except Exception as error:  # noqa: BLE001 - told by the test
            troubles.append(error)

    threads = [threading.Thread(target=refresh) for _ in range(4)]
    for thread in threads:
        thread.start()
    signing.release()
    for thread in threads:
        thread.join()
    assert (troubles, len(found)) == ([], 20)
    assert {release.version for release in found} <= {2, 3}
    assert loaded(signing).version == 3


def test_disk_full(signing: Signing) -> None:
    """No room for metadata or files refuses the refresh with the folder's name; with room again it goes on."""
    signing.release()

    def without_room() -> bool:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        try:
            signing.client().load()
        except StartError as error:
            return f"release.metadata: {signing.folder / 'gateway'}" in str(error)
        return False

    assert in_a_child(without_room) == 1
    assert loaded(signing).version == 3


def test_clock_forward_one_year(tmp_path: Path) -> None:
    """A year from now everything has expired, and is refused."""
    signing = Signing.create(tmp_path, datetime.now(UTC) - timedelta(days=366))
    signing.release()
    refused(signing.client(), "ExpiredMetadataError", "root")


def test_clock_back_one_day(tmp_path: Path) -> None:
    """A clock that went back a day makes nothing valid that is older than what was seen."""
    signing = Signing.create(tmp_path, datetime.now(UTC) + timedelta(days=1))
    signing.release()
    first = signing.kept("first")
    loaded(signing)
    signing.release()
    assert loaded(signing).version == 2
    signing.serve(first)
    refused(signing.client(), "BadVersionNumberError")


def test_what_the_log_remembers_of_unsigned_releases(signing: Signing) -> None:
    """An unsigned release in between, as in development, makes the log forget nothing."""
    found = loaded(signing)
    unsigned = Release("0" * 64, 1, (), "r", b"", {}, {}, {})
    log = FORGOTTEN.after(found).after(unsigned)
    assert log == RollbackGuard(found.digest, found.metadata)
    log.check(unsigned)
