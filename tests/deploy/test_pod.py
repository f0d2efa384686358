"""A gateway with the rights of a pod: on a read-only root, as a user that owns nothing but its volume."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.support.gateways import Deployment
from tests.support.manifests import pod
from tests.support.waiting import wait_for

USER = str(pod()["securityContext"]["runAsUser"])
GROUP = str(pod()["securityContext"]["fsGroup"])
READ_ONLY = """
set -e
mount --bind "$0" "$0"
for place in $(awk '$3 ~ /^(ext4|overlay|tmpfs|xfs|btrfs)$/ && $4 ~ /^rw/ {print $2}' /proc/self/mounts | sort -u); do
    case $place in "$0"*) ;; *) mount -o remount,bind,ro "$place" ;; esac
done
! touch /tmp/written 2>/dev/null
cd /
umask 022
exec "$@"
"""
"""In a mount namespace of its own: nothing can be written but the folder that is named first."""
DROPPED = f"setpriv --reuid {USER} --regid {GROUP} --groups {GROUP} --bounding-set=-all --inh-caps=-all --no-new-privs"


def able() -> bool:
    """Whether this user may make a mount namespace, and the pod's user may run this interpreter."""
    tried = ["unshare", "--mount", *DROPPED.split(), sys.executable, "-c", "import gateway.app"]
    programs = all(map(shutil.which, ("unshare", "setpriv")))
    return os.geteuid() == 0 and programs and subprocess.run(tried, env=environment(), check=False).returncode == 0


def environment(**more: str) -> dict[str, str]:
    """Where the packages of the checkout are, and no bytecode is written."""
    paths = os.pathsep.join(str(ROOT / path) for path in (".", "clients/python", "clients/verify"))
    return {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/", **more}


@pytest.fixture
def deployed() -> Iterator[Deployment]:
    """A deployment as volumes bring it: all of it root's and the group's, keys of mode 0440 behind two links."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # where every user may look
        Path(folder).chmod(0o755)
        made = Deployment.create(Path(folder))
        for path in (made.folder, *made.folder.rglob("*")):
            os.chown(path, 0, int(GROUP))
            path.chmod(0o2770 if path.is_dir() else 0o440 if path.suffix == ".key" else 0o660)
        (made.folder / "..2026").mkdir()
        (made.folder / "..data").symlink_to("..2026")
        (made.folder / "server.key").rename(made.folder / "..2026/server.key")
        (made.folder / "server.key").symlink_to("..data/server.key")
        (made.folder / "scratch").mkdir(mode=0o1777)
        (made.folder / "scratch").chmod(0o1777)
        yield made


def test_a_gateway_serves_with_the_rights_of_a_pod(deployed: Deployment) -> None:
    """Without any right, with keys that root lets its group read, it starts, says that it is well, and ends with 0."""
    if not able():
        pytest.skip("needs root, unshare and setpriv, and an interpreter that every user may run")
    config, address = str(deployed.config), deployed.folder / "address"
    confined = ["unshare", "--mount", "bash", "-c", READ_ONLY, str(deployed.folder), *DROPPED.split()]
    gateway = [*confined, sys.executable, "-m", "gateway"]
    given = environment(TMPDIR=str(deployed.folder / "scratch"))
    with (deployed.folder / "gateway.log").open("wb") as log:
        process = subprocess.Popen([*gateway, "serve", "--config", config], env=given, stderr=log)
    try:
        wait_for(lambda: address.exists() or process.poll() is not None)
        assert process.poll() is None, (deployed.folder / "gateway.log").read_text()
        probe = subprocess.run([*gateway, "health", "--config", config], env=given, capture_output=True, check=False)
        assert (probe.returncode, probe.stdout) == (0, b"SERVING\n"), probe.stderr
        (left,) = deployed.folder.glob(".line-*")
        assert left.stat().st_uid == int(USER)
    finally:
        process.send_signal(signal.SIGTERM)
        ended = process.wait(90)
    assert ended == 0, (deployed.folder / "gateway.log").read_text()
