"""The development authority: what it makes is sound, and private where it must be."""

from __future__ import annotations

import json
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.verification import PolicyBuilder, Store

from gateway.clock import system_us
from gateway.identity import issue

CA = issue.create_ca("ca", now_us=system_us())


def test_its_certificates_verify_under_its_ca() -> None:
    """A strict verifier accepts its server and client certificates for what they are for."""
    store = Store([x509.load_pem_x509_certificate(CA.certificate)])
    server = issue.issue_certificate(CA, usage="server", hosts=("localhost", "127.0.0.1", "::1"), now_us=system_us())
    client = issue.issue_certificate(CA, usage="client", spiffe_id="spiffe://a.example/b", now_us=system_us())
    policy = PolicyBuilder().store(store)
    leaf = x509.load_pem_x509_certificate(server.certificate)
    assert policy.build_server_verifier(x509.DNSName("localhost")).verify(leaf, [])[0] == leaf
    names = policy.build_client_verifier().verify(x509.load_pem_x509_certificate(client.certificate), []).subjects
    assert names == [x509.UniformResourceIdentifier("spiffe://a.example/b")]


def test_a_certificate_may_go_without_names() -> None:
    """Without a SPIFFE ID and hosts a certificate has no SAN at all, to be known by its fingerprint."""
    plain = issue.issue_certificate(CA, usage="client", now_us=system_us())
    extensions = x509.load_pem_x509_certificate(plain.certificate).extensions
    with pytest.raises(x509.ExtensionNotFound):
        extensions.get_extension_for_class(x509.SubjectAlternativeName)


def test_its_pairs_belong_together(tmp_path: Path) -> None:
    """Key and certificate of a pair load as one into a TLS context."""
    pair = issue.issue_certificate(CA, usage="client", spiffe_id="spiffe://a.example/b", now_us=system_us())
    path = tmp_path / "pair"
    issue.write_private(path, pair.certificate + pair.key)
    ssl.create_default_context().load_cert_chain(path)
    assert "PRIVATE" not in repr(pair)


def test_a_key_set_is_public() -> None:
    """The JWK set holds public members alone, one key for each private key."""
    keys = json.loads(issue.jwks(issue.create_token_key(), issue.create_token_key()))["keys"]
    assert [set(key) for key in keys] == [{"kty", "crv", "x", "y", "kid", "use", "alg"}] * 2
    assert keys[0]["kid"] != keys[1]["kid"]


def test_a_private_file_is_its_owners_and_never_replaced(tmp_path: Path) -> None:
    """A key file is 0600 from its first moment, and a second one by its name is refused."""
    path = tmp_path / "key"
    issue.write_private(path, b"first")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        issue.write_private(path, b"second")
    assert path.read_bytes() == b"first"


def test_another_type_of_key_is_refused() -> None:
    """The development authority signs with P-256 keys and says so when it is given another."""
    other = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(TypeError, match="P-256"):
        issue.jwks(other)
