"""Wrapping keys in a PKCS #11 token. Runs where SoftHSM is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.audit.sealed.envelope import Period, SealError
from gateway.audit.sealed.token import Token
from gateway.audit.sealed.vault import GoneError
from gateway.config import Pkcs11
from gateway.errors import StartError
from tests.support import logs, sealing, softhsm

pytestmark = softhsm.needed
PERIOD = Period("agency", "standard", "2026-11")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Pkcs11:
    """A token in software."""
    pin = tmp_path_factory.mktemp("softhsm") / "pin"
    pin.write_text(f"{softhsm.PIN}\n")
    pin.chmod(0o600)
    return Pkcs11(module=softhsm.module(), token="brightline", pin=pin)


@pytest.fixture
def token(settings: Pkcs11) -> Iterator[Token]:
    with closing(Token.open(settings)) as made:
        yield made


def test_a_key_wraps_and_unwraps_and_never_leaves(token: Token) -> None:
    """What was wrapped comes back with what it was bound to; the key itself can't be read out of the token."""
    token.create(PERIOD)
    token.create(PERIOD)
    wrapped = token.wrap(PERIOD, b"k" * 32, b"bound")
    assert token.unwrap(PERIOD, wrapped, b"bound") == b"k" * 32
    assert token.unwrap(PERIOD, token.wrap(PERIOD, b"", b"bound"), b"bound") == b""
    for changed, bound in ((wrapped[:-1] + b"\0", b"bound"), (wrapped, b"other"), (wrapped[:5], b"bound")):
        with pytest.raises(SealError):
            token.unwrap(PERIOD, changed, bound)
    with pytest.raises(token._pkcs11.exceptions.PKCS11Error):
        token._key(PERIOD)[token._pkcs11.Attribute.VALUE]


def test_a_destroyed_key_is_gone(token: Token) -> None:
    """After it nothing that it wrapped opens, and a new key of the same period is another one."""
    period = Period("agency", "standard", "2026-12")
    token.create(period)
    wrapped = token.wrap(period, b"k" * 32, b"")
    token.destroy(period)
    token.destroy(period)
    with pytest.raises(GoneError):
        token.unwrap(period, wrapped, b"")
    token.create(period)
    with pytest.raises(SealError):
        token.unwrap(period, wrapped, b"")


async def test_calls_are_sealed_with_a_key_of_the_token(settings: Pkcs11, tmp_path: Path) -> None:
    """The gateway seals with it as with a file."""
    sealed = sealing.settings(tmp_path, keys=None, pkcs11=settings)
    async with logs.opened(tmp_path, sealed=sealed) as log:
        decision_id = await sealing.ask(log)
    assert [bool(record["commitments"]["sealed"]) for record in sealing.told(tmp_path, decision_id)] == [True, True]


@pytest.mark.parametrize(
    ("changes", "what"),
    [({"token": "other"}, "other"), ({"module": "/missing.so"}, "missing.so"), ({"pin": None}, "Pin")],
)
def test_a_token_that_can_not_be_used_is_told(
    settings: Pkcs11, tmp_path: Path, changes: dict[str, object], what: str
) -> None:
    """No such token, no such library, or another PIN: each is named."""
    (tmp_path / "pin").write_text("9999")
    (tmp_path / "pin").chmod(0o600)
    given = {"module": settings.module, "token": settings.token, "pin": settings.pin, **changes}
    made = Pkcs11(**{name: value or tmp_path / "pin" for name, value in given.items()})
    with pytest.raises(StartError, match=what):
        Token.open(made)
