"""The name of a certificate: a SPIFFE ID as the specification writes it, or its digest."""

from __future__ import annotations

import string

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import GatewayError, Reason
from gateway.identity import issue
from gateway.identity.certificate import check_period, parse
from tests.support.desk import NOW_US
from tests.support.pki import SPIFFE_ID, Authority, uri

AUTHORITY = Authority(NOW_US)
SEGMENT = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=20).filter(
    lambda s: s not in {".", ".."}
)
DOMAIN = st.text(string.ascii_lowercase + string.digits + "._-", min_size=1, max_size=40)


@settings(max_examples=50, deadline=None)
@given(domain=DOMAIN, path=st.lists(SEGMENT, min_size=1, max_size=4))
def test_every_spiffe_id_with_a_path_is_a_name(domain: str, path: list[str]) -> None:
    """What the SPIFFE specification allows as the ID of a workload is taken as it stands."""
    name = f"spiffe://{domain}/{'/'.join(path)}"
    assert parse(AUTHORITY.client_with_uri(name).certificate).name == name


@settings(max_examples=100, deadline=None)
@given(text=st.text(st.characters(max_codepoint=127), max_size=30), known=st.sampled_from(["", "spiffe://", SPIFFE_ID]))
def test_every_other_uri_is_refused(text: str, known: str) -> None:
    """A URI name either is a SPIFFE ID of the allowed characters, or the certificate is invalid."""
    try:
        name = parse(AUTHORITY.client_with_uri(known + text).certificate).name
    except GatewayError as refused:
        assert refused.reason is Reason.CERTIFICATE_INVALID
    else:
        assert name == known + text
        assert set(name) <= set(string.ascii_letters + string.digits + "._-/:")


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
    ],
    ids=lambda key: type(key).__name__,
)
def test_every_key_of_a_strength_in_use_is_taken(key: CertificateIssuerPrivateKeyTypes) -> None:
    """Keys of 112 bits of strength and more are taken, by whichever of them the certificate is signed."""
    assert parse(AUTHORITY.certificate([uri(SPIFFE_ID)], key=key).certificate).name == SPIFFE_ID
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        assert parse(AUTHORITY.certificate([uri(SPIFFE_ID)], signed_by=key).certificate).name == SPIFFE_ID


def test_other_kinds_of_names_do_not_count() -> None:
    """DNS names beside the one URI name neither name the tenant nor disturb."""
    both = AUTHORITY.certificate([x509.DNSName("app.agency.example"), uri(SPIFFE_ID)])
    assert parse(both.certificate).name == SPIFFE_ID
    dns_only = AUTHORITY.certificate([x509.DNSName("app.agency.example")])
    assert parse(dns_only.certificate).name == issue.fingerprint(dns_only.certificate)


def test_a_card_is_known_by_its_digest() -> None:
    """The UUID that PIV cards carry as their URI name (FIPS 201-3) names no tenant: the digest does."""
    card = AUTHORITY.client_with_uri("urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8").certificate
    assert (parse(card).name, parse(card).trust_domain) == (issue.fingerprint(card), "")


def test_a_card_that_is_also_a_workload_is_refused() -> None:
    """A UUID beside a SPIFFE ID makes two URI names."""
    both = AUTHORITY.certificate([uri("urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8"), uri(SPIFFE_ID)])
    with pytest.raises(GatewayError):
        parse(both.certificate)


def test_digest_and_thumbprint_are_of_the_der() -> None:
    """Fingerprint and x5t#S256 agree with those that the development authority computes."""
    pem = AUTHORITY.client().certificate
    assert (f"sha256:{parse(pem).sha256}", parse(pem).thumbprint) == (issue.fingerprint(pem), issue.thumbprint(pem))


def test_the_period_includes_both_ends() -> None:
    """A certificate is good in the very first and the very last second of its period."""
    certificate = parse(
        AUTHORITY.certificate([uri(SPIFFE_ID)], begin_us=NOW_US, end_us=NOW_US + 10_000_000).certificate
    )
    check_period(certificate, NOW_US)
    check_period(certificate, NOW_US + 10_999_999)
    for now_us in (NOW_US - 1, NOW_US + 11_000_000):
        with pytest.raises(GatewayError) as refused:
            check_period(certificate, now_us)
        assert refused.value.reason is Reason.CERTIFICATE_INVALID
