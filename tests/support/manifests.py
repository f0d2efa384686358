"""The manifests of deploy/kubernetes for tests, and the configuration that a pod gets from them."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path
from typing import Any

import yaml

from gateway.config import Config
from tests.docs.pages import ROOT

FOLDER = ROOT / "deploy/kubernetes"
POD = "brightline-0"


@functools.cache
def manifests() -> dict[tuple[str, str], Any]:
    """The manifests as written, by kind and name."""
    names = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    found = [one for name in names for one in yaml.safe_load_all((FOLDER / name).read_text())]
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


def pod() -> Any:
    """The pod template of the StatefulSet."""
    return manifests()["StatefulSet", "brightline"]["spec"]["template"]["spec"]


def gateway() -> Any:
    """The container that serves."""
    (container,) = pod()["containers"]
    return container


def configured(folder: Path) -> Path:
    """The configuration of a pod, made by the init container's own command with other paths."""
    (step,) = pod()["initContainers"]
    places = {"/run/brightline": str(folder), "/etc/brightline/template": str(FOLDER), "$(POD_NAME)": POD}
    command = [functools.reduce(lambda word, place: word.replace(*place), places.items(), w) for w in step["command"]]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b""
    return folder / "gateway.toml"


def mounts() -> dict[str, Any]:
    """The mount paths, each with its volume."""
    volumes = {volume["name"]: volume for volume in pod()["volumes"]}
    return {m["mountPath"]: m | {"volume": volumes.get(m["name"], {})} for m in gateway()["volumeMounts"]}


def paths(settings: Config) -> dict[str, Path]:
    """Every path that a configuration names, by its key."""
    found: dict[str, Path] = {}

    def look(value: object, key: str) -> None:
        if isinstance(value, Path):
            found[key] = value
        elif isinstance(value, dict):
            for name, one in value.items():
                look(one, f"{key}.{name}" if key else name)
        elif isinstance(value, list | tuple):
            for one in value:
                look(one, key)

    look(settings.model_dump(), "")
    return found
