"""What a captured field may look like, by its name: so that no free text comes into a summary, a title or a fingerprint.

A signature captures what stands at a place in a line, and at that place anything may stand: the text of a panic where most
programs write a type, a sentence where most write a host. A field is shown where it has the shape that its name promises, or
where all its words are harmless ones; else it is hidden.
"""

from __future__ import annotations

from typing import Final

from tocsin.core.lazy_expressions import lazy

FREE_TEXT: Final = "[REDACTED:free-text]"
"""Shown in place of a field that does not have its shape."""

_NUMBER: Final = lazy(r"[+\-]?\d{1,12}(?:[.,:]\d{1,9})*(?:\s?[a-zA-Z%]{1,12})?")
_TYPE: Final = lazy(r"[A-Za-z_$][\w.$:<>\\/\-]{0,150}")
_NAME: Final = lazy(r"[\w.\-@+=,/:$\[\]()%~#*\\]{1,255}")
_PLACE: Final = lazy(r"[\w.\-:\[\]%/@+~,$*#()?&=]{1,300}")
_SHAPES: Final = {
    **dict.fromkeys("port seconds count status_code limit size line pid attempts".split(), _NUMBER),
    **dict.fromkeys("exception error_type type class action operation code handler".split(), _TYPE),
    **dict.fromkeys("host url path file endpoint address".split(), _PLACE),
}
"""Of names that several signatures use; every other name promises a name: one word, of whatever signs names have."""

_MARKER: Final = lazy(r"\[REDACTED:[\w\-]{1,60}\]")
_MAX_PLAIN: Final = 120


def shaped(name: str, value: str) -> str:
    """A captured field where it has the shape of its name, else `FREE_TEXT`.

    Args:
        name: The group's name in the expression.
        value: What it captured, redacted.
    """
    bare = _MARKER.sub("", value).strip()
    if not bare or _SHAPES.get(name, _NAME).fullmatch(bare):
        return value
    from tocsin.core.redaction.strict import in_plain_words

    return value if len(bare) <= _MAX_PLAIN and in_plain_words(bare) else FREE_TEXT
