"""Counts signatures by holder. TUF counts keys, and one party could have two keys.

Every key in root and in the delegations names its holder, in a field that the signature over root or targets covers.
The roles root and targets have threshold two and exactly one key of each holder, so two valid signatures come from both
holders. A key is replaced in one step, so this holds at every version. The checks:

1 each holder has exactly one key in root and one in targets, and the threshold is two
2 only the agency has keys of snapshot and timestamp
3 no key occurs twice under two key ids, and no revoked key occurs, compared by key id and by key value
4 the valid signatures come from both holders; they are counted again after TUF's own verification
5 each holder has one terminating delegated role, over its own paths, with the key that the holder signs targets with
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from tuf.api.metadata import DelegatedRole, Key, Metadata, Role, Root, Targets

from gateway.errors import StartError
from gateway.release.parts import AGENCY, HOLDERS, paths

HOLDER: Final = "x-brightline-holder"
REVOKED: Final = "x-brightline-revoked"
ROOT: Final = "root"
TARGETS: Final = "targets"
SNAPSHOT: Final = "snapshot"
TIMESTAMP: Final = "timestamp"


def of(key: Key) -> str:
    """The holder of the key; empty if the key names none."""
    holder = key.unrecognized_fields.get(HOLDER)
    return holder if isinstance(holder, str) else ""


def public(key: Key) -> str:
    """The key value in one canonical text, whatever its encoding and key id."""
    text = str(key.keyval.get("public", ""))
    try:
        if "-----BEGIN" in text:
            loaded = load_pem_public_key(text.encode())
            return loaded.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex()
        return bytes.fromhex(text).hex()
    except (ValueError, UnsupportedAlgorithm):
        return "".join(text.split()).lower()


def check_root(root: Root, revoked: Iterable[str] = ()) -> frozenset[str]:
    """Check steps 1 to 3. Raises StartError.

    revoked: key ids and key values that earlier roots revoked. Returns them with those that this root revokes.
    """
    where = f"root version {root.version}"
    if root.consistent_snapshot is not True:
        raise StartError(f"{where}: consistent_snapshot is not set; a release has to be one state of the repository")
    for name in (ROOT, TARGETS):  # 1
        role = root.roles[name]
        found = sorted(_holders(where, role, root.keys))
        if role.threshold != len(HOLDERS) or found != sorted(HOLDERS):
            raise StartError(
                f"{where}: {name} has threshold {role.threshold} of keys of {', '.join(found) or 'nobody'}\n"
                f"it has threshold {len(HOLDERS)} and exactly one key each of {' and '.join(HOLDERS)}"
            )
    for name in (SNAPSHOT, TIMESTAMP):  # 2
        if set(_holders(where, root.roles[name], root.keys)) != {AGENCY}:
            raise StartError(f"{where}: {name} has keys of others than {AGENCY}, who operates it")
    _once(where, root.keys)  # 3
    gone = frozenset(revoked) | _revoked(where, root)
    for keyid, key in root.keys.items():
        if keyid in gone or public(key) in gone:
            raise StartError(f"{where}: key {keyid} was revoked and is used again; make a new one")
    return gone


def check_targets(root: Root, targets: Metadata[Targets]) -> dict[str, str]:
    """Check steps 4 and 5. Returns the key with which each holder signed the top-level targets. Raises StartError."""
    signed = signers(root, TARGETS, targets)
    missing = sorted(set(HOLDERS) - set(signed))
    if missing:
        raise StartError(f"targets version {targets.signed.version}: is not signed by {' and '.join(missing)}")
    where = f"targets version {targets.signed.version}"
    found = targets.signed.delegations
    roles = dict(found.roles or {}) if found else {}
    if found is None or sorted(roles) != sorted(HOLDERS):
        raise StartError(
            f"{where}: delegates to {', '.join(sorted(roles)) or 'nobody'}, not to {' and '.join(HOLDERS)}"
        )
    _once(where, found.keys)
    for name, role in roles.items():
        _check_delegation(where, name, role, found.keys)
        if any(k not in root.roles[TARGETS].keyids or found.keys[k] != root.keys[k] for k in role.keyids):
            raise StartError(f"{where}: the role {name} has another key than the one that root says {name} signs with")
    return signed


def signers(delegator: Root | Targets, name: str, metadata: Metadata[Root] | Metadata[Targets]) -> dict[str, str]:
    """The holders whose signatures over the metadata are valid, each with its key."""
    result = delegator.get_verification_result(name, metadata.signed_bytes, metadata.signatures)
    return {of(key): keyid for keyid, key in result.signed.items()}


def _check_delegation(where: str, name: str, role: DelegatedRole, keys: Mapping[str, Key]) -> None:
    if _holders(where, role, keys) != [name] or role.threshold != 1:
        raise StartError(f"{where}: the role {name} has other keys than one of {name}")
    if role.paths != paths(name) or not role.terminating:
        raise StartError(f"{where}: the role {name} reaches beyond {name}/, or does not end there")


def _holders(where: str, role: Role, keys: Mapping[str, Key]) -> list[str]:
    missing = [keyid for keyid in role.keyids if keyid not in keys]
    if missing:
        raise StartError(f"{where}: key {missing[0]} is named and not there")
    return [of(keys[keyid]) for keyid in role.keyids]


def _once(where: str, keys: Mapping[str, Key]) -> None:
    """Refuse a key that occurs under two key ids, because its signatures would count twice."""
    seen: dict[str, str] = {}
    for keyid, key in keys.items():
        there = seen.setdefault(public(key), keyid)
        if there != keyid:
            raise StartError(f"{where}: {keyid} and {there} are the same key")


def _revoked(where: str, root: Root) -> frozenset[str]:
    named = root.unrecognized_fields.get(REVOKED, [])
    if not isinstance(named, list) or not all(isinstance(keyid, str) for keyid in named):
        raise StartError(f"{where}: {REVOKED} is not a list of keys")
    return frozenset(named)
