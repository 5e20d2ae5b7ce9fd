"""Which signatures recognise a log line or an alarm, and why the others do not.

One search of one RE2 alternation over the raw bytes of a whole envelope says that nothing in it can match; that is
the everyday case and costs less than parsing its JSON. Only then are events looked at one by one: first for the
literals of each signature, then with the expressions of those whose literals are there. Every expression is RE2: the
time is linear in the text, whatever a signature says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import re2

from tocsin.core.expressions import byte_set
from tocsin.core.lazy_expressions import lazy_re2
from tocsin.core.literal import Literal, Needed
from tocsin.core.matching.alarm_fields import alarm_fields
from tocsin.core.matching.captured_fields import bounded_fields
from tocsin.core.matching.crashes import read_crash
from tocsin.core.matching.first_look import FirstLook
from tocsin.core.matching.joined_lines import FEW, across_lines, lines_with
from tocsin.core.matching.logline import TRANSLATED, LogLine, read_line
from tocsin.core.matching.precedence import Precedence
from tocsin.core.matching.prefilter import RawSearch
from tocsin.core.matching.quoting import quoted_as
from tocsin.core.matching.scopes import fits, in_scope
from tocsin.core.matching.verdicts import Explanation, Verdict
from tocsin.core.model import AlarmChange, Level, Match
from tocsin.core.signatures.field_search import field_search
from tocsin.core.signatures.literals import needed_by, without_contained
from tocsin.core.signatures.signature import Signature, Source, Status

MAX_TRIES = 40
"""Places in one line where one expression is tried: those before were below the level or quoted the error."""
MAX_REMEMBERED = 1_000
"""Sets of literals, and of expressions, of which a process remembers whose they are: lines of one kind share theirs."""
BYTES_A_LINE = 1_536
"""What a line counts for in the first look, whose time it takes: after 64 of them the literals are compiled."""

_ANY_BYTE = frozenset(range(256))
ESCAPED_WORD = r"\\u00(?:2[DdEe]|3[0-9]|[4-7])|\\u(?:001[bB]|017[fF]|212[aA])|\xc5\xbf|\xe2\x84\xaa"
"""An escape in JSON that may stand for a character of a literal (or for a colour code within one, or for the two
letters outside ASCII that fold to ``s`` and ``k``, which also stand here as their UTF-8 bytes): the literal may be
there without being seen."""


class _Expressions(NamedTuple):
    """A signature's expressions, compiled as they are used: those it looks for, and those it must not find."""

    wanted: tuple[re2._Regexp, ...]
    forbidden: tuple[re2._Regexp, ...]


class _Suspected(NamedTuple):
    """A line that may match: its bytes too, and by signature those of its expressions of which a literal is there."""

    line: LogLine
    canonical: bytes
    candidates: Mapping[str, Sequence[int]]


class Matcher:
    """Recognises known failures.

    Args:
        signatures: By id, in the order that matches are answered in; those that are off are passed over. Expressions
            are compiled when first needed.
        source: Whose expressions are looked for: failures, or (``ABSENCE``) the signs of life of ``expected_lines``, to
            which levels and quotations do not apply.
        search: A search that is there already and finds whatever ``raw_expression`` finds, or more; made when first
            needed where there is none.
    """

    def __init__(
        self,
        signatures: Mapping[str, Signature],
        *,
        source: Source = Source.LOG,
        search: RawSearch | None = None,
    ) -> None:
        signatures = {name: entry for name, entry in signatures.items() if entry.status is not Status.OFF}
        self._signatures = signatures
        self._alarms = [entry for entry in signatures.values() if entry.source is Source.ALARM]
        by_literal: dict[Literal, list[tuple[str, int]]] = {}
        for signature in signatures.values():
            if signature.source is source:
                for number, expression in enumerate(signature.any):
                    for literal in _needed(signature, expression).literals:
                        by_literal.setdefault(literal, []).append((signature.id, number))
        self._by_fields = [
            (entry.id, looked_for)
            for entry in signatures.values()
            if entry.source is source
            and entry.fields
            and not entry.any
            and (looked_for := field_search(entry.fields))
        ]
        self._literals = list(by_literal)
        self._behind = list(by_literal.values())
        self._order = {name: place for place, name in enumerate(signatures)}
        self._precedence = Precedence(signatures)
        self._raw = search
        self._others = (*TRANSLATED, ESCAPED_WORD, *(search for _, search in self._by_fields))
        self._first_look = FirstLook(self._literals, self._others)
        self._gate: re2.Set | None = None
        self._compiled: dict[str, _Expressions] = {}
        self._behind_hits = lru_cache(MAX_REMEMBERED)(self._find_behind)
        self._many: dict[tuple[str, int], re2._Regexp | None] = {}

    # --- the envelope ---

    @property
    def raw_expression(self) -> str:
        """The expression for `RawSearch`: whatever any of the literals stands for; empty for no signatures."""
        literals, others = self.raw_terms
        return "|".join((*sorted(literal.expression for literal in literals), *others))

    @property
    def raw_terms(self) -> tuple[frozenset[Literal], list[str]]:
        """What ``raw_expression`` is put together from: literals, and other expressions."""
        literals, searches = without_contained(self._literals), sorted({each for _, each in self._by_fields})
        return literals, [*searches, *TRANSLATED, ESCAPED_WORD] if literals or searches else []

    def might_match(self, raw: bytes) -> bool:
        """Whether any event of an envelope can match: False is certain, True is a suspicion.

        Args:
            raw: The inflated JSON of the envelope, as delivered.
        """
        return self._raw_search.might_match(raw)

    def suspects(self, messages: Sequence[str]) -> list[int]:
        """The places of those messages that can match; ``match`` finds nothing in the others.

        Args:
            messages: The messages of log events, as delivered.
        """
        return self._raw_search.places(messages)

    @property
    def _raw_search(self) -> RawSearch:
        if self._raw is None:
            self._raw = RawSearch(self.raw_expression)
        return self._raw

    # --- one event ---

    def match(self, message: str, *, log_group: str = "", service: str = "") -> list[Match]:
        """Recognise a log line.

        Args:
            message: The event's message as delivered.
            log_group: Its log group, for signatures with a scope.
            service: Its service, likewise.

        Returns:
            The most specific matches, in the order of the signatures; empty for a line that is none of them.
        """
        suspected = self._suspected(message)
        return self._recognised(suspected, suspected.candidates, log_group, service) if suspected else []

    def match_each(
        self, messages: Sequence[str], *, log_group: str = "", service: str = ""
    ) -> list[list[Match]]:
        """Recognise many log lines of one log group: the same as ``match`` of each, and faster."""
        suspected = {
            place: each
            for place, message in enumerate(messages)
            if (each := self._suspected(message)) is not None
        }
        answer: list[list[Match]] = [[] for _ in messages]
        for place, candidates in self._narrowed(suspected).items():
            answer[place] = self._recognised(suspected[place], candidates, log_group, service)
        return answer

    def _suspected(self, message: str) -> _Suspected | None:
        """A line with what may be in it; None where that is nothing."""
        encoded = message.encode("utf-8", "replace")
        hits = self._hits(encoded)
        if not hits:
            return None
        line = read_line(message)
        canonical = encoded if line.text is message else line.text.encode("utf-8", "replace")
        candidates = self._candidates(canonical, encoded, hits, frozenset(canonical))
        if self._by_fields:
            candidates = {**candidates, **self._fitting(line, hits)}
        return _Suspected(line, canonical, candidates) if candidates else None

    def _narrowed(self, suspected: Mapping[int, _Suspected]) -> dict[int, dict[str, list[int]]]:
        """The candidates of lines, by place, without most of those that are not found: one search each for all lines."""
        alike: dict[int, list[int]] = {}
        for place, each in suspected.items():
            alike.setdefault(id(each.candidates), []).append(place)
        sharing: dict[tuple[str, int], list[int]] = {}
        answer: dict[int, dict[str, list[int]]] = {}
        for places in alike.values():
            for name, numbers in suspected[places[0]].candidates.items():
                for number in numbers:
                    sharing.setdefault((name, number), []).extend(places)
                if not numbers:
                    answer |= {place: answer.get(place, {}) | {name: []} for place in places}
        for (name, number), places in sharing.items():
            # Of few lines it is not worth compiling it twice.
            across = self._across(name, number) if len(places) > FEW else None
            held: Sequence[int] = range(len(places))
            if across is not None:
                held = lines_with(across, [suspected[place].canonical for place in places])
            for place in map(places.__getitem__, held):
                answer.setdefault(place, {}).setdefault(name, []).append(number)
        return answer

    def _recognised(
        self, suspected: _Suspected, candidates: Mapping[str, Sequence[int]], log_group: str, service: str
    ) -> list[Match]:
        line, canonical = suspected.line, suspected.canonical
        found: list[Match] = []
        for name in sorted(candidates, key=self._precedence.rank):
            if found and self._precedence.explained_by(name, found):
                continue
            signature = self._signatures[name]
            numbers = self._found_in(signature, candidates[name], canonical)
            if not numbers and signature.any:
                continue  # as nearly always: it has a literal and no more
            verdict = self._try(signature, numbers, line, canonical, log_group, service)
            if verdict.outcome == "matched" and verdict.match is not None:
                found.append(verdict.match)
        return sorted(found, key=lambda match: self._order[match.signature])

    def explains(self, signature: str, other: str) -> bool:
        """Whether one signature explains another one away, as within one line."""
        return bool(self._precedence.explained_by(other, (Match(signature, {}),)))

    def catches_all(self, signature: str) -> bool:
        """Whether a signature recognises whatever has no name."""
        return self._signatures[signature].catch_all

    def match_alarm(self, change: AlarmChange) -> list[Match]:
        """Recognise an alarm by its metric and its name, whatever state it changed to.

        Metric maths has several metrics, in an order that means nothing ("errors by invocations" may name the
        invocations first): where nothing but a catch-all knows one of them, the next is tried.

        Returns:
            The most specific matches; the fields are those of ``alarm, metric, namespace, queue, queue_arn,
            function, resource, description`` that the alarm has.
        """
        fields = alarm_fields(change)
        names = (change.name, *change.dimensions.values())
        found: list[Match] = []
        for namespace, metric in ((change.namespace, change.metric), *change.others):
            found = [
                Match(entry.id, fields)
                for entry in self._alarms
                if fits((namespace,), entry.alarm.namespace)
                and fits((metric,), entry.alarm.metric)
                and fits(names, entry.alarm.name)
            ]
            if not all(self._signatures[match.signature].catch_all for match in found):
                break
        return [match for match in found if not self._precedence.explained_by(match.signature, found)]

    def explain(self, message: str, *, log_group: str = "", service: str = "") -> Explanation:
        """Say what became of each signature that looked at a line; ``match`` in slow motion."""
        encoded = message.encode("utf-8", "replace")
        line = read_line(message)
        hits = self._hits(encoded)
        canonical = line.text.encode("utf-8", "replace")
        candidates = (
            {**self._candidates(canonical, encoded, hits, _ANY_BYTE), **self._fitting(line, hits)}
            if hits
            else {}
        )
        verdicts = [
            self._try(
                self._signatures[name],
                self._found_in(self._signatures[name], candidates[name], canonical),
                line,
                canonical,
                log_group,
                service,
            )
            for name in sorted(candidates, key=self._order.__getitem__)
        ]
        found = [verdict.match for verdict in verdicts if verdict.outcome == "matched"]
        final = []
        for verdict in verdicts:
            by = (
                self._precedence.explained_by(verdict.signature, found)
                if verdict.outcome == "matched"
                else ""
            )
            final.append(verdict._replace(outcome="explained by", detail=by) if by else verdict)
        present = self._hits(canonical)
        literals = tuple(self._literals[hit].text for hit in present if hit < len(self._literals))
        return Explanation(
            line, literals, tuple(sorted(final, key=lambda verdict: verdict.outcome != "matched"))
        )

    # --- the steps ---

    def _hits(self, encoded: bytes) -> list[int]:
        """The places in ``_literals`` of those that occur; places beyond it stand for translated events."""
        if self._gate is None and self._first_look.takes(max(len(encoded), BYTES_A_LINE)):
            return self._first_look.hits(encoded)
        if self._gate is None:
            self._gate = byte_set((*(literal.expression for literal in self._literals), *self._others))
        return self._gate.Match(encoded) or []

    def _candidates(
        self, canonical: bytes, encoded: bytes, hits: list[int], present: frozenset[int]
    ) -> Mapping[str, Sequence[int]]:
        """The signatures of which a literal occurs in the canonical text, and which of their expressions have one.

        Args:
            canonical: The canonical text.
            encoded: The text as it came.
            hits: The literals in the text as it came.
            present: The bytes that are in the canonical text; an expression that needs others is left out.
        """
        if canonical != encoded:
            hits = self._hits(canonical)
        behind = self._behind_hits(tuple(hits))
        return _by_signature(tuple([each for needed, each in behind if needed <= present]))

    def _find_behind(self, hits: tuple[int, ...]) -> list[tuple[frozenset[int], tuple[str, int]]]:
        """The expressions of which a literal is among some, as signature and number, with the bytes that each needs."""
        found = {each for hit in hits if hit < len(self._literals) for each in self._behind[hit]}
        return [(self._needed_by(*each), each) for each in sorted(found)]

    def _needed_by(self, name: str, number: int) -> frozenset[int]:
        """The bytes that all has which an expression of a signature matches."""
        signature = self._signatures[name]
        return frozenset(_needed(signature, signature.any[number]).characters.encode())

    def _found_in(self, signature: Signature, numbers: Sequence[int], canonical: bytes) -> list[int]:
        """Those of some of a signature's expressions that a text has, in their order.

        Bytes have no places to translate: that is four times as fast, and most lines need no more.
        """
        wanted = self._expressions(signature).wanted
        return [number for number in sorted(numbers) if wanted[number].search(canonical)]

    def _fitting(self, line: LogLine, hits: list[int]) -> dict[str, list[int]]:
        """The signatures without expressions whose fields the line has."""
        first = len(self._literals) + len(TRANSLATED) + 1
        escaped = any(len(self._literals) <= hit < first for hit in hits)
        return {
            name: []
            for number, (name, _) in enumerate(self._by_fields)
            if (escaped or first + number in hits) and _fields_fit(self._signatures[name], line)
        }

    def _try(
        self,
        signature: Signature,
        numbers: Sequence[int],
        line: LogLine,
        canonical: bytes,
        log_group: str,
        service: str,
    ) -> Verdict:
        """What becomes of a signature, some of whose expressions (their numbers) a line has."""
        if not in_scope(signature, log_group, service):
            return Verdict(signature.id, "out of scope")
        wanted, forbidden = self._expressions(signature)
        own = {
            name: values[0]
            for name in signature.fields
            if (values := line.values_of(name)) and name != "level"
        }
        if signature.fields and not signature.any:
            return self._by_fields_alone(signature, line, canonical, bounded_fields(own), forbidden)
        if signature.fields and not _fields_fit(signature, line):
            return Verdict(signature.id, "fields do not fit")
        refused = Verdict(signature.id, "no expression found")
        # In ASCII a place among the bytes is the same place in the text.
        text = canonical if line.text.isascii() else line.text
        for number in numbers:
            expression = wanted[number]
            for tries, one in enumerate(expression.finditer(text)):
                match = self._match_of(signature, line, own, one, expression.groupindex)
                reason = self._refusal(signature, line, canonical, match, forbidden)
                if reason is None:
                    return Verdict(signature.id, "matched", expression.pattern, match)
                refused = reason
                if tries >= MAX_TRIES or reason.outcome == "forbidden by not":
                    break
        return refused

    @staticmethod
    def _match_of(
        signature: Signature,
        line: LogLine,
        own: dict[str, str],
        found: re2._Match,
        groups: Mapping[str, int],
    ) -> Match:
        """The match of an expression, with what it captured, what the line's own fields say, and the crash it is in."""
        start, end = found.span()
        captured = {name: line.text[slice(*found.span(group))] for name, group in groups.items()}
        fields = bounded_fields(own) | bounded_fields(captured)
        if signature.catch_all or signature.reads_crash:
            crash = read_crash(line.text, start)
            read = {"exception": crash.exception, "frame": crash.frame}
            if signature.catch_all:
                read["message"] = crash.message
            fields |= {name: value for name, value in read.items() if value}
        return Match(signature.id, fields, start, end)

    @staticmethod
    def _by_fields_alone(
        signature: Signature,
        line: LogLine,
        canonical: bytes,
        fields: dict[str, str],
        forbidden: Iterable[re2._Regexp],
    ) -> Verdict:
        match = Match(signature.id, fields, 0, len(line.text.partition("\n")[0]))
        level = None if "level" in signature.fields else line.level
        refused = _forbidden(canonical, match, forbidden) or _below(level, signature, match)
        return refused or Verdict(signature.id, "matched", "fields", match)

    @staticmethod
    def _refusal(
        signature: Signature, line: LogLine, canonical: bytes, match: Match, forbidden: Iterable[re2._Regexp]
    ) -> Verdict | None:
        refused = _forbidden(canonical, match, forbidden)
        if refused is not None or signature.source is Source.ABSENCE:
            return refused
        level, certain = line.statement_at(match.start)
        if below := _below(level, signature, match):
            return below
        if certain and level is not None and level.is_error:
            return None  # it says of itself that it is an error: nothing in it is a quotation
        shape = quoted_as(line.text, match.start, match.end)
        return Verdict(signature.id, "quoted", shape, match) if shape else None

    def _across(self, name: str, number: int) -> re2._Regexp | None:
        """An expression of a signature as one that many lines are searched with."""
        key = (name, number)
        if key not in self._many:
            self._many[key] = across_lines(self._signatures[name].any[number])
        return self._many[key]

    def _expressions(self, signature: Signature) -> _Expressions:
        compiled = self._compiled.get(signature.id)
        if compiled is None:
            compiled = self._compiled[signature.id] = _Expressions(
                tuple(lazy_re2(expression) for expression in signature.any),
                tuple(lazy_re2(expression) for expression in signature.none),
            )
        return compiled


@lru_cache(MAX_REMEMBERED)
def _by_signature(expressions: tuple[tuple[str, int], ...]) -> Mapping[str, Sequence[int]]:
    """The numbers of expressions by their signatures; one answer for all lines of a kind."""
    numbers: dict[str, list[int]] = {}
    for name, number in expressions:
        numbers.setdefault(name, []).append(number)
    return numbers


def _needed(signature: Signature, expression: str) -> Needed:
    return signature.needed.get(expression) or needed_by(expression)


def _forbidden(canonical: bytes, match: Match, forbidden: Iterable[re2._Regexp]) -> Verdict | None:
    """The refusal of a match by an expression that must not be found."""
    for expression in forbidden:
        if expression.search(canonical):
            return Verdict(match.signature, "forbidden by not", expression.pattern, match)
    return None


def _below(level: Level | None, signature: Signature, match: Match) -> Verdict | None:
    """The refusal of a match whose line states less than the signature's level."""
    if level is None or level.rank >= signature.min_level.rank:
        return None
    return Verdict(signature.id, "below its level", f"{level} < {signature.min_level}", match)


def _fields_fit(signature: Signature, line: LogLine) -> bool:
    """Whether a line has every field that a signature asks for, and states at least the level that it names."""
    for name, globs in signature.fields.items():
        if name == "level":
            level = line.level
            if level is None or level.rank < Level(globs[0]).rank:
                return False
        elif not any(fits((value,), globs) for value in line.values_of(name)):
            return False
    return True
