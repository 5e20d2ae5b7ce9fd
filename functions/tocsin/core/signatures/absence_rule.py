"""What ``source = "absence"`` says: which line must appear, how often, and what shows that there was work for it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from tocsin.core.model import Millis
from tocsin.core.table_reader import TableReader
from tocsin.core.times import parse_duration

SHORTEST_WITHIN: Millis = 60_000
"""``reconcile`` looks every minute; what must appear more often than that cannot be told late from missing."""

FORBIDDEN_KEYS = ("group_by", "threshold", "resolve_after", "min_level", "catch_all")
"""Keys that mean nothing for a line that is missing: it has no fields and no level, is missing once, and ends by its
return and not by quiet."""

KEYS: Mapping[str, str] = {
    "within": "duration",
    "work": "expressions",
    "queues": "strings",
    "work_matches": "strings",
    "work_ignores": "strings",
}
"""The keys of the table ``absence``, with their kinds."""


class AbsenceRule(Struct, frozen=True):
    """How long a line may stay away, and while what.

    Attributes:
        within: How long. Without ``work`` and ``queues`` since the line was last seen, else since the first work after
            it.
        work: RE2 expressions of lines that show work.
        queues: Names of SQS queues whose waiting messages are work, too.
        work_matches: Samples that must show work.
        work_ignores: Samples that must not.
    """

    within: Millis = 0
    work: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    work_matches: tuple[str, ...] = ()
    work_ignores: tuple[str, ...] = ()

    @property
    def needs_work(self) -> bool:
        """Whether the line may stay away for ever while there is nothing to do."""
        return bool(self.work or self.queues)

    @property
    def slack(self) -> Millis:
        """How long after a sign further signs and work are taken as one with it, and not worth a write."""
        return self.within // 60


def read_absence(signature: TableReader, given: TableReader) -> AbsenceRule:
    """Read the table ``absence`` of a signature with ``source = "absence"``.

    Args:
        signature: The signature's whole table.
        given: Its table ``absence``; that its keys are known is checked already.
    """
    for key in FORBIDDEN_KEYS:
        if key in signature.table:
            signature.wrong(key, 'has no meaning with source = "absence"')
    if not signature.table.get("scope"):
        signature.wrong(
            "scope",
            'is required with source = "absence": name the services or log groups that write the line',
        )
    try:
        within = parse_duration(given.table.get("within", ""))
    except ValueError as error:
        given.wrong("within", str(error))
        within = SHORTEST_WITHIN
    if within < SHORTEST_WITHIN:
        given.wrong("within", "must be a minute or longer: that is how often Tocsin looks")
    lists = {key: given.strings(key) for key in ("queues", "work_matches", "work_ignores")}
    work = given.expressions("work")
    if work and not (lists["work_matches"] and lists["work_ignores"]):
        given.wrong("work", "needs proof: at least one sample each in work_matches and work_ignores")
    if not work and (lists["work_matches"] or lists["work_ignores"]):
        given.wrong("work", "is missing, though there are samples for it")
    return AbsenceRule(within, work, **lists)
