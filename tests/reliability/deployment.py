"""A deployment on simulated time: the three real handlers, moto's AWS, the local Slack, and the platform between.

What the platform promises is kept to: an asynchronous event is tried three times (after one minute, and two),
then goes to the failure destination; ``reconcile`` runs every minute; a queue message that was not acknowledged
comes back when its visibility ends, and after ``maxReceiveCount`` goes to the dead-letter queue; a function
that is killed or runs into its time limit starts again with nothing in memory.
"""

from __future__ import annotations

import contextlib
import functools
import heapq
import importlib
import io
import itertools
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Literal
from unittest.mock import patch

import boto3
import botocore.endpoint
import moto.dynamodb.models
import moto.sqs.models
import requests
from ledgers import create_incident_table
from moto import mock_aws
from moto.core.models import botocore_stubber
from moto.dynamodb.models import dynamodb_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from reliability import wire as wires
from reliability.faults import Fault, KilledError, Plan
from reliability.wire import Wire
from tocsin_cli.fake_slack.server import LocalSlack

T0 = 1_795_340_000_000  # 2026-11-22, a minute and some seconds past a full one
SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
ACCOUNT, REGION = "123456789012", "us-east-1"
RETRIES = (1 * MINUTE, 2 * MINUTE)
"""Lambda's waits before the second and the third try of an asynchronous event."""

LIMITS = {"detect": 60 * SECOND, "reconcile": 55 * SECOND, "notify": 60 * SECOND, "respond": 10 * SECOND}
"""The functions' time limits in the template."""

VISIBILITY, MAX_RECEIVES, BATCH = 360, 100, 10
"""The queue's settings in the template."""

Mode = Literal["bot", "webhook", "people"]
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "TOCSIN_SLACK_SECRET": "tocsin/slack",
    "TOCSIN_LOG_LEVEL": "CRITICAL",
}
_ABSENT = ("AWS_ENDPOINT_URL", "AWS_SAM_LOCAL", "TOCSIN_DRY_RUN", "AWS_PROFILE")


class Context:
    """What Lambda hands to a handler."""

    function_name, memory_limit_in_mb = "tocsin", 512
    invoked_function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:tocsin"
    _numbers = itertools.count(1)

    def __init__(self, wire: Wire, deadline: int) -> None:
        self.aws_request_id = f"request-{next(self._numbers)}"
        self._wire, self._deadline = wire, deadline

    def get_remaining_time_in_millis(self) -> int:
        """On the simulated clock."""
        return max(0, self._deadline - self._wire.now)


@contextlib.contextmanager
def simulated_aws() -> Iterator[None]:
    """moto for boto3, and the handlers imported; deployments are made within, one after the other."""
    environment = {**os.environ, **ENVIRONMENT}
    environment = {
        name: value
        for name, value in environment.items()
        if name not in _ABSENT and (not name.startswith("TOCSIN_") or name in ENVIRONMENT)
    }
    with patch.dict(os.environ, environment, clear=True), mock_aws():
        # A client of this run is moto's, also where an earlier test left another in the process.
        wiring = importlib.import_module("tocsin.bootstrap")
        matcher = importlib.import_module("tocsin.core.matching.matcher")
        wires._clients.clear()
        with (
            patch.object(boto3, "client", wires.client),
            # What it compiles depends on the configuration alone; a cold start need not do it again here.
            patch.object(matcher, "Matcher", _Kept(matcher.Matcher)),
            patch.object(requests.adapters.HTTPAdapter, "send", wires.send),
            # botocore waits between its tries; simulated time does not.
            patch.object(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _: None, time=time.time)),
            # moto copies the whole table for each action of a transaction; once for each transaction is enough.
            patch.object(moto.dynamodb.models, "copy", SimpleNamespace(deepcopy=wires.copied)),
            patch.object(moto.sqs.models, "unix_time_millis", lambda *_: float(wires._wires[0].now)),
            patch.object(moto.sqs.models, "unix_time", lambda *_: wires._wires[0].now / 1000),
        ):
            wiring._client.cache_clear()
            handlers = [importlib.import_module(name) for name in LIMITS]
            clock = SimpleNamespace(time_ns=lambda: wires._wires[0].now * 1_000_000)
            with contextlib.ExitStack() as stack:
                for handler in handlers:
                    stack.enter_context(patch.object(handler, "time", clock))
                    for name in ("environ", "config", "settings", *_MEMORY[handler.__name__]):
                        if hasattr(handler, name):
                            stack.enter_context(patch.object(handler, name, getattr(handler, name)))
                    logger = handler.logger() if handler.__name__ == "detect" else handler.logger
                    stack.enter_context(patch.object(logger, "least", logging.CRITICAL))
                yield
        wiring._client.cache_clear()
        wires._clients.clear()


class Deployment:
    """One deployed Tocsin, at ``T0``, with nothing stored.

    Args:
        mode: How Slack is told.
        plan: What goes wrong.
        listing: Whether every call is listed; a storm has too many.

    Attributes:
        wire: What the calls pass.
        slack: Where people are told.
        told: Each post and edit in Slack: when, and the message.
        began: When it was deployed.
        refused: Events that went to the failure destination.
    """

    _names = itertools.count(1)

    def __init__(
        self, mode: Mode, plan: Plan | None = None, *, environment: dict[str, str] | None = None
    ) -> None:
        self.mode = mode
        self.told: list[tuple[int, dict[str, Any]]] = []
        self.slack = LocalSlack(
            clock=lambda: self.wire.now / 1000, on_message=self._note_told, on_edit=self._note_told
        )
        self.wire = Wire(self.slack, T0)
        self.wire.plan = plan or Plan()
        self.wire.meanwhile = self._meanwhile
        self.wire.invoked = lambda event: self._at(self.wire.now, functools.partial(self._reconcile, event))
        wires.attach(self.wire)
        self.began = T0
        self.refused: list[dict[str, Any]] = []
        self.killed = 0
        self.invocations = 0
        self._actions: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._again: Callable[[], None] = lambda: None
        self._meanwhile_event: Callable[[], None] = lambda: None
        self._redeliver = False
        self._handlers = {name: importlib.import_module(name) for name in LIMITS}
        self._create(environment or {})
        for handler in self._handlers.values():
            _forget(handler)
        self._at(T0 + MINUTE - T0 % MINUTE, self._reconcile_each_minute)

    # ------------------------------------------------------------- what happens

    def deliver(self, event: dict[str, Any], after: int = 0) -> None:
        """Have ``detect`` invoked with an event, asynchronously, so many ms from now."""
        self._at(self.wire.now + after, functools.partial(self._detect, event, 0))

    def ask(self, event: dict[str, Any]) -> Any:
        """Have ``respond`` answer one request of its Function URL; what it raised, if it failed."""
        self._meanwhile_event = functools.partial(self._invoke, "respond", event)
        answer = self._invoke("respond", event)
        if self._redeliver:
            self._redeliver = False
            _forget(self._handlers["respond"])
            self._invoke("respond", event)
        return answer

    def run_until(self, time: int, *, quiet: Callable[[], bool] = lambda: False) -> None:
        """Let time pass; ends early once nothing is scheduled before then and ``quiet`` says so."""
        while True:
            upcoming = self._next()
            if upcoming > time:
                break
            self.wire.now = max(self.wire.now, upcoming)
            while self._actions and self._actions[0][0] <= self.wire.now:
                heapq.heappop(self._actions)[2]()
            self._notify_all()
            if quiet():
                return
        self.wire.now = max(self.wire.now, time)

    def _next(self) -> int:
        times = [self._actions[0][0]] if self._actions else []
        times += [int(message.visible_at) + 1 for message in self._messages("notify")]
        return max(self.wire.now, min(times, default=0)) if times else 2**62

    def _at(self, time: int, action: Callable[[], None]) -> None:
        heapq.heappush(self._actions, (time, next(self._order), action))

    def _meanwhile(self, fault: Fault) -> None:
        if fault is Fault.REDELIVERED:
            self._redeliver = True
        elif fault is Fault.SAME_EVENT_MEANWHILE:
            self._aside(self._meanwhile_event)
        else:
            self._aside(lambda: self._invoke("reconcile", {}))

    def _aside(self, invocation: Callable[[], Any]) -> None:
        """Run another invocation now, in another process, unharmed and not listed."""
        wire, own = self.wire, {name: _memory(handler) for name, handler in self._handlers.items()}
        function, deadline, plan = wire.function, wire.deadline, wire.plan
        for handler in self._handlers.values():
            _forget(handler)
        wire.plan = Plan()
        try:
            invocation()
        finally:
            wire.function, wire.deadline, wire.plan = function, deadline, plan
            for name, handler in self._handlers.items():
                _remember(handler, own[name])

    def _invoke(self, function: str, event: dict[str, Any]) -> Any:
        """One invocation: its answer, or what it raised."""
        wire, handler = self.wire, self._handlers[function]
        wire.function, wire.opens = function, True
        wire.deadline = wire.now + LIMITS[function]
        self.invocations += 1
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                return handler.handler(event, Context(wire, wire.deadline))
        except KilledError as end:
            self.killed += 1
            _forget(handler)
            return end
        except Exception as error:  # the platform sees that it failed, whatever it was
            return error
        finally:
            wire.function = ""

    def _detect(self, event: dict[str, Any], tries: int) -> None:
        self._meanwhile_event = lambda: self._invoke("detect", event)
        answer = self._invoke("detect", event)
        if self._redeliver:
            self._redeliver = False
            _forget(self._handlers["detect"])
            self._invoke("detect", event)
            self._at(self.wire.now + 3 * MINUTE, lambda: self._invoke("detect", event))
        if not isinstance(answer, BaseException):
            return
        if tries < len(RETRIES):
            self._at(self.wire.now + RETRIES[tries], functools.partial(self._detect, event, tries + 1))
        else:
            self.refused.append(event)

    def _reconcile_each_minute(self) -> None:
        due = self.wire.now
        self._reconcile({})
        self._at(due + MINUTE, self._reconcile_each_minute)

    def _reconcile(self, event: dict[str, Any]) -> None:
        again = functools.partial(self._invoke, "reconcile", event)
        self._meanwhile_event = again
        self._invoke("reconcile", event)
        if self._redeliver:
            self._redeliver = False
            _forget(self._handlers["reconcile"])
            again()
            self._at(self.wire.now + 3 * MINUTE, again)

    def _notify_all(self) -> None:
        """What the queue's event source does: hand over what is visible, delete what was told."""
        while True:
            messages = self._received()
            if not messages:
                return
            event = {
                "Records": [
                    {
                        "messageId": message.id,
                        "receiptHandle": message.receipt_handle,
                        "body": message.body,
                        "attributes": {
                            "ApproximateReceiveCount": str(message.approximate_receive_count),
                            "SentTimestamp": str(message.sent_timestamp),
                        },
                    }
                    for message in messages
                ]
            }
            self._meanwhile_event = functools.partial(self._invoke, "notify", event)
            answer = self._invoke("notify", event)
            if self._redeliver:
                self._redeliver = False
                _forget(self._handlers["notify"])
                self._invoke("notify", event)
                self._at(self.wire.now + 3 * MINUTE, functools.partial(self._invoke, "notify", event))
            if isinstance(answer, BaseException):
                continue
            kept = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
            for message in messages:
                if message.id not in kept:
                    self._sqs.delete_message(self._queues["notify"], message.receipt_handle)

    def _received(self) -> list[Any]:
        """Messages taken from the queue; straight from moto, because this is the platform's doing, not ours."""
        if not any(message.visible for message in self._messages("notify")):
            return []
        return self._sqs.receive_message(self._queues["notify"], BATCH, 0, VISIBILITY)

    def _note_told(self, message: Any) -> None:
        self.told.append((self.wire.now, message))

    # --------------------------------------------------------------- what there is

    def _create(self, environment: dict[str, str]) -> None:
        number = next(self._names)
        # Not the tables and queues of the deployment before: a process does thousands of runs.
        for backend in (dynamodb_backends, sqs_backends, sns_backends, secretsmanager_backends):
            backend[ACCOUNT][REGION].reset()
        self.table = f"incidents-{number}"
        create_incident_table(self._platform("dynamodb"), self.table)
        sns, sqs = self._platform("sns"), self._platform("sqs")
        topic = sns.create_topic(Name=f"alerts-{number}")["TopicArn"]
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:"
        self._queues = {name: f"{name}-{number}" for name in ("notify", "notify-dead", "failures", "audit")}
        urls = {name: sqs.create_queue(QueueName=queue)["QueueUrl"] for name, queue in self._queues.items()}
        self.queue = urls["notify"]
        redrive = {"deadLetterTargetArn": arn + self._queues["notify-dead"], "maxReceiveCount": MAX_RECEIVES}
        sqs.set_queue_attributes(
            QueueUrl=self.queue,
            Attributes={
                "VisibilityTimeout": str(VISIBILITY),
                "MessageRetentionPeriod": "1209600",
                "RedrivePolicy": json.dumps(redrive),
            },
        )
        sqs.create_queue(QueueName="worker-dlq")  # what the alarm of the scenario is about
        for name in ("notify", "audit"):
            sns.subscribe(
                TopicArn=topic,
                Protocol="sqs",
                Endpoint=arn + self._queues[name],
                Attributes={
                    "RawMessageDelivery": "true",
                    "FilterPolicy": json.dumps({"reason": [{"exists": True}]}),
                },
            )
        secret = (
            {"bot_token": self.slack.bot_token, "channel": self.slack.channel_id, **self.slack.signing}
            if self.mode != "webhook"
            else {"webhook_url": self.slack.webhook_url}
        )
        self.secret = f"tocsin/slack-{number}"
        self._platform("secretsmanager").create_secret(Name=self.secret, SecretString=json.dumps(secret))
        environ = {
            "AWS_REGION": REGION,
            "TOCSIN_TABLE": self.table,
            "TOCSIN_ALERTS_TOPIC_ARN": topic,
            "TOCSIN_NOTIFY_QUEUE_URL": self.queue,
            "TOCSIN_SLACK_API_URL": self.slack.api_url,
            "TOCSIN_SLACK_SECRET": self.secret,
            "TOCSIN_RECONCILE_FUNCTION": "reconcile",
            **environment,
        }
        failure_queues = {"detect": urls["failures"], "reconcile": "", "notify": urls["notify-dead"]}
        for name, handler in self._handlers.items():
            handler.environ = {**environ, "TOCSIN_FAILURE_QUEUE_URL": failure_queues.get(name, "")}
        # As in the template: what people did is no matter of detect's.
        for name in ("TOCSIN_SLACK_ACTIONS", "TOCSIN_REDRIVE_QUEUES"):
            self._handlers["detect"].environ.pop(name, None)
        config = _configuration(tuple(environment.items()))
        self._handlers["detect"].config = lambda: config
        self._handlers["reconcile"].config = config

    def redrive(self) -> None:
        """Move what lies in the dead-letter queue back, as the console's button does."""
        for message in self._messages("notify-dead"):
            self._sqs.send_message(self._queues["notify"], message.body)
        self._sqs.purge_queue(self._queues["notify-dead"])

    def change_secret(self, secret: dict[str, str]) -> None:
        """Put another credential into the secret."""
        self._platform("secretsmanager").put_secret_value(
            SecretId=self.secret, SecretString=json.dumps(secret)
        )

    def items(self) -> list[dict[str, str]]:
        """All items of the table, their attributes as text."""
        table = dynamodb_backends[ACCOUNT][REGION].tables[self.table]
        rows = [row for items in table.items.values() for row in items.values()]
        return [{name: str(value.value) for name, value in row.attrs.items()} for row in rows]

    def published(self) -> list[dict[str, Any]]:
        """Every notification that SNS was given, in order, the ones given twice twice."""
        return [json.loads(message.body) for message in self._messages("audit")]

    def waiting(self) -> int:
        """How many notifications have not been told."""
        return len(self._messages("notify"))

    def dead(self) -> list[dict[str, Any]]:
        """Notifications in the dead-letter queue."""
        return [json.loads(message.body) for message in self._messages("notify-dead")]

    def parked(self) -> list[Any]:
        """Records that detect put into the failure queue."""
        return [json.loads(message.body) for message in self._messages("failures")]

    @property
    def idle(self) -> bool:
        """Whether nothing but the next round of reconcile is scheduled."""
        return len(self._actions) <= 1

    def _messages(self, queue: str) -> list[Any]:
        return list(self._sqs.queues[self._queues[queue]]._messages)

    @property
    def _sqs(self) -> Any:
        return sqs_backends[ACCOUNT][REGION]

    def _platform(self, service: str) -> Any:
        """A client of AWS itself; what it does leaves no process of ours."""
        return _platform_client(service)


@functools.cache
def _platform_client(service: str) -> Any:
    made = boto3.session.Session(region_name=REGION).client(service)
    made.meta.events.unregister("before-send", botocore_stubber)
    made.meta.events.register("before-send", botocore_stubber)
    return made


_MEMORY = {
    "detect": ("detector",),
    "reconcile": ("reconciler", "heartbeat_writer"),
    "notify": ("wired",),
    "respond": ("responder",),
}
"""What a warm process of each function remembers."""


def _forget(handler: Any) -> None:
    """A cold start: nothing in memory but the code and its configuration."""
    for name in _MEMORY[handler.__name__]:
        setattr(handler, name, functools.cache(getattr(handler, name).__wrapped__))


def _memory(handler: Any) -> dict[str, Any]:
    return {name: getattr(handler, name) for name in _MEMORY[handler.__name__]}


def _remember(handler: Any, memory: dict[str, Any]) -> None:
    for name, value in memory.items():
        setattr(handler, name, value)


class _Kept:
    """Makes a thing of one argument, which need not be hashable, once; one of several arguments each time."""

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make
        self._made: dict[int, tuple[Any, Any]] = {}

    def __call__(self, argument: Any, **more: Any) -> Any:
        if more:
            return self._make(argument, **more)
        if id(argument) not in self._made:
            self._made[id(argument)] = argument, self._make(argument)
        return self._made[id(argument)][1]


@functools.cache
def _configuration(environment: tuple[tuple[str, str], ...]) -> Any:
    """The configuration that ships, with these values of the deployment laid over it."""
    return importlib.import_module("tocsin.bootstrap").configuration(dict(environment))
