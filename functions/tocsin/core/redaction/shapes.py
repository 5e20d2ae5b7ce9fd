r"""Credentials that show by their shape: strings that look random, base64 that holds a secret, forms of providers.

A secret of a service that nobody has heard of has no rule of its own, but it looks random: long, of mixed classes, and
changing between them all the time, as no word, path or version does. Ids look random too, and an engineer needs them; so
what has the shape of a known id (UUID, hash, ULID, KSUID, ids of Stripe, Twilio, Slack and models, the ids and receipts of
AWS) or stands behind a key that says that it is one stays readable.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

import re2

from tocsin.core.expressions import re2_options
from tocsin.core.lazy_expressions import lazy
from tocsin.core.redaction.key_values import Span
from tocsin.core.redaction.provider_rules import FORMS

_TOKEN: Final = lazy(r"[A-Za-z0-9_\-+/=.~%!@$^*|]{16,}")
_PART: Final = lazy(r"[A-Za-z0-9]+")
_PIECE: Final = lazy(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_PUNCTUATED: Final = lazy(r"[%!@$^*|]")
_SEGMENT: Final = lazy(r"[^/%!@$^*|]+")
_SHORTEST: Final = 18
_MAX_TOKEN: Final = 4_096
"""A longer one is judged by its beginning."""

_ID: Final = lazy(
    r"(?:"
    r"(?:0[xX])?[0-9A-Fa-f\-]+"  # hashes, UUIDs, trace ids, numbers, dates, addresses
    r"|[0-7][0-9A-HJKMNP-TV-Z]{25}"  # ULID
    r"|[0-3][0-9A-Za-z]{26}"  # KSUID
    r"|(?:ch|cus|pi|pm|sub|in|ii|il|evt|req|acct|price|prod|plan|seti|cs|cs_test|cs_live|po|tr|txn|re|dp|pyr|src|card|ba|si"
    r"|sub_sched|file|we|prv|mandate|py|cn|qt|user|org|sess|sesh|team|proj|msg|run|thread|asst|call|toolu|resp|batch|ev|rsi"
    r"|dpl|prj|deploy|build|job|task|inst|node|wf|exec|order|inv|item|acc|app|db|vol|host|env|sha256|obj|doc|conv|chat)"
    r"_[0-9A-Za-z]{8,32}"  # Stripe's and those who name their ids as it does
    r"|(?:chatcmpl|cmpl|file|batch|modr|embd|ftjob|ws|run|req)-[0-9A-Za-z]{8,40}"
    r"|(?:AC|CA|CF|CL|CN|CR|EV|FN|FW|HX|IM|IS|KS|MB|MG|ML|MM|MX|NE|NO|OR|PA|PN|QU|RE|RM|SM|SR|TR|US|UT|VA|VE|WA|WF|WK|WO|WS|WT|WW|XE|ZH|ZS)"
    r"[0-9a-f]{32}"  # Twilio, but its API keys
    r"|[TUBCDGW][0-9A-Z]{8,10}"  # Slack
    r"|AQEB[0-9A-Za-z+/=]{40,}"  # SQS receipts
    r"|(?:AROA|AIDA|ANPA|AGPA|AIPA|ANVA|APKA|ASCA)[A-Z0-9]{16,}"  # ids of IAM
    r"|[A-Z][A-Z0-9]{12,15}"  # request ids of S3, ids of CloudFront and Route 53
    r")"
)
_IDS_KEY: Final = lazy(
    # What a key says that names a thing and not a secret, right before the value.
    r"(?i)(?:(?:(?<![a-z])|[_\-a-z](?=i)|[a-z])(?:ids?|uuid|guid)|etag|digest|checksum|sha\d{0,3}|md5|hash|integrity|fingerprint|"
    r"handle|cursor|marker|revision|version|commit|release|build|image|trace|span|stream|shard|arn|module|file|path|class|table|"
    r"bucket|host|hostname|queue|topic|node|pod|container|instance|label|tag|name|url|uri)"
    r"(?:\s(?:is|was))?[\"'\])]{0,3}(?:\s{0,2}(?:=>|[=:#]|,)\s{0,2}|\s)[\"'(\[{<]{0,3}\Z"
)
_BEFORE: Final = 40
_MIN_CHANGE_RATE: Final = 0.19
_MIN_CHANGES: Final = 4


def looks_random(token: str) -> bool:
    """Whether a string of letters, digits and the signs of base64 reads like nobody wrote it."""
    token = token[:_MAX_TOKEN]
    if len(token) < _SHORTEST or _ID.fullmatch(token.rstrip("=.")):
        return False
    changes = letters = words = 0
    longest = 0
    for part in _PART.findall(token):
        if _ID.fullmatch(part):
            continue
        pieces = _PIECE.findall(part)
        longest = max(longest, len(part))
        if len(part) >= _LONG_ALONE and sum(map(str.isdigit, pieces)) >= _MIN_CHANGES:
            return True  # no name is that long in one piece and changes that often
        changes += len(pieces) - 1
        letters += len(part)
        words += sum(len(piece) for piece in pieces if len(piece) >= _A_WORD and _pronounceable(piece))
    if _NAME_OF_FILE.search(token) and longest < _LONG_PART:
        return False
    if letters < _SHORTEST - 4 or longest < _MIN_PART or changes < _MIN_CHANGES:
        return False
    return changes >= _MIN_CHANGE_RATE * letters and words <= letters * _MAX_WORDS


_NAME_OF_FILE: Final = lazy(r"\.[a-z]{2,5}\Z")
_LONG_PART: Final = 20
_LONG_ALONE: Final = 24
_A_WORD: Final = 4
_MIN_PART: Final = 9
_MAX_WORDS: Final = 0.4
_VOWELS: Final = frozenset("aeiouyAEIOUY")


def _pronounceable(piece: str) -> bool:
    """Whether a run of letters could be a word: between a fifth and two thirds of them are vowels."""
    vowels = sum(letter in _VOWELS for letter in piece)
    return len(piece) / 5 <= vowels <= len(piece) * 2 / 3


def random_looking(text: str) -> Iterator[Span]:
    """Strings that look random and are no id."""
    for found in _TOKEN.finditer(text):
        token, start = found[0], found.start()
        if _plain(token):
            continue
        span = _random_span(token)
        if span and not _is_named_id(text, start + span[0]):
            yield start + span[0], start + span[1]


def _plain(token: str) -> bool:
    """Whether it has no digits or no letters, which rules most tokens out at once."""
    head = token[:_MAX_TOKEN]
    return head.isdigit() or (not any(character.isdigit() for character in head) and not _mixed(head))


def _mixed(token: str) -> bool:
    return len(token) >= _LONG_ALONE and not token.islower() and not token.isupper()


def _random_span(token: str) -> Span | None:
    """The part of a token that looks random: all of base64, one segment of a path."""
    is_path = token.startswith(("/", ".", "~", "=/")) or "//" in token
    segments = [(found.start(), found.end()) for found in _SEGMENT.finditer(token)]
    is_one = not is_path and len(segments) > 1 and not _PUNCTUATED.search(token)
    if is_one and looks_random(token) and not any(_is_word(token[a:b]) for a, b in segments):
        return 0, len(token)
    for start, end in segments:
        key = token.find("=", start, end)
        if start < key < end - _SHORTEST and looks_random(token[key + 1 : end]):
            return key + 1, end
        if looks_random(token[start:end]):
            return start, end
    return None


def _is_word(segment: str) -> bool:
    return len(segment) >= _A_WORD and segment.isalpha() and (segment.islower() or segment[1:].islower())


def _is_named_id(text: str, start: int) -> bool:
    before = text[max(0, start - _BEFORE) : start]
    return bool(_IDS_KEY.search(before))


_BASE64: Final = lazy(r"(?<![A-Za-z0-9+/_\-])[A-Za-z0-9+/_\-]{20,}(?:=|%3D){0,2}(?![A-Za-z0-9+/])")
_PRINTABLE: Final = lazy(r"[\t\n\r\x20-\x7e]*")
_MAX_DECODED: Final = 20
"""Of one text; each costs as much as a line of its own."""
_MAX_BASE64: Final = 8_192


def base64_with(finds: Callable[[str], object]) -> Callable[[str], Iterator[Span]]:
    """Base64 whose text holds something to hide.

    Args:
        finds: Looks at a decoded text; what it answers counts as true or false.
    """

    def search(text: str) -> Iterator[Span]:
        looked_at = 0
        for found in _BASE64.finditer(text):
            decoded = _decoded(found[0])
            if decoded is None:
                continue
            looked_at += 1
            if looked_at > _MAX_DECODED:
                yield found.start(), len(text)
                return
            if finds(decoded):
                yield found.span()

    return search


def _decoded(token: str) -> str | None:
    """What base64 holds, where that is text."""
    plain = token.replace("%3D", "").rstrip("=").replace("-", "+").replace("_", "/")
    if not any(character.isupper() for character in plain[:80]):
        return None
    plain = (
        plain[: min(len(plain) // 4 * 4, _MAX_BASE64)]
        if len(plain) % 4 == 1 or len(plain) > _MAX_BASE64
        else plain
    )
    try:
        decoded = base64.b64decode(plain + "=" * (-len(plain) % 4)).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return decoded if _PRINTABLE.fullmatch(decoded) else None


@cache
def _beginnings() -> tuple[re2._Regexp, dict[str, tuple[int, ...]]]:
    """One expression for what any form begins with, and the forms by their beginning."""
    by_beginning: dict[str, tuple[int, ...]] = {}
    for number, (_, needles, _) in enumerate(FORMS):
        for needle in needles.split():
            by_beginning[needle] = (*by_beginning.get(needle, ()), number)
    options = re2_options()
    options.case_sensitive = False
    return re2.compile("|".join(map(re2.escape, by_beginning)), options), by_beginning


@cache
def _form(number: int) -> re2._Regexp:
    return re2.compile(FORMS[number][2], re2_options())


_MAX_FINDS: Final = 200


def provider_forms(text: str) -> Iterator[Span]:
    """Credentials of the forms in the generated list."""
    beginnings, by_beginning = _beginnings()
    if not beginnings.search(text):
        return
    lowered = text.lower()
    numbers = {number for needle, numbers in by_beginning.items() if needle in lowered for number in numbers}
    for number in sorted(numbers):
        for count, found in enumerate(_form(number).finditer(text)):
            if count == _MAX_FINDS:
                yield found.start(), len(text)
                break
            if len(found[0]) >= _LONG_PART or any(map(str.isdigit, found[0])):
                yield found.span()
