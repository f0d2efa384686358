"""Replaces confusable characters (UTS #39) by Latin letters and drops invisible ones.

Each character is mapped by itself, so the time is linear. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from gateway.memo import Memo

__all__ = ["hidden", "is_hidden", "is_ideograph", "is_seen", "latin", "letters", "plain_letters", "translated"]

# Characters confusable with Latin letters, after case folding: those of UTS #39 that keyboards offer, and lower-case
# letters whose capital is confusable (small к for K), which UTS #39 leaves out.
_ALIKE: Final = "аαɑвьβƅсϲᴄԁɖеєҽεɛғƒքɡԍցһнηհіιıɩӏꙇјϳкκĸǀⅼмμпոռоοσօрρԛգгᴦѕꜱтτυսʋѵνᴠԝшѡωɯաхχуүγʏᴢʐζ"
_PLAIN: Final = "aaabbbbcccddeeeeefffggghhhhiiiiiijjkkkllmmnnnooooppqqrrssttuuuvvvwwwwwwxxyyyyzzz"
# Confusable letters of left-to-right alphabets that no keyboard offers, from UTS #39. They map one to one.
_RARE: Final = (
    "Ꭺᗅꓮ𐊠𖽀ᏏᏴᑲᖯᗷꓐꞵ𐊂𐊡𐌁Ꮯⲥꓚ𐊢𐌂𐐽𐔜ᎠᏧᑯᗞᗪꓒꓓᎬⴹꓰꬲ𐊆𑣆𑣎ϝᖴẝꓝꬵ𐊇𐊥𐔥𑣂ƍᏀᏳꓖᎻᏂᕼⲏꓧ𐋏Ꭵᛁⲓꓲ"
    "𐌉ᎫᒍꓙᏦᛕⲕꓗ𐔘Ꮮᒪⳑⵏꓡ𐊊𐑃𐔦𑣃𑣒𖼖𖼨ϻᎷᗰᛖⲙꓟ𐊰𐌑ⲛꓠ𐔓ჿᴑⲟⵔꓳꬽ𐊒𐊫𐐬𐓪𐔖𑣈𑣕𑣗Ꮲᑭⲣꓑ𐊕զⵕᎡᎱᏒᖇⲅꓣꭇ"
    "ꭈ𐓜𖼵ƽտᏕᏚꓢ𐊖𐑈𑣁𖼺Ꭲⲧꓔ𐊗𐊱𐌕𑣜𖼊ᑌꓴꞟ𐓶𑣘𖽂Ꮩᐯⴸꓦꛟ𐔝𑣀𖼈ᎳᏔꓪᕁᕽᚷⲭⵝꓫꭓ𐊐𐊴𐌗𐔧ɣყᎩᎽⲩꓬ𐊲𑣄𖽃Ꮓꓜ𑣉"
)
_RARE_PLAIN: Final = (
    "aaaaabbbbbbbbbbcccccccdddddddeeeeeeefffffffffgggghhhhhhiiiiijjjkkkkkllllllllllllmmmmmmmmn"
    "nnoooooooooooooopppppqqrrrrrrrrrrsssssssssttttttttuuuuuuvvvvvvvvwwwxxxxxxxxxxxyyyyyyyyyzzz"
)
_QUOTES: Final = "\u2019\u2018\u02bc\u2032"
_HYPHENS: Final = "\u2010\u2011\u2043"
_LATIN: Final = {
    **dict(zip(map(ord, _ALIKE), _PLAIN, strict=True)),
    **dict(zip(map(ord, _RARE), _RARE_PLAIN, strict=True)),
    **dict.fromkeys(map(ord, _QUOTES), "'"),
    **dict.fromkeys(map(ord, _HYPHENS), "-"),
}
_NAMED: Final = re.compile(
    r"(?:LATIN (?:SMALL |CAPITAL )?LETTER (?:SMALL CAPITAL )?|NEGATIVE (?:SQUARED|CIRCLED) LATIN CAPITAL LETTER "
    r"|REGIONAL INDICATOR SYMBOL LETTER )([A-Z])(?: WITH .*)?"
)
"""Letters whose Unicode name contains a Latin letter, such as small capitals and letters with a stroke or a hook."""
_INVISIBLE: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800")  # letters and symbols without ink
_DROPPED: Final = frozenset({"Mn", "Me", "Cf", "Cc"})  # marks, format characters (bidi, zero width, tags), controls
_REMEMBERED: Final = 16_384
_ODD: Final = re.compile("([^\0-\x7f]+)")
_TAG: Final = "\U000e0020-\U000e007e"
_SELECTOR: Final = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_HIDDEN: Final = re.compile(f"([{_TAG}]+)|([{_SELECTOR}]{{4,}})")
_IS_HIDDEN: Final = re.compile(f"[{_TAG}{_SELECTOR}]")


def letters(text: str) -> str:
    """The text with confusables as Latin letters and invisible characters dropped, case kept, hidden text appended."""
    return text if text.isascii() else " ".join([translated(text, _CASED), *hidden(text)])


def hidden(text: str) -> list[str]:
    """The parts of the text that no person sees but a model may read: tag characters, and runs of variation selectors
    that encode a byte each.
    """
    return [_from_tags(tags) if tags else _from_selectors(row) for tags, row in _HIDDEN.findall(text)]


def is_hidden(character: str) -> bool:
    """Whether the character may encode hidden text."""
    return bool(_IS_HIDDEN.match(character))


def is_seen(character: str) -> bool:
    """Whether the character leaves ink or separates words."""
    return unicodedata.category(character) not in _DROPPED and character not in _INVISIBLE


def is_ideograph(code: int) -> bool:
    """Whether it is one of the many with one form alone: more than a memo holds, so they are not looked up."""
    return 0x4E00 <= code < 0xA000 or 0x3400 <= code < 0x4DC0 or 0x20000 <= code < 0x2A6E0


def latin(character: str) -> str:
    """The Latin letter for a folded confusable; any other character unchanged."""
    alike = _LATIN.get(ord(character))
    if alike is None and not character.isascii():
        named = _NAMED.fullmatch(unicodedata.name(character, ""))
        alike = named and named[1].lower()
    return alike or character


def plain_letters(word: str) -> str:
    """A folded word with confusables as Latin letters."""
    return word.translate(_LATIN)


def translated(text: str, table: Memo[int, str]) -> str:
    """Translate the text by a table. ASCII runs are translated apart, because pure ASCII is fast."""
    return "".join([piece.translate(table) for piece in _ODD.split(text)])


def _from_tags(tags: str) -> str:
    return "".join(chr(ord(c) - 0xE0000) for c in tags)


def _from_selectors(row: str) -> str:
    first = (ord("\ufe00"), 0xE0100 - 16)
    return bytes(ord(c) - first[c > "\ufe0f"] for c in row).decode("utf-8", "ignore")


def _letters(code: int) -> str:
    if is_ideograph(code):
        return chr(code)
    return "".join(_cased(c) for c in unicodedata.normalize("NFKD", chr(code)) if c.isspace() or is_seen(c))


def _cased(character: str) -> str:
    folded = character.casefold()
    plain = latin(folded) if len(folded) == 1 and not character.isascii() else character
    if not plain.isascii():
        return character
    return plain.upper() if character.isupper() else plain


_CASED: Final = Memo(_letters, _REMEMBERED)
