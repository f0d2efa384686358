"""The release: everything that is in force. A gateway loads a whole release or none.

A release is a folder. manifest.json names every other file with its SHA-256. policy.wasm, data.json and rego/ are the
policy. tenants.json says who may call, and models.json says which models may answer. The release digest is the SHA-256
of the canonical manifest, and every record carries it.

A signed release is the same files as targets of a TUF repository. holders.py defines how signatures are counted,
client.py reads a signed release, and repository.py makes one.
"""

from gateway.release.client import Found
from gateway.release.reading import load
from gateway.release.sources import Source, open_source
from gateway.release.tuf_refresh import State
from gateway.release.writing import create, starter

__all__ = ["Found", "Source", "State", "create", "load", "open_source", "starter"]
