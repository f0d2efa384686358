"""What shows by its form that somebody in a text is a US person: numbers that the country gives, addresses in it.

Words that say so are the lexical detector's (`us_status` and `us_tied` in the lexicon). Hints of different kinds add
up. Pure, and linear in the text.
"""

from __future__ import annotations

import re
from typing import Final

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
_ABROAD: Final = (  # area codes of +1 in Canada and the Caribbean
    r"(?!204|226|236|24[29]|246|250|26[348]|284|289|306|34[35]|354|36[578]|38[27]|403|41[68]|428|43[178]|441|450|468"
    r"|47[34]|506|514|519|548|579|58[147]|604|613|639|64[79]|658|664|672|683|705|709|721|742|75[38]|767|77[89]"
    r"|78[024]|807|809"
    r"|819|82[59]|849|86[789]|873|876|879|902|905)"
)
_PHONE: Final = rf"{_ABROAD}[2-9]\d\d"
_SSN: Final = r"(?!000|666|9)\d{3}([- ]?)(?!00)\d\d\1(?!0000)\d{4}\b(?![-./]?\d)"
_ALIEN: Final = r"A?\d{3}[- ]?\d{3}[- ]?\d{3}\b"
_PASSPORT: Final = r"(?i:ppt |passport )?\d{9}\b"
_VOTER: Final = r"voter (?:id|registration)"
_NUMBER: Final = r"(?:number|no\.?|#)"
_LICENCE: Final = r"(?:driver'?s? licen[cs]e|\bDL\b)"
_HINTS: Final = [
    (weight, re.compile(form))
    for weight, form in (
        (450, rf"(?<![\w./-]){_SSN.replace('[- ]?', '-')}"),
        (100, r"\b(?:DOB|D\.O\.B|(?i:date of birth))\b"),
        (900, rf"(?:\bSSA?N\b|(?i:social security|soc\.? sec|\bsocial\b))[^\n\d]{{0,32}}{_SSN}"),
        (600, r"(?i:\bSSN|social security)[^\n]{0,32}(?:[Xx*#]{3}-?[Xx*#]{2}-?|(?i:last four|ending in) )\d{4}\b"),
        (600, rf"(?<!\w)\+1[ .-]?\(?{_PHONE}\)?[ .-]?\d{{3}}[ .-]?\d{{4}}\b"),
        (500, rf"(?<!\w)\({_PHONE}\) ?\d{{3}}[ -]\d{{4}}\b|(?<![\w-]){_PHONE}-[2-9]\d\d-\d{{4}}\b(?!-)"),
        (600, rf"[A-Za-z.],? +(?:{_STATES}|{_NAMES})\.?,? +\d{{5}}(?:-\d{{4}})?\b(?!-)"),
        (600, rf"\bA-?(?:number|file)[:# ]{{0,3}}{_ALIEN}|(?i:\balien (?:registration )?{_NUMBER}[: ]{{0,3}}){_ALIEN}"),
        (600, r"\b(?:EIN|FEIN|ITIN)\b[^\n\d]{0,16}\d\d-?\d-?\d{2,6}\b"),
        (600, rf"\b(?i:dod id|edipi|medicare|mbi|selective service|{_VOTER})\b[^\n\d]{{0,16}}\d[\dA-Z-]{{5,12}}\b"),
        (600, rf"\b{_STATES} (?i:{_LICENCE}|(?:license )?plates?\b)|(?i:{_LICENCE})[^\n]{{0,8}}\b{_STATES}\b"),
        (600, rf"(?:\bUSA\b|(?i:\b(?:u\.?s\.?|american) passport(?: holder| {_NUMBER})?))[^\n\w]{{1,4}}{_PASSPORT}"),
    )
]


def score(text: str) -> int:
    """How sure it is that a US person is concerned, 0 to 1000."""
    if not any(map(text.__contains__, "0123456789")):
        return 0
    return min(1000, sum(weight for weight, hint in _HINTS if hint.search(text)))
