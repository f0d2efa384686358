"""This gateway, as `make bench` runs it: mutual TLS, token, Rego in Wasm, detectors, two durable records a call."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor

from benchmarks import load
from benchmarks.load import TENANT, question
from benchmarks.peers.bodies import written
from benchmarks.peers.generators import Ghz
from benchmarks.peers.processes import started, wait_for
from benchmarks.peers.systems import CORES, Common, Serving
from benchmarks.run import TEXT, point_at
from brightline.v1 import inference_pb2
from gateway import deployment
from gateway.clock import system_us

CALL = "brightline.v1.InferenceService.Generate"


def create(place: Path) -> Path:
    """Create a deployment with a worker for each core. Returns its folder."""
    folder = place / "gateway"
    deployment.create(folder, system_us(), learned=False)
    config = folder / "gateway.toml"
    config.write_text(config.read_text().replace("[listener]\n", f"[listener]\nworkers = {CORES}\n"))
    return folder


@contextmanager
def gateway(common: Common) -> Iterator[Serving]:
    """The gateway. It runs in the folder of its deployment, so its log is on the same disk as the checkout."""
    point_at(common.deployment, common.upstream)
    log, address = common.place / "gateway.log", common.deployment / "address"
    command = [sys.executable, "-m", "gateway", "serve", "--config", common.deployment / "gateway.toml"]
    with started(command, log) as process:
        wait_for(address.exists, process, log)
        at, options = address.read_text().strip(), presented(common)
        permitted = written(common.place / "permitted.bin", question(TEXT, model="local"))
        purpose = question(TEXT, model="local", purpose="weapon_engagement")
        refused = written(common.place / "refused.bin", purpose)
        token = written(common.place / "token", _token(common).encode())
        yield Serving(
            Ghz(common.ghz, at, CALL, permitted, options=options),
            Ghz(common.ghz, at, CALL, refused, "PermissionDenied", options),
            ("grpc", (at, *_pems(common), token, permitted)),  # both requests have the same fields
        )


def presented(common: Common) -> tuple[str | Path, ...]:
    """Options of ghz: the credentials of an application of the deployment, and the contract."""
    ca, certificate, key = _pems(common)
    shown = written(common.place / "metadata.json", json.dumps({"authorization": f"Bearer {_token(common)}"}).encode())
    pems = ("--cacert", ca, "--cert", certificate, "--key", key)
    return (*pems, "--metadata-file", shown, "--protoset", descriptors(common.place))


def descriptors(place: Path) -> Path:
    """The contract with everything that it imports, as a descriptor set for ghz."""
    found = descriptor_pb2.FileDescriptorSet()
    seen: set[str] = set()

    def add(file: FileDescriptor) -> None:
        if file.name not in seen:
            seen.add(file.name)
            for imported in file.dependencies:
                add(imported)
            file.CopyToProto(found.file.add())

    add(inference_pb2.DESCRIPTOR)
    return written(place / "contract.binpb", found.SerializeToString())


def _token(common: Common) -> str:
    return load.presented(common.deployment).authorizations[0].removeprefix("Bearer ")


def _pems(common: Common) -> tuple[Path, Path, Path]:
    tenant = common.deployment / "tenants" / TENANT
    return common.deployment / "ca.pem", tenant / "client.pem", tenant / "client.key"
