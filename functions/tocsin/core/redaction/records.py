"""Values of a program printed whole: ``Patient(id=12, name='Jo Smith')``, ``#<User @name="Jo">``, ``{Name:Jo}``.

A dataclass, a model, a struct or a row that stands in a message may hold anything about anybody, so what is between its
brackets is hidden wholesale; its type stays. What stays too is what programs print of themselves: the types that
connect, wait and fail (``HTTPSConnectionPool(host='…', port=443)``), and whatever holds numbers, states and places only.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final

import re2

from tocsin.core.expressions import re2_options
from tocsin.core.lazy_expressions import lazy
from tocsin.core.redaction.key_values import Span, closing_bracket

FORMS: Final = (
    r"\b([A-Z][\w.]{1,80})[(\[]\\?[\"']?[A-Za-z_]\w{0,60}\\?[\"']?\s?(?:=[^=>]|: )",  # Python, Kotlin, Java's records, Scala
    r"\b([A-Z]\w{1,60}(?:(?:::|\.)\w{1,40}){0,4}) ?\{\s?\\?[\"']?[A-Za-z_]\w{0,60}\\?[\"']?\s?(?:=|:\s?)[^:]",  # Java, Rust, C#, Node
    r"#<(?:struct )?([A-Z][\w:]{1,80})(?::0x[0-9a-f]{1,16})? \@?\w{1,60}(?:=|: )",  # Ruby
    r"&?()\{[A-Z]\w{0,60}:[^\s:]",  # Go's structs
    r"()map\[[A-Za-z]\w{0,60}:[^\s\]]",  # Go's maps
    r"<([A-Z]\w{1,60}): [^<>\n\d]",  # Django's models
)
"""How a printed value begins: its type, its bracket, its first key. RE2."""

_OF_PROGRAMS: Final = lazy(
    r"(?:Error|Exception|Warning|Fault|Pool|Connection|Timeout|Client|Config|Configuration|Settings|Options|Adapter|Engine|"
    r"Session|Retry|Response|Lock|Queue|Bucket|Function|Handler|Logger|Future|Task|Thread|Process|Worker|Socket|Server|"
    r"Stream|Cluster|Node|Pod|Container|Partition|Topic|Offset|OffsetMetadata|Version|Duration|Metrics?|Stats|Status|State|Properties|Metadata|Context)\Z"
)
"""Last words of types that are a program's own."""

_INNOCENT_KEYS: Final = lazy(
    r"(?i)(?:host|hostname|port|url|uri|scheme|path|file|filename|line|lineno|module|package|function|method"
    r"|handler|timeout|connect|read|total|retries|attempt|attempts|status|status_code|statuscode|code|errno"
    r"|error|type|kind|state|level|region|bucket|table|queue|topic|stream|shard|partition|offset|group"
    r"|service|component|cluster|node|namespace|version|size|length|count|limit|index|position|start|end"
    r"|min|max|duration|elapsed|delay|interval|ttl|enabled|dtype|shape|columns|rows|engine|driver|dialect"
    r"|database|db|schema|isolation|cause|reason)"
)
"""Keys whose values tell of the program, not of a person."""
_PAIR: Final = lazy(r"[@\"'\\]{0,3}([A-Za-z_]\w{0,60})[\"'\\]{0,3}\s?(?:=|:)\s?([^,;)\]}\n]{0,200})")
_INNOCENT_VALUE: Final = lazy(
    r"\s*(?:[\"'\\]{0,3}|[\-+]?\d{1,5}(?:\.\d{1,9})?(?:\s?[A-Za-z]{1,12})?|[a-z]\w{0,40}(?:\.[\w$/]{1,60}){2,8}|(?i:none|null|nil|true|false|undefined|nan)|[A-Z][A-Z0-9_]{1,40}|[a-z][a-z_\-]{0,40}|"
    r"<[^>]{0,80}>?|0x[0-9a-f]{1,16})\s*"
)
_MAX_FINDS: Final = 200


@cache
def _beginning() -> re2._Regexp:
    return re2.compile("|".join(FORMS), re2_options())


def records(text: str) -> Iterator[Span]:
    """What is between the brackets of values that a program printed whole."""
    covered = 0
    for count, found in enumerate(_beginning().finditer(text)):
        if found.start() < covered:
            continue  # within another that is hidden
        type_name = next((group for group in found.groups() if group is not None), "")
        if _OF_PROGRAMS.search(type_name):
            continue
        span = _content(text, found.start(), type_name)
        if count == _MAX_FINDS:
            yield span[0], len(text)
            return
        covered = span[1]
        if text[found.start()] == "<" or _says_something(text[span[0] : span[1]]):
            yield span


def _content(text: str, start: int, type_name: str) -> Span:
    """What is between the brackets of the value that begins there."""
    if text[start] in "<#":
        opening = text.index(type_name, start) + len(type_name)
        newline = text.find("\n", opening)
        end = text.find(">", opening, newline if newline >= 0 else len(text))
        return opening + 1, end if end >= 0 else (newline if newline >= 0 else len(text))
    opening = next(at for at in range(start + len(type_name), len(text)) if text[at] in "([{")
    return opening + 1, max(opening + 1, closing_bracket(text, opening) - 1)


def _says_something(held: str) -> bool:
    """Whether any of the values could be about a person: not those of innocent keys, no numbers, no states."""
    return any(
        not _INNOCENT_KEYS.fullmatch(pair[1]) and not _INNOCENT_VALUE.fullmatch(pair[2])
        for pair in _PAIR.finditer(held)
    )
