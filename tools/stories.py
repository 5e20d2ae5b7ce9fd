"""The outages Tocsin exists for, replayed minute by minute: what it would have sent, and what Slack would have shown.

The lines of `tocsin_cli/outages.toml` go through detection, the lifecycle, ``reconcile`` and the delivery to Slack by bot
and by webhook, on a simulated clock. ``docs/incidents.md`` and the tests take their word from here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec.structs import replace

from tocsin.adapters.files.configuration import Configuration
from tocsin.core.incidents.incident import QueueReading
from tocsin.core.model import Millis
from tocsin.core.notifications.contract import Notification, document_of, millis_of
from tocsin.core.signatures.signature import Status
from tocsin.core.slack.messages import headed_by
from tocsin.core.times import DAY
from tocsin.services.channel import Outcome
from tocsin_cli.fake_slack.in_process import OfflineSlack
from tocsin_cli.outages import Step, Story, lines_of, timeline
from tocsin_cli.sample_events.alarm_events import alarm_by_sns
from tocsin_cli.sample_events.change_events import function_change, stack_change
from tocsin_cli.sample_events.event_ids import ACCOUNT, REGION
from tocsin_cli.simulation import Simulation

RETENTION: Millis = 14 * DAY
"""How long a dead-letter queue keeps a message, at most."""


class Shown(NamedTuple):
    """What Slack shows of a notification that it did not show before: messages, edits of one, replies in its thread."""

    messages: int
    edits: int
    replies: int


@dataclass(frozen=True, slots=True)
class Sent:
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
        sent = [alert for alert in alerts if alert.changed and self.reason != "resolved"] or alerts
        return tuple(sorted({alert.signature for alert in sent}))

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
        sent: Every notification, in order.
        slack: The channels, by mode.
    """

    story: Story
    sent: tuple[Sent, ...]
    slack: Mapping[str, OfflineSlack]

    def total(self, mode: str) -> Shown:
        """What Slack has shown when all is over."""
        return total(getattr(sent, mode) for sent in self.sent)

    def everything(self) -> str:
        """All that left Tocsin, as one text: notifications, messages, and what edits replaced."""
        messages = [slack.messages() for slack in self.slack.values()]
        return json.dumps(
            [[document_of(sent.notification) for sent in self.sent], messages], ensure_ascii=False
        )


def total(shown: Iterable[Shown]) -> Shown:
    """Several as one."""
    return Shown(*(sum(column) for column in zip(*shown, strict=True)))


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
    for at, step in timeline(story):
        if step.lines:
            simulation.feed(lines_of(story, step, at))
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
    return Replayed(story, tuple(_deliver(notification, slack) for notification in notifications), slack)


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


def _deliver(notification: Notification, slack: Mapping[str, OfflineSlack]) -> Sent:
    at = millis_of(notification.at)
    shown = {}
    for mode, channel in slack.items():
        before = _count(channel)
        if channel.deliver(notification, at) in (Outcome.SUPERSEDED, Outcome.DUPLICATE):
            raise AssertionError(f"{notification.id} was sent out of turn")
        shown[mode] = Shown(*(now - then for now, then in zip(_count(channel), before, strict=True)))
    return Sent(at, notification, **shown)


def _count(slack: OfflineSlack) -> Shown:
    return Shown(slack.posted, slack.edited, slack.replied)
