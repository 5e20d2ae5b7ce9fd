"""Signs of life and of work: the lines that signatures with ``source = "absence"`` wait for, found among all others.

Only log groups in the scope of such a signature are looked at, and which one a delivery is from is read off its raw
bytes: for every other log group this costs one short search, and where no signature asks for it nothing at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum

from msgspec.structs import replace

from tocsin.core.absence.watch import Observation, Sighting
from tocsin.core.ingest.origin import may_have_origins
from tocsin.core.literal import Literal
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.scopes import in_scope
from tocsin.core.matching.verdicts import Explanation
from tocsin.core.model import Envelope, Match, Millis
from tocsin.core.signatures.signature import Signature, Source, Status

_LOG_GROUP = re.compile(rb'"logGroup"\s*:\s*("(?:[^"\\]|\\.)*")')
"""In a log event's message its quotes would be escaped, so that no message can pretend to be from another group."""


class Sign(StrEnum):
    """What a line shows."""

    LIFE = "sign of life"
    WORK = "sign of work"


class ExpectedLines:
    """Finds signs of life and of work.

    Args:
        signatures: All signatures by id; those with another source, and those that are off, are passed over.
        service_of: Names the service that a log group belongs to.
    """

    def __init__(self, signatures: Mapping[str, Signature], service_of: Callable[[str], str]) -> None:
        self._rules = {
            name: rule
            for name, rule in signatures.items()
            if rule.source is Source.ABSENCE and rule.status is not Status.OFF
        }
        self._service_of = service_of
        self._shows: dict[str, tuple[str, Sign]] = {}
        looked_for: dict[str, Signature] = {}
        for name, rule in self._rules.items():
            for sign, expressions, none in (
                (Sign.LIFE, rule.any, rule.none),
                (Sign.WORK, rule.absence.work, ()),
            ):
                if expressions:
                    key = f"{name}: {sign}"
                    self._shows[key] = (name, sign)
                    looked_for[key] = replace(rule, id=key, any=expressions, none=none, inhibits=())
        self._matcher = Matcher(looked_for, source=Source.ABSENCE)
        self._covered: dict[bytes, bool] = {}

    def __bool__(self) -> bool:
        """Whether any signature waits for a line."""
        return bool(self._rules)

    @property
    def raw_expression(self) -> str:
        """The expression for ``RawSearch`` that finds whatever may be a sign; empty where none is waited for."""
        return self._matcher.raw_expression

    @property
    def raw_terms(self) -> tuple[frozenset[Literal], list[str]]:
        """What ``raw_expression`` is put together from, as ``Matcher.raw_terms``."""
        return self._matcher.raw_terms

    def may_show(self, raw: bytes) -> bool:
        """Whether an envelope can hold a sign that somebody waits for: False is certain, True is a suspicion.

        Args:
            raw: The inflated JSON of the envelope, as delivered.
        """
        found = _LOG_GROUP.search(raw) if self._rules else None
        if found is None:
            return False
        covered = True if may_have_origins(raw) else self._covered.get(found[1])
        if covered is None:
            covered = self._covered[found[1]] = self._covers(found[1])
        return covered and self._matcher.might_match(raw)

    def suspects(self, messages: Sequence[str]) -> list[int]:
        """The places of those messages that can show something; the others certainly do not."""
        return self._matcher.suspects(messages) if self._rules else []

    def shown(self, message: str, *, log_group: str = "", service: str = "") -> list[tuple[str, Sign, Match]]:
        """What a line shows: the signature, whether life or work, and where in the line."""
        found = self._matcher.match(message, log_group=log_group, service=service)
        return [(*self._shows[match.signature], match) for match in found]

    def explain(self, message: str, *, log_group: str = "", service: str = "") -> Explanation:
        """Say what became of each signature that looked at a line, as ``Matcher.explain`` does.

        A line that shows something has the outcome ``sign of life`` or ``sign of work``.
        """
        explanation = self._matcher.explain(message, log_group=log_group, service=service)
        verdicts = []
        for verdict in explanation.verdicts:
            name, sign = self._shows[verdict.signature]
            outcome = sign.value if verdict.outcome == "matched" else verdict.outcome
            verdicts.append(verdict._replace(signature=name, outcome=outcome))
        return replace(explanation, verdicts=tuple(verdicts))

    def observations(
        self, envelope: Envelope, service: str, now: Millis, *, region: str = ""
    ) -> Iterator[Observation]:
        """What an envelope adds to the watches of its service: at most one observation per signature.

        Args:
            envelope: The log events.
            service: The service that its log group belongs to.
            now: When it was received. A line that says it is from later is taken to be from now, because a sign from
                the future would hide whatever happens until then.
            region: The Region that its log group is in.
        """
        seen: dict[tuple[str, Sign], list[Sighting]] = {}
        for place in self.suspects([event.message for event in envelope.events]):
            event = envelope.events[place]
            for name, sign, _ in self.shown(event.message, log_group=envelope.log_group, service=service):
                at = min(event.timestamp, now)
                sighting = Sighting(at, now, envelope.log_group, envelope.log_stream)
                seen.setdefault((name, sign), []).append(sighting)
        for name in dict.fromkeys(name for name, _ in seen):
            yield Observation(
                service,
                name,
                signs=tuple(seen.get((name, Sign.LIFE), ())),
                work=tuple(seen.get((name, Sign.WORK), ())),
                account=envelope.account,
                region=region,
            )

    def _covers(self, quoted: bytes) -> bool:
        try:
            log_group = json.loads(quoted.decode("utf-8", "replace"))
        except ValueError:
            return False  # parsing the whole envelope says aloud what is wrong with it
        service = self._service_of(log_group)
        return any(in_scope(rule, log_group, service) for rule in self._rules.values())
