"""The configuration: one frozen model, read from TOML. An unknown key or an ambiguity stops the gateway from starting.

Relative paths are relative to the folder of the configuration file. The file contains no secrets: keys are in separate
files, which are refused if others can read them.
"""

from gateway.config.callers import Approvals, Identity, Issuer, Limits, Listener, QuotaStore, Review, TrustDomain
from gateway.config.deciding import External, Policy, ReleaseSource, Signals, Upstream
from gateway.config.files import believing, read_private, read_public, read_secret, show, trust
from gateway.config.keeping import Audit, Pkcs11, Sealed
from gateway.config.loading import FORMS, load
from gateway.config.observing import Metrics, Tracing
from gateway.config.values import is_loopback, part
from gateway.config.whole import Config

__all__ = [
    "FORMS",
    "Approvals",
    "Audit",
    "Config",
    "External",
    "Identity",
    "Issuer",
    "Limits",
    "Listener",
    "Metrics",
    "Pkcs11",
    "Policy",
    "QuotaStore",
    "ReleaseSource",
    "Review",
    "Sealed",
    "Signals",
    "Tracing",
    "TrustDomain",
    "Upstream",
    "believing",
    "is_loopback",
    "load",
    "part",
    "read_private",
    "read_public",
    "read_secret",
    "show",
    "trust",
]
