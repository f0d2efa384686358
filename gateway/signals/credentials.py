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
        **{f"gh{kind}_": rf"\bgh{kind}_[A-Za-z0-9]{{36}}" for kind in "opsur"},
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
        "eyJ": r"\beyJ[\w-]{8,512}\.eyJ[\w-]{16}",
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
_LABELS: Final = (
    *("passw", "passphrase", "passcode", "pass", "pwd", "pw", "kennwort", "mot de passe", "mdp", "contrase", "senha"),
    *("wachtwoord", "secret", "token", "credential", "psk", "key"),
)
_KEY: Final = re.compile(
    r"(?:api|access|account|auth|encryption|master|private|signing|shared|storage)[ _-]?$", re.IGNORECASE
)
"""What stands before "key", where it is one of these."""
_SHORT: Final = frozenset({"pw", "mdp", "psk", "senha"})
_AFTER: Final = re.compile(
    r"\w{0,24}(?: (?:for|of|to|on)(?: [\w.-]{1,32}){1,5})?[\"'\]]{0,2}"
    r"(?:\s{0,16}(?::=|=>|[:=])\s{0,16}|\s{1,4}(?:is|was|now|set to|0|5|7)\s{1,4}|\s{1,4}(?=[\"'`]))"
    r"(?:[bru]?[\"'`]([^\"'`\n]{4,200})[\"'`]|([^\s\"'`,;<>(){}\[\]]{4,200})(?![\w.]*\())",
    re.IGNORECASE,
)
_SETTINGS: Final = frozenset({"passwd", "password", "psk", "psksecret", "secret"})
_WORD: Final = re.compile(r"\w{0,24}")
_BEGUN: Final = re.compile(r"[\w-]*$")
_SPACED: Final = re.compile(r"[ \t]{1,16}[\"']?([^\s\"'`,;<>(){}\[\]]{6,200})")
"""What a setting or the option of a command gives without a sign between."""
_COMMAND: Final = re.compile(
    r"\b(?:sshpass|mysql|mysqldump|ldapsearch|redis-cli|curl|smbclient)\b[^\n]{0,80}? -[pwau] ?(?:\w{1,32}[:%])?"
    r"[\"']?([^\s\"'`,;<>(){}\[\]]{6,200})"
)
_COMMANDS: Final = ("sshpass", "mysql", "ldapsearch", "redis-cli", "curl", "smbclient")
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
    """What stands after a label, or where a command or a setting has a secret: there it has to look more like one."""
    lower = text.lower()
    for label in _LABELS:
        at = lower.find(label)
        while at >= 0:
            before, after = lower[max(0, at - 26) : at], _WORD.match(lower, at)
            if after and _is_label(label, before):
                word = f"{(_BEGUN.search(before) or after)[0]}{after[0]}"
                if value := _AFTER.match(text, at + len(label)):
                    yield value[1] or value[2]
                if (word in _SETTINGS or word[0] == "-") and (value := _SPACED.match(text, after.end())):
                    yield from filter(_is_mixed, (value[1],))
            at = lower.find(label, at + len(label))
    if any(map(text.__contains__, _COMMANDS)):
        yield from filter(_is_mixed, _COMMAND.findall(text))


def _is_label(label: str, before: str) -> bool:
    if label == "key":
        return bool(_KEY.search(before)) or before.endswith("-")
    return label not in _SHORT or not before[-1:].isalnum()


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
