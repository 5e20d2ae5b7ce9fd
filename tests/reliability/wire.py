"""The wire: every call to AWS and to Slack passes here, is listed, and fails as planned.

AWS calls are caught below botocore's own retries, where a request would go out; moto answers it in this
process, so that "takes effect" is a real effect. Slack's are caught where ``requests`` would open a connection;
the real local Slack answers.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import boto3
import requests
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from moto.core.botocore_stubber import MockRawResponse
from moto.core.models import botocore_stubber
from moto.dynamodb.models.table import Table

from reliability.faults import Call, Fault, KilledError, Plan
from reliability.message_moves import sqs_moves
from reliability.permissions import Request
from reliability.permissions import requests as requests_of
from tocsin_cli.fake_slack.responses import Answer, fault_answer
from tocsin_cli.fake_slack.server import LocalSlack
from tocsin_cli.fake_slack.web_api import WebApiCall, webhook_answer

SERVICES = {
    "dynamodb": "DynamoDB",
    "sns": "SNS",
    "sqs": "SQS",
    "secretsmanager": "Secrets Manager",
    "cloudwatch": "CloudWatch",
    "logs": "CloudWatch Logs",
    "lambda": "Lambda",
}
AWS_TIMEOUT_MS, SLACK_TIMEOUT_MS = 5_000, 10_000
THROTTLING = {"dynamodb": "ProvisionedThroughputExceededException"}
ITEMS = {
    "A": "occurrence count",
    "I": "delivery record",
    "SEEN": "request",
    "SILENCE": "silence",
    "E": "unknown error",
    "ERRORS": "when learning began",
}
_AWS_FAILS = {Fault.ERROR_BEFORE, Fault.ERROR_AFTER, Fault.THROTTLED, Fault.TIMEOUT}


class Wire:
    """Between the handlers and the world.

    Args:
        slack: The local Slack, which need not listen.

    Attributes:
        plan: What happens to which call.
        now: The simulated time in ms UTC; calls that time out cost some.
        deadline: When the running invocation is ended by the platform.
        function: The function that runs; empty while none does, then nothing is listed and nothing fails.
        meanwhile: Called for the faults in which another invocation runs at this very moment.
        invoked: Called with the event when a function invokes another.
        asked: What IAM was asked.
        moves: When each move of messages out of a dead-letter queue was started.
        largest: The largest item, message and Slack message that passed, in bytes, by name.
    """

    def __init__(self, slack: LocalSlack, now: int) -> None:
        self.slack, self.now = slack, now
        self.plan = Plan()
        self.deadline = now
        self.function = ""
        self.opens = False
        self.meanwhile: Callable[[Fault], None] = lambda _: None
        self.invoked: Callable[[dict[str, Any]], None] = lambda _: None
        self.asked: set[Request] = set()
        self.moves: list[int] = []
        self.struck: list[tuple[Call, Fault]] = []
        self.largest: dict[str, int] = {}
        self.counts: dict[str, int] = {}
        self._fault: Fault | None = None
        self._tries = 0
        self._more_limits = 0
        self._transactions: dict[str, tuple[int, Any, bytes]] = {}

    def _begin(self, service: str, operation: str, about: str) -> Fault | None:
        """List a call, and have done what happens before it."""
        self.counts[operation] = self.counts.get(operation, 0) + 1
        if not self.function:
            return None
        if self.now >= self.deadline:
            raise KilledError("the function ran into its time limit")
        call = Call(self.function, service, operation, about, self.opens)
        self.opens = False
        fault = self.plan.next(call)
        if fault is None:
            return None
        self.struck.append((call, fault))
        if fault is Fault.KILLED_BEFORE:
            raise KilledError(call)
        if fault in {Fault.REDELIVERED, Fault.SAME_EVENT_MEANWHILE, Fault.RECONCILE_MEANWHILE}:
            self.meanwhile(fault)
            return None
        return fault

    # ------------------------------------------------------------------ AWS

    def before_parameters(self, model: Any, params: dict[str, Any], **_: Any) -> None:
        """botocore's ``before-parameter-build``: what a call is about, before it is bytes."""
        if self.function:
            self.asked.update(
                requests_of(self.function, model.service_model.service_name, model.name, params)
            )

    def before_call(self, model: Any, params: dict[str, Any], **_: Any) -> None:
        """botocore's ``before-call``: one call, however often botocore tries it."""
        body = _body(params)
        service = model.service_model.service_name
        self._tries = 0
        self._fault = self._begin(
            SERVICES.get(service, service), model.name, _about(model.name, body) if self.function else ""
        )

    def before_send(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        """botocore's ``before-send``: one try of a call."""
        fault, self._tries = self._fault, self._tries + 1
        first, service = self._tries == 1, event_name.split(".")[1].lower()
        if fault in {Fault.ERROR_AFTER, Fault.ANSWER_LOST, Fault.KILLED_AFTER} and first:
            self._effect(request, event_name)
        if fault is Fault.KILLED_AFTER:
            self._fault = None
            raise KilledError(event_name)
        if fault in _AWS_FAILS or (fault in {Fault.THROTTLED_ONCE, Fault.ANSWER_LOST} and first):
            return self._failing(fault, request, service)
        return self._effect(request, event_name)

    def _failing(self, fault: Fault | None, request: Any, service: str) -> AWSResponse:
        match fault:
            case Fault.TIMEOUT:
                self.now += AWS_TIMEOUT_MS
                raise ConnectTimeoutError(endpoint_url=request.url)
            case Fault.ANSWER_LOST:
                self.now += AWS_TIMEOUT_MS
                raise ReadTimeoutError(endpoint_url=request.url)
            case Fault.THROTTLED | Fault.THROTTLED_ONCE:
                return _aws_error(request.url, 400, THROTTLING.get(service, "ThrottlingException"))
            case _:
                return _aws_error(request.url, 500, "InternalServerError")

    def _effect(self, request: Any, event_name: str) -> AWSResponse:
        """Have moto do it; a transaction's token makes it happen once, as DynamoDB promises and moto does not."""
        size = len(request.body or b"")
        self.largest[event_name] = max(self.largest.get(event_name, 0), size)
        token = ""
        _table_copies.clear()
        if "MessageMoveTask" in event_name:
            status, said = sqs_moves(self.moves, event_name.rpartition(".")[2], self.now)
            headers = {"content-type": "application/x-amz-json-1.0"}
            return AWSResponse(request.url, status, headers, MockRawResponse(json.dumps(said).encode()))  # type: ignore[arg-type]
        if event_name.endswith("lambda.Invoke"):
            self.invoked(json.loads(request.body))
            return AWSResponse(request.url, 202, {}, MockRawResponse(b""))  # type: ignore[arg-type]
        if event_name.endswith("TransactWriteItems"):
            token = json.loads(request.body).get("ClientRequestToken", "")
        if token in self._transactions:
            status, headers, body = self._transactions[token]
            return AWSResponse(request.url, status, headers, MockRawResponse(body))  # type: ignore[arg-type]
        answer = botocore_stubber(event_name=event_name, request=request)
        assert answer is not None, event_name
        if token and answer.status_code == 200:
            self._transactions[token] = (answer.status_code, answer.headers, answer.content)
            return AWSResponse(request.url, 200, answer.headers, MockRawResponse(answer.content))  # type: ignore[arg-type]
        return answer

    # ---------------------------------------------------------------- Slack

    def send(self, request: requests.PreparedRequest) -> requests.Response:
        """Answer an HTTP request to Slack; stands where ``requests`` opens a connection."""
        parts = urlsplit(request.url or "")
        hook = parts.path.startswith("/services/")
        method = "webhook" if hook else parts.path.removeprefix("/api/")
        method = "response_url" if parts.path.startswith("/answers/") else method
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        self.largest[method] = max(self.largest.get(method, 0), len(body))

        def work() -> Answer:
            return self._work(method, request, body)

        about = "reply" if b'"thread_ts"' in body else ""
        fault = self._begin("Slack", method, about)
        if fault is None and self._more_limits:
            self._more_limits -= 1
            fault = Fault.THROTTLED_ONCE
        match fault:
            case None:
                answer = self._answer(method, work, hook=hook)
            case Fault.TIMEOUT:
                self.now += 3_050
                raise requests.ConnectTimeout("Slack")
            case Fault.THROTTLED_ONCE | Fault.THROTTLED:
                self._more_limits += 2 * (fault is Fault.THROTTLED)
                text = b"rate_limited" if hook else b'{"ok": false, "error": "ratelimited"}'
                answer = Answer(429, text, "text/plain", (("Retry-After", "5"),))
            case Fault.ERROR_BEFORE:
                answer = Answer(500, b"rollup_error", "text/plain")
            case _:
                work()
                if fault is Fault.KILLED_AFTER:
                    raise KilledError(method)
                if fault is Fault.ANSWER_LOST:
                    self.now += SLACK_TIMEOUT_MS
                    raise requests.ReadTimeout("Slack")
                answer = Answer(500, b"rollup_error", "text/plain")
        response = requests.Response()
        response.status_code, response._content, response.url = answer.status, answer.body, request.url or ""
        response.headers.update({"Content-Type": answer.content_type, **dict(answer.headers)})
        return response

    def _work(self, method: str, request: requests.PreparedRequest, body: bytes) -> Answer:
        """What the local Slack does when a request reaches it."""
        parts = urlsplit(request.url or "")
        if method == "webhook":
            channel = self.slack.channel_of_webhook(parts.path)
            return webhook_answer(self.slack, channel, "application/json", body)
        if method == "response_url":
            self.slack.interactivity.say(parts.path.rpartition("/")[2], json.loads(body)["text"])
            return Answer(200, b"ok", "text/plain")
        return WebApiCall(self.slack, method, dict(request.headers), parts.query, body).answer()

    def _answer(self, method: str, work: Callable[[], Answer], *, hook: bool) -> Answer:
        """As the local Slack's own server does: with the faults it was told to show."""
        fault = self.slack.channel.take_fault(method)
        if fault is None:
            return work()
        if fault.after_effect:
            work()
        if fault.hang:
            self.now += SLACK_TIMEOUT_MS
            raise requests.ReadTimeout("Slack")
        return fault_answer(fault, webhook=hook)


_table_copies: dict[int, Table] = {}


def copied(value: Any) -> Any:
    """Stands for moto's ``copy.deepcopy``, which it uses to be able to undo a transaction."""
    if not isinstance(value, Table):
        return copy.deepcopy(value)
    if id(value) not in _table_copies:
        made = _table_copies[id(value)] = copy.copy(value)
        made.items = copy.copy(value.items)
        for key, rows in value.items.items():
            made.items[key] = {ranged: _item_copy(item) for ranged, item in rows.items()}
    return _table_copies[id(value)]


def _item_copy(item: Any) -> Any:
    made = copy.copy(item)
    made.attrs = copy.copy(item.attrs)
    return made


_wires: list[Wire] = []
_clients: dict[tuple[str, str], Any] = {}


def _before_parameters(**given: Any) -> None:
    _wires[0].before_parameters(**given)


def _before_call(**given: Any) -> None:
    _wires[0].before_call(**given)


def _before_send(**given: Any) -> AWSResponse:
    return _wires[0].before_send(**given)


def attach(wire: Wire) -> None:
    """Let this wire carry everything from now on."""
    _wires[:] = [wire]


def client(service: str, **options: Any) -> Any:
    """Stands for ``boto3.client``: the same, on the wire; kept, because making one takes longer than its calls."""
    key = service, repr(sorted(vars(options["config"]).items(), key=str)) if "config" in options else ""
    if key not in _clients:
        made = boto3.session.Session(region_name="us-east-1").client(service, **options)
        # The wire alone answers; moto's own handler would do everything a second time.
        made.meta.events.unregister("before-send", botocore_stubber)
        # By way of the list: a client outlives its wire.
        made.meta.events.register("before-parameter-build", _before_parameters)
        made.meta.events.register("before-call", _before_call)
        made.meta.events.register("before-send", _before_send)
        _clients[key] = made
    return _clients[key]


def send(_adapter: object, request: requests.PreparedRequest, **_: Any) -> requests.Response:
    """Stands for ``requests.adapters.HTTPAdapter.send``."""
    return _wires[0].send(request)


def _aws_error(url: str, status: int, code: str) -> AWSResponse:
    body = json.dumps({"__type": code, "message": "made to fail"}).encode()
    xml = f"<ErrorResponse><Error><Code>{code}</Code><Message>made to fail</Message></Error></ErrorResponse>"
    if "sns." in url:
        return AWSResponse(url, status, {"content-type": "text/xml"}, MockRawResponse(xml))  # type: ignore[arg-type]
    headers = {"content-type": "application/x-amz-json-1.0", "x-amzn-errortype": code}
    return AWSResponse(url, status, headers, MockRawResponse(body))  # type: ignore[arg-type]


def _body(params: dict[str, Any]) -> dict[str, Any]:
    body = params.get("body")
    if isinstance(body, bytes | str) and body[:1] in {b"{", "{"}:
        read = json.loads(body)
        return read if isinstance(read, dict) else {}
    return {}


def _about(operation: str, body: dict[str, Any]) -> str:
    """What kind of item a call to the table is about, so that rows of the table mean something."""
    key = body.get("Item") or body.get("Key") or {}
    kind, _, _ = str(key.get("pk", {}).get("S", "")).partition("#")
    if operation == "Query":
        if "IndexName" in body:
            return (
                "pending actions"
                if ":actions" in body["ExpressionAttributeValues"]
                else "pending occurrence counts"
            )
        return "silences"
    if not kind:
        return ""
    if key["pk"]["S"] == "A#@action":
        return "action"
    if kind == "G":
        return "incident" if key["sk"]["S"] == "CURRENT" else "closed incident"
    what = ITEMS.get(kind, kind)
    if kind == "I" and operation == "UpdateItem":
        return "claim" if "lease_until = " in body.get("UpdateExpression", "") else "record, give back"
    return what
