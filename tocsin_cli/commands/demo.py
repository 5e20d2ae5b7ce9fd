"""``tocsin demo``: replays the outages Tocsin exists for through real log groups, and shows what Slack gets.

Everything is real but the account: the template as it ships is deployed onto the embedded cloud, log events go
through subscription filters, Lambdas, the table, SNS and SQS, and what arrives is what Slack would show. Only
the intervals are seconds instead of minutes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from tocsin_cli.local_aws.local_tocsin import LocalTocsin
from tocsin_cli.outages import Step, Story, lines_of, load_stories
from tocsin_cli.product import product_root, work_folder
from tocsin_cli.shown_paths import shown
from tocsin_cli.slack_view.page import Chapter, render_channel_page
from tocsin_cli.slack_view.terminal import render_message

if TYPE_CHECKING:
    from tocsin_cli.fake_slack.channel import Message

INTERVALS = {"GroupWait": "0s", "GroupInterval": "3s", "ResolveAfter": "7s", "RepeatInterval": "1h"}
PATIENCE = 40.0
"""Seconds that one step may take before the demo is a failure."""
STORM = 212
"""Invocations that fail in the same way, where a step is repeated."""

MAX_PUT_SIZE = 10_000
"""Log events in one PutLogEvents call (CloudWatch Logs' limit)."""


class DemoFailedError(Exception):
    """A message that should have reached Slack did not."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of ``tocsin demo``."""
    parser.add_argument(
        "--slack-mode", choices=["bot", "webhook"], default="bot", help="how Slack is spoken to"
    )
    parser.add_argument(
        "--page", type=Path, default=work_folder() / "demo.html", help="where to leave the channel page"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; 0 when every message arrived."""
    console = Console(highlight=False)
    demo = Demo(console, [story for story in load_stories().values() if story.demo], arguments.slack_mode)
    try:
        demo.play()
    except DemoFailedError as error:
        console.print(Text(str(error), style="bold red"))
        return 1
    finally:
        demo.leave_page(arguments.page)
    console.print(Rule())
    console.print(f"The channel as people see it: [bold]{shown(arguments.page)}[/bold]", soft_wrap=True)
    return 0


def chapter_of(story: Story) -> Chapter:
    """The heading of an outage: when it was and what happened, in Slack's markup."""
    began = datetime.fromtimestamp(story.began / 1000, UTC)
    return Chapter(story.title, f"{began.day} {began:%B %Y}. {story.then} *Found:* {story.found}")


class Demo:
    """Plays outages and narrates."""

    def __init__(self, console: Console, stories: Sequence[Story], slack_mode: str) -> None:
        self._console, self._stories, self._mode = console, stories, slack_mode
        self._pages: list[tuple[Chapter, list[str]]] = []
        self._messages: list[Message] = []

    def play(self) -> None:
        """Play all outages, one after the other.

        Raises:
            DemoFailedError: A message did not arrive.
        """
        started = time.monotonic()
        self._console.print("Starting the embedded cloud and deploying template.yaml …", style="dim")
        with LocalTocsin(
            slack_mode=self._mode,
            parameters=INTERVALS,
            root=product_root() / "functions",
            on_message=self._show_new,
            on_edit=self._show_edit,
        ) as local:
            self._console.print(
                f"Deployed in {time.monotonic() - started:.0f} s. The channel, live: {local.slack.url}",
                style="dim",
            )
            try:
                for story in self._stories:
                    self._play_story(story, local)
            finally:
                self._messages = local.slack.messages()

    def leave_page(self, path: Path) -> None:
        """Write the channel as a page that needs nothing but itself."""
        items: list[Mapping[str, Any] | Chapter] = []
        for chapter, seen in self._pages:
            items.append(chapter)
            items += [message for message in self._messages if message["ts"] in seen]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render_channel_page(items, title="Tocsin demo", live=False), "utf-8")

    def _play_story(self, story: Story, local: LocalTocsin) -> None:
        chapter = chapter_of(story)
        self._console.print()
        self._console.print(Rule(Text(chapter.title, style="bold"), align="left"))
        self._console.print(chapter.text.replace("*", "").replace("`", ""), style="italic", width=100)
        seen: list[str] = []
        self._pages.append((chapter, seen))
        before = {message["ts"] for message in local.slack.messages()}
        steps: list[tuple[Step | None, int, str]] = [
            (step, number, reason) for step in story.demo for number, reason in enumerate(step.demo)
        ]
        if not any(step.queue for step in story.demo):
            steps.append((None, 0, "resolved"))
        for step, number, reason in steps:
            self._play_step(story, step, reason, STORM if number else 1, local)
            seen[:] = [message["ts"] for message in local.slack.messages() if message["ts"] not in before]

    def _play_step(
        self, story: Story, step: Step | None, reason: str, times: int, local: LocalTocsin
    ) -> None:
        """Let a step happen, or without one nothing, and wait for the notification with the reason."""
        before = _arrived(local.slack.messages(), reason, story.service)
        started = time.monotonic()
        if step is None:
            self._note("quiet")
        elif step.queue:
            self._note(f"{local.deployment.dlqs[story.service]}: {step.depth} messages")
            set_depth(local, story.service, step.depth)
        else:
            for line in lines_of(story, step, time.time_ns() // 1_000_000):
                self._note(f"log: {line.message.splitlines()[0]}")
            if times > 1:
                self._note(f"     {times} times over")
            log(local, story, step, times)
        try:
            local.slack.wait_for(
                lambda messages: _arrived(messages, reason, story.service) > before, PATIENCE
            )
        except TimeoutError:
            raise DemoFailedError(
                f"no {reason!r} notification within {PATIENCE:.0f} s; see {work_folder() / 'cloud.log'}"
            ) from None
        self._note(f"{reason} in Slack after {(time.monotonic() - started) * 1000:,.0f} ms")

    def _note(self, text: str) -> None:
        self._console.print(Text(f"  {text}", style="dim"), no_wrap=True, overflow="ellipsis")

    def _show_new(self, message: Message) -> None:
        self._console.print(render_message(message))

    def _show_edit(self, message: Message) -> None:
        self._console.print(
            Text.assemble(("  edited in place: ", "dim"), message["text"]), no_wrap=True, overflow="ellipsis"
        )


def log(local: LocalTocsin, story: Story, step: Step, times: int = 1) -> None:
    """Log what a step logs as the service would, so many invocations of it."""
    logs, group = local.deployment.client("logs"), local.deployment.log_groups[story.service]
    now = time.time_ns() // 1_000_000
    lines = [line for number in range(times) for line in lines_of(story, step, now + number)]
    stream = lines[0].log_stream
    if not logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=stream)["logStreams"]:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    events = [{"timestamp": now, "message": line.message} for line in lines]
    for start in range(0, len(events), MAX_PUT_SIZE):
        logs.put_log_events(
            logGroupName=group, logStreamName=stream, logEvents=events[start : start + MAX_PUT_SIZE]
        )


def set_depth(local: LocalTocsin, service: str, depth: int) -> None:
    """Fill a dead-letter queue, and do what CloudWatch then does: the embedded cloud makes no SQS metrics."""
    sqs = local.deployment.client("sqs")
    url = sqs.get_queue_url(QueueName=local.deployment.dlqs[service])["QueueUrl"]
    sqs.purge_queue(QueueUrl=url)
    for number in range(depth):
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"document": number}))
    state, words = (
        ("ALARM", "was greater than or equal to") if depth else ("OK", "was not greater than or equal to")
    )
    local.deployment.client("cloudwatch").set_alarm_state(
        AlarmName=local.deployment.dlq_alarm(service),
        StateValue=state,
        StateReason=f"Threshold Crossed: 1 datapoint [{depth:.1f}] {words} the threshold (1.0).",
        StateReasonData=json.dumps({"version": "1.0", "recentDatapoints": [float(depth)], "threshold": 1.0}),
    )


def _arrived(messages: Sequence[Message], reason: str, service: str) -> int:
    """How much the channel shows of one kind of news, whichever way Slack is spoken to; only ever grows."""
    tops = sum(message["thread_ts"] is None for message in messages)
    if reason == "opened":
        return tops
    if reason == "resolved":
        return sum(
            "Resolved" in message["text"] and f"· {service}" in message["text"] for message in messages
        )
    if reason == "new_alert":  # a reply in bot mode, a message of its own by webhook
        return len(messages)
    return tops + sum(len(message["edits"]) for message in messages)
