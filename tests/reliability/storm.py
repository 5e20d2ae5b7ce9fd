"""A storm: very many occurrences over many invocations and services, and what stays bounded all the same."""

from __future__ import annotations

import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reliability.deployment import MINUTE, T0, Deployment, Mode, simulated_aws
from reliability.scenario import LINES, ORDINARY, Story, envelope, of_invocation
from reliability.verdict import stored_incidents
from tocsin_cli.fake_slack.block_kit import MAX_BLOCKS_JSON, json_size

SERVICES = ("backend", "worker", "api", "billing")
PER_ENVELOPE = 10_000
"""Log events in one delivery: what CloudWatch Logs sends under load is bounded by its 6 MB, not by a number."""

LASTS = 10 * MINUTE
ITEM, SNS_MESSAGE, SLACK_BLOCKS = 400 * 1024, 256 * 1024, 50
"""The limits of DynamoDB (bytes), SNS (bytes) and Slack (blocks)."""

MAX_BURSTS = 5
"""Messages about new alerts in a ``group_interval`` that the documents admit."""


@dataclass(slots=True)
class Storm:
    """What a storm came to.

    Attributes:
        occurrences: How many were logged.
        distinct: How many different names were among them, each of which could be an alert of its own.
        envelopes: In how many deliveries.
        seconds: How long the handlers and the cloud under them took.
        calls: Calls that left the processes, by function and operation.
        messages: Slack messages and edits, by service.
        allowed: The most there may be.
        largest_item: Bytes of the largest item in the table.
        largest_publish: Bytes of the largest request to SNS.
        largest_blocks: Characters of the largest message's blocks, as JSON.
        most_blocks: Most blocks in one message.
        rounds: Calls of reconcile per round at most.
        grown: Bytes by which the process grew between the first tenth of the storm and its end.
        broken: What does not hold.
    """

    occurrences: int
    distinct: int
    envelopes: int
    seconds: float
    calls: Counter[tuple[str, str]]
    messages: Counter[str]
    allowed: int
    largest_item: int
    largest_publish: int
    largest_blocks: int
    most_blocks: int
    grown: int
    broken: list[str]


def storm(occurrences: int, mode: Mode, *, per_envelope: int = PER_ENVELOPE, own: int = 10) -> Storm:
    """Let it rage for ten simulated minutes, then let it end.

    Args:
        occurrences: How many matching lines.
        mode: How Slack is told.
        per_envelope: Lines in one delivery.
        own: One line in so many names a module of its own: each would be an alert, if nothing bounded them.
    """
    story = Story(Deployment(mode))
    deployment, began = story.deployment, time.monotonic()
    memory, envelopes = 0, -(-occurrences // per_envelope)
    distinct = 0
    for number, (service, lines) in enumerate(_envelopes(occurrences, per_envelope, own)):
        at = T0 + number * LASTS // envelopes
        distinct += sum("mod_" in line for line in lines)
        deployment.run_until(at)
        deployment.deliver(envelope(service, lines, at, number))
        deployment.run_until(at)
        if number == envelopes // 10:
            memory = _memory()
    grown = _memory() - memory
    rate = Counter[tuple[str, str]](call.row for call in deployment.wire.plan.calls)
    story.until_quiet()
    return _judged(story, occurrences, distinct, envelopes, time.monotonic() - began, rate, grown)


def _envelopes(occurrences: int, per_envelope: int, own: int) -> Iterator[tuple[str, list[str]]]:
    lines = [LINES["lambda-timeout"], LINES["database-none"], LINES["s3-bucket-not-accessible"]]
    module = LINES["import-module-error"]
    for start in range(0, occurrences, per_envelope):
        made = [ORDINARY]
        for number in range(start, min(start + per_envelope, occurrences)):
            unlike = module.replace("mangum", f"mod_{number}")
            # A time-out of an invocation of its own: what one invocation says again is one failure.
            line = of_invocation(lines[number % 3], number)
            made.append(line if number % own else unlike)
        yield SERVICES[start // per_envelope % len(SERVICES)], made


def _judged(
    story: Story,
    occurrences: int,
    distinct: int,
    envelopes: int,
    seconds: float,
    calls: Counter[tuple[str, str]],
    grown: int,
) -> Storm:
    deployment = story.deployment
    incidents = stored_incidents(deployment)
    counted = sum(incident.count for incident in incidents)
    messages = Counter[str]()
    for note in {
        (note["incident"]["id"], note["sequence"]): note for note in deployment.published()
    }.values():
        messages[note["service"]] += 1
    intervals = 2 + (deployment.wire.now - T0) // (5 * MINUTE)
    # opened and resolved; and in each interval an update and a bounded number of messages about new alerts
    allowed = 2 + intervals * (1 + MAX_BURSTS)
    blocks = [message["blocks"] for message in deployment.slack.messages()]
    result = Storm(
        occurrences=occurrences,
        distinct=distinct,
        envelopes=envelopes,
        seconds=seconds,
        calls=calls,
        messages=messages,
        allowed=allowed,
        largest_item=max(
            sum(len(n) + len(v.encode()) for n, v in item.items()) for item in deployment.items()
        ),
        largest_publish=deployment.wire.largest["before-send.sns.Publish"],
        largest_blocks=max(map(json_size, blocks)),
        most_blocks=max(map(len, blocks)),
        grown=grown,
        broken=[],
    )
    checks = {
        f"{occurrences} were logged, {counted} counted": counted == occurrences,
        f"{deployment.refused} events refused": not deployment.refused,
        f"messages {messages} exceed {allowed}": all(count <= allowed for count in messages.values()),
        f"an item of {result.largest_item} bytes": result.largest_item < ITEM,
        f"a request to SNS of {result.largest_publish} bytes": result.largest_publish < SNS_MESSAGE,
        f"{result.most_blocks} blocks": result.most_blocks <= SLACK_BLOCKS,
        f"{result.largest_blocks} characters of blocks": result.largest_blocks <= MAX_BLOCKS_JSON,
        "a message had to go as plain text": all(blocks),
        "something still waits": not deployment.waiting() and not deployment.dead(),
    }
    result.broken += [what for what, holds in checks.items() if not holds]
    return result


def measured_storm(occurrences: int) -> tuple[str, list[str]]:
    """The storm in figures, in Markdown; and what does not hold."""
    with simulated_aws():
        found = storm(occurrences, "bot")
    detect = sum(count for (function, _), count in found.calls.items() if function == "detect")
    puts = found.calls["detect", "DynamoDB PutItem (occurrence count)"]
    figures: list[tuple[str, Any]] = [
        ("occurrences", f"{found.occurrences:,}"),
        ("among them lines that each name a module of their own", f"{found.distinct:,}"),
        ("invocations of detect that held them", f"{found.envelopes:,}"),
        ("counted", "all, each once" if not found.broken else f"BROKEN: {found.broken}"),
        ("writes that count, per invocation (one for each alert in it)", f"{puts / found.envelopes:.1f}"),
        ("calls to AWS per invocation of detect, in all", f"{detect / found.envelopes:.1f}"),
        (
            "notifications per service, of at most allowed",
            f"{max(found.messages.values())} of {found.allowed}",
        ),
        ("largest item in the table (DynamoDB's limit is 409,600 bytes)", f"{found.largest_item:,} bytes"),
        ("largest request to SNS (the limit is 262,144 bytes)", f"{found.largest_publish:,} bytes"),
        ("most blocks in a Slack message (the limit is 50)", found.most_blocks),
        (f"largest blocks, as JSON (kept under {MAX_BLOCKS_JSON:,})", f"{found.largest_blocks:,} characters"),
        (
            "growth of the process from the first tenth to the end, the simulated table in it included",
            f"{found.grown / 2**20:.0f} MiB",
        ),
        ("time for all of it, the simulated cloud included", f"{found.seconds:.0f} s"),
    ]
    return "| figure | measured |\n|---|---|\n" + "".join(
        f"| {n} | {v} |\n" for n, v in figures
    ), found.broken


def _memory() -> int:
    """The most memory this process has had, in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
