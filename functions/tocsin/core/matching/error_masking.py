"""The template of an unknown error: its line found, redacted, and what varies in it masked.

By its template an error that no signature explains is known. Stateless and deterministic: any process comes to the
same template for the same line, without asking another. Every expression is RE2, and the text is bounded, so the time
is linear. The rules run in their order over the result of those before; each is an idea that holds for any log, and
none was made for one kind of file.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import re2

from tocsin.core.lazy_expressions import lazy_re2
from tocsin.core.matching.admissions import admission_span
from tocsin.core.matching.levels import MAX_PREFIX_LENGTH, statement
from tocsin.core.matching.logline import LogLine, read_line
from tocsin.core.matching.quoting import quoted_as
from tocsin.core.model import Level
from tocsin.core.redaction.sample import WITHHELD, normalise

if TYPE_CHECKING:
    from tocsin.core.redaction.rule import Rule

MAX_LINES = 400
"""Lines of one event among which the one at error is looked for."""
MASK = "<*>"
"""Stands for whatever varies. One mask for all: what is a number today may be an id tomorrow."""
MAX_TEXT = 2_000
"""Characters of a line that are read."""
MAX_TEMPLATE = 400
"""Characters of a template; what follows tells no two errors apart."""

_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_ZONE = "(?:UTC|GMT|[CEMPW][DES]S?T)"
_TOP_LEVEL = (
    "(?:com|net|org|edu|gov|mil|int|io|dev|cloud|local|internal|localdomain"
    "|au|br|ca|ch|cn|de|es|eu|fr|hk|jp|kr|mx|nl|ru|se|tw|uk|us)"
)
"""Not every country: ``main.py``, ``app.rs`` and ``run.sh`` are files."""
_UNIT = "(?:B|[kKMGT]i?B|[kmgt]b|[Bb]ytes?|ms|us|ns|s|secs?|seconds?|min|minutes?|h|hours?|d|days?|MILLISECONDS|%)"
_AMOUNT = rf"[-+<>~]?\d[\d.,]*\s?{_UNIT}"
_METHOD = "(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)"
_WORDS_WITH_DIGITS = r"\b(?:utf-?8|ipv[46]|sha-?(?:1|256|512)|md5|base64|oauth2|http/?2|s3|ec2)\b"
_EDGE = r"\s,;:=()\[\]{}<>\"'|*"
"""What ends a word, within a class of characters."""


class MaskRule(NamedTuple):
    """One kind of thing that varies.

    Attributes:
        name: What it is.
        expression: RE2. What it finds becomes the mask, but for its groups: ``before`` and ``after`` stay around
            the mask, and where ``word`` is found all stays as it is.
        line: An example.
        masked: What this rule alone makes of the example.
    """

    name: str
    expression: str
    line: str
    masked: str


RULES = (
    # With the rest of its word: half a number may have been hidden, and half left.
    MaskRule(
        "redacted",
        rf"[^{_EDGE}]*\[REDACTED:[^\]\s]*\][^{_EDGE}]*",
        "key [REDACTED:aws-key-2] of blk_[REDACTED:card]99 refused",
        "key <*> of <*> refused",
    ),
    MaskRule(
        "time",
        rf"\b\d{{4}}[-/]\d\d?[-/]\d\d?(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d| {_ZONE}\b)?)?",
        "2026-01-02T03:04:05.678Z late",
        "<*> late",
    ),
    MaskRule(
        "date in words",
        rf"\b(?:{_DAY},? )?(?:{_MONTH} +\d+|\d+ {_MONTH})(?:,? \d\d:\d\d:\d\d)?(?: {_ZONE})?(?: \d{{4}})?\b",
        "since Mon Jun  2 03:40:59 UTC 2025",
        "since <*>",
    ),
    # The method stays: a failing DELETE is another error than a failing GET.
    MaskRule(
        "request",
        rf'"?(?P<before>\b{_METHOD} )(?:https?://|/)[^\s"]*(?: HTTP/[\d.]+)?"?',
        '"GET /v1/files/a HTTP/1.1" failed',
        "GET <*> failed",
    ),
    MaskRule("double quotes", r'"[^"\n]*"', 'database "orders" is gone', "database <*> is gone"),
    # Not an apostrophe: an opening quote follows no letter.
    MaskRule("single quotes", r"(?P<before>^|[\s(\[{=:,])'[^'\n]*'", "no column 'total'", "no column <*>"),
    MaskRule(
        "address of a page",
        r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>)\]]*[^\s\"'<>)\].,;:]",
        "cannot reach https://pay.test/a, again",
        "cannot reach <*>, again",
    ),
    MaskRule("e-mail", r"[\w.+-]+@[\w-]+\.[\w.-]*\w", "mail to jo@mail.test.", "mail to <*>."),
    MaskRule(
        "hardware or IPv6 address",
        r"\b[0-9A-Fa-f]{1,4}(?:::?[0-9A-Fa-f]{1,4}){3,7}\b",
        "peer 5c:50:15:aa:bc:ed left",
        "peer <*> left",
    ),
    MaskRule(
        "path",
        r"(?P<before>^|[\s(\[{=:,])(?:[A-Za-z]:)?[/\\][\w.~%+@$-][^\s,;:()\[\]{}\"<>]*",
        "cannot open /var/data/x.csv: denied",
        "cannot open <*>: denied",
    ),
    # A name of three parts or more, or one that ends as hosts do. The name of an exception says what happened and
    # stays; so does a constant (``android.intent.SCREEN_ON``).
    MaskRule(
        "host or qualified name",
        r"(?P<word>\b[\w.$]*(?:Error|Exception|Failure|Fault|\.[A-Z][A-Z_]+)\b)"
        rf"|\b(?:[A-Za-z0-9][\w$-]*\.){{2,}}[A-Za-z][\w$-]*|\b[\w-]+\.{_TOP_LEVEL}\b",
        "java.net.ConnectException for db.prod.example.com",
        "java.net.ConnectException for <*>",
    ),
    # Also of an empty value: whether it is given today is not another error.
    MaskRule(
        "value of a key",
        r"(?P<before>[\w\]]=)(?:[^\s=,;()\[\]{}<>][^\s,;()\[\]{}<>]*)?(?:\{[^{}]*\}|\([^()]*\)|\[[^\[\]]*\])?",
        "refused user=root shell= ok=Flag{x y}",
        "refused user=<*> shell=<*> ok=<*>",
    ),
    MaskRule(
        "empty brackets",
        r"(?P<before> \()(?P<after>\))",
        "from host () to init()",
        "from host (<*>) to init()",
    ),
    MaskRule(
        "name of someone or something",
        r"(?P<before>\b(?:[Uu]ser(?:name)?|[Dd]omain|[Hh]ost|[Nn]ode|[Dd]evice|[Ii]nterface|[Tt]opic|[Qq]ueue) )"
        r"[\w.-]*\w",
        "unknown user jo on host a-b.",
        "unknown user <*> on host <*>.",
    ),
    MaskRule(
        "whom",
        r"(?P<before>\bfor )[\w.-]+(?P<after> from\b)",
        "denied for jo from afar",
        "denied for <*> from afar",
    ),
    MaskRule(
        "amount",
        rf"(?P<before>^|[\s(\[=:,]){_AMOUNT}(?:\s\({_AMOUNT}\))?(?P<after>$|[\s,;.)\]])",
        "took 1.5 KB (1,500 bytes) in 20 ms",
        "took <*> in <*>",
    ),
    MaskRule("numbered unit", r"\b[A-Z]+\(\d+\)", "clock LOCAL(0) lost", "clock <*> lost"),
    # A word with a digit in it, but for the few that everybody writes with one.
    MaskRule(
        "word with a digit",
        rf"(?i)(?P<word>{_WORDS_WITH_DIGITS})"
        rf"|[^{_EDGE}]*\d[^{_EDGE}]*",
        "S3 answered 503 to req-7f3a",
        "S3 answered <*> to <*>",
    ),
    MaskRule("several in a row", r"<\*>(?:[\s,;:./|-]*<\*>)+", "<*>, <*>: <*> left", "<*> left"),
)

_EXCEPTION = lazy_re2(r"^[\w.$]*(?:Error|Exception|Failure|Fault)\b")

_NOTHING = lazy_re2(r"^\W*\w+: *(?:0|null|none|None|false|False|nil|undefined)\s*$")
"""What `{"error": 0}` becomes as text."""


def error_template(
    message: str, extra: Sequence[Rule] = (), start: int | None = None, *, strict: bool = False
) -> str:
    """The template of an error.

    Args:
        message: The event's message as delivered.
        extra: The deployment's own rules of redaction.
        start: Where in its text the line at error begins, where that is known; else it is looked for.
        strict: Whether only what is known to be harmless is shown.
    """
    from tocsin.core.redaction.redact import redact_or_withhold

    line = read_line(message)
    if start is None:
        start = error_start(line, Level.ERROR) or 0
    safe = redact_or_withhold(normalise(line.text[start:]), extra, strict=strict)
    if safe is None:
        return WITHHELD
    head, *rest = safe.strip().split("\n", MAX_LINES)
    named = next((each for each in rest[:MAX_LINES] if _EXCEPTION.search(each)), "")
    return template_of(f"{head} {named}" if named else head)


def error_start(line: LogLine, level: Level) -> int | None:
    """Where the first line begins that states this level or worse; None where none does.

    Prose that names a level ("if you see ERROR: …") states none. Where nothing states a level, a line that begins with
    "Failed to …" or the like counts as one at error. Each line is looked at once, so the time is linear.

    Args:
        line: The log event.
        level: The lowest level that counts.
    """
    looked = 0
    ends = [part.start for part in line.parts[1:]] + [len(line.text)]
    for part, end in zip(line.parts, ends, strict=True):
        if part.is_json and part.level is not None:
            looked += 1
            if part.level.rank >= level.rank:
                return part.start
            continue
        start = part.start
        while start < end and looked < MAX_LINES:
            looked += 1
            stop = line.text.find("\n", start, end)
            stop = end if stop < 0 else stop
            head = line.text[start : min(stop, start + MAX_PREFIX_LENGTH)]
            stated, certain = statement(head)
            if certain and stated is not None and stated.rank >= level.rank and not _NOTHING.search(head):
                return start
            start = stop + 1
        if looked >= MAX_LINES:
            return None
    return 0 if level.rank <= Level.ERROR.rank and _admits(line) else None


def _admits(line: LogLine) -> bool:
    """Whether a line without a level says in its first words that something failed, and is no quotation."""
    span = admission_span(line.text[:MAX_PREFIX_LENGTH].partition("\n")[0])
    return span is not None and line.level is None and not quoted_as(line.text, *span)


def template_of(text: str) -> str:
    """Mask what varies in a line.

    Args:
        text: One line, or a few; redacted where the result is to be stored or shown.

    Returns:
        At most ``MAX_TEMPLATE`` characters on one line.
    """
    text = text[:MAX_TEXT].encode("utf-8", "replace").decode()
    for expression in _compiled():
        text = expression.sub(_masked, text)
    return " ".join(text.split())[:MAX_TEMPLATE]


def has_kept_digits(text: str) -> bool:
    """Whether a text has a word with a digit that is not masked: of all others the digits make no difference."""
    return _kept_digits().search(text.encode("utf-8", "replace").decode()) is not None


def _masked(found: re2._Match) -> str:
    groups = found.groupdict()
    if groups.get("word") is not None:
        return str(groups["word"])
    return f"{groups.get('before') or ''}{MASK}{groups.get('after') or ''}"


@cache
def _kept_digits() -> re2._Regexp:
    # Also the names of exceptions, and constants, which stay whole.
    return re2.compile(
        rf"(?i:{_WORDS_WITH_DIGITS})|\w*\d[\w.$]*(?:Error|Exception|Failure|Fault|\.[A-Z][A-Z_]+)\b"
    )


@cache
def _compiled() -> tuple[re2._Regexp, ...]:
    """The rules, compiled on first need: most cold starts have nothing to mask."""
    return tuple(re2.compile(rule.expression) for rule in RULES)
