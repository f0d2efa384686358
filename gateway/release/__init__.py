"""The release: what is in force, loaded whole or not at all.

A release is a folder: manifest.json names every other file with its SHA-256; policy.wasm, data.json and rego/ are
the policy; tenants.json and models.json say who may call and what may answer. Its digest, the digest of the canonical
manifest, stands for all of it on every record.

A signed release is the same files as targets of a TUF repository. holders.py says how signatures are counted, client.py
how a gateway reads one, and repository.py how one is made.
"""

from gateway.release.client import Found
from gateway.release.reading import load
from gateway.release.sources import Source, open_source
from gateway.release.tuf_refresh import State
from gateway.release.writing import create, starter

__all__ = ["Found", "Source", "State", "create", "load", "open_source", "starter"]
