"""What the log remembers of releases, read back from its records, and what it keeps from coming in force."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.audit.rollback_guard import FORGOTTEN, RollbackGuard, remembered, since
from gateway.canonical import Json, canonical
from gateway.errors import StartError
from tests.support.releases import release

VERSIONS = {"root": 2, "targets": 5, "provider": 5, "agency": 5, "snapshot": 7, "timestamp": 9}
GUARD = RollbackGuard("a" * 64, VERSIONS)
IN_FORCE = replace(release(b""), digest=GUARD.digest, metadata=VERSIONS)


def leaf(digest: str | None, time_us: int, **metadata: int) -> bytes:
    """The record of a start or a release; one that was refused names none."""
    value: Json = None if digest is None else {"digest": digest, "metadata": dict[str, Json](metadata)}
    return canonical({"release": value, "time_us": time_us})


@pytest.mark.parametrize("role", VERSIONS)
def test_no_role_goes_back(role: str) -> None:
    """A signed release in which any role is older, or missing, is refused; one in which it is newer is not."""
    GUARD.check(replace(IN_FORCE, metadata=VERSIONS | {role: VERSIONS[role] + 1}))
    without = {name: version for name, version in VERSIONS.items() if name != role}
    for older in (VERSIONS | {role: VERSIONS[role] - 1}, without):
        with pytest.raises(StartError, match=f"release: {role} version . is older than {VERSIONS[role]}"):
            GUARD.check(replace(IN_FORCE, metadata=older))


@pytest.mark.parametrize("role", ["targets", "provider", "agency"])
def test_the_same_versions_are_the_same_release(role: str) -> None:
    """Other content needs a newer version of a role that says what it is; a later time alone is none."""
    GUARD.check(IN_FORCE)
    GUARD.check(replace(IN_FORCE, digest="b" * 64, metadata=VERSIONS | {role: 6}))
    for later in ("root", "snapshot", "timestamp"):
        with pytest.raises(StartError, match="with the versions of"):
            GUARD.check(replace(IN_FORCE, digest="b" * 64, metadata=VERSIONS | {later: 10}))


def test_the_newest_signed_release_is_remembered() -> None:
    """Whatever came after it: a release without signatures, one that was refused, or what is no record."""
    assert remembered(iter([])) == FORGOTTEN
    assert remembered(iter([leaf("b" * 64, 1)])) == FORGOTTEN
    newest, older = leaf("a" * 64, 2, **VERSIONS), leaf("c" * 64, 1, root=1)
    for later in ([], [leaf("b" * 64, 3)], [leaf(None, 3)], [b"odd"], [b"[]"], [b'{"release":"odd"}']):
        assert remembered(iter([*later, newest, older])) == GUARD


def test_since_when_a_release_is_in_force_without_a_break() -> None:
    """Refusals and what is no record in between are no break; another release is, and what was before it."""
    now, before = leaf("a" * 64, 5), leaf("b" * 64, 3)
    assert since(iter([now, leaf(None, 4), b"odd", leaf("a" * 64, 4), before, leaf("a" * 64, 1)]), "a" * 64) == 4
    assert since(iter([now]), "a" * 64) == 5
    assert since(iter([before, now]), "a" * 64) is None
    assert since(iter([]), "a" * 64) is None
