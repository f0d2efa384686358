"""SoftHSM, a PKCS #11 device in software.

A process has one folder of tokens, because the library reads its settings once.

Each kind of test has its own token there. All tokens are created before the library is loaded, because it looks for
tokens only then.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from gateway.audit.sealed.token import MODULES

MODULE = next((path for path in MODULES if path.exists()), None)
PIN = "1234"
TOKENS = ("brightline", "agency")
"""For the wrapping keys of sealed content, and for a release signer's key."""
needed = pytest.mark.skipif(
    MODULE is None or shutil.which("softhsm2-util") is None, reason="SoftHSM is not installed: apt-get install softhsm2"
)


@functools.cache
def module() -> Path:
    """The library of a device that has TOKENS. Its settings stay in the environment of the process."""
    assert MODULE is not None
    folder = Path(tempfile.mkdtemp(prefix="softhsm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "tokens").mkdir()
    settings = folder / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(settings)
    for label in TOKENS:
        init = ("--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "5678")
        subprocess.run(["softhsm2-util", *init], check=True, capture_output=True)
    return MODULE
