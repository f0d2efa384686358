"""Keys, passwords and tokens in a text, by their form: thousandths. Pure, and linear in the text.

1 what its maker gave a form of its own    2 what an address or a header brings along    3 what stands after its label

A value that is none (a placeholder, a reference, the name of a type, a word of prose) is passed over. Nothing of what
is found leaves this module but how sure it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["CERTAIN", "LIKELY", "score"]

CERTAIN: Final = 950
LIKELY: Final = 700

_FORMS: Final = [
    (mark, re.compile(form))
    for mark, form in {
        "PRIVATE KEY": r"\bBEGIN (?:[A-Z0-9]{2,16} ){0,2}PRIVATE KEY\b[\W_]{1,12}[A-Za-z0-9+/]{12}",
        "AKIA": r"\bAKIA[A-Z2-7]{16}\b",
        "ASIA": r"\bASIA[A-Z2-7]{16}\b",
        "gh": r"\bgh[opsur]_[A-Za-z0-9]{36}",
        "github_pat_": r"\bgithub_pat_\w{36}",
        "glpat-": r"\bglpat-[\w-]{20}",
        "xox": r"\bxox[abeoprs]-[\w-]{10}",
        "hooks.slack.com/": r"hooks\.slack\.com/(?:services|workflows)/\w+/\w+/\w{8}",
        "AIza": r"\bAIza[\w-]{35}",
        "sk-": r"\bsk-[\w-]{20}",
        "_live_": r"\b[rs]k_live_\w{16}",
        "npm_": r"\bnpm_[A-Za-z0-9]{36}",
        "pypi-": r"\bpypi-[\w-]{32}",
        "AGE-SECRET-KEY-": r"\bAGE-SECRET-KEY-1[A-Z0-9]{50}",
        "AccountKey=": r"AccountKey=[A-Za-z0-9+/]{40}",
        "eyJ": r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16}",
        "sig=": r"[?&]sig=[A-Za-z0-9%+/]{24}",
    }.items()
]
"""What each form has in it, and the form: looking for the first takes no time."""
_BESIDE: Final = [
    (mark, re.compile(form, re.IGNORECASE))
    for mark, form in {
        "://": r"://[^\s/:@\"']{0,64}:([^\s/@\"']{3,128})@",
        "uthorization": r"\bauthorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?(?:basic |bearer |token )?([\w+/.=-]{8})",
        '"auth"': r"\"auth\"\s{0,4}:\s{0,4}\"([\w+/=-]{8})",
        "community": r"\bsnmp[\w-]{0,16}[ \t]{1,4}community[ \t]{1,4}(?:string )?([^\s\"'<]{4,64})",
        "mechanism='PLAIN'": r"mechanism='PLAIN'>([\w+/=]{8})",
    }.items()
]
_LABEL: Final = re.compile(
    r"(?:pass(?:word|wort|wd|phrase|code)?|\bpwd?|kennwort|mot de passe|\bmdp|contrase[nñ]a|\bsenha|wachtwoord"
    r"|secret|token"
    r"|credentials?|(?:api|access|account|auth|encryption|master|private|signing|shared|storage)[ _-]?key"
    r"|\bpsk)\w{0,24}"
    r"(?: (?:for|of|to|on)(?: [\w.-]{1,32}){1,5})?[\"'\]]{0,2}"
    r"(?:\s{0,16}(?::=|=>|[:=])\s{0,16}|\s{1,4}(?:is|was|now|set to|0|5|7)\s{1,4}|\s{1,4}(?=[\"'`]))"
    r"(?:[bru]?[\"'`]([^\"'`\n]{4,200})[\"'`]|([^\s\"'`,;<>(){}\[\]]{4,200})(?![\w.]*\())",
    re.IGNORECASE,
)
_OPTION: Final = re.compile(
    r"(?:(?<!\S)--?[\w-]{0,24}(?:pass\w{0,8}|secret|token|key)[ =]|\b(?:passw(?:or)?d|psk|secret|psksecret)[ \t]{1,16}"
    r"|\b(?:sshpass|mysql|mysqldump|ldapsearch|redis-cli|curl|smbclient)\b[^\n]{0,80}? -[pwau] ?(?:\w{1,32}[:%])?)"
    r"[\"']?([^\s\"'`,;<>(){}\[\]]{6,200})",
    re.IGNORECASE,
)
"""What a command or a setting gives without a sign between: it has to look more like a secret."""
_LABELS: Final = (
    *(
        "pass",
        "pw",
        " -",
        "-cli",
        "kennwort",
        "mdp",
        "contrase",
        "senha",
        "wachtwoord",
        "secret",
        "token",
        "credential",
        "key",
        "psk",
    ),
)
_NONE: Final = re.compile(
    r"^[<\[{$%*#(]|\$\{|\{\{|<\w|x{3}|\.{3}|\*{3}|_{3}|(?:^|[\W_])(?:your|example|sample|dummy|placeholder|redacted"
    r"|removed|change_?me|insert|replace|todo|tbd|fixme|env|environ|getenv|process|pass|password|vault|secrets?"
    r"|config|settings|null|none|nil|true"
    r"|false|str|string|bytes|optional|required|hidden|foo|my|the)(?:[\W_]|$)",
    re.IGNORECASE,
)
_SIGNS: Final = frozenset("!@#$%^&*+=?~")


def score(text: str) -> int:
    """How sure it is that the text has a secret in it, 0 to 1000."""
    if any(mark in text and form.search(text) for mark, form in _FORMS):  # 1
        return CERTAIN
    if any(_is_secret(value) for mark, form in _BESIDE if mark in text for value in form.findall(text)):  # 2
        return CERTAIN
    return LIKELY if any(_is_secret(value) and _is_odd(value) for value in _labelled(text)) else 0  # 3


def _labelled(text: str) -> Iterator[str]:
    lower = text.lower()
    if any(map(lower.__contains__, _LABELS)):
        yield from (quoted or plain for quoted, plain in _LABEL.findall(text))
        yield from (value for value in _OPTION.findall(text) if _is_mixed(value))


def _is_secret(value: str) -> bool:
    return not _NONE.search(value) and len(set(value)) > 2


def _is_odd(value: str) -> bool:
    """Whether a value is no word, name, number or path: letters with digits or with signs that passwords have."""
    if len(value) < 6 or value.count(" ") > 2 or not any(map(str.isalpha, value)):
        return False
    return any(map(str.isdigit, value)) or not _SIGNS.isdisjoint(value.rstrip("!?"))


def _is_mixed(value: str) -> bool:
    """Whether a value has a digit, and a capital or a sign besides: what a word of prose has not."""
    return any(map(str.isdigit, value)) and any(c.isupper() or not c.isalnum() for c in value.rstrip(".:!?"))
