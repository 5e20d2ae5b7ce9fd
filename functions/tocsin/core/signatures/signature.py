"""A signature as a value."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from tocsin.core.literal import Needed
from tocsin.core.model import Level, Millis, Severity
from tocsin.core.signatures.absence_rule import AbsenceRule


class Status(StrEnum):
    """Whether a signature's alerts are posted, only counted while it is in test mode, or not even looked for."""

    STABLE = "stable"
    TEST = "test"
    OFF = "off"


class Source(StrEnum):
    """What a signature looks at."""

    LOG = "log"
    ALARM = "alarm"
    ABSENCE = "absence"


UNKNOWN_ERROR = "unknown-error"
"""The id of the built-in signature for errors that no other explains; no signature of a file can have it."""
TEMPLATE = "template"
"""The field of its matches that tells two of them apart."""
NEWS = "news"
"""The field of its occurrences that says why they are told: ``new``, ``back`` or ``escalating``."""


class AlarmRule(Struct, frozen=True):
    """Which CloudWatch alarms a signature recognises; every criterion given must fit (globs, any of a list).

    Attributes:
        namespace: Globs for the metric's namespace.
        metric: Globs for the metric's name.
        name: Globs for the alarm's name, or for any value of the metric's dimensions (queue, function).
    """

    namespace: tuple[str, ...] = ()
    metric: tuple[str, ...] = ()
    name: tuple[str, ...] = ()


class Threshold(Struct, frozen=True):
    """How many occurrences, within what time, make an alert; fewer stay silent."""

    count: int
    within: Millis


class Signature(Struct, frozen=True):
    """A reviewed rule for one known failure, with its proof.

    Attributes:
        id: Unique, kebab-case; the table's name in the file.
        file: The file it comes from, relative to the deployment root.
        title: What broke, in a few words.
        severity: How bad it is.
        status: Whether its alerts are posted.
        source: What it looks at.
        summary: What it means; ``{service}`` and the fields may be named in braces.
        first_action: What to do first; may name fields, may hold ``code``.
        runbook: The file name of its runbook.
        any: RE2 expressions; one that is found is a match. Named groups become fields.
        none: RE2 expressions (key ``not``); one that is found forbids the match.
        group_by: The fields that tell alerts of this signature apart.
        matches: Samples that must match: log lines, or for alarms tables.
        ignores: Samples that must not.
        min_level: The lowest level a line may have; lines whose level is not known are always looked at.
        services: If any, only these services (globs).
        log_groups: If any, only these log groups (globs).
        threshold: How many occurrences make an alert; None for one.
        resolve_after: Its own quiet period; None for the general one.
        inhibits: Ids of signatures whose alerts this one explains: within one line they do not match, within
            one incident they are shown under it and never announced.
        owner: Who looks after it, or empty.
        alarm: For ``source = "alarm"``, which alarms.
        absence: For ``source = "absence"``, how long the line may stay away; ``any`` is then the line.
        catch_all: It speaks only where no other signature does: for what nobody has described yet.
        reads_crash: It is given type and innermost own frame where its line is a crash.
        fields: What fields of a structured line must be, by their name: globs, one of which must fit. ``level`` is the
            lowest level that the line must state.
        watch_queue: For alarms: while it fires, the queue that its alarm is about is looked at.
        needed: What must occur for each of its expressions, where that was derived before (by ``tocsin check``).
    """

    id: str
    file: str
    title: str
    severity: Severity
    status: Status
    source: Source
    summary: str
    first_action: str
    runbook: str
    any: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ()
    matches: tuple[Any, ...] = ()
    ignores: tuple[Any, ...] = ()
    min_level: Level = Level.WARNING
    services: tuple[str, ...] = ()
    log_groups: tuple[str, ...] = ()
    threshold: Threshold | None = None
    resolve_after: Millis | None = None
    inhibits: tuple[str, ...] = ()
    owner: str = ""
    alarm: AlarmRule = AlarmRule()
    absence: AbsenceRule = field(default_factory=AbsenceRule)
    catch_all: bool = False
    watch_queue: bool = False
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reads_crash: bool = False
    needed: Mapping[str, Needed] = field(default_factory=dict)


def with_built_in(signatures: Mapping[str, Signature], *built_in: Signature) -> dict[str, Signature]:
    """The signatures of the configuration, by id, and built-in ones behind them."""
    return {**signatures, **{each.id: each for each in built_in}}
