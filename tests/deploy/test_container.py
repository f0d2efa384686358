"""deploy/container: the image has what the gateway needs, from lists with hashes, for a user that is not root."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tomllib

from tests.docs.pages import ROOT
from tools import container

BUILD, IMAGE = container.steps(0), dict(container.steps(1))
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_what_is_copied_is_there() -> None:
    """Each source of a COPY is in the checkout, and let through to the build."""
    ignore = (ROOT / "deploy/container/Containerfile.dockerignore").read_text().splitlines()
    sources = [source for name, words in BUILD if name == "COPY" for source in words[:-1]]
    assert sources
    assert all((ROOT / source).exists() for source in sources)
    assert {f"!{source}" for source in sources} == {line for line in ignore if line.startswith("!")}


def test_nothing_is_installed_that_no_hash_names() -> None:
    """Pip takes from an index what a list names with its hash, and builds nothing but what was copied."""
    installs = [shlex.join(words) for name, words in BUILD if name == "RUN" and "install" in words]
    *pinned, own = [line.partition(" install --no-cache-dir --no-deps ")[2] for line in installs]
    lists = [f"requirements/{name}.txt" for name in ("build", "run")]
    assert pinned == [f"--only-binary :all: --require-hashes -r {name}" for name in lists]
    assert own == "--no-build-isolation . ./clients/python ./clients/verify"


def test_the_image_is_of_a_user_without_rights() -> None:
    """It runs as a number that is not root's, and the one place that it may write is that user's."""
    assert IMAGE["USER"] == ["65532:65532"]
    assert ("RUN", ["mkdir", "-p", "-m", "0700", *IMAGE["VOLUME"]]) in BUILD
    assert ("COPY", ["--from=build", "--chown=65532:65532", *IMAGE["VOLUME"] * 2]) in container.steps(1)


def test_the_image_is_named_by_the_version() -> None:
    """The version of the package is that of the image, in the Containerfile and in the manifests."""
    assert f"--tag brightline-gateway:{VERSION} " in container.FILE.read_text()
    assert f"newTag: {VERSION} " in (ROOT / "deploy/kubernetes/kustomization.yaml").read_text()


def test_its_commands_are_commands() -> None:
    """What starts in it and what asks for its health are commands of the program, with options that it has."""
    lines = container.FILE.read_text().splitlines()
    (probe,) = [line.partition(" CMD ")[2] for line in lines if line.startswith("HEALTHCHECK")]
    (served,) = [line.removeprefix("CMD ") for line in lines if line.startswith("CMD")]
    for command in (json.loads(probe), ["brightline", *json.loads(served)]):
        program, name, *options = command
        assert program == "brightline"
        told = subprocess.run([sys.executable, "-m", "gateway", name, *options], capture_output=True, text=True)  # noqa: PLW1510
        assert "error: /etc/brightline/gateway.toml: cannot be read" in told.stderr
