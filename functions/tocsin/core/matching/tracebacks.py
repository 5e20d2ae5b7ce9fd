"""What tells one unexpected exception from another: its type and the innermost frame of one's own code."""

from __future__ import annotations

import re2

MAX_TRACEBACK_LENGTH = 20_000
"""Characters of a traceback that are read; beyond that the outer frames are not needed."""

_FRAME = re2.compile(r'(?m)^\s*File "(?P<path>[^"\n]+)",? [Ll]ine \d+(?:, in (?P<function>[\w<>.]+))?')
# A class, or a dotted name (``zlib.error``); a bare lower-case word is a key of a JSON record, such as "location".
_TYPE = re2.compile(r"(?m)^(?:\[ERROR\]\s+)?(?P<type>[A-Z]\w*|[A-Za-z_]\w*(?:\.\w+)+)(?::\s|$)")
# Under its key where it stood in a JSON record ("exception: Traceback ...").
_HEAD = re2.compile(r"(?m)^(?:\w+: )?Traceback \(most recent call last\):")
_FOREIGN = re2.compile(
    r"site-packages/|dist-packages/|/opt/python/|/usr/(?:local/)?lib|/var/(?:lang|runtime)/|/lib/python\d|^<|/var/task/(?:"
    r"_?(?:aiobotocore|aiohttp|anthropic|anyio|asgiref|asyncpg|attr|aws_lambda_powertools|aws_xray_sdk|boto3|botocore|celery|certifi|"
    r"click|concurrent|cryptography|dateutil|django|fastapi|flask|google|grpc|h11|httpcore|httpx|idna|jinja2|jmespath|jose|"
    r"jsonschema|jwt|lxml|mangum|numpy|openai|pandas|PIL|psycopg|psycopg2|pydantic|pydantic_core|pydantic_settings|pymysql|"
    r"pypdf|redis|requests|s3transfer|sentry_sdk|six|sqlalchemy|starlette|stripe|tenacity|urllib3|werkzeug|wrapt|yaml))(?:/|\.py)"
)
"""Frames of the runtime, of the standard library and of packages, also where they lie beside the function's own code."""


def read_traceback(text: str, start: int = 0) -> dict[str, str]:
    """Read the exception's type and the innermost own frame.

    Args:
        text: The canonical text of a log line.
        start: Where the error begins in it.

    Returns:
        ``exception`` and ``frame`` (``orders/pricing.py:total``, without a line number, so that it stays the same over
        deployments), each where it is there to be read.
    """
    line_start = text.rfind("\n", 0, start) + 1
    head = _HEAD.search(text, line_start)
    if head is None:
        # The error was found by the line that ends its traceback.
        before = list(_HEAD.finditer(text[max(0, line_start - MAX_TRACEBACK_LENGTH) : line_start]))
        if not before:
            return {}
        begin = max(0, line_start - MAX_TRACEBACK_LENGTH) + before[-1].start()
    else:
        begin = head.start()
    body = text[begin : begin + MAX_TRACEBACK_LENGTH]
    frames = [(found.group("path"), found.group("function") or "<module>") for found in _FRAME.finditer(body)]
    own = [frame for frame in frames if not _FOREIGN.search(frame[0])] or frames
    fields: dict[str, str] = {}
    if own:
        path, function = own[-1]
        path = path.removeprefix("/var/task/").removeprefix("./")
        fields["frame"] = f"{path}:{function}"
    first = text[line_start:begin]
    kind = _TYPE.search(first) if first.startswith("[ERROR]") else None
    if kind is None:
        # The last line that is not indented, after the frames, names the exception.
        after = [
            found
            for found in _TYPE.finditer(body)
            if found.group("type") not in {"Traceback", "During", "The"}
        ]
        kind = after[-1] if after else _TYPE.search(first)
    if kind is not None:
        fields["exception"] = kind.group("type")
    return fields
