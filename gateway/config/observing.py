"""Sections about observing the running gateway: the metrics that it serves and the traces that it sends."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from gateway.config.values import FilePath, Section, is_loopback


class Metrics(Section):
    """Where metrics are served: plain HTTP on a loopback address, otherwise only mutual TLS, with all three files.

    client_ca: PEM roots of the clients that may fetch them.
    """

    address: str = Field(pattern=r"^[^\s]+:\d{1,5}$")
    certificate: FilePath | None = None
    key: FilePath | None = None
    client_ca: FilePath | None = None

    @property
    def host(self) -> str:
        """The address without the port."""
        return self.address.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port; 0 for any free port."""
        return int(self.address.rpartition(":")[2])

    @model_validator(mode="after")
    def _protected(self) -> Self:
        if self.port > 65535:
            raise ValueError("address: a port is at most 65535")
        files = {"certificate": self.certificate, "key": self.key, "client_ca": self.client_ca}
        missing = [name for name, path in files.items() if path is None]
        if missing and (len(missing) < len(files) or not is_loopback(self.host)):
            raise ValueError(
                f"{missing[0]}: is missing; metrics are served by mutual TLS (certificate, key and client_ca), or "
                "plainly on a loopback address such as 127.0.0.1:9464"
            )
        return self


class Tracing(Section):
    """Where traces are sent (OTLP over HTTP). endpoint: https, or http to a loopback address, with its path.

    per_thousand: how many of a thousand calls are traced. ca: PEM roots, trusted instead of the public ones.
    certificate, key: the gateway's client certificate.
    """

    endpoint: str = Field(pattern=r"^https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:\d{1,5})?/[A-Za-z0-9._~/-]*$")
    per_thousand: int = Field(default=10, ge=0, le=1000)
    ca: FilePath | None = None
    certificate: FilePath | None = None
    key: FilePath | None = None

    @model_validator(mode="after")
    def _protected(self) -> Self:
        scheme, _, rest = self.endpoint.partition("://")
        host = rest.partition("/")[0]
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if scheme == "http" and not is_loopback(name.strip("[]")):
            raise ValueError(
                "endpoint: use https; http is for loopback addresses such as http://127.0.0.1:4318/v1/traces"
            )
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key: one needs the other")
        return self
