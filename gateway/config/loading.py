"""Reads the configuration file, and reports errors by file and key."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from pydantic import ValidationError

from gateway import regular_files
from gateway.config.whole import Config
from gateway.errors import StartError


def load(path: Path) -> Config:
    """Read and check the file. Raises StartError that names file and key, and says what would be accepted."""
    try:
        raw = tomllib.loads(regular_files.read(path).decode("utf-8"))
        # Validated as JSON: arrays and paths have one form, and numbers, words and booleans are never converted.
        strict = json.dumps(raw, default=_odd)
    except OSError as error:
        raise StartError(f"{path}: cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise StartError(f"{path}: is not TOML for a gateway: no key is nested so deeply") from error
    except ValueError as error:  # invalid TOML or UTF-8, or a number of thousands of digits
        raise StartError(f"{path}: is not TOML: {error}") from error
    try:
        return Config.model_validate_json(strict, strict=True, context={"base": path.parent.resolve()})
    except ValidationError as error:
        lines = [f"{path}: {_key(e['loc'])}{_say(e)}" for e in error.errors(include_input=False, include_url=False)]
        raise StartError("\n".join(lines)) from None


def _odd(value: object) -> dict[str, str]:
    """A date or a time, which no key accepts."""
    return {"of type": type(value).__name__}


def _key(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) + ": " if location else ""


FORMS = {
    "address": "host and port, such as 0.0.0.0:8443",
    "jwks_url": "an address that begins with https://",
    "release.url": "an address that begins with https://, without ? and #",
    "quotas.url": "valkeys://HOST:PORT, or valkey://127.0.0.1:PORT for a server of this host without TLS",
    "name": "a short name of lower-case letters, digits and hyphens",
    "model": "a name of at most 64 letters, digits and . _ : / -",
    "digest": "64 hexadecimal digits in lower case",
    "opa_url": "scheme, host and port alone, such as http://127.0.0.1:8181",
    "origin": "a name without white space and +, such as gateway.agency.example/one",
    "endpoint": "https, or http to a loopback address, with a path, such as https://collector.example:4318/v1/traces",
    "log_origin": "a name without white space and +, such as gateway.agency.example/one/openings",
}
"""What is accepted, in words, for each pattern: by key, with its section where two sections have the key."""


def _say(error: object) -> str:
    kind, message = str(error["type"]), str(error["msg"])  # type: ignore[index]  # pydantic's ErrorDetails
    if kind == "extra_forbidden":
        return "unknown key; see docs/operators-page.md for the keys"
    if kind == "missing":
        return "is missing"
    if kind == "string_pattern_mismatch":
        *_, section, key = ("", *map(str, error["loc"]))  # type: ignore[index]  # as above
        return f"must be {FORMS.get(f'{section}.{key}') or FORMS.get(key, message)}"
    return message.removeprefix("Value error, ")
