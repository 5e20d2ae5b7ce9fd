"""Cold start: a fresh interpreter to the first answer, without a match and with one, and what `import boto3` costs.

With a match everything is done that detect does: it counts in DynamoDB and notifies by SNS. What those answer is recorded once
from a table and a topic in this process, and given to each fresh interpreter: to plain objects in place of clients, which
says what is ours, and beneath boto3's own clients, which says what people wait for (but the network).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any
from unittest.mock import patch

import boto3
import re2

from benchmarks.aws_calls import CREDENTIALS, DEPLOYED, stub_cloud
from benchmarks.batches import FAULT, batch, ordinary_batch
from benchmarks.signature_sets import made
from benchmarks.stopwatch import ROOT, once
from tocsin import bootstrap
from tocsin.bootstrap import configuration, wire_detector
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.prefilter import RawSearch

RUNS = 9

FIRST_ANSWER = """
import json, sys
import detect
answer = detect.handler(json.loads(sys.stdin.read()), None)
assert answer["occurrences"] == {}, answer
assert "tocsin.services.detection" not in sys.modules, "the compiled search is stale: run `tocsin check`"
assert "boto3" not in sys.modules and "requests" not in sys.modules
"""

PLAIN_CLIENTS = """
import io, json, sys
given = json.loads(sys.stdin.read())
answers = iter(given["answers"])
class Client:
    class exceptions:
        ConditionalCheckFailedException = TransactionConflictException = KeyError
        TransactionCanceledException = TransactionInProgressException = KeyError
    def get_paginator(self, operation):
        return self
    def paginate(self, **_):
        return [next(answers)["parsed"]]
    def __getattr__(self, operation):
        return lambda **_: next(answers)["parsed"]
import detect
from tocsin import bootstrap
bootstrap._client = lambda service, total_attempts=5: Client()
answer = detect.handler(given["event"], None)
assert "boto3" not in sys.modules
"""

REAL_CLIENTS = """
import io, json, sys
given = json.loads(sys.stdin.read())
answers = iter(given["answers"])
import detect
from tocsin import bootstrap
def replaying(client):
    from botocore.awsrequest import AWSResponse
    class Raw(io.BytesIO):
        def stream(self, **_):
            yield self.read()
    def reply(request, **_):
        found = next(answers)
        return AWSResponse(request.url, found["status"], {}, Raw(found["body"].encode()))
    client.meta.events.register("before-send", reply)
    return client
real = bootstrap._client
bootstrap._client = lambda service, total_attempts=5: replaying(real(service, total_attempts))
answer = detect.handler(given["event"], None)
"""

ANNOUNCED = """
assert [*answer["occurrences"].values()] == [1] and [*answer["sent"].values()] == [["opened"]], answer
assert not [*answers], "something was not asked"
"""

BOTO3_CLIENTS = """
import sys; sys.stdin.read()
import boto3
boto3.client("dynamodb"), boto3.client("sns")
"""


def measure() -> dict[str, float]:
    """Median milliseconds over a bare interpreter, all taken in turn so that drift hits all alike."""
    event = json.dumps(ordinary_batch(100))
    signatures, found = made(1000), []
    uncompiled = once(lambda: found.append(Matcher(signatures).raw_expression))
    thousand = found[0]
    re2.purge()  # what was measured before may have left it compiled
    hit = batch([FAULT])
    given = json.dumps({"event": hit, "answers": recorded_answers(hit)})
    programs = {
        "bare": ("import sys; sys.stdin.read()", event),
        "boto3": ("import sys; sys.stdin.read(); import boto3", event),
        "boto3 and two clients": (BOTO3_CLIENTS, event),
        "detect": (FIRST_ANSWER, event),
        "with a match": (PLAIN_CLIENTS + ANNOUNCED, given),
        "with a match and boto3": (REAL_CLIENTS + ANNOUNCED, given),
    }
    times: dict[str, list[float]] = {name: [] for name in programs}
    for run in range(RUNS + 1):
        for name, (program, stdin) in programs.items():
            taken = _time(program, stdin)
            if run:  # the first round warms the page cache and writes byte code
                times[name].append(taken)
    bare = statistics.median(times["bare"])
    over = {name: statistics.median(taken) - bare for name, taken in times.items()}
    return {
        "cold_start_ms": over["detect"],
        "import_boto3_ms": over["boto3"],
        "boto3_and_clients_ms": over["boto3 and two clients"],
        "cold_start_over_import_boto3": over["detect"] / over["boto3"],
        "cold_start_with_a_match_ms": over["with a match"],
        "cold_start_with_a_match_over_import_boto3": over["with a match"] / over["boto3"],
        "cold_start_told_ms": over["with a match and boto3"],
        "thousand_signatures_build_ms": once(lambda: RawSearch(thousand)),
        "thousand_signatures_uncompiled_ms": uncompiled,
        "import_profile": profile(),
    }


def recorded_answers(event: object) -> list[dict[str, Any]]:
    """What DynamoDB and SNS answer to the calls that an event with a new alert makes."""
    answers: list[dict[str, Any]] = []

    def recording(service: str) -> Any:
        client: Any = boto3.client(service)  # type: ignore[call-overload]
        client.meta.events.register("after-call.*", keep)
        return client

    def keep(http_response: Any, parsed: dict[str, Any], **_: object) -> None:
        plain = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
        answers.append({"status": http_response.status_code, "body": http_response.text, "parsed": plain})

    with stub_cloud() as deployed, patch.object(bootstrap, "_client", recording):
        detector = wire_detector(deployed, configuration(deployed))
        detector.detect(event, time.time_ns() // 1_000_000)
    return answers


def profile() -> list[dict[str, float | str]]:
    """The imports of ``detect`` that take longest by themselves, in milliseconds, from ``-X importtime``."""
    done = subprocess.run(
        [
            sys.executable,
            "-X",
            "importtime",
            "-S",
            "-c",
            f"import sys; sys.path += {sys.path!r}; import detect",
        ],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    rows = [line.removeprefix("import time:").split("|") for line in done.stderr.splitlines()[1:]]
    slowest = sorted(rows, key=lambda row: -int(row[0]))[:12]
    return [{"module": name.strip(), "ms": int(own) / 1000} for own, _, name in slowest]


def _time(program: str, event: str) -> float:
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", program],
        input=event,
        text=True,
        check=True,
        env=environment(),
        stdout=subprocess.DEVNULL,
    )
    return (time.perf_counter() - started) * 1000


def environment() -> dict[str, str]:
    """What the Lambda would have in its environment."""
    # With byte code, as the package has it.
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TOCSIN_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    return {**kept, **CREDENTIALS, **DEPLOYED, "PYTHONPATH": str(ROOT / "functions")}
