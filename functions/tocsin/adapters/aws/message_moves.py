"""Moving messages out of dead-letter queues back to where they came from: SQS's own redrive, of named queues only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from tocsin.core.incidents.actions import Redrive
from tocsin.core.incidents.redriving import Move, MovesLook, MoveState
from tocsin.core.sanitize import clipped, one_line

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import ListMessageMoveTasksResultEntryTypeDef

_MAX_MOVES = 10
"""The most that SQS lists."""

_MAX_REASON = 300
_SERVER_ERROR = 500
_TRANSIENT = ("Throttl", "RequestThrottled", "TooManyRequests", "ServiceUnavailable", "InternalError")


class SqsMoves:
    """Redrives queues of this account and Region.

    Args:
        client: Gives the client for a service, made on first need.
        queues: The names of the queues that may be redriven.
        place: Partition, service, Region and account as an ARN begins: of any ARN of the stack.
    """

    def __init__(self, client: Callable[[str], Any], queues: frozenset[str], place: str) -> None:
        self._client, self._queues = client, queues
        _, self._partition, _, self._region, self._account, *_ = [*place.split(":"), *[""] * 5]

    def look(self, redrive: Redrive) -> MovesLook:
        """See ``services.redriving.MessageMoves``."""
        if why := self._forbidden(redrive):
            return MovesLook(refused=why)
        try:
            answer = self._sqs.list_message_move_tasks(SourceArn=self._arn(redrive), MaxResults=_MAX_MOVES)
        except BotoCoreError:
            return MovesLook(known=False)
        except ClientError as error:
            refused = _refusal(error)
            return MovesLook(refused=refused) if refused else MovesLook(known=False)
        return MovesLook(tuple(_move(entry) for entry in answer.get("Results", ())))

    def start(self, redrive: Redrive) -> str:
        """See ``services.redriving.MessageMoves``."""
        if why := self._forbidden(redrive):
            return why
        try:
            self._sqs.start_message_move_task(SourceArn=self._arn(redrive))
        except BotoCoreError:
            return ""  # it may have begun: whoever looks next sees
        except ClientError as error:
            return _refusal(error)
        return ""

    def _forbidden(self, redrive: Redrive) -> str:
        own = redrive.account in ("", self._account) and redrive.region in ("", self._region)
        if own and redrive.queue in self._queues:
            return ""
        return "the parameter RedriveQueues does not name it, or it is not of this account and Region"

    def _arn(self, redrive: Redrive) -> str:
        return f"arn:{self._partition}:sqs:{self._region}:{self._account}:{redrive.queue}"

    @property
    def _sqs(self) -> SQSClient:
        client: SQSClient = self._client("sqs")
        return client


def _move(entry: ListMessageMoveTasksResultEntryTypeDef) -> Move:
    known = entry.get("Status", "") in set(MoveState)
    return Move(
        started_at=entry.get("StartedTimestamp", 0),
        # A state that SQS may add some day is followed until it is one that is known.
        state=MoveState(entry["Status"]) if known else MoveState.RUNNING,
        moved=entry.get("ApproximateNumberOfMessagesMoved", 0),
        to_move=entry.get("ApproximateNumberOfMessagesToMove"),
        failure=clipped(one_line(entry.get("FailureReason", "")), _MAX_REASON),
    )


def _refusal(error: ClientError) -> str:
    """Why AWS does not want it, in its words; empty where it only could not just now."""
    said = error.response.get("Error", {})
    code = said.get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status >= _SERVER_ERROR or code.startswith(_TRANSIENT):
        return ""
    return clipped(one_line(f"{code}: {said.get('Message', '')}"), _MAX_REASON)
