"""Certificates and CAs of the port are replaced under a gateway that runs."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
import structlog.testing

from gateway.identity.issue import Pair
from tests.support.attacks import Attacker, attacking, authority, verified
from tests.support.gateways import LOGISTICS, Deployment, Running, serving
from tests.support.pki import Authority

NAME = f"spiffe://brightline.test/tenant/{LOGISTICS}"


@pytest.fixture
def deployed(tmp_path: Path) -> Deployment:
    return Deployment.create(tmp_path)


def replace(deployed: Deployment, name: str, data: bytes) -> None:
    """Put another file in the place of one, with its mode."""
    path = deployed.folder / name
    draft = path.with_suffix(".draft")
    draft.write_bytes(data)
    shutil.copymode(path, draft)
    draft.replace(path)


@asynccontextmanager
async def fresh(running: Running, pair: Pair, *, ca: bytes | None = None) -> AsyncIterator[tuple[Attacker, str]]:
    """A new connection with this certificate, and the authorization value that goes with it."""
    async with attacking(running, pair, ca=ca) as attacker:
        yield attacker, f"Bearer {running.token(LOGISTICS, certificate=pair.certificate)}"


async def answered(running: Running, pair: Pair, *, ca: bytes | None = None) -> bool:
    """Whether the port takes a new connection with this certificate, whose server is of that CA."""
    async with fresh(running, pair, ca=ca) as (attacker, authorization):
        try:
            return bool(await attacker.call(authorizations=[authorization]))
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            return False


async def test_a_renewed_certificate_is_shown_to_who_connects_next(deployed: Deployment) -> None:
    """With certificate and key replaced, one after the other, new connections see the new one; old ones go on."""
    other = Authority()
    renewed = other.server()
    async with serving(deployed) as running, attacking(running) as connected:
        assert await connected.call()
        with structlog.testing.capture_logs() as said:
            replace(deployed, "server.pem", renewed.certificate)
            assert await answered(running, honest(running))  # half replaced: what was in use stays
            replace(deployed, "server.key", renewed.key)
            assert await answered(running, honest(running), ca=other.ca.certificate)
        assert not await answered(running, honest(running))
        assert await connected.call()
        assert [s["event"] for s in said if s["event"].startswith("certificates")] == [
            "certificates not replaced",
            "certificates replaced",
        ]
        verified(running)


async def test_what_could_not_be_used_is_used_as_soon_as_it_can_be(deployed: Deployment) -> None:
    """A key that others could read is taken once they can't, though it is the same file; until then it is said once."""
    other = Authority()
    renewed = other.server()
    async with serving(deployed) as running:
        with structlog.testing.capture_logs() as said:
            (deployed.folder / "server.key").chmod(0o644)
            replace(deployed, "server.key", renewed.key)
            replace(deployed, "server.pem", renewed.certificate)
            for _ in range(2):
                assert await answered(running, honest(running))
            (deployed.folder / "server.key").chmod(0o600)
            assert await answered(running, honest(running), ca=other.ca.certificate)
        assert [s["event"] for s in said if s["event"].startswith("certificates")] == [
            "certificates not replaced",
            "certificates replaced",
        ]
        verified(running)


def honest(running: Running) -> Pair:
    return Pair(running.certificate(LOGISTICS), running.key(LOGISTICS))


async def test_client_cas_are_replaced_while_it_runs(deployed: Deployment) -> None:
    """A CA that is added is believed, one that is taken out is not, and a file without any changes nothing."""
    other, old = Authority(), deployed.ca
    stranger = other.client(NAME)
    async with serving(deployed) as running:
        assert not await answered(running, stranger, ca=old)
        replace(deployed, "ca.pem", old + other.ca.certificate)
        assert await answered(running, stranger, ca=old)
        assert await answered(running, honest(running), ca=old)
        replace(deployed, "ca.pem", b"")
        assert await answered(running, honest(running), ca=old)
        replace(deployed, "ca.pem", other.ca.certificate)
        assert not await answered(running, honest(running), ca=old)
        assert await answered(running, stranger, ca=old)
        verified(running)


async def test_lists_of_a_new_ca_are_believed(deployed: Deployment) -> None:
    """A revocation list of a CA that came while the gateway ran is taken, and revokes."""
    other, first = Authority(), authority(deployed)
    stranger = other.client(NAME)
    (deployed.folder / "crl.pem").write_bytes(first.crl())
    deployed.edit("[identity]\n", '[identity]\ncrl = "crl.pem"\n')
    old = deployed.ca
    async with serving(deployed) as running:
        replace(deployed, "ca.pem", old + other.ca.certificate)
        replace(deployed, "crl.pem", first.crl() + other.crl())
        assert await answered(running, stranger, ca=old)
        replace(deployed, "crl.pem", first.crl() + other.crl(stranger.certificate))
        async with fresh(running, stranger, ca=old) as (attacker, authorization):
            with pytest.raises(grpc.aio.AioRpcError):
                await attacker.call(authorizations=[authorization])
        assert running.records()[-1]["reason"] == "CREDENTIAL_REVOKED"


async def test_a_bound_trust_domain_takes_names_of_its_own_ca_alone(deployed: Deployment) -> None:
    """Of two client CAs, one can't issue the names of the other's trust domain."""
    other, old = Authority(), deployed.ca
    (deployed.folder / "domain.pem").write_bytes(old)
    deployed.config.write_text(
        deployed.config.read_text() + '\n[[identity.trust_domains]]\nname = "brightline.test"\nca = "domain.pem"\n'
    )
    (deployed.folder / "ca.pem").write_bytes(old + other.ca.certificate)
    async with serving(deployed) as running:
        assert await answered(running, honest(running), ca=old)
        async with fresh(running, other.client(NAME), ca=old) as (attacker, authorization):
            with pytest.raises(grpc.aio.AioRpcError):
                await attacker.call(authorizations=[authorization])
        last = running.records()[-1]
        assert (last["kind"], last["reason"], last["principal"]) == ("refusal", "CERTIFICATE_INVALID", None)
        verified(running)
