"""The outages Tocsin exists for, replayed minute by minute: what it would have told of each, and what Slack had shown.

The lines are those that were logged. They go through detection, the lifecycle, ``reconcile`` and the delivery to Slack by
bot and by webhook, on a simulated clock. ``docs/incidents.md`` and the tests take their word from here.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from tocsin.adapters.files.configuration import Configuration
from tocsin.core.incidents.incident import QueueReading
from tocsin.core.model import Millis
from tocsin.core.notifications.contract import Notification, document_of, millis_of
from tocsin.core.signatures.signature import Status
from tocsin.core.slack.messages import headed_by
from tocsin.core.times import DAY, iso_time, parse_duration
from tocsin.services.channel import Outcome
from tocsin_cli.fake_slack.in_process import OfflineSlack
from tocsin_cli.sample_events.alarm_events import Alarm, alarm_by_sns
from tocsin_cli.sample_events.change_events import function_change, stack_change
from tocsin_cli.sample_events.event_ids import ACCOUNT, REGION, uuid_of
from tocsin_cli.simulation import LoggedLine, Simulation

STORIES = Path(__file__).resolve().parent / "stories.toml"
RETENTION: Millis = 14 * DAY
"""How long a dead-letter queue keeps a message, at most."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens, once or again and again.

    Attributes:
        at: When, for the first time.
        until: When it is over, for what happens again and again.
        every: How often; None for once.
        lines: What is logged.
        quiet: Whether the lines are ordinary ones, of which nobody wants to be told.
        show: Which of the lines the page shows; None for the first, or for none where they are quiet.
        note: What happened that no log told.
        alarm: The alarm that changes its state.
        state: To which.
        datapoint: What it saw.
        queue: The dead-letter queue of which something is known.
        depth: How many messages are in it.
        oldest: Since when the oldest has been in it; None where it is empty.
        function: The function whose code was updated, of which CloudTrail tells at this time.
        stack: The stack that was updated.
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

    @property
    def began(self) -> Millis:
        """When the first thing was logged that somebody should have been told of."""
        return min(step.at for step in self.steps if step.lines and not step.quiet)


class Shown(NamedTuple):
    """What Slack shows of a notification that it did not show before: messages, edits of one, replies in its thread."""

    messages: int
    edits: int
    replies: int


@dataclass(frozen=True, slots=True)
class Told:
    """A notification, and what it came to in Slack.

    Attributes:
        at: When it was sent.
        notification: The contract's JSON.
        bot: What it was to a bot.
        webhook: What it was to a webhook.
    """

    at: Millis
    notification: Notification
    bot: Shown
    webhook: Shown

    @property
    def reason(self) -> str:
        """Why."""
        return self.notification.reason.value

    @property
    def about(self) -> tuple[str, ...]:
        """The signatures that it is about; of an incident that is over all of it."""
        alerts = self.notification.alerts
        told = [alert for alert in alerts if alert.changed and self.reason != "resolved"] or alerts
        return tuple(sorted({alert.signature for alert in told}))

    @property
    def headline(self) -> str:
        """What stands above it: ``Resolved: Lambda cannot import its handler``."""
        alert, words = headed_by(self.notification)
        return f"{words}{alert.title}"

    @property
    def runbook(self) -> str:
        """The file of the runbook that its first button opens."""
        return headed_by(self.notification)[0].runbook_url.rpartition("/")[2].partition("#")[0]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a story.

    Attributes:
        story: The story.
        told: Every notification, in order.
        slack: The channels, by mode.
    """

    story: Story
    told: tuple[Told, ...]
    slack: Mapping[str, OfflineSlack]

    def total(self, mode: str) -> Shown:
        """What Slack has shown when all is over."""
        shown = [getattr(told, mode) for told in self.told]
        return Shown(*(sum(column) for column in zip(*shown, strict=True)))

    def everything(self) -> str:
        """All that left Tocsin, as one text: notifications, messages, and what edits replaced."""
        messages = [slack.messages() for slack in self.slack.values()]
        return json.dumps(
            [[document_of(told.notification) for told in self.told], messages], ensure_ascii=False
        )


def load_stories(path: Path = STORIES) -> dict[str, Story]:
    """Read the stories, by their letters."""
    document = tomllib.loads(path.read_text("utf-8"))
    return {entry["name"]: _story(entry) for entry in document["story"]}


def replay(story: Story, config: Configuration) -> Replayed:
    """Let a story happen to a deployed Tocsin.

    Args:
        story: The story.
        config: The configuration as it ships.

    Raises:
        SimulationError: The simulated stack failed.
        DeliveryError: The local Slack refused a message.
    """
    on = {name: replace(config.signatures[name], status=Status.STABLE) for name in story.switch_on}
    config = config._replace(signatures={**config.signatures, **on})
    queues = _Queues()
    simulation = Simulation(config, region=REGION, account=ACCOUNT, queues=queues)
    for at, number in _moments(story):
        step = story.steps[number]
        if step.lines:
            simulation.feed(_lines(story, number, at))
        elif step.alarm:
            alarm = story.alarms[step.alarm]
            simulation.detect(alarm_by_sns(alarm, step.state, step.datapoint, at), at)
        elif step.function:
            simulation.detect(function_change(step.function, at), at)
        elif step.stack:
            simulation.detect(stack_change(step.stack, at), at)
        elif step.queue:
            simulation.let_pass(at)
            queues.known[step.queue] = step
    notifications = simulation.finish().notifications
    slack = {mode: OfflineSlack(mode) for mode in ("bot", "webhook")}
    return Replayed(story, tuple(_tell(notification, slack) for notification in notifications), slack)


def logged(story: Story) -> list[LoggedLine]:
    """All that a story's service logs, in the order in which it is logged."""
    return [
        line
        for at, number in _moments(story)
        if story.steps[number].lines
        for line in _lines(story, number, at)
    ]


def _moments(story: Story) -> list[tuple[Millis, int]]:
    """When which step happens, in order."""
    return sorted((at, number) for number, step in enumerate(story.steps) for at in step.times)


@dataclass(slots=True)
class _Queues:
    """Dead-letter queues as a story fills them."""

    known: dict[str, Step] = field(default_factory=dict)

    def read(self, name: str, account: str, region: str, now: Millis) -> QueueReading | None:
        """See ``tocsin.services.reconcile_service.Queues``."""
        del account, region
        step = self.known.get(name)
        if step is None:
            return None
        return QueueReading(now, step.depth, RETENTION, None if step.oldest is None else now - step.oldest)

    def depth(self, queue: str) -> int | None:
        """See ``tocsin.services.absence.QueueDepths``."""
        return self.known[queue].depth if queue in self.known else None


def _tell(notification: Notification, slack: Mapping[str, OfflineSlack]) -> Told:
    at = millis_of(notification.at)
    shown = {}
    for mode, channel in slack.items():
        before = _count(channel)
        if channel.deliver(notification, at) in (Outcome.SUPERSEDED, Outcome.DUPLICATE):
            raise AssertionError(f"{notification.id} was told out of turn")
        shown[mode] = Shown(*(now - then for now, then in zip(_count(channel), before, strict=True)))
    return Told(at, notification, **shown)


def _count(slack: OfflineSlack) -> Shown:
    return Shown(slack.posted, slack.edited, slack.replied)


def _lines(story: Story, number: int, at: Millis) -> list[LoggedLine]:
    """What a step logs at one of its times: the lines of one invocation, a millisecond apart."""
    request, stream = uuid_of(story.name, number, at), uuid_of(story.name, number).replace("-", "")
    return [
        LoggedLine(
            at + position,
            line.replace("{request}", request).replace("{now}", iso_time(at + position)),
            story.log_group,
            f"{iso_time(at)[:10].replace('-', '/')}/[$LATEST]{stream}",
        )
        for position, line in enumerate(story.steps[number].lines)
    ]


def _story(entry: Mapping[str, Any]) -> Story:
    return Story(
        **{
            name: entry[name]
            for name in ("name", "title", "then", "found", "assumed", "service", "log_group")
        },
        over=_millis(entry["over"]),
        steps=tuple(_step(step) for step in entry["step"]),
        secrets=tuple(entry["secrets"]),
        alarms={name: Alarm(**alarm) for name, alarm in entry.get("alarms", {}).items()},
        switch_on=tuple(entry.get("switch_on", ())),
        unnoticed=entry.get("unnoticed", True),
    )


def _step(entry: Mapping[str, Any]) -> Step:
    at = _millis(entry["at"])
    times = {
        "at": at,
        "until": _millis(entry["until"]) if "until" in entry else at,
        "every": parse_duration(entry["every"]) if "every" in entry else None,
        "oldest": _millis(entry["oldest"]) if "oldest" in entry else None,
        "lines": tuple(entry.get("lines", ())),
    }
    return Step(**{**entry, **times})


def _millis(moment: datetime) -> Millis:
    return round(moment.timestamp() * 1000)
