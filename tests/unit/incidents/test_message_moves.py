"""SQS's own redrive as the adapter asks for it. Neither moto nor the embedded cloud has it: botocore's stub checks the calls."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError
from botocore.stub import Stubber

from tocsin.adapters.aws.message_moves import SqsMoves
from tocsin.core.incidents.actions import Redrive
from tocsin.core.incidents.redriving import Move, MovesLook, MoveState

TOPIC = "arn:aws-cn:sns:cn-north-1:123456789012:alerts"
ARN = "arn:aws-cn:sqs:cn-north-1:123456789012:worker-dlq"
REDRIVE = Redrive("a", "f", "worker-dlq", "123456789012", "cn-north-1", "U", "U", 1)


@pytest.fixture
def sqs():
    client = boto3.client("sqs", region_name="cn-north-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stub:
        yield client, stub
        stub.assert_no_pending_responses()


def moves(sqs, queues=("worker-dlq",)):
    return SqsMoves(lambda _: sqs[0], frozenset(queues), TOPIC)


def test_a_move_goes_back_to_where_the_messages_came_from(sqs):
    sqs[1].add_response("start_message_move_task", {"TaskHandle": "h"}, {"SourceArn": ARN})
    assert moves(sqs).start(REDRIVE) == ""


def test_the_latest_moves_are_read_with_what_sqs_says_of_them(sqs):
    results = [
        {"TaskHandle": "h", "Status": "RUNNING", "SourceArn": ARN, "ApproximateNumberOfMessagesMoved": 7,
         "ApproximateNumberOfMessagesToMove": 42, "StartedTimestamp": 30},
        {"Status": "FAILED", "SourceArn": ARN, "ApproximateNumberOfMessagesMoved": 0, "StartedTimestamp": 20,
         "FailureReason": "AWS.SimpleQueueService.NonExistentQueue"},
        {"Status": "PAUSED", "SourceArn": ARN, "StartedTimestamp": 10},
    ]  # fmt: skip
    sqs[1].add_response("list_message_move_tasks", {"Results": results}, {"SourceArn": ARN, "MaxResults": 10})
    assert moves(sqs).look(REDRIVE) == MovesLook(
        (
            Move(30, MoveState.RUNNING, 7, 42),
            Move(20, MoveState.FAILED, 0, None, "AWS.SimpleQueueService.NonExistentQueue"),
            Move(10, MoveState.RUNNING),
        )
    )


@pytest.mark.parametrize("operation", ["start_message_move_task", "list_message_move_tasks"])
@pytest.mark.parametrize(("code", "status", "refuses"), [
    ("AccessDenied", 403, True),
    ("UnsupportedOperation", 400, True),
    ("ResourceNotFoundException", 404, True),
    ("ThrottlingException", 400, False),
    ("RequestThrottled", 400, False),
    ("InternalError", 500, False),
])  # fmt: skip
def test_what_aws_does_not_want_is_told_from_what_it_cannot_just_now(sqs, operation, code, status, refuses):
    sqs[1].add_client_error(operation, code, "said by AWS", http_status_code=status)
    said = moves(sqs).start(REDRIVE) if operation.startswith("start") else moves(sqs).look(REDRIVE)
    words = f"{code}: said by AWS" if refuses else ""
    if operation.startswith("start"):
        assert said == words
    else:
        assert said == (MovesLook(refused=words) if refuses else MovesLook(known=False))


def test_an_answer_that_never_comes_is_no_refusal_and_no_move():
    class Gone:
        def __getattr__(self, name):
            raise ConnectTimeoutError(endpoint_url="https://sqs")

    there = SqsMoves(lambda _: Gone(), frozenset({"worker-dlq"}), TOPIC)
    assert there.start(REDRIVE) == ""
    assert there.look(REDRIVE) == MovesLook(known=False)


@pytest.mark.parametrize(
    "other",
    [
        Redrive("a", "f", "another-dlq", "", "", "U", "U", 1),
        Redrive("a", "f", "worker-dlq", "999999999999", "", "U", "U", 1),
        Redrive("a", "f", "worker-dlq", "", "eu-west-1", "U", "U", 1),
    ],
)
def test_a_queue_that_is_not_named_or_not_ours_is_refused_before_aws_is_asked(sqs, other):
    assert "RedriveQueues" in moves(sqs).start(other)
    assert "RedriveQueues" in moves(sqs).look(other).refused
