"""Batches to measure on: what a healthy service logs, in the shape CloudWatch Logs delivers it."""

from __future__ import annotations

import base64
import gzip
import json
import random
from typing import Any

FAULT = "[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': No module named 'mangum'"
_LINES = (
    "START RequestId: {uuid} Version: $LATEST",
    "[INFO]\t2026-11-22T07:30:29.470Z\t{uuid}\tGET /api/v1/providers/{n}/licenses 200 in {n} ms, {n} rows",
    '{{"level":"INFO","message":"request finished","route":"/api/v1/documents/{n}","status":200,"request_id":"{uuid}"}}',
    "[INFO]\t2026-11-22T07:30:29.471Z\t{uuid}\tDownloaded file from S3: {n} bytes; classified as cme_certificate (0.95)",
    "END RequestId: {uuid}",
    "REPORT RequestId: {uuid}\tDuration: {n}.21 ms\tBilled Duration: {n} ms\tMemory Size: 512 MB\tMax Memory Used: 128 MB",
)


def ordinary_lines(count: int) -> list[str]:
    """Log lines of a healthy function; the same for the same count."""
    numbers = random.Random(20261122)
    return [
        _LINES[i % len(_LINES)].format(
            uuid=f"{numbers.getrandbits(32):08x}-52aa-4b62-9d0e-{numbers.getrandbits(48):012x}",
            n=numbers.randrange(1, 100_000),
        )
        + "x" * numbers.randrange(0, 180)
        for i in range(count)
    ]


def faulty_lines(count: int, one_in: int) -> list[str]:
    """The same, of which one in so many is the same failure, as in a storm; none where it is 0."""
    lines = ordinary_lines(count)
    if one_in:
        lines[::one_in] = [FAULT] * len(lines[::one_in])
    return lines


def batch(lines: list[str], *, log_group: str = "/aws/lambda/backend", first_id: int = 0) -> dict[str, Any]:
    """A subscription event holding these lines."""
    document = {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": log_group,
        "logStream": "2026/11/22/[$LATEST]8f6b1c0d2e3f4a5b9c7d8e9f0a1b2c3d",
        "subscriptionFilters": ["tocsin"],
        "logEvents": [
            {"id": f"{first_id + i:056d}", "timestamp": 1_795_000_000_000 + i, "message": line}
            for i, line in enumerate(lines)
        ],
    }
    data = base64.b64encode(gzip.compress(json.dumps(document).encode()))
    return {"awslogs": {"data": data.decode()}}


def inflated_mb(event: dict[str, Any]) -> float:
    """The size of a subscription event's content."""
    return len(gzip.decompress(base64.b64decode(event["awslogs"]["data"]))) / 1e6


def decode(event: dict[str, Any]) -> Any:
    """What the standard library makes of a subscription event: the floor of whatever looks at it."""
    return json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))


def ordinary_batch(count: int) -> dict[str, Any]:
    """A subscription event of a healthy function."""
    return batch(ordinary_lines(count))
