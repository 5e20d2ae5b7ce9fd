"""A notification as Slack will show it.

Of a signature (its first sample), of a log line, or of an event file for `sam local invoke` (of `detect` or `notify`);
through detection, the lifecycle and the rendering of the Lambdas, on a simulated clock, without AWS and without Slack.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from tocsin.adapters.files.configuration import Configuration
from tocsin.core.config.routing import NEWS, NotificationTarget
from tocsin.core.ingest.event_shapes import UnknownEventError
from tocsin.core.matching.unknown_error import EXAMPLE, with_unknown_error
from tocsin.core.model import Millis, Reason, Severity
from tocsin.core.notifications.contract import Notification, millis_of
from tocsin.core.notifications.parsing import NotANotificationError, parse_notification
from tocsin.core.problems import did_you_mean
from tocsin.core.signatures.signature import Signature, Source, Status
from tocsin.core.slack.messages import SlackMessage, render, render_standalone, render_thread
from tocsin.core.times import MINUTE
from tocsin_cli.command_error import CommandError
from tocsin_cli.configuration_folder import read_configuration
from tocsin_cli.options import add_root, given_line
from tocsin_cli.sample_events.alarm_events import Alarm, alarm_by_eventbridge
from tocsin_cli.sample_events.event_ids import ACCOUNT, REGION
from tocsin_cli.shown_paths import shown
from tocsin_cli.simulation import LoggedLine, Simulation

REASONS = (Reason.OPENED, Reason.UPDATE, Reason.RESOLVED)
MORE = 211
"""Occurrences that an update adds: an incident in full swing."""
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


class PreviewError(CommandError):
    """There is nothing to show; says why."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_root(parser)
    parser.add_argument(
        "what",
        nargs="?",
        metavar="SIGNATURE|EVENT.json",
        help="a signature's id, or a file with an event (default: a critical signature)",
    )
    parser.add_argument("--line", help="a log line instead; - for standard input")
    parser.add_argument(
        "--log-group", default="/aws/lambda/prod-BackendApiFunction-8kQxT2", help="where the line is from"
    )
    parser.add_argument(
        "--reason", choices=list(REASONS), type=Reason, default=Reason.OPENED, help="default: %(default)s"
    )
    parser.add_argument(
        "--mode",
        choices=["bot", "webhook"],
        default="bot",
        help="how Slack is spoken to (default: %(default)s)",
    )
    parser.add_argument("--html", type=Path, metavar="OUT", help="write a page that looks like Slack")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print Block Kit: text, blocks, and in bot mode the reply in the thread",
    )


def run(arguments: argparse.Namespace) -> int:
    """Show it; 1 where nothing would be sent."""
    config = read_configuration(arguments.root)
    notification = preview(
        config,
        arguments.what,
        line=None if arguments.line is None else given_line(arguments.line),
        log_group=arguments.log_group,
        reason=arguments.reason,
        now=time.time_ns() // 1_000_000,
    )
    # Where it is sent first; `tocsin route` says where else.
    message, reply = messages(
        notification, arguments.mode, config.settings.routing.targets_for(notification)[0]
    )
    if arguments.html:
        from tocsin_cli.slack_view.page import render_channel_page

        arguments.html.parent.mkdir(parents=True, exist_ok=True)
        posted = as_posted(notification, message, reply, arguments.mode)
        arguments.html.write_text(render_channel_page(posted, title="#alerts", live=False), "utf-8")
        if not arguments.json:
            print(f"Page: {shown(arguments.html)}")
    if arguments.json:
        answer: dict[str, Any] = {"text": message.text, "blocks": message.blocks}
        if reply is not None:
            answer["thread"] = {
                "text": reply.text,
                "blocks": reply.blocks,
                "reply_broadcast": reply.broadcast,
            }
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    elif not arguments.html:
        from rich.console import Console

        from tocsin_cli.slack_view.terminal import render_message

        console = Console(highlight=False)
        for posted_message in as_posted(notification, message, reply, arguments.mode):
            console.print(render_message(posted_message))
    return 0


def preview(
    config: Configuration,
    what: str | None = None,
    *,
    line: str | None = None,
    log_group: str = "/aws/lambda/backend",
    reason: Reason = Reason.OPENED,
    now: Millis,
) -> Notification:
    """Make the notification.

    Args:
        config: The configuration.
        what: A signature's id, or the name of a file with an event; a critical signature where neither it nor a line is given.
        line: A log line.
        log_group: Where the line is from.
        reason: Which notification of the incident's life.
        now: When the incident begins.

    Raises:
        PreviewError: There is no such signature or file, or nothing would be sent.
    """
    config = _all_announced(config)
    if line is not None:
        return _of_line(config, line, log_group, reason, now)
    name = what or _default_signature(config)
    rule = with_unknown_error(config.signatures).get(name)
    if rule is None:
        return _of_event(config, name, reason, now)
    if rule.source is Source.ALARM:
        return _of_alarm(config, rule, reason, now)
    group = rule.log_groups[0].replace("*", "prod").replace("?", "x") if rule.log_groups else log_group
    services = [service for service in config.settings.services if service.name in rule.services]
    if services and services[0].log_groups:
        group = f"/aws/lambda/{services[0].name}"
    if rule.source is Source.ABSENCE:
        return _of_absence(config, rule, group, reason, now)
    return _of_line(config, (rule.matches or (EXAMPLE,))[0], group, reason, now)


def _default_signature(config: Configuration) -> str:
    """The first critical signature of log lines that names what it is about; else the first of all."""
    critical = (
        rule.id
        for rule in config.signatures.values()
        if rule.source is Source.LOG and rule.severity is Severity.CRITICAL and rule.group_by
    )
    return next(critical, next(iter(config.signatures), ""))


def messages(
    notification: Notification, mode: str, target: NotificationTarget | None = None
) -> tuple[SlackMessage, SlackMessage | None]:
    """What is posted, and in ``target``'s destination: the message, and in bot mode the reply where there is one."""
    reason = notification.reason
    called = target.mentions if target and reason in NEWS else ()
    if mode == "webhook":
        return render_standalone(notification, mentions=called), None
    named = target.concerned if target else ()
    replied = () if reason is Reason.OPENED else called
    return render(notification, mentions=named), render_thread(notification, mentions=replied)


def as_posted(
    notification: Notification, message: SlackMessage, reply: SlackMessage | None, mode: str
) -> list[dict[str, Any]]:
    """The messages as the channel keeps them, for drawing."""
    seconds = millis_of(notification.at) / 1000
    ts, both = f"{seconds:.6f}", {"posted_at": notification.at, "via": mode}
    posted: list[dict[str, Any]] = [both | {"ts": ts, "text": message.text, "blocks": message.blocks}]
    if reply is not None:
        in_thread = {"ts": f"{seconds + 0.000001:.6f}", "thread_ts": ts, "reply_broadcast": reply.broadcast}
        posted.append(both | in_thread | {"text": reply.text, "blocks": reply.blocks})
    return posted


def _of_line(config: Configuration, line: str, log_group: str, reason: Reason, now: Millis) -> Notification:
    # As often as the highest threshold asks for, so that what is announced only in numbers is announced here too.
    often = max((rule.threshold.count for rule in config.signatures.values() if rule.threshold), default=1)
    lived = _SimulatedIncident(config)
    stream = "2026/02/02/[$LATEST]8f6b1c0d2e3f4a5b9c7d8e9f0a1b2c3d"
    for _ in range(often):
        lived.simulation.feed([LoggedLine(now, line, log_group, stream)])
        lived.simulation.let_pass(now)
        if lived.simulation.notifications:
            break
    if not lived.simulation.notifications:
        lived.simulation.let_pass(now + config.settings.intervals.group_wait + MINUTE)
    if not lived.simulation.notifications:
        raise PreviewError("no signature recognises this; `tocsin explain` says why, `tocsin new` makes one")
    if reason is Reason.OPENED:
        return lived.first(reason)
    later = lived.simulation.now + MINUTE
    # A stream and a request for each: what one invocation says of itself would count as one failure.
    lived.simulation.feed(
        LoggedLine(
            later + number * 100,
            _UUID.sub(f"00000000-0000-4000-8000-{number:012x}", line),
            log_group,
            f"{stream}{number:x}",
        )
        for number in range(MORE)
    )
    return lived.later(reason, later + MORE * 100)


def _of_alarm(config: Configuration, rule: Signature, reason: Reason, now: Millis) -> Notification:
    if reason is Reason.UPDATE:
        raise PreviewError(
            "an alarm has no update: that it fires again is announced at once; try --reason opened"
        )
    sample = rule.matches[0]
    lived = _SimulatedIncident(config)
    lived.simulation.detect(_alarm_event(sample, "ALARM", now), now)
    if reason is Reason.OPENED:
        return lived.first(reason)
    lived.simulation.detect(_alarm_event(sample, "OK", now + 7 * MINUTE), now + 7 * MINUTE)
    return lived.first(reason)


def _of_absence(
    config: Configuration, rule: Signature, log_group: str, reason: Reason, now: Millis
) -> Notification:
    if reason is Reason.UPDATE:
        raise PreviewError("an absence has no update: a line is missing once; try --reason opened")
    lived = _SimulatedIncident(config._replace(signatures={rule.id: rule}))
    work = rule.absence.work_matches or rule.matches
    lived.simulation.feed([LoggedLine(now - rule.absence.within, work[0], log_group)])
    lived.simulation.let_pass(now + config.settings.intervals.group_wait + MINUTE)
    if not lived.simulation.notifications:
        raise PreviewError("only messages in a queue show work for it, and a preview has no queues")
    if reason is not Reason.OPENED:
        lived.simulation.feed([LoggedLine(lived.simulation.now + 7 * MINUTE, rule.matches[0], log_group)])
        lived.simulation.let_pass(lived.simulation.now + 8 * MINUTE)
    return lived.first(reason)


def _of_event(config: Configuration, name: str, reason: Reason, now: Millis) -> Notification:
    path = Path(name)
    if not path.is_file():
        raise PreviewError(
            f"{name!r} is neither a signature nor a file{did_you_mean(name, config.signatures)}; "
            "tocsin signatures list names all"
        )
    try:
        event = json.loads(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise PreviewError(f"{name}: not an event: {error}") from error
    if (given := _notification_in(event)) is not None:
        return given
    lived = _SimulatedIncident(config)
    try:
        lived.simulation.detect(event, now)
    except UnknownEventError as error:
        raise PreviewError(f"{name}: {error}") from error
    for problem in lived.simulation.dead_lettered:
        print(f"tocsin preview: {name}: {problem}", file=sys.stderr)
    lived.simulation.let_pass(now + config.settings.intervals.group_wait + MINUTE)
    if not lived.simulation.notifications:
        raise PreviewError(f"{name}: nothing in it would be sent")
    return lived.first(reason) if reason is Reason.OPENED else lived.later(reason, now + MINUTE)


def _notification_in(event: object) -> Notification | None:
    """The notification that an event for ``notify`` holds, or that a file is; None where it is neither."""
    if isinstance(event, dict) and isinstance(event.get("Records"), list) and event["Records"]:
        try:
            event = json.loads(event["Records"][0]["body"])
        except (KeyError, TypeError, ValueError):
            return None
    if not isinstance(event, dict) or not {"version", "incident", "alerts"} <= event.keys():
        return None
    try:
        return parse_notification(json.dumps(event))
    except NotANotificationError as error:
        raise PreviewError(str(error)) from error


class _SimulatedIncident:
    """One simulated incident."""

    def __init__(self, config: Configuration) -> None:
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or REGION
        self.simulation = Simulation(config, region=region, account=ACCOUNT)
        self._config = config

    def first(self, reason: Reason) -> Notification:
        """The first notification with this reason.

        Raises:
            PreviewError: There is none.
        """
        notifications = self.simulation.notifications
        found = next((each for each in notifications if each.reason is reason), None)
        if found is None:
            sent = ", ".join(sorted({each.reason for each in notifications})) or "nothing"
            raise PreviewError(f"no {reason.value!r} would be sent here, only {sent}")
        return found

    def later(self, reason: Reason, now: Millis) -> Notification:
        """The same, after as much time as it takes."""
        intervals = self._config.settings.intervals
        quiet = max(
            [intervals.resolve_after, *(rule.resolve_after or 0 for rule in self._config.signatures.values())]
        )
        self.simulation.let_pass(
            now + (intervals.group_interval if reason is Reason.UPDATE else quiet) + 2 * MINUTE
        )
        return self.first(reason)


def _all_announced(config: Configuration) -> Configuration:
    """With what is in test mode, or is learned, announced too: a preview is for looking at it before it is."""
    return config._replace(
        signatures={name: replace(rule, status=Status.STABLE) for name, rule in config.signatures.items()},
        settings=replace(config.settings, errors=replace(config.settings.errors, learning=0)),
    )


def _alarm_event(sample: Mapping[str, Any], state: str, at: Millis) -> dict[str, Any]:
    """A state change of a sample's alarm as EventBridge delivers it."""
    alarm = Alarm(
        name=sample["alarm"],
        namespace=sample.get("namespace", ""),
        metric=sample.get("metric", ""),
        dimensions=sample.get("dimensions", {}),
        threshold=1.0,
        statistic="Maximum",
        at_threshold=True,
    )
    return alarm_by_eventbridge(alarm, state, 7.0 if state == "ALARM" else 0.0, at)
