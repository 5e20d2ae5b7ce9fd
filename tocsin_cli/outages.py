"""The outages that Tocsin exists for, as their logs had them: what ``tocsin demo`` and ``docs/incidents.md`` replay."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

from tocsin.core.model import Millis
from tocsin.core.times import iso_time, parse_duration
from tocsin_cli.sample_events.alarm_events import Alarm
from tocsin_cli.sample_events.event_ids import uuid_of
from tocsin_cli.simulation import LoggedLine

OUTAGES = Path(__file__).with_name("outages.toml")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens, once or again and again.

    Attributes:
        at: When, for the first time.
        until: When it is over, for what happens again and again.
        every: How often; None for once.
        lines: What is logged.
        quiet: Whether the lines are ordinary ones that nobody wants to be notified of.
        show: Which of the lines the page shows; None for the first, or for none where they are quiet.
        note: What happened that is in no log.
        alarm: The alarm that changes its state.
        state: To which.
        datapoint: What it saw.
        queue: The dead-letter queue of which something is known.
        depth: How many messages are in it.
        oldest: Since when the oldest has been in it; None where it is empty.
        function: The function whose code was updated, which CloudTrail reports at this time.
        stack: The stack that was updated.
        demo: The reasons of the notifications that ``tocsin demo`` waits for: after the step, and after a storm of it.
    """

    at: Millis
    until: Millis
    every: Millis | None = None
    lines: tuple[str, ...] = ()
    quiet: bool = False
    show: int | None = None
    note: str = ""
    alarm: str = ""
    state: str = ""
    datapoint: float = 0.0
    queue: str = ""
    depth: int = 0
    oldest: Millis | None = None
    function: str = ""
    stack: str = ""
    demo: tuple[str, ...] = ()

    @property
    def times(self) -> Sequence[Millis]:
        """When it happens."""
        return range(self.at, self.until + 1, self.every) if self.every else (self.at,)

    @property
    def line(self) -> str:
        """The line that the page shows; empty for none."""
        shown = (None if self.quiet else 0) if self.show is None else self.show
        return self.lines[shown] if self.lines and shown is not None else ""


@dataclass(frozen=True, slots=True)
class Story:
    """One outage.

    Attributes:
        name: A letter.
        title: What people saw.
        then: What happened.
        found: When it was found, and by whom.
        assumed: What is not known and made up here.
        service: Whose log it is in.
        log_group: Its log group.
        over: When it was fixed.
        steps: What happens.
        secrets: What is planted in the lines, and must reach nobody.
        alarms: CloudWatch alarms by the name that steps use.
        switch_on: Signatures that ship switched off, and are on here.
        unnoticed: Whether nobody knew of it before it was found.
        demo: What ``tocsin demo`` replays of it; nothing of some.
    """

    name: str
    title: str
    then: str
    found: str
    assumed: str
    service: str
    log_group: str
    over: Millis
    steps: tuple[Step, ...]
    secrets: tuple[str, ...]
    alarms: Mapping[str, Alarm]
    switch_on: tuple[str, ...] = ()
    unnoticed: bool = True
    demo: tuple[Step, ...] = ()

    @property
    def began(self) -> Millis:
        """When the first thing was logged that somebody should have been notified of."""
        return min(step.at for step in self.steps if step.lines and not step.quiet)


def load_stories(path: Path = OUTAGES) -> dict[str, Story]:
    """Read the stories, by their letters."""
    document = tomllib.loads(path.read_text("utf-8"))
    return {entry["name"]: _story(entry) for entry in document["story"]}


def logged(story: Story) -> list[LoggedLine]:
    """All that a story's service logs, in the order in which it is logged."""
    return [line for at, step in timeline(story) if step.lines for line in lines_of(story, step, at)]


def timeline(story: Story) -> list[tuple[Millis, Step]]:
    """When which step happens, in order."""
    return sorted(((at, step) for step in story.steps for at in step.times), key=itemgetter(0))


def lines_of(story: Story, step: Step, at: Millis) -> list[LoggedLine]:
    """What a step logs at one of its times: the lines of one invocation, a millisecond apart."""
    request, stream = uuid_of(story.name, step.at, at), uuid_of(story.name, step.at).replace("-", "")
    return [
        LoggedLine(
            at + position,
            line.replace("{request}", request).replace("{now}", iso_time(at + position)),
            story.log_group,
            f"{iso_time(at)[:10].replace('-', '/')}/[$LATEST]{stream}",
        )
        for position, line in enumerate(step.lines)
    ]


def _story(entry: Mapping[str, Any]) -> Story:
    steps = [(_step(step), step.get("only_in_demo", False)) for step in entry["step"]]
    return Story(
        **{
            name: entry[name]
            for name in ("name", "title", "then", "found", "assumed", "service", "log_group")
        },
        over=_millis(entry["over"]),
        steps=tuple(step for step, only_in_demo in steps if not only_in_demo),
        secrets=tuple(entry["secrets"]),
        alarms={name: Alarm(**alarm) for name, alarm in entry.get("alarms", {}).items()},
        switch_on=tuple(entry.get("switch_on", ())),
        unnoticed=entry.get("unnoticed", True),
        demo=tuple(step for step, _ in steps if step.demo),
    )


def _step(entry: Mapping[str, Any]) -> Step:
    at = _millis(entry["at"])
    times = {
        "at": at,
        "until": _millis(entry["until"]) if "until" in entry else at,
        "every": parse_duration(entry["every"]) if "every" in entry else None,
        "oldest": _millis(entry["oldest"]) if "oldest" in entry else None,
        "lines": tuple(entry.get("lines", ())),
        "demo": tuple(entry.get("demo", ())),
    }
    given = {name: value for name, value in entry.items() if name != "only_in_demo"}
    return Step(**given | times)


def _millis(moment: datetime) -> Millis:
    return round(moment.timestamp() * 1000)
