"""Unknown errors: lines that say they are errors, and that no signature explains.

Like a signature in all that follows (its id in routes and silences, its alert, its runbook), but for how it is found:
by the level that the line itself states. What tells two of them apart is the template of the line (``error_masking``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from tocsin.core.lazy_expressions import lazy
from tocsin.core.matching.admissions import TRACE
from tocsin.core.matching.error_masking import error_start, error_template, has_kept_digits
from tocsin.core.matching.levels import LEVEL_KEYS
from tocsin.core.matching.logline import TRANSLATED, read_line
from tocsin.core.matching.prefilter import RawSearch, joined_search
from tocsin.core.model import Level, Match, Severity
from tocsin.core.problems import Problem
from tocsin.core.signatures.signature import TEMPLATE, UNKNOWN_ERROR, Signature, Source, Status
from tocsin.core.times import parse_duration

if TYPE_CHECKING:
    from tocsin.core.config.error_settings import ErrorSettings
    from tocsin.core.matching.matcher import Matcher
    from tocsin.core.redaction.rule import Rule

SIGNATURE = Signature(
    id=UNKNOWN_ERROR,
    file="built in",
    title="An error that no signature explains",
    severity=Severity.MEDIUM,
    status=Status.STABLE,
    source=Source.LOG,
    summary="{service} logs an error that is {news} here: {template}",
    first_action="Read the example. If it will come again, make a signature of it with `tocsin new --from-error`; if it "
    "needs nobody, say so with `tocsin errors known`.",
    runbook="unknown-error.md",
    group_by=(TEMPLATE,),
    min_level=Level.ERROR,
    catch_all=True,
)

EXAMPLE = "ERROR order 17 was lost: the warehouse did not answer"
"""A line that is one, for a preview."""
OVERRIDABLE = ("severity", "owner", "resolve_after", "off")
"""What `[override.unknown-error]` can change."""

MAX_REMEMBERED = 1_000
"""Lines of which a process remembers the template (a line may be long), and log groups of which it remembers the settings."""
MAX_REMEMBERED_BYTES = 2 << 20
"""What the lines may take of which a process remembers what they are: most failures say the same words again and again."""
BYTES_BESIDE_TEXT = 500
"""What each of them takes beside its text."""

_WORDS = (
    "error|err|erro|eror|fail|severe|critical|crit|fatal|fata|ftl|panic|pani|dpanic|alert|emerg|emergency",
    "warn|warning|wrn",
)
"""Words of the levels that count, and of warnings."""
_BEFORE = r"(?:\b|\\[bfnrt]|\\u[0-9a-fA-F]{4}|\[[0-9;]*[A-Za-z])"
"""What stands before a word: also an escape of JSON, or a colour."""
_KEYS = "|".join(re.escape(key) for key in LEVEL_KEYS)
_VALUE = r"""\\*"\s*:\s*\\*"?0*"""
_NUMBERS = (
    rf"(?:{_KEYS}){_VALUE}(?:[0-3]|[56]\d|[5-8]\d\d|[45]\d{{4}})\b|levelno{_VALUE}(?:[4-9]\d|\d{{3}})",
    rf"(?:{_KEYS}){_VALUE}(?:4|[34]\d|[34]\d\d|3\d{{4}})\b",
)
"""On the scales of Python, syslog, pino, Monolog, Google Cloud and logback."""
_UNDER_KEY = rf"""(?i:{_KEYS})[\\"']*\s*[:=]\s*[\\"']*"""
_SHORT = (
    (
        rf"{_UNDER_KEY}(?i:failed|failure|parse|recoverable|[ef])\b"
        r"|[\[:](?i:failed|failure|parse|recoverable|[ef])\s*\]|PHP (?:Parse|Recoverable)"
        r"""|s\\*"\s*:\s*\\*"[EF]\\*"|[EF](?:\d{4} \d\d:|, \[| \d{4}-\d\d-| \d{6} \d\d:)|\d [EF] """
        r"""|[\dZ] [CEF] (?:\| | *[A-Z]+ +\[)|%[0-3]\|\d|(?:<|\\u003[cC])\d{1,3}(?:>|\\u003[eE])"""
    ),
    (
        rf"{_UNDER_KEY}(?i:w)\b|[\[:](?i:w)\s*\]|PHP Warning"
        r"""|s\\*"\s*:\s*\\*"W\\*"|W(?:\d{4} \d\d:|, \[| \d{4}-\d\d-| \d{6} \d\d:)|\d W """
    ),
)
"""Words and letters that are a level only where a level stands: under its key, in brackets, before a time."""
_ANY_DIGIT = str.maketrans("123456789", "0" * 9)
_ID = lazy(r"\b(?:[0a-f]{8}-(?:[0a-f]{4}-){3}[0a-f]{12}|[0a-f]{8,})\b")
"""A UUID, or a longer run of hexadecimal digits, whose other digits are zeros by now."""
_ESCAPES = r"\\u00[3-7]"
"""Letters that JSON may hold as escapes, so that no word shows."""


def _any_id(found: re.Match[str]) -> str:
    # Without a digit it is a word, which stays.
    return "0" * len(found[0]) if "0" in found[0] else found[0]


def with_unknown_error(signatures: Mapping[str, Signature]) -> dict[str, Signature]:
    """The signatures and the built-in one for unknown errors, as the configuration changes it."""
    return {**signatures, UNKNOWN_ERROR: signatures.get(UNKNOWN_ERROR, SIGNATURE)}


def overridden(table: Mapping[str, Any], file: str) -> tuple[Signature, list[Problem]]:
    """The built-in signature with what ``[override.unknown-error]`` changes.

    Args:
        table: That table; ``overlay.read_overlay`` has looked at its keys already.
        file: The file it stands in, for problems.

    Returns:
        The signature, and what is wrong with the changes.
    """
    problems: list[Problem] = []

    def wrong(key: str, reason: str) -> None:
        problems.append(Problem(file, f"override.{UNKNOWN_ERROR}.{key}", reason))

    changes: dict[str, Any] = {}
    for key, value in table.items():
        if key == "severity" and value in set(Severity):
            changes[key] = Severity(value)
        elif key == "severity":
            wrong(key, f"must be one of {', '.join(Severity)}, is {value!r}")
        elif key == "owner" and isinstance(value, str):
            changes[key] = value
        elif key == "resolve_after":
            try:
                changes[key] = parse_duration(value)
            except ValueError as error:
                wrong(key, str(error))
        elif key == "off":
            changes["status"] = Status.OFF if value else Status.STABLE
        elif key == "owner":
            wrong(key, f"must be text, is {value!r}")
        else:
            wrong(key, f"cannot be overridden of what is built in; what can is {', '.join(OVERRIDABLE)}")
    return replace(SIGNATURE, **changes), problems


def raw_expression(level: Level) -> str:
    """The expression for ``RawSearch`` that finds whatever may state this level or worse: a suspicion only.

    Narrower than ``field_search.STATES_ERROR``, because nearly every batch must be passed over by it: a word counts
    whole ("referrer" is no "err"), a number only where it is an error on one of the scales in use.

    Args:
        level: ``error`` or ``warning``, the lowest level that counts.
    """
    kinds = 1 if level.rank >= Level.ERROR.rank else 2
    words = rf"{_BEFORE}(?i:{'|'.join(_WORDS[:kinds])})\b"
    return "|".join((words, TRACE, *_NUMBERS[:kinds], *_SHORT[:kinds], _ESCAPES, *TRANSLATED))


class ErrorFinder:
    """Says which events are errors by their own words.

    Args:
        signatures: By id: what one in test mode recognises is unknown all the same.
        settings: Which lines count.
        redaction: The deployment's own rules of redaction.
    """

    def __init__(
        self, signatures: Mapping[str, Signature], settings: ErrorSettings, redaction: Sequence[Rule] = ()
    ) -> None:
        self._signatures, self._settings, self._redaction = signatures, settings, redaction
        rule = signatures.get(UNKNOWN_ERROR, SIGNATURE)
        self._lowest = None if rule.status is Status.OFF else settings.lowest
        self._level_of = lru_cache(MAX_REMEMBERED)(settings.level_of)
        self._matches: dict[tuple[str, int, bool], Match] = {}
        self._search: RawSearch | None = None

    @property
    def raw_expression(self) -> str:
        """What a search of raw bytes must look for; empty where nothing is looked for."""
        return raw_expression(self._lowest) if self._lowest else ""

    def may_show(self, raw: bytes) -> bool:
        """Whether bytes can hold a line that states such a level: False is certain, True is a suspicion.

        Args:
            raw: An envelope's inflated JSON, or one message.
        """
        return self._raw_search.might_match(raw)

    def suspects(self, messages: Sequence[str]) -> list[int]:
        """The places of those messages that may state such a level; the others are no unknown errors."""
        return self._raw_search.places(messages) if messages else []  # else it would be compiled for nothing

    @property
    def _raw_search(self) -> RawSearch:
        if self._search is None:
            self._search = RawSearch(self.raw_expression)
        return self._search

    def unexplained(
        self,
        message: str,
        found: Sequence[Match],
        *,
        log_group: str = "",
        service: str = "",
        strict: bool = False,
    ) -> Match | None:
        """The line as an unknown error; None where it is none, or where a signature explains it.

        What a signature in test mode recognises is one all the same: what people are told must not change by a rule
        that is not told.

        Args:
            message: The event's message as delivered.
            found: What the signatures made of it.
            log_group: Its log group; empty where it is not known.
            service: Its service, likewise.
            strict: Whether the template shows only what is known to be harmless.
        """
        if not self.leaves_open(found) or not self.may_show(message.encode("utf-8", "replace")):
            return None
        return self.unexplained_suspect(message, log_group=log_group, service=service, strict=strict)

    def unexplained_suspect(
        self, message: str, *, log_group: str, service: str, strict: bool
    ) -> Match | None:
        """The same for one of the `suspects`, which nothing explains."""
        level = self._level_of(service, log_group)
        if self._lowest is None or level is None:
            return None
        start = error_start(read_line(message), level)
        if start is None:
            return None
        return self._match_of(message, start, strict=strict)

    def leaves_open(self, found: Sequence[Match]) -> bool:
        """Whether none of what the signatures made of a line explains it."""
        return not any(self.explains(match.signature) for match in found)

    def _match_of(self, message: str, start: int, *, strict: bool) -> Match:
        """The match, made once for all lines that differ only in digits and ids, where all digits are masked."""
        alike = message
        if not has_kept_digits(message):
            alike = _ID.sub(_any_id, message.translate(_ANY_DIGIT))
        key = (alike, start, strict)
        match = self._matches.get(key)
        if match is None:
            if len(self._matches) >= MAX_REMEMBERED:
                self._matches.clear()
            template = error_template(message, self._redaction, start, strict=strict)
            match = self._matches[key] = Match(UNKNOWN_ERROR, {TEMPLATE: template})
        return match

    def explains(self, name: str) -> bool:
        """Whether what a signature recognises is no unknown error: one in test mode leaves it one."""
        rule = self._signatures.get(name)
        return rule is None or rule.status is Status.STABLE


class WithUnknownErrors:
    """What a matcher recognises in log lines, and the errors that it does not explain.

    Args:
        matcher: The signatures.
        errors: Finds the errors.
        is_strict: Whether the templates of a service and log group show only what is known to be harmless.
        search: A search that is there already and finds whatever either of them needs, or more.
    """

    def __init__(
        self,
        matcher: Matcher,
        errors: ErrorFinder,
        is_strict: Callable[[str, str], bool],
        search: RawSearch | None = None,
    ) -> None:
        self._matcher, self._errors = matcher, errors
        self._is_strict = lru_cache(MAX_REMEMBERED)(is_strict)
        self._search = search or joined_search(matcher.raw_expression, errors.raw_expression)
        self._remembered: dict[tuple[str, str], dict[str, list[Match]]] = {}
        self._room = MAX_REMEMBERED_BYTES

    @property
    def raw_expression(self) -> str:
        """What `might_match` looks for; see ``RawSearch``."""
        return self._search.expression

    def might_match(self, raw: bytes) -> bool:
        """See ``Matcher.might_match``."""
        return self._search.might_match(raw)

    def suspects(self, messages: Sequence[str]) -> list[int]:
        """See ``Matcher.suspects``."""
        return self._search.places(messages)

    def match(self, message: str, *, log_group: str = "", service: str = "") -> list[Match]:
        """See ``Matcher.match``; what is an error and nothing else comes last."""
        return self.match_each([message], log_group=log_group, service=service)[0]

    def match_each(
        self, messages: Sequence[str], *, log_group: str = "", service: str = ""
    ) -> list[list[Match]]:
        """See ``Matcher.match_each``; of a line that this process had before, it says what it said then."""
        if not messages:
            return []
        remembered = self._remembered.setdefault((log_group, service), {})
        with suppress(KeyError):
            return [remembered[message] for message in messages]
        fresh = [message for message in dict.fromkeys(messages) if message not in remembered]
        remembered.update(zip(fresh, self._match_fresh(fresh, log_group, service), strict=True))
        answer = [remembered[message] for message in messages]
        self._room -= sum(map(len, fresh)) + BYTES_BESIDE_TEXT * len(fresh)
        if self._room < 0:
            self._remembered, self._room = {}, MAX_REMEMBERED_BYTES
        return answer

    def _match_fresh(self, messages: Sequence[str], log_group: str, service: str) -> list[list[Match]]:
        answer = self._matcher.match_each(messages, log_group=log_group, service=service)
        strict = self._is_strict(service, log_group)
        rest = [place for place, found in enumerate(answer) if not found or self._errors.leaves_open(found)]
        for number in self._errors.suspects([messages[place] for place in rest]):
            place = rest[number]
            unknown = self._errors.unexplained_suspect(
                messages[place], log_group=log_group, service=service, strict=strict
            )
            if unknown:
                answer[place].append(unknown)
        return answer

    def explains(self, signature: str, other: str) -> bool:
        """See ``Matcher.explains``; an unknown error is explained by what explains it in its own line, and explains none."""
        if UNKNOWN_ERROR in (signature, other):
            return signature != UNKNOWN_ERROR and self._errors.explains(signature)
        return self._matcher.explains(signature, other)

    def catches_all(self, signature: str) -> bool:
        """See ``Matcher.catches_all``."""
        return signature == UNKNOWN_ERROR or self._matcher.catches_all(signature)
