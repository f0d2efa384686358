"""Channel settings: always mutual TLS, a connection of its own, and no transparent retries."""

from __future__ import annotations

import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TypeAlias

import grpc

from brightline import _check

Pem: TypeAlias = bytes | str | PathLike[str]
"""PEM bytes, or the path of a PEM file."""

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""RFC 6750 section 2.1: b64token."""

_TARGET = re.compile(r"(?!https?://)\S*:\S+")
"""With a port, which gRPC would otherwise take to be 443, or with a scheme that gRPC knows."""

_OPTIONS: tuple[tuple[str, str | int], ...] = (
    ("grpc.enable_retries", 0),  # gRPC would retry transparently
    ("grpc.use_local_subchannel_pool", 1),  # two clients in one process never share a connection, nor its certificate
    ("grpc.enable_http_proxy", 0),  # the gateway is inside the agency's network, not behind a web proxy
    ("grpc.max_receive_message_length", 257 << 20),  # above the largest configurable answer
    ("grpc.max_metadata_size", 64 << 10),  # a refusal with many rules is larger than gRPC's 8 KiB
    ("grpc.absolute_max_metadata_size", 64 << 10),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),  # finds a restarted gateway within seconds
    ("grpc.primary_user_agent", "brightline-python/0.1.0"),
)


def check(target: object, token: object) -> None:
    """Check the address, and that the token is text or a function. Raises ValueError that does not quote the token."""
    _check.matching("target", target, _TARGET, 'host:port, like "gateway.agency.example:8443"')
    if not isinstance(token, str) and not callable(token):
        told = f"token: must be an access token or a function that returns one; got {type(token).__name__}"
        raise ValueError(told)  # noqa: TRY004 - as for everything else that the caller gives


def credentials(ca: Pem, certificate: Pem, key: Pem) -> grpc.ChannelCredentials:
    """Mutual TLS. Raises OSError for a file that can't be read, and ValueError for data that is not PEM."""
    return grpc.ssl_channel_credentials(
        root_certificates=_pem("ca", ca, "CERTIFICATE"),
        private_key=_pem("key", key, "PRIVATE KEY"),
        certificate_chain=_pem("certificate", certificate, "CERTIFICATE"),
    )


def options(server_name: str | None) -> Sequence[tuple[str, str | int]]:
    """Channel options. server_name: the name in the gateway's certificate, if it differs from the target's."""
    if server_name is None:
        return _OPTIONS
    return (*_OPTIONS, ("grpc.ssl_target_name_override", server_name), ("grpc.default_authority", server_name))


def metadata(token: str) -> tuple[tuple[str, str], ...]:
    """The token as call metadata. Raises ValueError, which does not quote the token."""
    if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
        raise ValueError("token: must be an access token without blanks or line breaks, like eyJ...")
    return (("authorization", f"Bearer {token}"),)


def _pem(field: str, value: Pem, label: str) -> bytes:
    data = value if isinstance(value, bytes) else Path(value).read_bytes()
    if f"{label}-----".encode() not in data:
        raise ValueError(f"{field}: holds no PEM block that ends in {label}")
    return data
