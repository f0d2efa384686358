"""Who is not believed, over real mutual TLS: each case with its reason, one record, and no upstream call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from gateway.clock import Clock, monotonic_us, system_us
from gateway.identity.issue import Pair, create_token_key, jwks
from tests.support import attacks
from tests.support.attacks import attacking, authority, issuer, put, refused, serves, shut_out, verified
from tests.support.gateways import HEALTH, INTELLIGENCE, LOGISTICS, Deployment, Running, serving
from tests.support.jwks_server import JwksServer
from tests.support.opa import free_port
from tests.support.pki import Authority
from tests.support.tokens import MISSING, TokenIssuer, unverified_claims
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPIFFE = f"spiffe://brightline.test/tenant/{LOGISTICS}"


# --- certificates: TLS answers -----------------------------------------------------------------------------------


UNTRUSTED: dict[str, Callable[[Authority], Pair]] = {
    "none": lambda _: Pair(b"", b""),
    "of another CA": lambda _: Authority().client(SPIFFE),
    "of another CA of the same name": lambda _: Authority(name="Brightline development CA").client(SPIFFE),
    "expired": Authority.expired_client,
    "not yet valid": Authority.not_yet_valid_client,
    "for servers only": Authority.client_for_servers_only,
    "any usage": Authority.client_for_any_usage,
}


@pytest.mark.parametrize("defect", UNTRUSTED)
async def test_tls_ends_before_an_untrusted_certificate_is_a_call(running: Running, defect: str) -> None:
    """A certificate that does not verify ends the handshake: no call, no record, and the gateway serves the next."""
    async with attacking(running, UNTRUSTED[defect](authority(running))) as attacker:
        error = await shut_out(running, attacker.call())
    assert error.code() is grpc.StatusCode.UNAVAILABLE


async def test_no_plaintext_is_spoken(running: Running) -> None:
    """A caller without TLS gets nothing, not even health."""
    async with grpc.aio.insecure_channel(running.address) as channel:
        await shut_out(running, channel.unary_unary(f"{attacks.HEALTH}/Check")(b"", timeout=20))


# --- certificates: the gateway answers ---------------------------------------------------------------------------


ODD: dict[str, Callable[[Authority], Pair]] = {
    "two URI names": Authority.client_with_two_uris,
    "one URI name twice": Authority.client_with_the_same_uri_twice,
    "NUL in its URI name": Authority.client_with_nul_in_uri,
    "no usage": Authority.client_without_usage,
    "a CA": Authority.client_that_is_a_ca,
    "signs certificates": Authority.client_that_signs_certificates,
    "RSA of 1,024 bits": Authority.client_of_a_short_rsa_key,
    "no SPIFFE ID": lambda a: a.client_with_uri("https://agency.example/app"),
    "a SPIFFE ID with a port": lambda a: a.client_with_uri("spiffe://agency.example:1/app"),
}


@pytest.mark.parametrize("defect", ODD)
async def test_a_certificate_that_verifies_still_has_to_be_a_clients(running: Running, defect: str) -> None:
    """A certificate of the right CA with an odd name or usage proves nobody, whatever token comes with it."""
    async with attacking(running, ODD[defect](authority(running))) as attacker:
        _, record = await refused(running, "CERTIFICATE_INVALID", attacker.call())
    assert record["principal"] is None
    assert len(record["peer"]["certificate"]["sha256"]) == 64


@pytest.mark.parametrize("name", [None, "spiffe://brightline.test/tenant/left", SPIFFE.upper(), SPIFFE + "/app"])
async def test_a_certificate_of_no_tenant_is_told_nothing_else(running: Running, name: str | None) -> None:
    """A good certificate that no tenant has is refused, and never taken for its common name or a longer path."""
    names = [] if name is None else [name]
    pair = authority(running).client_with_uri(*names) if names else authority(running).client_without_names()
    async with attacking(running, pair) as attacker:
        reason = "CERTIFICATE_INVALID" if name == SPIFFE.upper() else "TENANT_UNKNOWN"
        answer, record = await refused(running, reason, attacker.call())
    assert LOGISTICS.encode() not in answer.everything
    assert record["principal"] is None


# --- tokens ------------------------------------------------------------------------------------------------------


Forgery = Callable[[TokenIssuer, bytes], str]

FORGED: dict[str, Forgery] = {
    "not a token": lambda _issuer, _pem: "x",
    "alg none": lambda i, pem: i.alg_none(pem),
    "alg NoNe": lambda i, pem: i.alg_none(pem, "NoNe"),
    "the public key as HMAC secret": lambda i, pem: i.public_pem_as_hmac_secret(pem),
    "the JWK as HMAC secret": lambda i, pem: i.jwk_as_hmac_secret(pem),
    "a key in the header": lambda i, pem: i.embedded_jwk(pem),
    "a key by URL": lambda i, pem: i.token(pem, header={"jku": "http://169.254.169.254/keys"}),
    "another key": lambda i, pem: i.signed_by_another_key(pem),
    "a kid that is a path": lambda i, pem: i.token(pem, header={"kid": "../../../../dev/null"}),
    "a kid that is SQL": lambda i, pem: i.token(pem, header={"kid": "x' OR '1'='1"}),
    "an unknown crit": lambda i, pem: i.token(pem, header={"crit": ["x"], "x": 1}),
    "an ID token": lambda i, pem: i.id_token(pem),
    "a claim twice": lambda i, pem: i.duplicate_claim(pem),
    "another audience": lambda i, pem: i.token(pem, {"aud": "elsewhere"}),
    "several audiences": lambda i, pem: i.token(pem, {"aud": [i.audience, "elsewhere"]}),
    "no audience": lambda i, pem: i.token(pem, {"aud": MISSING}),
    "an issuer with a slash": lambda i, pem: i.token(pem, {"iss": i.issuer + "/"}),
    "an issuer that contains the name": lambda i, pem: i.token(pem, {"iss": "https://evil.example/" + i.issuer}),
    "no expiry": lambda i, pem: i.token(pem, {"exp": MISSING}),
    "an expiry that is text": lambda i, pem: i.token(pem, {"exp": "tomorrow"}),
    "a lifetime of a year": lambda i, pem: i.token(pem, {"exp": i.now_us // 1_000_000 + 31_536_000}),
    "a subject with a line break": lambda i, pem: i.token(pem, {"sub": "a\r\n\x1b[31madmin"}),
}


@pytest.mark.parametrize("defect", FORGED)
async def test_a_token_that_does_not_verify_proves_nobody(running: Running, defect: str) -> None:
    """A token with one defect is TOKEN_INVALID, and nothing that it claims is in the record or the answer."""
    token = FORGED[defect](issuer(running), running.certificate(LOGISTICS))
    async with attacking(running) as attacker:
        answer, record = await refused(running, "TOKEN_INVALID", attacker.call(authorizations=[f"Bearer {token}"]))
    assert record["principal"] is None
    assert "token" not in record["peer"]
    assert b"analyst-7" not in answer.everything


@pytest.mark.parametrize(
    "values",
    [
        (),
        ("{}", "{}"),
        ("{}", "Bearer x"),
        ("Bearer x, {}",),
        ("Basic YTpi",),
        ("",),
        ("Bearer",),
        ("bearer {}",),
    ],
    ids=["none", "the same twice", "a second", "a list", "another scheme", "empty", "no token", "lower case"],
)
async def test_exactly_one_bearer_token_is_taken(running: Running, values: tuple[str, ...]) -> None:
    """None, two or something else than a bearer token is refused, a good one among them or not."""
    async with attacking(running) as attacker:
        token = f"Bearer {attacker.token}"
        given = [v.replace("Bearer {}", token).replace("bearer {}", token.lower()).replace("{}", token) for v in values]
        reason = "TOKEN_INVALID" if values == ("Bearer x, {}",) else "TOKEN_MISSING"
        await refused(running, reason, attacker.call(authorizations=given))


async def test_a_token_out_of_its_time_proves_nobody(running: Running) -> None:
    """A token of yesterday, and one of tomorrow, are TOKEN_EXPIRED."""
    now_s = system_us() // 1_000_000
    pem = running.certificate(LOGISTICS)
    early = issuer(running).token(pem, {"iat": now_s + 60, "nbf": now_s + 60, "exp": now_s + 120})
    async with attacking(running) as attacker:
        for token in (issuer(running).expired(pem), early):
            await refused(running, "TOKEN_EXPIRED", attacker.call(authorizations=[f"Bearer {token}"]))


@pytest.mark.parametrize("cnf", [MISSING, {}, {"x5t#S256": ""}, {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}])
async def test_a_token_of_another_certificate_proves_nobody(running: Running, cnf: object) -> None:
    """A token bound to another certificate, or to none, is TOKEN_NOT_BOUND (RFC 8705)."""
    pem = running.certificate(LOGISTICS)
    stolen = running.token(HEALTH)
    async with attacking(running) as attacker:
        for token in (issuer(running).token(pem, {"cnf": cnf}), stolen):
            _, record = await refused(running, "TOKEN_NOT_BOUND", attacker.call(authorizations=[f"Bearer {token}"]))
            assert record["principal"] is None


async def test_certificate_and_token_name_one_tenant(running: Running) -> None:
    """A token that is bound to the certificate but names another tenant is TENANT_MISMATCH, and neither is told."""
    token = running.token(INTELLIGENCE, certificate=running.certificate(LOGISTICS))
    async with attacking(running) as attacker:
        answer, record = await refused(running, "TENANT_MISMATCH", attacker.call(authorizations=[f"Bearer {token}"]))
    assert record["principal"] is None
    assert not [name for name in (LOGISTICS, INTELLIGENCE) if name.encode() in answer.everything]


@pytest.mark.parametrize("method", ["Generate", "GenerateStream", "CheckPolicy", "ListModels"])
async def test_every_method_proves_its_caller(running: Running, method: str) -> None:
    """No method of the service answers a caller who proved nothing, nor does it read what that caller sent."""
    async with attacking(running) as attacker:
        await refused(running, "TOKEN_MISSING", attacker.call(method, b"\xff\xff", authorizations=()))


# --- what changes while the gateway runs -------------------------------------------------------------------------


async def test_a_token_is_revoked_while_it_is_kept(running: Running) -> None:
    """A token that was used and then put on the list is refused at its next use, and good again when taken off."""
    revoked = running.folder / "revoked.json"
    async with attacking(running) as attacker:
        await attacker.call()
        put(revoked, f'["{unverified_claims(attacker.token)["jti"]}"]'.encode())
        await refused(running, "CREDENTIAL_REVOKED", attacker.call())
        put(revoked, b'["half writ')
        await refused(running, "IDENTITY_UNAVAILABLE", attacker.call())
        put(revoked, b"[]")
        await attacker.call()


async def test_a_certificate_is_revoked_while_it_is_connected(running: Running) -> None:
    """A certificate that a new list revokes is refused at the next call of the connection that it opened."""
    crl = running.folder / "crl.pem"
    async with attacking(running, tenant=HEALTH) as attacker:
        await attacker.call()
        put(crl, authority(running).crl(running.certificate(HEALTH)))
        await refused(running, "CREDENTIAL_REVOKED", attacker.call())
        put(crl, authority(running).crl(next_update_us=system_us() - 1_000_000))
        await refused(running, "IDENTITY_UNAVAILABLE", attacker.call())
        put(crl, authority(running).crl())
        await attacker.call()


async def test_a_key_is_removed_while_its_tokens_are_kept(running: Running) -> None:
    """Tokens of a key that the issuer no longer has are refused though they were verified before."""
    keys = running.folder / "issuer" / "jwks.json"
    before = keys.read_bytes()
    async with attacking(running) as attacker:
        await attacker.call()
        put(keys, jwks(create_token_key()))
        await refused(running, "TOKEN_INVALID", attacker.call())
        put(keys, before)
        await attacker.call()


async def test_a_token_for_one_use_is_spent_also_after_a_restart(tmp_path: Path) -> None:
    """Where tokens are single-use, the second use is TOKEN_REPLAYED, by the same gateway and by the next one."""
    deployed = Deployment.create(tmp_path)
    deployed.edit("[identity]\n", '[identity]\ntokens = "single_use"\n')
    async with serving(deployed) as gateway, attacking(gateway) as attacker:
        token = f"Bearer {attacker.token}"
        assert await attacker.call(authorizations=[token])
        await refused(gateway, "TOKEN_REPLAYED", attacker.call(authorizations=[token]))
    async with serving(deployed) as gateway, attacking(gateway) as attacker:
        await refused(gateway, "TOKEN_REPLAYED", attacker.call(authorizations=[token]))
        await attacker.call()


async def test_a_jti_belongs_to_one_token_also_after_a_restart(tmp_path: Path) -> None:
    """Another token under a jti that was used is TOKEN_REPLAYED, by the same gateway and by the next one."""
    deployed = Deployment.create(tmp_path)
    pem = deployed.certificate(LOGISTICS)
    first = issuer(deployed).token(pem, {"jti": "j-1"})
    second = issuer(deployed).token(pem, {"jti": "j-1", "sub": "somebody-else"})
    for used in (first, None):
        async with serving(deployed) as gateway, attacking(gateway) as attacker:
            if used:
                assert await attacker.call(authorizations=[f"Bearer {used}"])
            await refused(gateway, "TOKEN_REPLAYED", attacker.call(authorizations=[f"Bearer {second}"]))


async def test_an_issuer_over_https_may_be_down_at_start(tmp_path: Path) -> None:
    """The gateway starts without its issuer, refuses its tokens, and believes them once the issuer is back."""
    deployed, passed_us = Deployment.create(tmp_path), [0]
    server = JwksServer(tmp_path, free_port())
    server.body = (deployed.folder / "issuer" / "jwks.json").read_bytes()
    source = f'jwks_url = "https://127.0.0.1:{server.port}/jwks"\nca = "{server.ca}"'
    deployed.edit('jwks_file = "issuer/jwks.json"', source)
    clock = Clock(lambda: system_us() + passed_us[0], lambda: monotonic_us() + passed_us[0])
    async with serving(deployed, clock) as gateway, attacking(gateway) as attacker:
        _, record = await refused(gateway, "IDENTITY_UNAVAILABLE", attacker.call())
        assert record["outcome"] == "error"
        await server.start()
        passed_us[0] = 11_000_000
        assert await attacker.call()
        unknown = [issuer(gateway).token(gateway.certificate(LOGISTICS), header={"kid": f"k{n}"}) for n in range(20)]
        for token in unknown:
            await refused(gateway, "TOKEN_INVALID", attacker.call(authorizations=[f"Bearer {token}"]))
        assert server.asked <= 2
        await server.stop()
        assert await attacker.call()


# --- floods ------------------------------------------------------------------------------------------------------


async def test_a_flood_of_unproved_callers_is_counted_not_written(tmp_path: Path) -> None:
    """Of many calls that prove nothing a few a second get records, and the aggregates count all the others."""
    deployed, waves = Deployment.create(tmp_path), 3
    deployed.edit("[audit]\n", "[audit]\nunauthenticated_per_s = 5\n")
    async with serving(deployed) as gateway, attacking(gateway) as attacker:
        begun = monotonic_us()
        for _ in range(waves):
            calls = [attacker.call(method, authorizations=()) for method in ["Generate", "Unheard"] * 50]
            failed = await asyncio.gather(*calls, return_exceptions=True)
            reasons = [attacks.told(e).reason for e in failed if isinstance(e, grpc.aio.AioRpcError)]
            assert sorted(reasons) == ["METHOD_UNKNOWN"] * 50 + ["TOKEN_MISSING"] * 50
        seconds = (monotonic_us() - begun) // 1_000_000 + 2

        def counted() -> int:
            return sum(c["number"] for r in gateway.records("aggregate") for c in r["counts"].values())

        written = len(gateway.records("refusal"))
        assert 5 <= written <= 5 * seconds
        await until(lambda: written + counted() == waves * 100)
        assert gateway.calls == 0
        await serves(gateway)
    verified(deployed)
