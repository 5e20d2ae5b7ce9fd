"""What the local Slack sends back: the kinds of HTTP answer, and the answers of an injected fault."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tocsin_cli.fake_slack.channel import Fault

Headers = tuple[tuple[str, str], ...]

_USUAL_ERRORS = {429: "ratelimited", 403: "invalid_token", 404: "no_service", 410: "channel_is_archived"}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str
    headers: Headers = ()


def html_answer(text: str) -> Answer:
    """A page, or a piece of one."""
    return Answer(HTTPStatus.OK, text.encode("utf-8", "replace"), "text/html; charset=utf-8")


def plain_answer(text: str, status: int, headers: Headers = ()) -> Answer:
    """A webhook's answer."""
    return Answer(status, text.encode("utf-8", "replace"), "text/html", headers)


def json_answer(value: object, status: int = HTTPStatus.OK, headers: Headers = ()) -> Answer:
    """An answer of the Web API, or of what is ours."""
    body = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    return Answer(status, body, "application/json; charset=utf-8", headers)


def parse_json(body: bytes) -> object:
    """Read JSON.

    Raises:
        ValueError: It is none.
    """
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the body is not JSON: {error}") from None
    return value


def fault_answer(fault: Fault, *, webhook: bool) -> Answer:
    """How a fault looks to a bot, and to a webhook."""
    status = fault.status or (HTTPStatus.BAD_REQUEST if webhook else HTTPStatus.OK)
    headers: Headers = ()
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        headers = (("Retry-After", str(1 if fault.retry_after is None else fault.retry_after)),)
    elif fault.retry_after is not None:
        headers = (("Retry-After", str(fault.retry_after)),)
    if webhook:
        return plain_answer(fault.error or _USUAL_ERRORS.get(status, "rollup_error"), status, headers)
    error = fault.error or ("ratelimited" if status == HTTPStatus.TOO_MANY_REQUESTS else "internal_error")
    return json_answer({"ok": False, "error": error}, status, headers)
