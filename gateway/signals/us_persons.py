"""What shows by its form that somebody in a text is a US person: numbers that the country gives, addresses in it.

Words that say so are the lexical detector's (`us_status` and `us_tied` in the lexicon). Hints of different kinds add
up. Pure, and linear in the text.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from gateway.signals.normalise import kinds

__all__ = ["score"]

_STATES: Final = (
    r"(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT"
    r"|V[AIT]|W[AIVY])"
)
_NAMES: Final = (
    r"(?:Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii|Idaho|Illinois"
    r"|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota|Mississippi|Missouri"
    r"|Montana|Nebraska|Nevada|New (?:Hampshire|Jersey|Mexico|York)|(?:North|South) (?:Carolina|Dakota)|Ohio|Oklahoma"
    r"|Oregon|Pennsylvania|Rhode Island|Tennessee|Texas|Utah|Vermont|Virginia|Washington"
    r"|West Virginia|Wisconsin|Wyoming)"
)
_ZIPS: Final = "|".join(  # by the first digit, states that have ZIP codes with it: others are words before a number
    rf"(?:{states})\.?,? +{first}"
    for first, states in enumerate(
        (
            "CT|MA|ME|NH|NJ|NY|PR|RI|VI|VT",
            "DE|NY|PA",
            "DC|MD|NC|SC|VA|WV",
            "AL|FL|GA|MS|TN",
            "IN|KY|MI|OH",
            "DC|IA|MN|MT|ND|SD|WI",
            "IL|KS|MO|NE",
            "AR|LA|OK|TX",
            "AZ|CO|ID|NM|NV|TX|UT|WY",
            "AK|CA|HI|OR|WA",
        )
    )
)
_ABROAD: Final = (  # area codes of +1 in Canada and the Caribbean, and of no place: calls that are free, or have a fee
    r"(?!204|226|236|24[29]|246|250|26[348]|284|289|306|34[35]|354|36[578]|38[27]|403|41[68]|428|43[178]|441|450|468"
    r"|47[34]|506|514|519|548|579|58[147]|604|613|639|64[79]|658|664|672|683|705|709|721|742|75[38]|767|77[89]"
    r"|78[024]|807|809"
    r"|819|82[59]|849|86[789]|873|876|879|902|905|8(?:00|22|33|44|55|66|77|88)|900)"
)
_PHONE: Final = rf"{_ABROAD}[2-9]\d\d"
_SSN: Final = r"(?!000|666|9)\d{3}([- ]?)(?!00)\d\d\1(?!0000)\d{4}\b(?![-./]?\d)"
_ALIEN: Final = r"A?\d{3}[- ]?\d{3}[- ]?\d{3}\b"
_ALIENS: Final = (b"000-000-000", b"000000000", b"000 000 000")
_GIVEN: Final = ("dod id", "edipi", "medicare", "mbi", "selective service", "voter id", "voter registration")
_SOCIAL: Final = ("ssn", "ssan", "social", "soc sec", "soc. sec")
_MASKED: Final = r"(?:[Xx*#]{3}-?[Xx*#]{2}-?|(?i:last four|ending in) )"
_FOUR: Final = (b"0000",)
_NUMBER: Final = r"(?:number|no\.?|#)"
_REGISTERED: Final = rf"(?i:\balien (?:registration )?{_NUMBER}[: ]{{0,3}})"
_BOOK: Final = rf"(?i:\b(?:u\.?s\.?|american) passport(?: holder| {_NUMBER})?)"
_ROAD: Final = ("licen", "dl", "plate")
_KINDS: Final = bytes(ord("0") if chr(code) in "0123456789" else code for code in range(256))
_PLATES: Final = r"(?:license )?plates?\b"
_LICENCE: Final = r"(?:driver'?s? licen[cs]e|\bDL\b)"
_DASHED: Final = (b"000-00-0000",)
_NINE: Final = (b"000-00-0000", b"000000000", b"000 00 0000")
_LOCAL: Final = (b"000-0000", b"000 0000", b"000.0000", b"0000000")


class _Hint(NamedTuple):
    """How much it counts, one of which shapes of digits and of which words it has in it, and its form."""

    weight: int
    shapes: tuple[bytes, ...]
    words: tuple[str, ...]
    form: re.Pattern[str]


_HINTS: Final = [
    _Hint(weight, shapes, words, re.compile(form))
    for weight, shapes, words, form in (
        (450, _DASHED, (), rf"(?<![\w./-]){_SSN.replace('[- ]?', '-')}"),
        (100, _DASHED, ("dob", "d.o.b", "birth"), r"\b(?:DOB|D\.O\.B|(?i:date of birth))\b"),
        (900, _NINE, _SOCIAL, rf"(?:\bSSA?N\b|(?i:social security|soc\.? sec|\bsocial\b))[^\n\d]{{0,32}}{_SSN}"),
        (600, _FOUR, _SOCIAL, rf"(?i:\bSSN|social security)[^\n]{{0,32}}{_MASKED}\d{{4}}\b"),
        (600, _LOCAL, ("+1",), rf"(?<!\w)\+1[ .-]?\(?{_PHONE}\)?[ .-]?\d{{3}}[ .-]?\d{{4}}\b"),
        (500, _LOCAL, (), rf"(?<!\w)\({_PHONE}\) ?\d{{3}}[ -]\d{{4}}\b|(?<![\w-]){_PHONE}-[2-9]\d\d-\d{{4}}\b(?!-)"),
        (600, (b" 00000",), (), rf"[A-Za-z.],? +(?:{_NAMES}\.?,? +\d|{_ZIPS})\d{{4}}(?:-\d{{4}})?\b(?!-)"),
        (600, _ALIENS, ("number", "file", "alien"), rf"\bA-?(?:number|file)[:# ]{{0,3}}{_ALIEN}|{_REGISTERED}{_ALIEN}"),
        (600, _FOUR, ("ein", "itin"), r"\b(?:EIN|FEIN|ITIN)\b[^\n\d]{0,16}\d\d-?\d-?\d{2,6}\b"),
        (600, (), _GIVEN, rf"\b(?i:{'|'.join(_GIVEN)})\b[^\n\d]{{0,16}}\d[\dA-Z-]{{5,12}}\b"),
        (
            600,
            (),
            _ROAD,
            rf"\b{_STATES} (?i:{_LICENCE}|(?:license )?plates?\b)|(?i:{_LICENCE})[^\n]{{0,8}}\b{_STATES}\b",
        ),
        (600, (b"000000000",), ("usa", "passport"), rf"(?:\bUSA\b|{_BOOK})[^\n\w]{{1,4}}(?i:ppt |passport )?\d{{9}}\b"),
    )
]
"""Looking for shapes and words takes no time."""
_SHAPED: Final = b"000"
"""What every shape has in it."""
_SHAPELESS: Final = [hint for hint in _HINTS if not hint.shapes]


def score(text: str) -> int:
    """How sure it is that a US person is concerned, 0 to 1000."""
    digits = kinds(text, _KINDS)
    if b"0" not in digits:
        return 0
    lower = text.lower()
    hints = _HINTS if _SHAPED in digits else _SHAPELESS
    return min(1000, sum(hint.weight for hint in hints if _may_be(hint, digits, lower) and hint.form.search(text)))


def _may_be(hint: _Hint, digits: bytes, lower: str) -> bool:
    shaped = not hint.shapes or any(map(digits.__contains__, hint.shapes))
    return shaped and (not hint.words or any(map(lower.__contains__, hint.words)))
