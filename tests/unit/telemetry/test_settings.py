"""Who may fetch metrics, and where traces may be sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import config
from gateway.errors import StartError
from tests.support.gateways import Deployment


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[tracing]\nendpoint = "http://collector.example/v1/traces"\n', "tracing.*use https"),
        ('[tracing]\nendpoint = "collector.example"\n', "tracing.endpoint"),
        ('[tracing]\nendpoint = "https://collector.example/"\nper_thousand = 1001\n', "tracing.per_thousand"),
        ('[tracing]\nendpoint = "https://collector.example/"\nkey = "key"\n', "certificate and key"),
        ('[metrics]\naddress = "0.0.0.0:9464"\n', "metrics: certificate: is missing"),
        ('[metrics]\naddress = "127.0.0.1:9464"\nkey = "key"\n', "metrics: certificate: is missing"),
        ('[metrics]\naddress = "127.0.0.1:94640"\n', "metrics.*at most 65535"),
        ('[metrics]\naddress = "localhost:9464"\n', "metrics: certificate: is missing"),
    ],
)
def test_what_would_be_open_to_others_refuses_the_start(tmp_path: Path, text: str, named: str) -> None:
    """Metrics beyond loopback without TLS, and traces sent without it, are refused with the key that says so."""
    deployed = Deployment.create(tmp_path)
    deployed.config.write_text(f"{deployed.config.read_text()}\n{text}")
    with pytest.raises(StartError, match=named):
        config.load(deployed.config)
