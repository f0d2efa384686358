"""Every attack on authentication that the project knows of, each with the public reason that answers it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config import Issuer
from gateway.errors import GatewayError, Reason
from gateway.identity.issue import Pair
from gateway.types import Principal, Tenant
from tests.support.desk import NOW_US, Desk, reason_of
from tests.support.pki import HOURS, OTHER_SPIFFE_ID, SPIFFE_ID, Authority
from tests.support.tokens import MISSING, TokenIssuer, b64url, compact, jwk_set, unverified_claims

NOW_S = NOW_US // 1_000_000
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

Forge = Callable[[TokenIssuer, bytes], str]


def with_claims(**claims: Any) -> Forge:
    return lambda issuer, certificate: issuer.token(certificate, claims)


def with_header(**header: Any) -> Forge:
    return lambda issuer, certificate: issuer.token(certificate, header=header)


FORGED: dict[str, Forge] = {
    "alg none": TokenIssuer.alg_none,
    "alg None": lambda i, c: i.alg_none(c, "None"),
    "alg NONE": lambda i, c: i.alg_none(c, "NONE"),
    "alg nOnE": lambda i, c: i.alg_none(c, "nOnE"),
    "alg empty": lambda i, c: i.alg_none(c, ""),
    "alg with a space": with_header(alg="ES256 "),
    "alg in lower case": with_header(alg="es256"),
    "alg missing": with_header(alg=MISSING),
    "alg a list": with_header(alg=["ES256"]),
    "alg of another size": with_header(alg="ES384"),
    "alg not on the list": with_header(alg="ES512"),
    "HS256 with the public PEM as secret": TokenIssuer.public_pem_as_hmac_secret,
    "HS256 with the JWK as secret": TokenIssuer.jwk_as_hmac_secret,
    "kid that climbs": with_header(kid="../../../../dev/null"),
    "kid with SQL": with_header(kid="x' UNION SELECT 'k'; --"),
    "kid with a NUL": with_header(kid="k\0"),
    "kid empty": with_header(kid=""),
    "kid of 10,000 characters": with_header(kid="k" * 5000),
    "kid a number": with_header(kid=1),
    "kid missing": with_header(kid=MISSING),
    "kid unknown": with_header(kid="unknown"),
    "jku to a file": with_header(jku="file:///etc/passwd"),
    "jku to a metadata address": with_header(jku="http://169.254.169.254/latest"),
    "x5u to a file": with_header(x5u="file:///etc/passwd"),
    "x5c": with_header(x5c=["MIIB"]),
    "embedded jwk": TokenIssuer.embedded_jwk,
    "unknown crit": with_header(crit=["exp"]),
    "empty crit": with_header(crit=[]),
    "b64 false": with_header(b64=False),
    "b64 false and crit": with_header(b64=False, crit=["b64"]),
    "another key under the kid": TokenIssuer.signed_by_another_key,
    "aud wrong": with_claims(aud="elsewhere"),
    "aud an array": with_claims(aud=["brightline", "elsewhere"]),
    "aud an array of one": with_claims(aud=["brightline"]),
    "aud missing": with_claims(aud=MISSING),
    "aud empty": with_claims(aud=""),
    "aud an object": with_claims(aud={"brightline": 1}),
    "aud with another case": with_claims(aud="Brightline"),
    "issuer with a trailing slash": with_claims(iss="https://issuer.example/"),
    "issuer as a substring": with_claims(iss="https://issuer.example.evil.example"),
    "issuer cut short": with_claims(iss="https://issuer"),
    "issuer a list": with_claims(iss=["https://issuer.example"]),
    "issuer missing": with_claims(iss=MISSING),
    "an ID token": TokenIssuer.id_token,
    "typ missing": with_header(typ=MISSING),
    "typ of another kind": with_header(typ="at+jwt; x"),
    "exp missing": with_claims(exp=MISSING),
    "exp null": with_claims(exp=None),
    "exp a text": with_claims(exp=str(NOW_S + 60)),
    "exp a fraction": with_claims(exp=NOW_S + 60.5),
    "exp true": with_claims(exp=True),
    "exp too far": with_claims(exp=NOW_S + 3601),
    "exp in a thousand digits": with_claims(exp=10**1000),
    "exp before iat": with_claims(exp=NOW_S - 1, iat=NOW_S),
    "nbf missing": with_claims(nbf=MISSING),
    "nbf a text": with_claims(nbf="0"),
    "iat missing": with_claims(iat=MISSING),
    "iat a fraction": with_claims(iat=float(NOW_S)),
    "jti missing": with_claims(jti=MISSING),
    "jti empty": with_claims(jti=""),
    "jti a number": with_claims(jti=7),
    "jti a list": with_claims(jti=["a"]),
    "sub missing": with_claims(sub=MISSING),
    "sub with a line break": with_claims(sub="analyst\r\nadmin"),
    "sub with a lone surrogate": with_claims(sub="\ud800"),
    "sub of 256 characters": with_claims(sub="a" * 256),
    "client_id missing": with_claims(client_id=MISSING),
    "tenant missing": with_claims(tenant=MISSING),
    "tenant a list": with_claims(tenant=["agency"]),
    "roles a text": with_claims(roles="analyst"),
    "roles of numbers": with_claims(roles=[1]),
    "65 roles": with_claims(roles=["r"] * 65),
    "a claim twice": TokenIssuer.duplicate_claim,
    "exp twice": lambda i, c: i.duplicate_claim(c, "exp", "0"),
    "a header member twice": TokenIssuer.duplicate_header,
    "payload in UTF-16": lambda i, c: recoded(i, c, "utf-16-le"),
    "payload with a byte order mark": lambda i, c: recoded(i, c, "utf-8-sig"),
    "payload a list": lambda i, _: compact(i.header(), "[]", i.signature),
    "payload nested 2,000 deep": lambda i, _: compact(i.header(), "[" * 2000, i.signature),
    "payload with NaN": lambda i, _: compact(i.header(), '{"exp": NaN}', i.signature),
    "header a text": lambda i, c: compact('"at+jwt"', i.claims(c), i.signature),
    "no signature": lambda i, c: i.token(c).rpartition(".")[0] + ".",
    "two parts": lambda i, c: i.token(c).rpartition(".")[0],
    "four parts": lambda i, c: i.token(c) + ".AAAA",
    "padded": lambda i, c: i.token(c) + "==",
    "a space after it": lambda i, c: i.token(c) + " ",
    "two spaces before it": lambda i, c: " " + i.token(c),
    "not ASCII": lambda i, c: i.token(c) + "é",
    "empty": lambda _, __: "",
    "9,000 characters": lambda i, c: i.token(c, {"pad": "x" * 9000}),
}


def recoded(issuer: TokenIssuer, certificate: bytes, encoding: str) -> str:
    """A token whose payload is JSON in another encoding, rightly signed."""
    parts = [json.dumps(issuer.header()).encode(), json.dumps(issuer.claims(certificate)).encode(encoding)]
    signing_input = b".".join(map(b64url, parts))
    return (signing_input + b"." + b64url(issuer.signature(signing_input))).decode()


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_or_malformed_token_is_invalid(desk: Desk, name: str) -> None:
    """Each way to forge or bend a token ends in TOKEN_INVALID."""
    assert await reason_of(desk.prove(FORGED[name](desk.issuer, desk.pem))) is Reason.TOKEN_INVALID


async def test_a_token_outside_of_its_period_is_expired(desk: Desk) -> None:
    """Past exp, before nbf, or from the future: TOKEN_EXPIRED."""
    for claims in (
        {"iat": NOW_S - 700, "nbf": NOW_S - 700, "exp": NOW_S - 100},
        {"nbf": NOW_S + 60},
        {"iat": NOW_S + 3600, "exp": NOW_S + 7200},
        {"iat": NOW_S + 10**12, "nbf": 0, "exp": NOW_S + 10**12 + 60},
        {"nbf": 10**300},
    ):
        assert await reason_of(desk.prove(desk.issuer.token(desk.pem, claims))) is Reason.TOKEN_EXPIRED, claims


async def test_without_exactly_one_bearer_token_it_is_missing(desk: Desk) -> None:
    """No authorization value, two of them, or another scheme: TOKEN_MISSING."""
    good = f"Bearer {desk.issuer.token(desk.pem)}"
    for values in ((), (good, good), (good, "Bearer x"), ("",), ("Basic YTpi",), ("bearer" + good[6:],), ("Bearer",)):
        assert await reason_of(desk.present((desk.pem,), values)) is Reason.TOKEN_MISSING, values


async def test_a_token_of_another_certificate_is_not_bound(desk: Desk) -> None:
    """A cnf that is missing, malformed, or of another certificate: TOKEN_NOT_BOUND."""
    thumbprint = desk.issuer.claims(desk.pem)["cnf"]["x5t#S256"]
    for cnf in (
        MISSING,
        None,
        [],
        thumbprint,
        {},
        {"x5t#S256": ""},
        {"x5t#S256": None},
        {"x5t#S256": thumbprint.lower()},
        {"x5t#S256": thumbprint + "="},
        {"x5t#S256": "é" * 43},
        {"x5t": thumbprint},
        {"x5t#S256": thumbprint, "jkt": "another proof that nobody gave"},
        desk.issuer.claims(desk.authority.client().certificate)["cnf"],
    ):
        assert await reason_of(desk.prove(desk.issuer.token(desk.pem, {"cnf": cnf}))) is Reason.TOKEN_NOT_BOUND, cnf


async def test_token_and_certificate_of_different_tenants_mismatch(desk: Desk) -> None:
    """A token of one tenant, bound to a certificate of another: TENANT_MISMATCH."""
    other = desk.authority.client(OTHER_SPIFFE_ID).certificate
    assert await reason_of(desk.prove(desk.issuer.token(other), other)) is Reason.TENANT_MISMATCH


async def test_a_stolen_token_is_not_bound_to_the_thief(desk: Desk) -> None:
    """A token of one tenant on another tenant's certificate: TOKEN_NOT_BOUND."""
    thief = desk.authority.client(OTHER_SPIFFE_ID).certificate
    assert await reason_of(desk.prove(desk.issuer.token(desk.pem), thief)) is Reason.TOKEN_NOT_BOUND


async def test_a_jti_belongs_to_one_token_also_after_a_restart(desk: Desk) -> None:
    """Another token with a used jti is TOKEN_REPLAYED, now and after a restart; the first goes on."""
    first = desk.issuer.token(desk.pem)
    jti = unverified_claims(first)["jti"]
    await desk.prove(first)
    again = desk.issuer.token(desk.pem, {"jti": jti, "sub": "somebody-else"})
    assert await reason_of(desk.prove(again)) is Reason.TOKEN_REPLAYED
    await desk.restart()
    assert await reason_of(desk.prove(again)) is Reason.TOKEN_REPLAYED
    await desk.prove(first)


async def test_a_single_use_token_is_used_once_also_after_a_restart(desk: Desk) -> None:
    """In single-use mode the second use of a token is TOKEN_REPLAYED, now and after a restart."""
    await desk.open(tokens="single_use")
    token = desk.issuer.token(desk.pem)
    await desk.prove(token)
    assert await reason_of(desk.prove(token)) is Reason.TOKEN_REPLAYED
    await desk.restart()
    assert await reason_of(desk.prove(token)) is Reason.TOKEN_REPLAYED


async def test_a_single_use_token_is_remembered_for_as_long_as_it_is_accepted(desk: Desk) -> None:
    """Between exp and the end of the leeway a used token is TOKEN_REPLAYED, and one that was not used is accepted."""
    await desk.open(tokens="single_use")
    used, unused = desk.issuer.token(desk.pem), desk.issuer.token(desk.pem)
    await desk.prove(used)
    desk.now_us = unverified_claims(used)["exp"] * 1_000_000 + 1_000_000
    await desk.prove(desk.issuer.token(desk.pem, {"exp": NOW_S + 900}))  # a new row: what is expired may be forgotten
    assert await reason_of(desk.prove(used)) is Reason.TOKEN_REPLAYED
    await desk.prove(unused)


async def test_two_issuers_may_use_one_jti(desk: Desk) -> None:
    """A jti is unique to its issuer (RFC 7519 section 4.1.7): another issuer's is another token."""
    second = TokenIssuer(issuer="https://second.example", now_us=desk.now_us)
    paths = desk.write("jwks.json", desk.issuer.jwks()), desk.write("second.json", second.jwks())
    await desk.open(
        issuers=tuple(Issuer(issuer=i.issuer, jwks_file=p) for i, p in zip((desk.issuer, second), paths, strict=True))
    )
    for issuer in (desk.issuer, second):
        assert (await desk.prove(issuer.token(desk.pem, {"jti": "one"}))).issuer == issuer.issuer


async def test_one_issuers_key_does_not_speak_for_another(desk: Desk) -> None:
    """A token that names issuer A but is signed by issuer B's key, under B's kid, is invalid."""
    second = TokenIssuer(issuer="https://second.example", now_us=desk.now_us)
    second_path = desk.write("second.json", second.jwks())
    await desk.open(
        issuers=(
            Issuer(issuer=desk.issuer.issuer, jwks_file=desk.folder / "jwks.json"),
            Issuer(issuer=second.issuer, jwks_file=second_path),
        )
    )
    assert await reason_of(desk.prove(second.token(desk.pem, {"iss": desk.issuer.issuer}))) is Reason.TOKEN_INVALID


CERTIFICATES: dict[str, Callable[[Authority], Pair]] = {
    "expired": Authority.expired_client,
    "not yet valid": Authority.not_yet_valid_client,
    "for servers": Authority.client_for_servers_only,
    "for any usage": Authority.client_for_any_usage,
    "for no stated usage": Authority.client_without_usage,
    "a CA": Authority.client_that_is_a_ca,
    "signs certificates": Authority.client_that_signs_certificates,
    "signs revocation lists": Authority.client_that_signs_lists,
    "signs nothing": Authority.client_that_signs_nothing,
    "two URI names": Authority.client_with_two_uris,
    "the same URI name twice": Authority.client_with_the_same_uri_twice,
    "NUL in its URI name": Authority.client_with_nul_in_uri,
    "RSA of 1,024 bits": Authority.client_of_a_short_rsa_key,
    "a curve of 224 bits": Authority.client_of_a_short_curve,
    "signed with SHA-1": Authority.client_signed_with_sha1,
    "a server's": Authority.server,
    **{
        text: lambda a, text=text: a.client_with_uri(text)  # type: ignore[misc]  # the default binds the loop's value
        for text in (
            "https://agency.example/app",
            "SPIFFE://agency.example/app",
            "spiffe://Agency.example/app",
            "spiffe://agency.example",
            "spiffe://agency.example/",
            "spiffe://agency.example/app/",
            "spiffe://agency.example//app",
            "spiffe://agency.example/./app",
            "spiffe://agency.example/../app",
            "spiffe://agency.example/app?x=1",
            "spiffe://agency.example/app#x",
            "spiffe://user@agency.example/app",
            "spiffe://agency.example:443/app",
            "spiffe://agency.example/%61pp",
            "spiffe://agency.example/app\n",
            "spiffe:///app",
            "urn:uuid:1234",
            "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8\0",
            "urn:oid:2.16.840.1.101.3.6.6",
            " spiffe://agency.example/app",
            "spiffe://agency.example/" + "a" * 2048,
            "",
        )
    },
}


@pytest.mark.parametrize("name", CERTIFICATES)
async def test_a_defective_certificate_is_invalid(desk: Desk, name: str) -> None:
    """Each defect of a certificate is CERTIFICATE_INVALID, even where a tenant lists its name."""
    defective = CERTIFICATES[name](desk.authority).certificate
    desk.tenants["agency"] = Tenant("agency", (SPIFFE_ID, name), {})
    assert await reason_of(desk.prove(desk.issuer.token(defective), defective)) is Reason.CERTIFICATE_INVALID


async def test_other_than_one_certificate_is_invalid(desk: Desk) -> None:
    """No certificate, two of them, two in one text, or no certificate at all: CERTIFICATE_INVALID."""
    token = (f"Bearer {desk.issuer.token(desk.pem)}",)
    for presented in (
        (),
        (desk.pem, desk.pem),
        (desk.pem * 2,),
        (b"",),
        (desk.client.key,),
        (b"#" * 17000 + desk.pem,),
    ):
        assert await reason_of(desk.present(presented, token)) is Reason.CERTIFICATE_INVALID


async def test_a_certificate_of_no_tenant_is_unknown(desk: Desk) -> None:
    """A good certificate that no tenant lists: TENANT_UNKNOWN."""
    stranger = desk.authority.client("spiffe://stranger.example/app").certificate
    assert await reason_of(desk.prove(desk.issuer.token(stranger), stranger)) is Reason.TENANT_UNKNOWN


async def test_a_revoked_certificate_is_revoked(desk: Desk) -> None:
    """A certificate on the CRL is CREDENTIAL_REVOKED from the next use on; another goes on."""
    token = desk.issuer.token(desk.pem)
    other = desk.authority.client().certificate
    await desk.open(crl=desk.write("crl", desk.authority.crl(other)))
    await desk.prove(token)
    desk.write("crl", desk.authority.crl(desk.pem))
    assert await reason_of(desk.prove(token)) is Reason.CREDENTIAL_REVOKED
    await desk.prove(desk.issuer.token(other), other)


async def test_a_revoked_token_is_revoked(desk: Desk) -> None:
    """A token whose jti is on the list is CREDENTIAL_REVOKED from the next use on."""
    token = desk.issuer.token(desk.pem)
    await desk.open(revoked_tokens=desk.write("revoked", b"[]"))
    await desk.prove(token)
    desk.write("revoked", f'["{unverified_claims(token)["jti"]}"]'.encode())
    assert await reason_of(desk.prove(token)) is Reason.CREDENTIAL_REVOKED


async def test_revocation_that_is_not_current_refuses(desk: Desk) -> None:
    """A CRL out of date, of another CA or broken, and a broken list of jti, are IDENTITY_UNAVAILABLE."""
    token = desk.issuer.token(desk.pem)
    await desk.open(crl=desk.write("crl", desk.authority.crl()), revoked_tokens=desk.write("revoked", b"[]"))
    await desk.prove(token)
    impostor = Authority(desk.now_us)  # the same name, another key
    stranger = Authority(desk.now_us, name="stranger")
    for name, broken in (
        ("crl", desk.authority.crl(issued_us=NOW_US - 2 * HOURS, next_update_us=NOW_US - HOURS)),
        ("crl", desk.authority.crl(issued_us=NOW_US + HOURS)),
        ("crl", impostor.crl()),
        ("crl", stranger.crl()),
        ("crl", b""),
        ("revoked", b'{"jti": true}'),
        ("revoked", b'["a", 1]'),
        ("revoked", b'["a"'),
    ):
        good = (desk.folder / name).read_bytes()
        desk.write(name, broken)
        assert await reason_of(desk.prove(token)) is Reason.IDENTITY_UNAVAILABLE
        desk.write(name, good)
        await desk.prove(token)


async def test_a_rewritten_key_set_with_a_secret_is_refused(desk: Desk) -> None:
    """A key set that comes to hold a symmetric key is refused whole."""
    token = desk.issuer.token(desk.pem)
    await desk.prove(token)
    desk.write("jwks.json", jwk_set(desk.issuer.jwk(), {"kty": "oct", "kid": "s", "use": "sig", "k": "AAAA"}))
    assert await reason_of(desk.prove(token)) is Reason.IDENTITY_UNAVAILABLE


@FEW
@given(data=st.data())
async def test_no_token_with_one_byte_changed_proves(desk: Desk, data: st.DataObject) -> None:
    """Whatever byte of a valid token is replaced by whatever other byte, the token is refused."""
    token = desk.issuer.token(desk.pem)
    await desk.prove(token)
    at = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.characters(max_codepoint=255).filter(lambda c: c != token[at]))
    assert await reason_of(desk.prove(token[:at] + character + token[at + 1 :])) is Reason.TOKEN_INVALID


async def test_no_last_character_has_a_twin(desk: Desk) -> None:
    """The unused bits of the last base64url character can't make a second spelling of a token."""
    token = desk.issuer.token(desk.pem)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for character in set(alphabet) - {token[-1]}:
        assert await reason_of(desk.prove(token[:-1] + character)) is Reason.TOKEN_INVALID


@FEW
@given(certificates=st.lists(st.binary(max_size=200), max_size=2), values=st.lists(st.text(max_size=200), max_size=2))
async def test_anything_presented_is_proved_or_refused(
    desk: Desk, certificates: list[bytes], values: list[str]
) -> None:
    """Any bytes as certificates and any texts as tokens yield GatewayError and nothing else."""
    assert isinstance(await reason_of(desk.present(tuple(certificates), tuple(values))), Reason)
    if values:
        assert isinstance(await reason_of(desk.present((desk.pem,), ("Bearer " + values[0],))), Reason)


@FEW
@given(data=st.data())
async def test_a_certificate_with_changed_bytes_is_proved_or_refused(desk: Desk, data: st.DataObject) -> None:
    """Any damage to a certificate yields a principal or GatewayError and nothing else."""
    pem = bytearray(desk.pem)
    for at in data.draw(st.lists(st.integers(0, len(pem) - 1), min_size=1, max_size=3)):
        pem[at] = data.draw(st.integers(0, 255))
    try:
        outcome: object = await desk.prove(desk.issuer.token(desk.pem), bytes(pem))
    except GatewayError as refused:
        outcome = refused.reason
    assert isinstance(outcome, Principal | Reason)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@FEW
@given(
    name=st.sampled_from(["iss", "aud", "sub", "client_id", "tenant", "roles", "iat", "nbf", "exp", "jti", "cnf"]),
    value=JSON,
)
async def test_a_signed_claim_of_any_shape_is_proved_or_refused(desk: Desk, name: str, value: object) -> None:
    """A rightly signed token with any JSON as one of its claims yields a principal or GatewayError."""
    try:
        outcome: object = await desk.prove(desk.issuer.token(desk.pem, {name: value}))
    except GatewayError as refused:
        outcome = refused.reason
    assert isinstance(outcome, Principal | Reason)


@FEW
@given(name=st.sampled_from(["alg", "typ", "kid", "x5t", "crit", "jwk", "zip"]), value=JSON)
async def test_a_signed_header_of_any_shape_is_proved_or_refused(desk: Desk, name: str, value: object) -> None:
    """A rightly signed token with any JSON as one of its header members yields a principal or GatewayError."""
    try:
        outcome: object = await desk.prove(desk.issuer.token(desk.pem, header={name: value}))
    except GatewayError as refused:
        outcome = refused.reason
    assert isinstance(outcome, Principal | Reason)
