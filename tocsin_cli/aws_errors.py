"""What AWS refuses, and what kind of refusal it is. boto3 is imported only by commands that speak to AWS, so no class of it is named here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tocsin_cli.command_error import CommandError

_Answer = TypeVar("_Answer")

_MISSING = {
    "ResourceNotFoundException",
    "NotFound",
    "NotFoundException",
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "NoSuchEntity",
    "ResourceNotFound",
}


class AwsRefusedError(CommandError):
    """AWS refuses a call, or cannot be asked; the message says what it answers."""

    status = 2


@contextmanager
def aws_refusals(words: str = "{}") -> Iterator[None]:
    """What AWS refuses within, as the end of the command.

    Args:
        words: What to say; ``{}`` is AWS's answer.

    Raises:
        AwsRefusedError: AWS refused a call, or could not be asked.
    """
    try:
        yield
    except Exception as error:
        if not is_aws_error(error):
            raise
        raise AwsRefusedError(words.format(error)) from error


def is_aws_error(error: Exception) -> bool:
    """Whether boto3 raised it: AWS refused a call, or could not be asked."""
    return any(base.__module__.startswith("botocore.") for base in type(error).__mro__)


def code_of(error: Exception) -> str:
    """The code of what AWS refuses; empty for any other error."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


def is_missing(error: Exception) -> bool:
    """Whether AWS says that there is no such thing."""
    return code_of(error) in _MISSING or "NonExistent" in code_of(error)


def if_there(ask: Callable[[], _Answer]) -> _Answer | None:
    """What AWS answers; None where it says that there is no such thing.

    Args:
        ask: Makes the call.
    """
    try:
        return ask()
    except Exception as error:
        if not is_missing(error):
            raise
        return None
