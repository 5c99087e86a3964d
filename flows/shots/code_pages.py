"""Whether bytes that are not UTF-8 are Windows-1252, which Excel's plain "CSV" is in the West.

No byte says so, and the code pages of other countries give the same bytes other letters: what is
French in one is Polish in another. It is certain where what is read makes sense in Windows-1252
and makes no other sense in any of the others.
"""

from __future__ import annotations

import re
from itertools import pairwise

WESTERN = (
    "àâæçèéêëîïôœùûüÿ",  # French
    "äöüßéà",  # German
    "áéíñóúüçàèòï",  # Spanish, Catalan
    "ãáàâçéêíóôõúü",  # Portuguese
    "àèéìíîòóùú",  # Italian
    "åäöæøé",  # Danish, Norwegian, Swedish, Finnish
    "áðéíóúýþæö",  # Icelandic
    "ëïéèöüêá",  # Dutch
)
RIVALS = {
    "cp1250": (
        "ąćęłńóśźż",  # Polish
        "áčďéěíňóřšťúůýž",  # Czech
        "áäčďéíĺľňóôŕšťúýž",  # Slovak
        "áéíóöőúüű",  # Hungarian
        "ăâîşţ",  # Romanian
        "čćđšž",  # Croatian, Slovenian
    ),
    "cp1254": ("çğıiöşüâîû",),  # Turkish
    "cp1257": ("ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž"),  # Lithuanian, Latvian, Estonian
    "cp1251": ("абвгдежзийклмнопрстуфхцчшщъыьэюяёєіїґў",),
    "cp1253": ("αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ",),
    "mac_roman": WESTERN,
}
MARKS = "‘’‚“”„–—…•«»‹›€£¥§©®™°±·×¡¿½¼¾²³ªº\xa0"
OUT_OF_PLACE = re.compile(
    r"[^\W\d_][‚„‹«•€©®§±×¡¿½¼¾]"  # right behind a letter
    r"|[”»›…•©®™][^\W\d_]"  # right before one
    r"|[^\W\d_][“‘–ªº²³£¥·][^\W\d_]"  # within a word
    r"|(?<![^\W\d_])…(?![^\W\d_]|\Z)"
)
DASH_IN_A_WORD = re.compile(r"[^\W\d_]—[^\W\d_]")
ENGLISH = re.compile(r"[A-Za-z]’(?:s|t|re|ve|ll|d|m)\b")
ALONE = re.compile(r"(?<![^\W\d_])[^\W\d_a-zA-Z](?![^\W\d_])")
WORDS_OF_ONE_LETTER = "àèòéáåöøæőįвискоуая"
BESIDE_LATIN = re.compile(r"[a-zA-Z][Ͱ-ӿ]|[Ͱ-ӿ][a-zA-Z]")


def is_surely_windows_1252(data: bytes) -> bool:
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return False
    # "boat—dawn" may be a Mac's "boatódawn": English needs to show itself.
    if DASH_IN_A_WORD.search(text) and not ENGLISH.search(text):
        return False
    if OUT_OF_PLACE.search(text) or not _makes_sense(text, WESTERN):
        return False
    others = ((data.decode(page, "replace"), alphabets) for page, alphabets in RIVALS.items())
    return not any(other != text and _makes_sense(other, known) for other, known in others)


def _makes_sense(text: str, alphabets: tuple[str, ...]) -> bool:
    """Whether all of its letters are those of one language, in words as that language has them."""
    if BESIDE_LATIN.search(text):
        return False
    if any(b.isupper() and a.islower() and not b.isascii() for a, b in pairwise(text)):
        return False
    if any(letter.lower() not in WORDS_OF_ONE_LETTER for letter in ALONE.findall(text)):
        return False
    letters = {c.lower() for c in text if not c.isascii() and c not in MARKS}
    return any(letters <= set(alphabet) for alphabet in alphabets)
