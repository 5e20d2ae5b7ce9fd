"""``tocsin demo``: replays the outages Tocsin exists for through real log groups, and shows what Slack gets.

Everything is real but the account: the template as it ships is deployed onto the embedded cloud, log events go
through subscription filters, Lambdas, the table, SNS and SQS, and what arrives is what Slack would show. Only
the intervals are seconds instead of minutes.
"""

from __future__ import annotations

import argparse
import json
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from tocsin_cli.local_aws.local_tocsin import LocalTocsin
from tocsin_cli.product import product_root, work_folder
from tocsin_cli.shown_paths import shown
from tocsin_cli.slack_view.page import Chapter as PageChapter
from tocsin_cli.slack_view.page import render_channel_page
from tocsin_cli.slack_view.terminal import render_message

if TYPE_CHECKING:
    from tocsin_cli.fake_slack.channel import Message

INTERVALS = {"GroupWait": "0s", "GroupInterval": "3s", "ResolveAfter": "7s", "RepeatInterval": "1h"}
PATIENCE = 40.0
"""Seconds that one step may take before the demo is a failure."""

MAX_PUT_SIZE = 10_000
"""Log events in one PutLogEvents call (CloudWatch Logs' limit)."""


class DemoFailedError(Exception):
    """A message that should have reached Slack did not."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens, and the notification it must lead to.

    Attributes:
        awaits: The reason of the notification to wait for.
        lines: Log lines.
        times: How often the lines are logged.
        dead_letters: The depth of the dead-letter queue; None where the step is not about it.
    """

    awaits: str
    lines: tuple[str, ...] = ()
    times: int = 1
    dead_letters: int | None = None


@dataclass(frozen=True, slots=True)
class Chapter:
    """One outage.

    Attributes:
        title: What people saw.
        story: What happened, in Slack's markup.
        service: Whose log it is in.
        stream: The log stream.
        steps: What happens, in order.
    """

    title: str
    story: str
    service: str
    stream: str
    steps: tuple[Step, ...]


REPLAYS = Path(__file__).with_name("replays.toml")


def load_chapters(path: Path = REPLAYS) -> tuple[Chapter, ...]:
    """Read the replays."""
    return tuple(
        Chapter(
            title=entry["title"],
            story=entry["story"],
            service=entry["service"],
            stream=entry["stream"],
            steps=tuple(Step(**{**step, "lines": tuple(step.get("lines", ()))}) for step in entry["step"]),
        )
        for entry in tomllib.loads(path.read_text("utf-8"))["chapter"]
    )


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
    demo = Demo(console, load_chapters(), arguments.slack_mode)
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


class Demo:
    """Plays chapters and narrates."""

    def __init__(self, console: Console, chapters: Sequence[Chapter], slack_mode: str) -> None:
        self._console, self._chapters, self._mode = console, chapters, slack_mode
        self._pages: list[tuple[Chapter, list[str]]] = []
        self._messages: list[Message] = []

    def play(self) -> None:
        """Play all chapters, one after the other.

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
                for chapter in self._chapters:
                    self._play_chapter(chapter, local)
            finally:
                self._messages = local.slack.messages()

    def leave_page(self, path: Path) -> None:
        """Write the channel as a page that needs nothing but itself."""
        items: list[Mapping[str, Any] | PageChapter] = []
        for chapter, seen in self._pages:
            items.append(PageChapter(chapter.title, chapter.story))
            items += [message for message in self._messages if message["ts"] in seen]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render_channel_page(items, title="Tocsin demo", live=False), "utf-8")

    def _play_chapter(self, chapter: Chapter, local: LocalTocsin) -> None:
        self._console.print()
        self._console.print(Rule(Text(chapter.title, style="bold"), align="left"))
        self._console.print(chapter.story.replace("*", "").replace("`", ""), style="italic", width=100)
        seen: list[str] = []
        self._pages.append((chapter, seen))
        before = {message["ts"] for message in local.slack.messages()}
        for step in chapter.steps:
            self._play_step(step, chapter, local)
            seen[:] = [message["ts"] for message in local.slack.messages() if message["ts"] not in before]

    def _play_step(self, step: Step, chapter: Chapter, local: LocalTocsin) -> None:
        before = _arrived(local.slack.messages(), step.awaits, chapter.service)
        started = time.monotonic()
        if step.lines:
            for line in step.lines:
                self._note(f"log: {line.splitlines()[-1]}")
            if step.times > 1:
                self._note(f"     {step.times} times over")
            put_lines(local, chapter.service, chapter.stream, step.lines * step.times)
        elif step.dead_letters is not None:
            self._note(f"{local.deployment.dlqs[chapter.service]}: {step.dead_letters} messages")
            set_depth(local, chapter.service, step.dead_letters)
        else:
            self._note("quiet")
        try:
            local.slack.wait_for(
                lambda messages: _arrived(messages, step.awaits, chapter.service) > before, PATIENCE
            )
        except TimeoutError:
            raise DemoFailedError(
                f"no {step.awaits!r} notification within {PATIENCE:.0f} s; see {work_folder() / 'cloud.log'}"
            ) from None
        self._note(f"{step.awaits} in Slack after {(time.monotonic() - started) * 1000:,.0f} ms")

    def _note(self, text: str) -> None:
        self._console.print(Text(f"  {text}", style="dim"), no_wrap=True, overflow="ellipsis")

    def _show_new(self, message: Message) -> None:
        self._console.print(render_message(message))

    def _show_edit(self, message: Message) -> None:
        self._console.print(
            Text.assemble(("  edited in place: ", "dim"), message["text"]), no_wrap=True, overflow="ellipsis"
        )


def put_lines(local: LocalTocsin, service: str, stream: str, lines: Sequence[str]) -> None:
    """Log lines as the service would."""
    logs = local.deployment.client("logs")
    group = local.deployment.log_groups[service]
    if not logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=stream)["logStreams"]:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now = time.time_ns() // 1_000_000
    events = [{"timestamp": now, "message": line} for line in lines]
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
