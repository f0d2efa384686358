"""JWK sets: what is a key, what is left out, and what makes the whole set unusable."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from gateway.identity.issue import _load_key, create_token_key, jwks
from gateway.identity.jwks import parse_jwks
from tests.support.tokens import TokenIssuer, jwk_set, keys_of_every_type

ALLOWED = {
    "RS256": ("RS256", "PS256"),
    "PS256": ("RS256", "PS256"),
    "ES256": ("ES256",),
    "ES384": ("ES384",),
    "EdDSA": ("EdDSA",),
}


def test_a_key_allows_the_algorithms_of_its_type() -> None:
    """Without an alg of its own, a key verifies exactly what its type can."""
    for name, (_, jwk) in keys_of_every_type().items():
        assert parse_jwks(jwk_set(jwk))["k"].algorithms == ALLOWED[name]


def test_a_key_is_narrowed_to_its_own_algorithm() -> None:
    """A key that states its alg verifies that one alone, and none at all when its type can't."""
    _, jwk = keys_of_every_type()["RS256"]
    assert parse_jwks(jwk_set({**jwk, "alg": "PS256"}))["k"].algorithms == ("PS256",)
    assert parse_jwks(jwk_set({**jwk, "alg": "ES256"})) == {}
    assert parse_jwks(jwk_set({**jwk, "alg": "RS512"})) == {}


def test_equal_keys_are_equal() -> None:
    """The same key read twice is equal, another key under its kid is not."""
    first, second = create_token_key(), create_token_key()
    kid = json.loads(jwks(first))["keys"][0]["kid"]
    swapped = jwk_set({**json.loads(jwks(second))["keys"][0], "kid": kid})
    assert parse_jwks(jwks(first)) == parse_jwks(jwks(first))
    assert parse_jwks(swapped) != parse_jwks(jwks(first))


@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"},
        {"use": None},
        {"use": ["sig"]},
        {"kid": None},
        {"kid": 7},
        {"kty": "AKP"},
        {"kty": ["EC"]},
        {"crv": "P-521"},
        {"crv": "secp256k1"},
        {"crv": {"P-256": 1}},
        {"alg": ["ES256"]},
    ],
)
def test_a_key_for_something_else_is_left_out(change: dict[str, Any]) -> None:
    """A key of another use, type or curve, or without a kid, verifies nothing, and the others stay."""
    good = TokenIssuer().jwk()
    assert list(parse_jwks(jwk_set({**TokenIssuer().jwk(), **change}, good))) == [good["kid"]]


def weak_rsa() -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - the defect under test
    return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "weak", "use": "sig"}


def huge_rsa() -> dict[str, Any]:
    public = rsa.RSAPublicNumbers(e=65537, n=(1 << 8192) + 1).public_key()
    return {**RSAAlgorithm.to_jwk(public, as_dict=True), "kid": "huge", "use": "sig"}


def private_ec() -> dict[str, Any]:
    return {**ECAlgorithm.to_jwk(_load_key(create_token_key()), as_dict=True), "kid": "p", "use": "sig"}


@pytest.mark.parametrize(
    "bad",
    [
        {"kty": "oct", "kid": "s", "use": "sig", "k": "AAAA"},
        {"kty": "oct", "kid": "s", "use": "enc"},
        {"kty": "EC", "k": "AAAA"},
        private_ec(),
        weak_rsa(),
        huge_rsa(),
        {"kty": "EC", "crv": "P-256", "kid": "off the curve", "use": "sig", "x": "A" * 43, "y": "A" * 43},
        {"kty": "EC", "crv": "P-256", "kid": "no point", "use": "sig"},
        {"kty": "EC", "crv": "P-256", "kid": "numbers", "use": "sig", "x": 1, "y": 2},
        {"kty": "OKP", "crv": "Ed25519", "kid": "short", "use": "sig", "x": "AAAA"},
        {"kty": "RSA", "kid": "even", "use": "sig", "n": "AAAA", "e": "AAAA"},
    ],
)
def test_a_secret_or_broken_key_spoils_the_set(bad: dict[str, Any]) -> None:
    """Symmetric keys, private members, weak or oversized RSA and keys that can't be read refuse the whole set."""
    with pytest.raises(ValueError, match="key"):
        parse_jwks(jwk_set(TokenIssuer().jwk(), bad))


def test_two_keys_with_one_kid_spoil_the_set() -> None:
    """A kid that names two keys names none."""
    with pytest.raises(ValueError, match="one kid"):
        parse_jwks(jwk_set(*(({**TokenIssuer().jwk(), "kid": "k"}) for _ in range(2))))


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": [1]}', b'{"keys": [], "keys": []}'])
def test_what_is_not_a_key_set_is_refused(text: bytes) -> None:
    """Anything but an object with one list of keys is no key set."""
    with pytest.raises(ValueError, match=r"."):
        parse_jwks(text)


JSON = st.recursive(st.none() | st.integers() | st.text(max_size=50), lambda i: st.lists(i, max_size=2))


@given(
    st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e", "kid", "alg", "use", "d", "k"]), JSON),
    st.sampled_from(
        [{}, {"kty": "EC", "crv": "P-256", "kid": "k", "use": "sig"}, {"kty": "RSA", "kid": "k", "use": "sig"}]
    ),
)
def test_any_key_is_read_or_a_value_error(members: dict[str, Any], base: dict[str, Any]) -> None:
    """The parser of key sets returns keys or raises ValueError, nothing else."""
    try:
        keys = parse_jwks(jwk_set({**members, **base}))
    except ValueError:
        return
    assert all(key.algorithms for key in keys.values())


@given(st.binary(max_size=100))
def test_any_bytes_are_a_key_set_or_a_value_error(data: bytes) -> None:
    """The parser of key sets raises ValueError for any other bytes."""
    with pytest.raises(ValueError, match=r"."):
        parse_jwks(data)
