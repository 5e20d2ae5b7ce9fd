"""A hundred incidents waiting for a Slack that takes its time: one after the other, and as ``notify`` does it.

The local Slack answers in a millisecond, so that a run through the whole stack shows what the emulated cloud takes.
Here is nothing but the notifier, in memory, and a Slack that answers each call after a quarter of a second.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import requests
from requests.adapters import BaseAdapter

from benchmarks.stopwatch import ROOT
from tocsin.adapters.slack.credentials import BotCredential
from tocsin.adapters.slack.web_api import SlackBot
from tocsin.core.config.routing import Routing
from tocsin.core.notifications.queue_message import read_body
from tocsin.core.slack.delivery_record import DeliveryRecord
from tocsin.services.bot_channel import BotChannel
from tocsin.services.notifier import AT_A_TIME, Notifier

SAMPLE = ROOT / "events" / "notify-import-module-error.json"
ANSWERS_AFTER = 0.25
INCIDENTS, BATCH, INVOCATIONS = 100, 10, 2
"""Batches of ten, two of them at a time: as the template has it."""


def measure() -> dict[str, float]:
    """Milliseconds to the last message of a hundred, without threads and with them."""
    return {
        "hundred_to_a_slow_slack_in_turn_ms": last_message(threads=1),
        "hundred_to_a_slow_slack_ms": last_message(threads=AT_A_TIME),
    }


def last_message(threads: int) -> float:
    """Milliseconds until Slack has a message of each incident."""
    slack, batches, lock = SlowSlack(), batches_of(INCIDENTS), threading.Lock()
    read_body(
        next(batches_of(1))[0]["body"]
    )  # what msgspec learns at its first it must not learn in two threads

    def invocations() -> None:
        # One execution environment: it takes the next batch as soon as it is done with one.
        with ThreadPoolExecutor(threads) if threads > 1 else nullcontext() as pool:
            while True:
                with lock:
                    batch = next(batches, None)
                if batch is None:
                    return
                if notifier(slack, pool).work(batch):
                    raise RuntimeError("a message came back")

    started = time.perf_counter()
    with ThreadPoolExecutor(INVOCATIONS) as environments:
        for each in [environments.submit(invocations) for _ in range(INVOCATIONS)]:
            each.result()
    if slack.posted != INCIDENTS:
        raise RuntimeError(f"{slack.posted} of {INCIDENTS} messages")
    return (time.perf_counter() - started) * 1000


def batches_of(count: int) -> Iterator[list[Mapping[str, Any]]]:
    """Batches as SQS gives them to ``notify``, each message of an incident of its own."""
    record = json.loads(SAMPLE.read_text("utf-8"))["Records"][0]
    body = json.loads(record["body"])
    body = {key: value for key, value in body.items() if key != "wide"}
    records = []
    for number in range(count):
        incident = {**body["incident"], "id": f"20261129-030000-{number:06x}"}
        text = json.dumps({**body, "id": f"{incident['id']}/{body['sequence']}", "incident": incident})
        records.append({**record, "messageId": f"m{number}", "body": text})
    for start in range(0, count, BATCH):
        yield records[start : start + BATCH]


class SlowSlack(BaseAdapter):
    """Answers as Slack does, after a while."""

    def __init__(self) -> None:
        super().__init__()
        self.posted = 0

    def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> requests.Response:
        """Take a message."""
        time.sleep(ANSWERS_AFTER)
        self.posted += 1
        response = requests.Response()
        response.status_code, response.request, response.url = 200, request, str(request.url)
        response._content = json.dumps({"ok": True, "ts": f"{self.posted}.000000"}).encode()  # noqa: SLF001 - as libraries that fake answers do
        return response

    def close(self) -> None:
        """Nothing is held."""


class Records:
    """Delivery records in memory."""

    def claim(self, *_: object) -> DeliveryRecord:
        """Nothing was sent of the incident before."""
        return DeliveryRecord()

    def release(self, *_: object, **__: object) -> None:
        """Not needed again."""

    def peek(self, _: str) -> None:
        """None leads."""


class Nothing:
    """Queue and secret: neither has anything to do here but to be there."""

    def defer(self, *_: object) -> None:
        """Not asked for."""

    def dead_letter(self, *_: object) -> bool:
        """Not asked for."""
        return True

    def credential(self, *_: object, **__: object) -> BotCredential:
        """One that nobody checks."""
        return BotCredential("xoxb-none", "C0ALERTS")


def notifier(slack: SlowSlack, pool: Executor | None) -> Notifier:
    """That of one invocation."""
    records, nothing = Records(), Nothing()

    def connect(_: object) -> BotChannel:
        session = requests.Session()
        session.trust_env = False
        session.mount("https://", slack)
        return BotChannel(SlackBot("xoxb-none", "C0ALERTS", "https://slack.invalid/api/", session))

    return Notifier(
        routing=Routing(),
        secret_of=lambda _: nothing,
        store_of=lambda _: records,
        queue=nothing,
        connect=connect,
        clock=lambda: time.time_ns() // 1_000_000,
        deadline=time.time_ns() // 1_000_000 + 60_000,
        claimant="benchmark",
        pool=pool,
    )
