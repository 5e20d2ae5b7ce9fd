"""The steps of a fire drill: each waits for one thing to be seen, and says how long it took or where to look."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tocsin.core.incidents.incident import Alert, Incident
from tocsin.core.model import DRILL, AlertState, Millis
from tocsin.core.signatures.drill import RESOLVE_AFTER, drill_line
from tocsin_cli.aws_errors import code_of, is_missing
from tocsin_cli.doctor.findings import Examined
from tocsin_cli.stack.incident_history import IncidentHistory

STREAM = "tocsin-drill"
DENIED = {"AccessDenied", "AccessDeniedException"}
_POLL = 0.2
_RESOLVES_WITHIN = RESOLVE_AFTER / 1000 + 150
"""Seconds: the drill's quiet time, reconcile's minute, and the message's way."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one step found.

    Attributes:
        name: Which step.
        seconds: How long after the line was written this was seen; None where it was not.
        text: What was seen, or where it stopped and what to do.
    """

    name: str
    seconds: float | None
    text: str

    @property
    def passed(self) -> bool:
        """Whether the drill got through this step."""
        return self.seconds is not None


@dataclass(slots=True)
class Drill:
    """One fire drill of a log line; other drills put other steps in.

    Args:
        stack: What is drilled.
        target: A watched log group; the line goes there.
        within: Seconds to wait for each step.
        table: The incident table.
        clock: Milliseconds UTC.
        sleep: Waits so many seconds.
    """

    stack: Examined
    target: str
    within: float
    clock: Callable[[], Millis] = lambda: time.time_ns() // 1_000_000
    sleep: Callable[[float], None] = time.sleep
    started: Millis = 0
    _incident: str = field(default="", init=False)

    def run(self) -> Iterator[Step]:
        """Each step as it is done; the first that did not pass is the last."""
        for step in self._steps():
            done = step()
            yield done
            if not done.passed:
                return

    def _steps(self) -> tuple[Callable[[], Step], ...]:
        return self._write, self._subscription, self._detect, self._publish, self._slack, self._resolve

    def _write(self) -> Step:
        self.started = self.clock()
        line = drill_line(self.started)
        logs = self.stack.client("logs")
        event = {"timestamp": self.started, "message": line}
        try:
            with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
                logs.create_log_stream(logGroupName=self.target, logStreamName=STREAM)
            logs.put_log_events(logGroupName=self.target, logStreamName=STREAM, logEvents=[event])
        except Exception as error:
            if code_of(error) in DENIED:
                return self._invoke(line)
            if is_missing(error):
                return Step(
                    "line", None, f"there is no log group {self.target}: name a watched one with --log-group"
                )
            raise
        return self._seen("line", f"written to {self.target}")

    def _invoke(self, line: str) -> Step:
        """Hand detect the envelope itself, where these credentials may not write to the log group."""
        event = {"id": f"drill-{self.started}", "timestamp": self.started, "message": line}
        envelope = {
            "messageType": "DATA_MESSAGE",
            "owner": self.stack.outputs["DetectFunctionArn"].split(":")[4],
            "logGroup": self.target,
            "logStream": STREAM,
            "subscriptionFilters": ["tocsin-drill"],
            "logEvents": [event],
        }
        data = base64.b64encode(gzip.compress(json.dumps(envelope).encode())).decode()
        self.stack.client("lambda").invoke(
            FunctionName=self.stack.outputs["DetectFunctionName"],
            InvocationType="Event",
            Payload=json.dumps({"awslogs": {"data": data}}).encode(),
        )
        return self._seen(
            "line", "not allowed to write there: handed to detect, so the subscription was not tried"
        )

    def _subscription(self) -> Step:
        if self.stack.parameters.get("AccountSubscription") == "yes":
            return self._seen("subscription", "by the account's policy")
        logs = self.stack.client("logs")
        filters = logs.describe_subscription_filters(logGroupName=self.target)["subscriptionFilters"]
        ours = {self.stack.outputs.get(name) for name in ("DetectFunctionArn", "EnvelopeStreamArn")}
        ours.add(self.stack.parameters.get("KinesisStreamArn") or None)
        if any(each["destinationArn"] in ours - {None} for each in filters):
            return self._seen("subscription", "the log group hands its lines to Tocsin")
        return Step(
            "subscription", None, f"{self.target} has no subscription that leads to Tocsin: tocsin doctor"
        )

    def _detect(self) -> Step:
        if self._until(lambda: self._alert() is not None):
            return self._seen("detect", "matched, counted and stored in the table")
        return Step(
            "detect",
            None,
            "the line never became an alert: tocsin doctor; then read the log "
            f"/tocsin/{self.stack.name}/detect",
        )

    def _publish(self) -> Step:
        def done() -> bool:
            incident = self._current()
            return incident is not None and incident.sequence > 0 and not incident.outbox and self._notified()

        if self._until(done):
            return self._seen("publish", "handed to SNS")
        return Step(
            "publish",
            None,
            "the notification was not handed to SNS: the alerts topic, or its permission; "
            f"the log /tocsin/{self.stack.name}/detect says which",
        )

    def _slack(self) -> Step:
        if self._until(self._shown):
            return self._seen("slack", "notify took it from the queue, and Slack has it")
        return Step("slack", None, f"Slack has nothing of it. {self._waiting()}")

    def _resolve(self) -> Step:
        if not self._until(self._over, _RESOLVES_WITHIN):
            return Step(
                "resolved",
                None,
                f"it was not resolved: reconcile; read the log /tocsin/{self.stack.name}/reconcile",
            )
        if not self._until(self._shown):
            return Step("resolved", None, f"resolved, and Slack does not say so. {self._waiting()}")
        return self._seen("resolved", "resolved, and Slack says so")

    def _waiting(self) -> str:
        """Where between SNS and Slack a notification lies."""
        sqs = self.stack.client("sqs")
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = {}
        for output in ("NotifyQueueUrl", "NotifyDeadLetterQueueUrl"):
            try:
                attributes = sqs.get_queue_attributes(
                    QueueUrl=self.stack.outputs[output], AttributeNames=names
                )["Attributes"]
            except Exception as error:
                if not is_missing(error):
                    raise
                return "The queue between SNS and notify is gone: tocsin doctor"
            found[output] = sum(int(attributes[name]) for name in names)
        if found["NotifyDeadLetterQueueUrl"]:
            return "It is in the dead-letter queue: Slack refused it, runbooks/tocsin-delivery-failed.md"
        if found["NotifyQueueUrl"]:
            return f"It waits in notify's queue: notify does not run, or Slack does not answer; read the log /tocsin/{self.stack.name}/notify"
        return "It is not in the queue: the queue's subscription to the alerts topic is gone; tocsin doctor"

    def _history(self) -> IncidentHistory:
        return IncidentHistory(self.stack.client("dynamodb"), self.stack.outputs["TableName"])

    def _current(self) -> Incident | None:
        history = self._history()
        if self._incident:
            return history.by_id(self._incident)
        for incident in history.open_incidents():
            if self._of(incident) is not None:
                self._incident = incident.id
                return incident
        return None

    def _of(self, incident: Incident) -> Alert | None:
        found = (
            each
            for each in incident.alerts.values()
            if each.signature == DRILL and each.last_seen >= self.started
        )
        return next(found, None)

    def _alert(self) -> Alert | None:
        incident = self._current()
        return self._of(incident) if incident else None

    def _notified(self) -> bool:
        alert = self._alert()
        return alert is not None and alert.notified.count > 0

    def _over(self) -> bool:
        incident = self._current()
        alert = self._of(incident) if incident else None
        return alert is not None and alert.state is AlertState.RESOLVED and not (incident and incident.outbox)

    def _shown(self) -> bool:
        incident = self._current()
        if incident is None:
            return False
        deliveries = self._history().deliveries(incident.id)
        return bool(deliveries) and all(each.shown >= incident.sequence for each in deliveries)

    def _until(self, seen: Callable[[], bool], within: float | None = None) -> bool:
        deadline = self.clock() + (self.within if within is None else within) * 1000
        while not seen():
            if self.clock() >= deadline:
                return False
            self.sleep(_POLL)
        return True

    def _seen(self, name: str, text: str) -> Step:
        return Step(name, (self.clock() - self.started) / 1000, text)


def report(drill: Drill, steps: list[Step], versions: dict[str, Any]) -> dict[str, Any]:
    """What may be sent to others: versions, Region, times and verdicts; no name of anything, and no text.

    Args:
        drill: The drill, when it is done.
        steps: Its steps.
        versions: Of what.
    """
    return {
        "versions": versions,
        "region": drill.stack.region,
        "written_at": drill.started,
        "passed": all(each.passed for each in steps),
        "steps": [{"step": each.name, "seconds": each.seconds} for each in steps],
    }
