"""Characters that change how a terminal or page shows the text around them, and text without them.

Control characters (Unicode's category Cc: C0, DEL and C1) move the cursor, change colours or end a line. The
line and paragraph separators end lines. The embeddings, overrides and isolates of the bidirectional algorithm
(UAX 9) reorder what follows. The marks U+200E, U+200F and U+061C only place a neighbouring sign, and texts
written from right to left need them, so they are not among these.
"""

import re

_LINE_ENDS = "\n\t"
_CONTROLS = "\x00-\x1f\x7f-\x9f"
_REORDERING = "\u2028\u2029\u202a-\u202e\u2066-\u2069"
_HIDDEN = re.compile(f"[{_CONTROLS}{_REORDERING}\ud800-\udfff]")

# Patterns of fields. A text is written in lines; a name is shown in a line of others.
TEXT = "^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"
NAME = f"^[^{_CONTROLS}{_REORDERING}]*$"


def visible(text: str, *, lines: bool = False) -> str:
    r"""Return the text with these characters as escapes, for example `\x1b`, so that they do nothing where it
    is shown. `lines`: leave line feeds and tabs as they are; a carriage return would overwrite its line."""
    return _HIDDEN.sub(lambda found: _escaped(found[0], lines=lines), text)


def _escaped(character: str, *, lines: bool) -> str:
    if lines and character in _LINE_ENDS:
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
