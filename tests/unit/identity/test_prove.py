"""The whole check, over real files: who passes, and what stops passing when the world changes."""

from __future__ import annotations

import asyncio
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.config import Issuer, TrustDomain
from gateway.errors import GatewayError, Reason, StartError
from gateway.identity import issue
from gateway.types import Credentials, Packed, Principal, Tenant, owners
from tests.support.desk import Desk, reason_of
from tests.support.pki import OTHER_SPIFFE_ID, SPIFFE_ID
from tests.support.tokens import MISSING, TokenIssuer, jwk_set, keys_of_every_type, signed_with, unverified_claims

HOUR_US = 3_600_000_000


async def test_a_good_pair_proves_exactly_what_it_says(desk: Desk) -> None:
    """Certificate and token become a principal whose every field comes from them."""
    token = desk.issuer.token(desk.pem)
    assert await desk.prove(token) == Principal(
        tenant="agency",
        subject="analyst-7",
        client_id="triage-app",
        roles=("analyst",),
        issuer="https://issuer.example",
        token_id=unverified_claims(token)["jti"],
        key_id=desk.issuer.jwk()["kid"],
        certificate_name=SPIFFE_ID,
        certificate_sha256=sha256(x509.load_pem_x509_certificate(desk.pem).public_bytes(Encoding.DER)).hexdigest(),
    )


async def test_what_the_development_authority_mints_is_believed(desk: Desk) -> None:
    """A token minted by the development authority proves its bearer."""
    token = issue.mint(
        desk.issuer.key,
        desk.pem,
        issuer=desk.issuer.issuer,
        audience=desk.issuer.audience,
        tenant="agency",
        subject="analyst-1",
        client_id="demo",
        now_us=desk.now_us,
        roles=("analyst", "reviewer"),
    )
    principal = await desk.prove(token)
    assert (principal.subject, principal.roles) == ("analyst-1", ("analyst", "reviewer"))


async def test_a_certificate_without_uri_is_known_by_fingerprint(desk: Desk) -> None:
    """A PKI certificate proves the tenant whose file lists its digest."""
    plain = desk.authority.client_without_names().certificate
    desk.tenants = {"agency": Tenant("agency", (issue.fingerprint(plain),), {})}
    principal = await desk.prove(desk.issuer.token(plain), plain)
    assert principal.certificate_name == f"sha256:{principal.certificate_sha256}"


async def test_a_certificate_with_uri_is_not_known_by_fingerprint(desk: Desk) -> None:
    """A certificate that names itself can't be given another tenant through its digest."""
    desk.tenants = {"agency": Tenant("agency", (issue.fingerprint(desk.pem),), {})}
    assert await reason_of(desk.prove(desk.issuer.token(desk.pem))) is Reason.TENANT_UNKNOWN


async def test_every_accepted_algorithm_verifies(desk: Desk) -> None:
    """RS256, PS256, ES256, ES384 and EdDSA keys of an issuer all verify its tokens."""
    for algorithm, (private, jwk) in keys_of_every_type().items():
        desk.write("jwks.json", jwk_set(jwk))
        header = {"typ": "application/at+jwt", "kid": "k"}
        token = signed_with(algorithm, private, header, desk.issuer.claims(desk.pem))
        assert (await desk.prove(token)).key_id == "k", algorithm


async def test_a_key_verifies_no_algorithm_of_another_type(desk: Desk) -> None:
    """A token is refused unless its algorithm belongs to the type of the key that its kid names."""
    keys = keys_of_every_type()
    for algorithm, (private, _) in keys.items():
        for other, (_, jwk) in keys.items():
            if algorithm[:2] == other[:2] == "ES" or {algorithm, other} <= {"RS256", "PS256"} or algorithm == other:
                continue
            desk.write("jwks.json", jwk_set(jwk))
            token = signed_with(algorithm, private, {"typ": "at+jwt", "kid": "k"}, desk.issuer.claims(desk.pem))
            assert await reason_of(desk.prove(token)) is Reason.TOKEN_INVALID, (algorithm, other)


async def test_a_name_that_two_tenants_claim_is_nobodys(desk: Desk) -> None:
    """A certificate maps to exactly one tenant: claimed by two, it maps to none."""
    twice = {name: Tenant(name, (SPIFFE_ID, f"{SPIFFE_ID}/{name}"), {}) for name in ("agency", "other")}
    assert owners(twice) == {f"{SPIFFE_ID}/agency": "agency", f"{SPIFFE_ID}/other": "other"}
    for tenants in (twice, Packed.of(twice)):
        desk.tenants = tenants
        assert await reason_of(desk.prove(desk.issuer.token(desk.pem))) is Reason.TENANT_UNKNOWN


async def test_whose_a_call_seems_to_be_is_said_of_any_certificate(desk: Desk) -> None:
    """The tenant and who issued its name, the name where no tenant has it, and nothing where there is none."""
    await desk.open()
    assert desk.identity is not None
    tenant, issuer = desk.identity.lane(Credentials((desk.pem,), (), ""), desk.tenants)
    assert (tenant, bool(issuer)) == ("agency", True)
    assert desk.identity.lane(Credentials((desk.pem,), (), ""), {}) == (SPIFFE_ID, issuer)
    for certificates in ((), (b"none",), (desk.pem,) * 2):
        assert desk.identity.lane(Credentials(certificates, (), ""), desk.tenants) == ("", b"")


async def test_a_new_release_moves_a_certificate_at_once(desk: Desk) -> None:
    """The tenants of the release given decide, for a token that was kept as well."""
    token = desk.issuer.token(desk.pem)
    await desk.prove(token)
    desk.tenants = {"other": Tenant("other", (SPIFFE_ID,), {})}
    assert await reason_of(desk.prove(token)) is Reason.TENANT_MISMATCH
    desk.tenants = {}
    assert await reason_of(desk.prove(token)) is Reason.TENANT_UNKNOWN


async def test_a_kept_token_is_bound_at_each_use(desk: Desk) -> None:
    """A token that passed once is refused with another certificate of the same tenant."""
    token = desk.issuer.token(desk.pem)
    await desk.prove(token)
    assert await reason_of(desk.prove(token, desk.authority.client().certificate)) is Reason.TOKEN_NOT_BOUND


async def test_a_kept_token_expires(desk: Desk) -> None:
    """A token that passed is refused from exp and leeway on, to the second."""
    token = desk.issuer.token(desk.pem)
    await desk.prove(token)
    desk.now_us += 605_000_000 - 1
    await desk.prove(token)
    desk.now_us += 1
    assert await reason_of(desk.prove(token)) is Reason.TOKEN_EXPIRED


async def test_the_clock_back_an_hour_refuses(desk: Desk) -> None:
    """With the clock an hour back, tokens of now are not valid yet, kept or new."""
    older = desk.authority.certificate([x509.UniformResourceIdentifier(SPIFFE_ID)]).certificate
    kept, new = desk.issuer.token(older), desk.issuer.token(older)
    await desk.prove(kept, older)
    desk.now_us -= HOUR_US
    assert await reason_of(desk.prove(kept, older)) is Reason.TOKEN_EXPIRED
    assert await reason_of(desk.prove(new, older)) is Reason.TOKEN_EXPIRED
    assert await reason_of(desk.prove(kept)) is Reason.CERTIFICATE_INVALID  # issued five minutes ago


async def test_the_clock_forward_a_day_refuses_and_forgets_nothing(desk: Desk) -> None:
    """With the clock a day forward everything is expired; set right again, single-use tokens stay spent."""
    await desk.open(tokens="single_use")
    token = desk.issuer.token(desk.pem)
    await desk.prove(token)
    desk.now_us += 24 * HOUR_US
    assert await reason_of(desk.prove(token)) is Reason.TOKEN_EXPIRED
    desk.now_us -= 24 * HOUR_US
    assert await reason_of(desk.prove(token)) is Reason.TOKEN_REPLAYED


async def test_a_kept_certificate_expires(desk: Desk) -> None:
    """The period of a certificate is judged at each use, whatever was proved before."""
    short = desk.authority.certificate(
        [x509.UniformResourceIdentifier(SPIFFE_ID)], end_us=desk.now_us + 60_000_000
    ).certificate
    token = desk.issuer.token(short)
    await desk.prove(token, short)
    desk.now_us += 61_000_000
    assert await reason_of(desk.prove(token, short)) is Reason.CERTIFICATE_INVALID


async def test_a_removed_key_ends_kept_tokens(desk: Desk) -> None:
    """Once the issuer's key is gone, a token that it verified is refused at the next use."""
    token = desk.issuer.token(desk.pem)
    await desk.prove(token)
    desk.write("jwks.json", TokenIssuer().jwks())
    assert await reason_of(desk.prove(token)) is Reason.TOKEN_INVALID


async def test_a_key_replaced_under_its_kid_ends_kept_tokens(desk: Desk) -> None:
    """A new key under the old kid does not verify what the old one did."""
    token = desk.issuer.token(desk.pem)
    await desk.prove(token)
    desk.write("jwks.json", jwk_set({**TokenIssuer().jwk(), "kid": desk.issuer.jwk()["kid"]}))
    assert await reason_of(desk.prove(token)) is Reason.TOKEN_INVALID


async def test_a_rotation_keeps_what_both_keys_signed(desk: Desk) -> None:
    """While old and new key are in the set, tokens of both verify, the kept one without a new use of its jti."""
    old, successor = desk.issuer.token(desk.pem), TokenIssuer(now_us=desk.now_us)
    await desk.prove(old)
    desk.write("jwks.json", issue.jwks(desk.issuer.key, successor.key))
    await desk.prove(old)
    assert (await desk.prove(successor.token(desk.pem))).key_id == successor.jwk()["kid"]


async def test_an_unreadable_key_file_refuses(desk: Desk) -> None:
    """A key file that turns unreadable is IDENTITY_UNAVAILABLE, for kept tokens too, until it is whole again."""
    token = desk.issuer.token(desk.pem)
    await desk.prove(token)
    desk.write("jwks.json", b'{"keys": [')
    assert await reason_of(desk.prove(token)) is Reason.IDENTITY_UNAVAILABLE
    (desk.folder / "jwks.json").unlink()
    assert await reason_of(desk.prove(token)) is Reason.IDENTITY_UNAVAILABLE
    desk.write("jwks.json", desk.issuer.jwks())
    await desk.prove(token)


async def test_a_failure_is_not_kept(desk: Desk) -> None:
    """A token refused for a reason that passes is accepted once the reason is gone."""
    token = desk.issuer.token(desk.pem, {"nbf": desk.now_us // 1_000_000 + 60})
    assert await reason_of(desk.prove(token)) is Reason.TOKEN_EXPIRED
    desk.now_us += 60_000_000
    await desk.prove(token)


async def test_kept_tokens_are_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past its bound the store of verified tokens drops the one least recently used."""
    monkeypatch.setattr("gateway.identity.prove.CACHED_TOKENS", 2)
    first, second, third = (desk.issuer.token(desk.pem) for _ in range(3))
    for token in (first, second, first, third):
        await desk.prove(token)
    assert desk.identity is not None
    assert [sha256(t.encode()).digest() for t in (first, third)] == list(desk.identity._verified)
    await desk.prove(second)


async def test_one_token_used_by_many_calls_at_once_is_one_token(desk: Desk) -> None:
    """Calls of one new bound token, all at once, are all proved; of a single-use token, exactly one."""
    token = desk.issuer.token(desk.pem)
    assert len(await asyncio.gather(*(desk.prove(token) for _ in range(5)))) == 5
    await desk.restart(tokens="single_use", ledger=desk.folder / "ledger2")
    outcomes = await asyncio.gather(*(desk.prove(token) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(o, Principal) for o in outcomes) == 1
    assert {o.reason for o in outcomes if isinstance(o, GatewayError)} == {Reason.TOKEN_REPLAYED}


async def test_refusals_name_no_other_tenant(desk: Desk) -> None:
    """The message of a mismatch tells the caller of no tenant, subject or name."""
    token = desk.issuer.token(desk.pem, {"tenant": "other"})
    with pytest.raises(GatewayError) as refused:
        await desk.prove(token)
    for word in ("other ", "agency", "analyst", OTHER_SPIFFE_ID, SPIFFE_ID, token):
        assert word not in refused.value.message


async def test_without_roles_there_are_none(desk: Desk) -> None:
    """Roles is optional (RFC 9068 section 2.2.3.1), and its absence grants nothing."""
    assert (await desk.prove(desk.issuer.token(desk.pem, {"roles": MISSING}))).roles == ()


async def test_unusable_files_refuse_the_start(desk: Desk) -> None:
    """Every file that identity rests on must be usable at start; the error names its key."""
    bad = desk.write("bad", b"\xff not any of it")
    await desk.close()
    for settings, key in (
        ({"crl": bad}, "identity.crl"),
        ({"trust_domains": (TrustDomain(name="a", ca=bad),)}, "identity.trust_domains.ca"),
        ({"revoked_tokens": bad}, "identity.revoked_tokens"),
        ({"issuers": (Issuer(issuer="i", jwks_file=bad),)}, "identity.issuers.jwks_file"),
        ({"issuers": (Issuer(issuer="i", jwks_url="https://127.0.0.1:9", ca=bad),)}, "identity.issuers.ca"),
        ({"ledger": desk.folder / "missing" / "ledger"}, "identity.ledger"),
        ({"ledger": bad}, "identity.ledger"),
    ):
        desk.settings = {}
        with pytest.raises(StartError, match=key):
            await desk.open(**settings)


async def test_a_list_that_is_not_current_is_not_ready(desk: Desk) -> None:
    """Whether callers could be proved is asked of the issuers' keys and of the revocation lists."""
    await desk.open(crl=desk.write("crl", desk.authority.crl()), revoked_tokens=desk.write("revoked", b"[]"))
    assert desk.identity is not None
    await desk.identity.check_ready()
    desk.write("revoked", b"[")
    assert await reason_of(desk.identity.check_ready()) is Reason.IDENTITY_UNAVAILABLE
    desk.write("revoked", b"[]")
    await desk.identity.check_ready()
    desk.now_us += 48 * HOUR_US
    assert await reason_of(desk.identity.check_ready()) is Reason.IDENTITY_UNAVAILABLE


async def test_a_client_ca_that_is_no_certificate_refuses_the_start(desk: Desk) -> None:
    """A CRL can't be checked without a client CA."""
    object.__setattr__(desk.authority, "ca", issue.Pair(b"nothing", b""))
    with pytest.raises(StartError, match=r"listener\.client_ca"):
        await desk.open(crl=desk.write("crl", b""))


async def test_a_failed_start_leaves_nothing_running(desk: Desk) -> None:
    """When a later part refuses the start, the fetches of an earlier issuer are stopped."""
    before = asyncio.all_tasks()
    with pytest.raises(StartError):
        await desk.open(
            issuers=(Issuer(issuer="i", jwks_url="https://127.0.0.1:9"),), ledger=desk.folder / "missing" / "ledger"
        )
    assert asyncio.all_tasks() == before
