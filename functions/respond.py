"""The respond function: what people press in Slack, checked and written down; behind a Function URL.

The only one that the internet can reach, and only with ``SlackActions=yes``. Who is not Slack gets no word of why.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tocsin.adapters.aws.function_log import FunctionLog
from tocsin.adapters.files.settings_file import load_settings
from tocsin.bootstrap import wire_responder
from tocsin.core.slack.signing import MAX_BODY
from tocsin.environment import environment, is_dry_run
from tocsin.services.responding import REFUSED, Request

if TYPE_CHECKING:
    from tocsin.services.responding import Responder

environ = environment()
logger = FunctionLog("tocsin-respond", environ)
settings = load_settings(Path(__file__).parent, environ)


@cache
def responder() -> Responder:
    """The responder of this process: kept, so that a warm invocation reuses connections and the credential."""
    return wire_responder(environ, settings)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer one request of the Function URL."""
    if is_dry_run(environ):
        return {"dry_run": True}
    request = request_of(event)
    if request is None:
        return _refused("not a request from Slack")
    answering = responder()
    answering.notes.clear()
    answer = answering.answer(request, time.time_ns() // 1_000_000)
    for note in answering.notes:
        logger.warning(note)
    if answer.refusal is not None:
        return _refused(answer.refusal.value)
    if answer.did is not None:
        logger.info("pressed", extra={"kind": answer.did.value})
    body = "" if answer.body is None else json.dumps(answer.body)
    return {
        "statusCode": answer.status,
        "headers": {"Content-Type": "application/json"},
        "body": body,
    }


def request_of(event: dict[str, Any]) -> Request | None:
    """The request in an event of a Function URL; None where it cannot be Slack's: no POST, or too large."""
    context = event.get("requestContext") or {}
    headers = {str(name).lower(): str(value) for name, value in (event.get("headers") or {}).items()}
    text = event.get("body") or ""
    if (context.get("http") or {}).get("method") != "POST" or not isinstance(text, str):
        return None
    if len(text) > 2 * MAX_BODY:
        return None
    try:
        body = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
    except (binascii.Error, UnicodeEncodeError):
        return None
    return Request(headers.get("x-slack-request-timestamp", ""), headers.get("x-slack-signature", ""), body)


def _refused(why: str) -> dict[str, Any]:
    from tocsin.adapters.aws.metrics import count_refusal

    count_refusal(environ.get("TOCSIN_STACK", ""))
    logger.warning("refused", extra={"why": why})
    return {"statusCode": REFUSED, "headers": {}, "body": ""}
