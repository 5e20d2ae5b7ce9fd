"""Shapes of lines that quote an error rather than being one.

An ordered table of named expressions, each looked for in one place around the words that matched. A line that has one
of these shapes raises nothing, unless its logger states error or worse: such a line is an error whatever stands in it.
The shapes are those of logs. Source code, documentation, tickets, commits and test reports do not occur in a log group.
What each silences rightly and wrongly is counted in ``docs/evidence.md``; what the table gets wrong is recorded in
``tests/corpus/known_wrong.jsonl``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import re2

BEFORE = 600
"""Characters of the line before the match that are looked at."""
AFTER = 400
"""Characters of the line after the match that are looked at."""


class Place(StrEnum):
    """Where a shape is looked for."""

    BEFORE = "before"
    """In the line, up to where the match begins."""
    AFTER = "after"
    """In the line, from where the match ends."""
    LINE = "line"
    """In the whole line."""
    AROUND = "around"
    """In the line, with ``\x01`` and ``\x02`` around what matched."""
    HEAD = "head"
    """In the first line of the event."""


class Shape(NamedTuple):
    """One way of quoting an error.

    Attributes:
        name: What it is called in ``tocsin explain``.
        place: Where it is looked for.
        expression: The RE2 expression that recognises it.
        example: A line of this shape, tried by a test.
    """

    name: str
    place: Place
    expression: str
    example: str


def alternatives(*expressions: str) -> str:
    """One of several expressions, written one below the other."""
    return "|".join(expressions)


def either(*expressions: str) -> str:
    """The same as a part of a longer one."""
    return f"(?:{alternatives(*expressions)})"


_STATUS = r"(?:Runtime|Sandbox|Extension)\.\w+"
_NAME = either(r"\w+(?:Exception|Exceeded|Error)", _STATUS)
"""The name of an error, as a list of them has it."""
_METHOD = "(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)"
_GOES_ON = either(
    "is|are|was|were|means?|may|might|can|could|should|will|would",
    "errors?|exceptions?|appears?|occurs?|happens?|when|if",
)
"""How a sentence goes on after what it quotes."""

SHAPES = (
    # Queries, filters and rules name errors in order to find them.
    Shape(
        "a Logs Insights query",
        Place.HEAD,
        r"^\s*(?:fields|filter|parse|stats|display)\s+@\w|\|\s*(?:filter|stats|fields|sort|parse|limit)\s",
        "fields @timestamp | filter @message like /Task timed out/",
    ),
    Shape(
        "a filter condition",
        Place.BEFORE,
        r"""(?:@message|\bmessage|\bmsg|\btext|\btextPayload)\s*(?:\bnot\s+)?(?i:like|=~|ilike|contains|matches)\s*[\"'/%(*]""",
        "filter @message like /signal: killed|Task timed out/",
    ),
    Shape(
        "a filter pattern",
        Place.BEFORE,
        r"(?i)\bfilter[-_ ]?pattern\b",
        "aws logs filter-log-events --filter-pattern 'Task timed out'",
    ),
    Shape(
        "a SQL condition",
        Place.BEFORE,
        r"(?i)\b(?:where|and|or|when)\b[^;]*\b(?:i?like|regexp|rlike|similar to|~\*?)\s*'",
        "SELECT count(*) FROM logs WHERE message LIKE '%Task timed out after 3.00 seconds%'",
    ),
    Shape(
        "a SQL comment",
        Place.BEFORE,
        r"(?i)(?:;|^)\s*--\s",
        'DROP DATABASE x; -- FATAL: database "x" does not exist is fine here',
    ),
    Shape(
        "a search",
        Place.BEFORE,
        alternatives(
            r"(?i)\b"
            + either(
                r"search(?:ed|ing)?(?:[ _-](?:for|query|term|text|string|results?))?",
                "query|q|keyword|term",
            )
            + r"""\s*[:=]\s*(?:\"[^\"]*|'[^']*|`[^`]*)$""",
            r"""\bsearch(?:ed|ing)?\s+for\s+[\"'`]?[^\"'`:;,]*$""",
        ),
        "search query: \"Unable to import module 'lambda_function'\"",
    ),
    Shape(
        "a regular expression",
        Place.LINE,
        r"\(\?[iP:][^)]*\)|\.\*\??[A-Za-z]|\\[bsdw][+*]|[A-Za-z]\.\*",
        "pattern: (?i)task timed out after \\d+",
    ),
    Shape(
        "alternatives of a pattern",
        Place.AROUND,
        r"(?i:exception|error|exceeded|out|killed|refused|failed|denied)\|\x{1}|\x{2}\|[A-Za-z]",
        "rule: ThrottlingException|Rate exceeded|TooManyRequestsException",
    ),
    # What was asked for is not what happened.
    Shape(
        "an address",
        Place.BEFORE,
        r"""(?:\bhttps?://|\bwww\.)[^\s\"'<>]*$""",
        "see https://docs.example.com/errors/Runtime.ImportModuleError",
    ),
    Shape(
        "a request line",
        Place.BEFORE,
        alternatives(
            rf"(?:^|[\s\"\]]){_METHOD} /\S*$",
            rf"\"{_METHOD} [^\"]* HTTP/[\d.]+\" \d{{3}} [^\"]*\"[^\"]*(?:\" \"[^\"]*)?$",
        ),
        "GET /docs/errors/NoSuchBucket 200 13ms",
    ),
    Shape(
        "a path",
        Place.BEFORE,
        r"""(?:^|[\s\"'=(])(?:/|\./|[\w-]+/)[\w./-]*/$""",
        "uploaded docs/errors/NoSuchBucket",
    ),
    Shape(
        "as expected",
        Place.AFTER,
        r"(?i)"
        + either(
            r"\bas expected\b|\(expected\)|\bis expected\b|\bwas expected\b",
            r"\bexpected\s+(?:for|here|in|by|error|failure|behaviou?r)\b|->\s*(?:ok|pass)",
        ),
        "kms:Decrypt denied on other-key -> as expected",
    ),
    # Commands, settings and lists name errors.
    Shape(
        "a command",
        Place.LINE,
        r"^\s*(?:[$+%\x{276f}>]\s+)?(?:sudo\s+)?"
        + either(
            r"e?grep|zgrep|rg|awk|sed|echo|printf|jq|git\s+(?:log|commit|grep)",
            r"docker(?:-compose)?\s+(?:exec|run|logs)|kubectl\s+(?:logs|exec|get|describe)",
            r"aws\s+[a-z0-9-]+\s+[a-z0-9-]+|curl",
        )
        + r"\s+\S",
        "$ grep -rn 'No module named' build/",
    ),
    Shape(
        "a list of names",
        Place.LINE,
        r"(?i)\b"
        + either(
            r"retry_?on|retryable\w*|error_?codes?|handled_?errors|exceptions?|known_?errors|patterns?",
            r"keywords|alert_?on|ignored?_?errors",
        )
        + r"\s*[:=]\s*[\[({]",
        "retryable_errors = ['ThrottlingException', 'TooManyRequestsException']",
    ),
    Shape(
        "a list of names",
        Place.AROUND,
        alternatives(
            rf"""(?:Exception|Exceeded|Error|{_STATUS})\W?\x{{2}}\W?,\s?['\"]?{_NAME}\b""",
            rf"""\b{_NAME}['\"]?,\s?['\"]?\x{{1}}{_NAME}\W?\x{{2}}""",
        ),
        "Retryable errors: ThrottlingException, TooManyRequestsException",
    ),
    # Prose about errors.
    Shape(
        "prose",
        Place.BEFORE,
        r"(?i)^\W*"
        + either(
            r"note that|note:|tip:|hint:|todo\b|if (?:you|the|it|your|a|an|there|this|any)\b|whenever ",
            r"when (?:you|your|a|an|using)\b|unless |in case |for example|e\.g\.",
            r"see (?:also |the |https?:)|how to |examples?[:,]|troubleshoot|fix(?:es|ed)\b|resolve[sd]\b",
            r"alarm(?:s)? on|alert(?:s|ing)? (?:on|when|if)|detects? |matches ",
            r"this (?:error|means|happens)\b|common (?:errors?|causes?)",
        ),
        "If you see Task timed out after 3.00 seconds, raise the timeout.",
    ),
    Shape(
        "prose",
        Place.BEFORE,
        r"(?i)"
        + either(
            r"\bunless the|\bsuch as|\be\.g\.,?|\bfor example|\bfor instance|\bknown as|\bi\.e\.,?",
            r"\bif (?:you (?:see|get)|there (?:is|are)|an?)|\bwhen you (?:see|get)",
            r"\byou (?:may|might|will|can|could|would) (?:see|get)",
            r"\b(?:look|watch|grep|alert|page)(?:s|ed|ing)? (?:for|on):?|\bmatch(?:es|ing)",
            r"\bretry (?:on|when|if)|\bwill retry when an?|\binstead of|\brather than|\bto avoid|\bavoids?",
            r"\bprevents?|\bto prevent|\bhandl(?:es|ed|er for)|\bsimulat(?:e|es|ed|ing)",
            r"\bsuppress(?:es|ed|ing)?|\bignor(?:e|es|ed|ing)|\bno longer",
        )
        + r"""(?: (?:the|an?|any|all|of|error|errors))*\s*(?:[\"'`\x{201c}(]*|[\"'`\x{201c}(]+[\w.]+:\s+)$""",
        "the client backs off when you see ThrottlingException",
    ),
    Shape(
        "a quotation in a sentence",
        Place.AROUND,
        r'^(?:[^"\x{1}]*"[^"\x{1}]*")*[^"\x{1}]*"[^"\x{1}]{0,60}\x{1}[^\x{2}]*\x{2}[^"]{0,60}"\)?'
        + either(
            r"\.\s*$|\.\s+\S|\*?\s+[\x{2014}\x{2013}]\s",
            rf"\s+{_GOES_ON}\b",
        ),
        "the mapper configuration fails with \"expression 'User' failed to locate a name\".",
    ),
    Shape(
        "a quotation in a sentence",
        Place.AROUND,
        either(
            r"""\"\x{1}[^\x{2}\"]*\x{2}\"|'\x{1}[^\x{2}']*\x{2}'|`\x{1}[^\x{2}`]*\x{2}`""",
            r"\x{201c}\x{1}[^\x{2}]*\x{2}\x{201d}",
        )
        + r"\s+(?:[\w-]+ing\s+)?"
        + either(
            r"is|are|was|were|means?|should|will|can|could|may|might|would|errors?|exceptions?|messages?",
            r"warnings?|alarms?|logs?|lines?|appears?|occurs?|happens?|when|if",
        )
        + r"\b",
        'The warning "Too many connections" is only printed for the first of them',
    ),
    Shape(
        "what it means",
        Place.AFTER,
        alternatives(
            r"""(?i)^[\"'`)]*\s+"""
            + either(
                r"(?:when|if) (?:the|an?|you|your|there|this|no)\b",
                r"(?:means|indicates|is (?:returned|raised|thrown|caused)|usually|often|typically)\b",
            ),
            r"\s[\x{2014}\x{2013}-]\s+(?:usually|often|typically|means)\b",
        ),
        "S3 returns NoSuchBucket when the bucket does not exist.",
    ),
    # It did not happen, or it is over.
    Shape(
        "over",
        Place.BEFORE,
        r"(?i)\b(?:retry|retrie[sd]|reconnect\w*|attempt(?: \d+)?)\b[^.;]{0,20}\bsucceeded\b",
        "Retry succeeded after 1 attempt (previous error: Rate exceeded)",
    ),
    Shape(
        "none of them",
        Place.BEFORE,
        r"(?i)(?:"
        + either(
            r"\b(?:no|zero|without|never|not|isn't|wasn't|didn't|doesn't|don't)",
            r"(?:^|[:;,(|-]\s*)0",
        )
        + r"\b(?:\s+"
        + either(
            "any|a|an|more|further|new|longer|see|seen|get|got|occurrences?|events?|errors?|exceptions?",
            "instances?|cases?|hits?|of|for",
        )
        + r""")*)\s*[\"'`(\[]*$""",
        "health: no ThrottlingException in the last hour",
    ),
    Shape(
        "none of them",
        Place.AROUND,
        r"(?i)(?:^|[\s:;,(])(?:no|zero|0) [^\x{1};,]{0,100}\x{1}[^\x{2}]*\x{2}.*\b(?:in the last|in the past|since|so far)\b",
        "health: no RuntimeError: Event loop is closed in the last hour",
    ),
    Shape(
        "a count of nothing",
        Place.AFTER,
        r"(?i)^\W{0,3}"
        + either(
            r"errors?|exceptions?|events?|count|total|metric|rate|s|per (?:minute|second|hour)",
            r"in the last[\w ]{0,20}|[\w.]{0,24}(?:count|total|rate)",
        )
        + r"""*[\"']?\s*(?:[:=]|is|was|->|,)\s*[\"']?0(?:\.0+)?%?(?:[\s,;}\"'\])|]|$)""",
        "ThrottlingException: 0 in the last 5 minutes",
    ),
    Shape(
        "a count of nothing",
        Place.AFTER,
        r"""(?i)\b(?:metric|count|total|rate|errors?)\b\W{0,3}0(?:\.0+)?%?(?:[,;}\"'\])|]|\s+[^\s-]|\s*$)""",
        "password authentication failed metric: 0 in the last 5 minutes",
    ),
    Shape(
        "a count of nothing",
        Place.AFTER,
        r"""^[\"'\]})]{1,4}\s+0(?:\.0+)?\s*$""",
        'errors{type="ThrottlingException"} 0',
    ),
    Shape(
        "over",
        Place.AFTER,
        r"(?i)\b"
        + either(
            r"(?:is|was|been|has been|now|got) (?:fixed|resolved|handled|gone|recovered|cleared|solved)",
            r"check(?:s)? passed|has recovered\b",
            r"(?:succeeded|success(?:ful(?:ly)?)?|ok) (?:after|on|at|in) (?:retry|attempt|\d)",
            r"no longer (?:occurs|happens|seen)|, ignor(?:ed|ing)\b|will page\b",
            r"handler (?:registered|installed)|(?:is|are|will be|gets?) retried\b|retry succeeded",
            r"false alarm|alarm (?:is )?(?:OK|cleared)|returned to OK",
        ),
        "NoSuchBucket check passed",
    ),
    Shape(
        "a notice",
        Place.BEFORE,
        r"\b(?:NOTICE|DEBUG\d?|HINT|DETAIL|CONTEXT|STATEMENT|QUERY):\s+[^:]*$",
        'psql:init.sql:4: NOTICE:  database "app" does not exist, skipping',
    ),
)

_SETS: dict[Place, tuple[re2.Set, list[int]]] = {}


def quoted_as(text: str, start: int, end: int) -> str:
    """Name the shape in which a text quotes what matched, or answer the empty string.

    Args:
        text: The canonical text.
        start: Where the match begins.
        end: Where the match ends.
    """
    if 0 < start < end - 1 and text[start - 1 : start + 1].isalnum() and not text[start + 1].isalnum():
        start += 1  # an expression took along the last letter of the word before
    while start < end and not text[start].isalnum():
        start += 1  # the quotation mark or bracket that an expression took along belongs to what comes before
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", start)
    line_end = len(text) if line_end < 0 else line_end
    end = min(end, line_end)
    while end > start and not text[end - 1].isalnum():
        end -= 1  # punctuation that an expression took along belongs to what follows: `X: 0`
    before = text[max(line_start, start - BEFORE) : start]
    after = text[end : min(line_end, end + AFTER)]
    head_end = text.find("\n", 0, BEFORE)
    places = {
        Place.BEFORE: before,
        Place.AFTER: after,
        Place.LINE: text[max(line_start, start - BEFORE) : min(line_end, end + AFTER)],
        Place.AROUND: f"{before}\x01{text[start : min(end, start + AFTER)]}\x02{after}",
        Place.HEAD: text[: head_end if head_end >= 0 else BEFORE],
    }
    if not _SETS:
        _SETS.update((place, _set_for(place)) for place in Place)
    first = len(SHAPES)
    for place, looked_at in places.items():
        if not looked_at:
            continue  # no shape is nothing
        shapes, numbers = _SETS[place]
        for hit in shapes.Match(looked_at.encode("utf-8", "replace")) or ():
            first = min(first, numbers[hit])
    return SHAPES[first].name if first < len(SHAPES) else ""


def _set_for(place: Place) -> tuple[re2.Set, list[int]]:
    """All shapes of one place as one automaton, and where each stands in the table."""
    together, numbers = re2.Set.SearchSet(), []
    for number, shape in enumerate(SHAPES):
        if shape.place is place:
            together.Add(shape.expression)
            numbers.append(number)
    together.Compile()
    return together, numbers
