"""Strict redaction: only what is known to be harmless is shown; everything else becomes ``…``.

Known to be harmless are the words of a generated vocabulary (``vocabulary``), and safe shapes: times, durations, sizes, small
numbers, versions, UUIDs, ARNs, paths of code, frames, hosts, private addresses, names of exceptions, keys, and identifiers all
of whose parts are words. It comes on top of all other rules, for services whose lines are about people: it hides what no rule
can know, such as a name in a sentence, and costs a word now and then that an engineer would have liked to see.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import Final

from tocsin.core.lazy_expressions import lazy

STRICT: Final = "strict"
"""The name under which it says what it hid; shown as ``…``."""

ELLIPSIS: Final = "…"

_EXTENSIONS: Final = r"(?:pyc?|mjs|cjs|jsx?|tsx?|java|kt|scala|go|rb|rs|cs|php|cpp|cc|[ch]|so|dll|jar|sh|sql|ya?ml|toml|json|conf|cfg|ini|lock|log|exe|ex|erl|dart|swift|vue|html?|xml|properties|sock)"
_ATOM: Final = (
    # A date with a time: when something was logged. A date alone may be somebody's birthday.
    r"(?P<shown>\[(?:REDACTED|CUT):[^\]\n]{0,60}\]|"
    r"\d{4}[\-/]\d\d[\-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z| ?[+\-]\d\d:?\d\d| UTC)?|(?<![\w:.])\d\d:\d\d:\d\d(?:[.,]\d{1,9})?Z?(?![\w:])|"
    r"\d\d?/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d(?: [+\-]\d{4})?|"
    r"(?<![\w\-])[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}(?![\w\-])|"
    r"\barn:aws[\w\-]{0,20}:[\w\-]{0,40}:[\w\-]{0,30}:\d{0,12}:[\w\-/:.*+$@]{1,256}+|"
    r"(?<![\w.\-@])\d{12}\.dkr\.ecr\.[\w.\-/:]{1,200}+|"
    # Durations, sizes, shares.
    r"(?<![\w.\-])\d{1,12}(?:\.\d{1,9})?\s?(?:ns|us|µs|ms|s|m|h|d|sec|secs|seconds?|minutes?|hours?|days?|milliseconds?|bytes?|[kKMGTP]i?[bB]|B|%|x|rpm|rps|qps|tps)(?![\w.\-/])|"
    r"(?i:\b(?:port|line|pid|exit|code|status|errno|error|signal|size|count|attempts?|retry|retries|offset|row|rows|column|position|char|character|"
    r"generation|epoch|thread|worker|shard|partition|limit|max|min|total|bytes|length|timeout|duration|memory|took|after|version|depth|index|byte))"
    r"[\"']?(?:\s?[=:#]\s?|\s|\(|\[)[\"']?-?\d{1,7}(?:\.\d{1,6})?(?![\w.\-]\w)|"
    r"(?i:\b\w{1,24}(?:ms|millis|seconds|bytes|mb|kb|count|size))[\"']?\s?[=:]\s?[\"']?\d{1,12}(?:\.\d{1,9})?(?![\w.\-]\w)|"
    # What programs call their own parts, where their messages say so.
    r"(?:(?<=module named ')|(?<=module named \")|(?<=import name ')|(?<=attribute ')|(?<=import module ')|(?<=module ')|(?<= from '))[\w.]{1,100}(?=['\"])|"
    r"(?<=calling the )\w{1,80}(?= operation)|"
    r"0x[0-9a-fA-F]{1,16}\b|"
    r"(?<![\w.\-/:])(?:10|127|0)(?:\.\d{1,3}){3}(?::\d{1,5})?(?![\w.])|(?<![\w.\-/])(?:192\.168|169\.254|172\.(?:1[6-9]|2\d|3[01]))(?:\.\d{1,3}){2}(?::\d{1,5})?(?![\w.])|"
    # Where code is: a frame of any language, a path that ends like a file of code, a path of a runtime.
    rf"(?<![\w@])(?:[A-Za-z]:)?[\w.\-@+$~]{{0,100}}(?:[/\\][\w.\-@+$~]{{1,100}}){{0,30}}[/\\]?\b[\w\-$]{{1,80}}\.{_EXTENSIONS}(?::\d{{1,6}}){{0,2}}(?![\w@])|"
    r"/(?:var/(?:task|runtime|lang|log)|opt|usr|lib|proc|etc|dev)(?:/[\w.\-+$@]{1,100}){0,30}|"
    r"(?<=, in )[A-Za-z_<][\w.<>]{0,80}|(?<=\bat )[A-Za-z_$][\w$]{0,80}(?:[.$:][\w$<>]{1,80}){1,20}|"
    # Hosts; an address of e-mail has been hidden before.
    r"(?<![\w.@/\-])(?:[A-Za-z0-9][A-Za-z0-9\-]{0,62}\.){1,8}(?:com|org|net|io|dev|internal|local|localdomain|cloud|amazonaws\.com|aws|example|test|svc|lan|eu|co|ai|app)(?::\d{2,5})?(?![\w\-]|\.\w)|"
    r"\b[A-Z][A-Za-z]{2,60}(?:Error|Exception|Failure|Fault|Timeout)\b|"
    r"(?<=SQLSTATE\[)\w{5}(?=\])|(?<=SQLSTATE )\w{5}\b|\bHY\d{3}\b|"
    r"\b[A-Z][A-Z]{0,9}_[A-Z_]{2,50}\b|\bE[A-Z]{3,14}\b|\bSIG[A-Z]{2,6}\b|"
    r"(?<![\w.\-/])v?\d{1,3}\.\d{1,4}(?:\.\d{1,4})?(?:[\-+](?:alpha|beta|rc|snapshot|final|release|post|dev|slim|alpine)[.\d]{0,8})?(?![\w\-/]|\.\w)|"
    # A key: what it is called, not what it holds.
    r"(?<![\w\-])[A-Za-z_][\w.\-]{0,48}(?==[^\s=])|(?<=[\"'])[A-Za-z_][\w.\-]{0,48}(?=\\{0,8}[\"']\s{0,2}:))|"
    # Numbers, and what is written with them.
    r"(?P<number>[+\-#]?\d[\d.,\-/:_ ()]{0,40}\d[A-Za-z]{0,3}\b|\d+[A-Za-z]{0,40})|"
    r"(?P<word>(?!\d)\w[\w$]*+(?:['’][a-z]{1,2}\b)?)|(?P<space>[^\S\n]+)|(?P<other>[^\w\s]+|\n)"
)
_PART: Final = lazy(r"[A-Z]?[a-z']+|[A-Z]+(?![a-z])|[A-Z]+|[0-9]+|[^\W\d_A-Za-z]+")
_SMALL: Final = lazy(r"[+\-#]?\d{1,4}(?:/\d{1,4}|:\d{1,4}|\.\d{1,3})?[.,:)]?|\d{3}[,.)\s]{0,2}")
_MAX_SHORT: Final = 1
_LONG_NAME: Final = 3


@cache
def vocabulary() -> frozenset[str]:
    """The words that are known to be harmless, in lower case."""
    from tocsin.core.redaction.vocabulary import WORDS

    return frozenset(WORDS.split())


@cache
def _atom() -> re.Pattern[str]:
    """Compiled on first need: it is the largest expression there is, and most deployments are not strict."""
    return re.compile(_ATOM)


def in_plain_words(text: str) -> bool:
    """Whether a text holds nothing but words of the vocabulary, signs and few digits."""
    known = vocabulary()
    return sum(map(str.isdigit, text)) <= _MAX_DIGITS and all(
        part.isdigit() or part.lower() in known or len(part) == 1 for part in _PART.findall(text)
    )


_MAX_DIGITS: Final = 4


_MAX_NUMBER: Final = 3


def strict_spans(text: str, known: Iterable[str] = ()) -> Iterator[tuple[int, int]]:
    """Where a text holds something that is not known to be harmless.

    Args:
        text: A text that the other rules have looked at.
        known: Expressions and texts whose words may be shown too: those of the signature.
    """
    words = vocabulary()
    further = words_of(tuple(known))
    open_from = open_to = -1
    for found in _atom().finditer(text):
        kind = found.lastgroup
        if kind == "space" or (
            kind == "other" and found[0] in {"-", "'", "’", ".", ",", "/", "@", "+", "_", "#"}
        ):
            continue
        hidden = (kind == "word" and not _is_known(found[0], words, further)) or (
            kind == "number" and not _SMALL.fullmatch(found[0])
        )
        if not hidden:
            if open_from >= 0:
                yield open_from, open_to
                open_from = -1
            continue
        if open_from < 0:
            open_from = found.start()
        open_to = found.end()
    if open_from >= 0:
        yield open_from, open_to


@lru_cache(maxsize=64)
def words_of(texts: tuple[str, ...]) -> frozenset[str]:
    """The words of expressions and of plain texts, in lower case."""
    plain = (_NOT_WORDS.sub(" ", text) for text in texts)
    return frozenset(
        part.lower() for text in plain for part in _PART.findall(text) if len(part) > _MAX_NUMBER
    )


_NOT_WORDS: Final = lazy(r"\\[A-Za-z]|\(\?P<\w+>|\(\?[a-z]+\)?:?")


def _is_known(word: str, words: frozenset[str], further: frozenset[str]) -> bool:
    lowered = word.lower().strip("'’")
    if lowered in words or lowered in further:
        return True
    parts = _PART.findall(word)
    strange = sum(
        len(part) > _MAX_NUMBER
        if part.isdigit()
        else len(part) > _MAX_SHORT
        and part.lower().removesuffix("'s") not in words
        and part.lower() not in further
        for part in parts
    )
    # One strange part in the long name of a class is a word that the vocabulary lacks, not a person.
    return not strange or (strange == 1 and len(parts) >= _LONG_NAME and word.isascii() and word.isalpha())
