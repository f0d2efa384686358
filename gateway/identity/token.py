"""An access token, from one `authorization` value to verified claims (RFC 9068, RFC 8725).

Three types stand for three degrees of trust: str is what was presented, Presented is parsed but unverified, Claims is
verified.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeGuard

import jwt

from gateway.config import Identity as Settings
from gateway.errors import GatewayError, Reason
from gateway.identity import strict_json
from gateway.identity.certificate import Certificate
from gateway.identity.jwks import ALGORITHMS, Key

_MAX_CHARACTERS = 8 << 10
_MAX_TEXT = 255
_MAX_ROLES = 64
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_TYPES = ("at+jwt", "application/at+jwt")
_HEADER = frozenset({"alg", "typ", "kid", "x5t", "x5t#S256"})
"""All that a header may have. So no header can name a key (jku, jwk, x5u, x5c) or change the rules (crit, b64)."""


@dataclass(frozen=True, slots=True)
class Presented:
    """A parsed token, with the issuer and the key that it names. Nothing here is verified."""

    text: str
    algorithm: str
    key_id: str
    issuer: str
    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a verified token. thumbprint: cnf.x5t#S256; empty if none. content: SHA-256 of what was signed."""

    issuer: str
    key_id: str
    subject: str
    client_id: str
    tenant: str
    roles: tuple[str, ...]
    token_id: str
    thumbprint: str
    not_before_s: int
    expires_s: int
    content: bytes


def bearer(authorizations: Sequence[str]) -> str:
    """The one bearer token presented (RFC 6750 section 2.1). Raises GatewayError: TOKEN_MISSING, TOKEN_INVALID."""
    if len(authorizations) != 1 or not authorizations[0].startswith("Bearer "):
        raise GatewayError(
            Reason.TOKEN_MISSING,
            "exactly one authorization value with a Bearer token is required",
            detail=f"{len(authorizations)} authorization values",
        )
    text = authorizations[0].removeprefix("Bearer ")
    if len(text) > _MAX_CHARACTERS or not text.isascii():
        raise _invalid("longer than a token may be, or not ASCII")
    return text


def parse(text: str) -> Presented:
    """Parse header and payload strictly, before any key is looked up. Raises GatewayError(TOKEN_INVALID)."""
    match = _COMPACT.fullmatch(text)
    if match is None:
        raise _invalid("not a JWS in compact form")
    header, payload = _members(match[1]), _members(match[2])
    if header.get("typ") not in _TYPES:
        raise _invalid("typ is not at+jwt")
    if not header.keys() <= _HEADER:
        raise _invalid("a header member that is not accepted")
    algorithm, key_id, issuer = header.get("alg"), header.get("kid"), payload.get("iss")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise _invalid("an algorithm that is not accepted")
    if not _is_text(key_id) or not _is_text(issuer):
        raise _invalid("kid or iss is not a text of bounded length")
    return Presented(text, algorithm, key_id, issuer, payload)


def verify(token: Presented, key: Key, settings: Settings) -> Claims:
    """Check signature and claims; of times, only the form is checked. Raises GatewayError(TOKEN_INVALID).

    aud must be the gateway's audience as a string: one of several audiences could replay a token to the others.
    """
    if token.algorithm not in key.algorithms:
        raise _invalid("the key is not of the algorithm's type")
    try:
        jwt.decode(
            token.text,
            key.public,
            algorithms=key.algorithms,
            audience=settings.audience,
            issuer=token.issuer,
            options={  # check_times judges times, by the gateway's clock
                "require": ["iss", "aud", "sub", "client_id", "tenant", "iat", "nbf", "exp", "jti"],
                "strict_aud": True,
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise _invalid(type(error).__name__) from error
    return _claims(token, settings)  # from the strict parse of the bytes that were just verified


def check_times(claims: Claims, now_us: int, leeway_s: int) -> None:
    """Raise GatewayError(TOKEN_EXPIRED) at or after exp, or before nbf (RFC 7519 sections 4.1.4 and 4.1.5)."""
    now_s = now_us // 1_000_000
    if not claims.not_before_s - leeway_s <= now_s < claims.expires_s + leeway_s:
        raise GatewayError(
            Reason.TOKEN_EXPIRED,
            "the access token has expired or is not valid yet",
            detail=f"valid from {claims.not_before_s} to {claims.expires_s}, now {now_s}",
        )


def check_binding(claims: Claims, certificate: Certificate) -> None:
    """Raise GatewayError(TOKEN_NOT_BOUND) unless the token is bound to this certificate (RFC 8705 section 3)."""
    if not hmac.compare_digest(claims.thumbprint.encode(), certificate.thumbprint.encode()):
        raise GatewayError(
            Reason.TOKEN_NOT_BOUND,
            "the access token is not bound to the client certificate presented",
            detail="cnf.x5t#S256 is missing or of another certificate",
        )


def _claims(token: Presented, settings: Settings) -> Claims:
    payload = token.payload
    issued, not_before, expires = payload.get("iat"), payload.get("nbf"), payload.get("exp")
    if not _is_time(issued) or not _is_time(not_before) or not _is_time(expires):
        raise _invalid("iat, nbf or exp is not an integer")
    if not 0 < expires - issued <= settings.max_token_age_s:
        raise _invalid("lives longer than tokens may, or not at all")
    roles = payload.get("roles", [])
    if not isinstance(roles, list) or len(roles) > _MAX_ROLES or not all(_is_text(role) for role in roles):
        raise _invalid("roles is not a list of texts of bounded length")
    texts = [payload.get(name) for name in ("sub", "client_id", "tenant", "jti")]
    if not all(_is_text(text) for text in texts):
        raise _invalid("sub, client_id, tenant or jti is not a text of bounded length")
    subject, client_id, tenant, token_id = map(str, texts)
    return Claims(
        issuer=token.issuer,
        key_id=token.key_id,
        subject=subject,
        client_id=client_id,
        tenant=tenant,
        roles=tuple(roles),
        token_id=token_id,
        thumbprint=_thumbprint(payload.get("cnf")),
        not_before_s=max(issued, not_before),  # a token issued in the future is not valid yet, whatever its nbf says
        expires_s=expires,
        content=sha256(token.text.rpartition(".")[0].encode()).digest(),
    )


def _thumbprint(confirmation: object) -> str:
    """The certificate that cnf names; empty if cnf requires any other proof as well (RFC 7800 section 3.1)."""
    match confirmation:
        case {"x5t#S256": str(text), **others} if not others and _is_text(text):
            return text
        case _:
            return ""


def _members(segment: str) -> Mapping[str, object]:
    try:
        value = strict_json.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except ValueError as error:
        raise _invalid("a segment is not base64url of strict JSON") from error
    if not isinstance(value, dict):
        raise _invalid("a segment is not a JSON object")
    return value


def _is_text(value: object) -> TypeGuard[str]:
    """Whether the value is text that is safe to record: bounded, printable, no lone surrogate."""
    return isinstance(value, str) and 0 < len(value) <= _MAX_TEXT and value.isprintable()


def _is_time(value: object) -> TypeGuard[int]:
    """Whether the value is an integer NumericDate. RFC 7519 allows fractions, which no decision here may rest on."""
    return type(value) is int


def _invalid(detail: str) -> GatewayError:
    return GatewayError(Reason.TOKEN_INVALID, "the access token does not verify", detail=detail)
