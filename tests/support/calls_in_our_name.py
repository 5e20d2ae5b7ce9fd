"""What AWS itself does under the roles: Lambda's logs, its pollers, keys that a service uses for whoever calls it.

Each list is the documentation's, named beside it; no call of ours shows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from policies import ARNS
from reliability.permissions import PLACE, Request

KEY, SECRET_KEY, STREAM_KEY = (
    f"arn:aws:kms:{PLACE}:key/{part * 8}-0000-0000-0000-{part * 12}" for part in "abc"
)
STREAM = f"arn:aws:kinesis:{PLACE}:stream/logs"

_POLLS_KINESIS = ("DescribeStream", "DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards")
_TABLE = ("Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo")
_KMS = {
    "sns:Publish": ("Decrypt", "GenerateDataKey"),
    "sqs:SendMessage": ("Decrypt", "GenerateDataKey"),
    "sqs:ReceiveMessage": ("Decrypt",),
    "secretsmanager:GetSecretValue": ("Decrypt",),
    "kinesis:GetRecords": ("Decrypt",),
    "kinesis:PutRecord": ("GenerateDataKey",),
}
"""SNS and SQS Developer Guides, "Key management"; Secrets Manager User Guide, "Secret encryption and decryption"; Kinesis
Data Streams Developer Guide, "Permissions to use user-generated KMS keys". DynamoDB's list: "Encryption at rest: usage
notes", authorizing use of a customer managed key."""


def of_lambda(*functions: str) -> Iterator[Request]:
    """A function writes its own log, and Lambda polls its queue and keeps what failed."""
    for function in functions:
        stream = (
            f"{ARNS[f'{function.capitalize()}LogGroup'].removesuffix(':*')}:log-stream:2026/11/22/[$LATEST]0"
        )
        for action in ("CreateLogStream", "PutLogEvents"):
            yield Request(function, f"logs:{action}", stream)
    for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"):
        yield Request("notify", f"sqs:{action}", ARNS["NotifyQueue"])
    yield Request("detect", "sqs:SendMessage", ARNS["FailureQueue"])


def of_the_stream(arn: str) -> Iterator[Request]:
    """Lambda polls a stream for ``detect``, and CloudWatch Logs writes to it."""
    for action in _POLLS_KINESIS:
        yield Request("detect", f"kinesis:{action}", arn)
    yield Request("logs.amazonaws.com", "kinesis:PutRecord", arn)


def of_redrives(source: str, target: str) -> Iterator[Request]:
    """SQS moves messages in the name of who asked for it (SQS Developer Guide, "Dead-letter queue redrive permissions")."""
    for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"):
        yield Request("reconcile", f"sqs:{action}", f"arn:aws:sqs:{PLACE}:{source}")
    yield Request("reconcile", "sqs:SendMessage", f"arn:aws:sqs:{PLACE}:{target}")


def of_keys(requests: Iterable[Request]) -> Iterator[Request]:
    """What KMS is asked when these requests are about things that keys of one's own encrypt."""
    region = PLACE.partition(":")[0]
    for request in requests:
        service = request.action.partition(":")[0]
        keys = {"secretsmanager": SECRET_KEY, "kinesis": STREAM_KEY if request.resource == STREAM else KEY}
        actions = _TABLE if service == "dynamodb" else _KMS.get(request.action, ())
        for action in actions:
            yield Request(request.function, f"kms:{action}", keys.get(service, KEY)).with_context(
                "kms:ViaService", f"{service}.{region}.amazonaws.com"
            )
