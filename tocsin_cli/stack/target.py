"""Which Tocsin a command is about: a deployed stack, or the ``tocsin local`` that runs on this machine.

A stack is found by its name, through CloudFormation, with whatever boto3 finds in its own environment: ``AWS_PROFILE``,
``AWS_REGION``, ``AWS_ENDPOINT_URL``, credentials of any kind. A running ``tocsin local`` is found by the file that it
keeps while it runs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tocsin.core.problems import ConfigurationError
from tocsin_cli.aws_errors import is_aws_error
from tocsin_cli.command_error import CommandError
from tocsin_cli.configuration_folder import default_root
from tocsin_cli.deployment_file import DeploymentFile, read_deployment
from tocsin_cli.product import work_folder
from tocsin_cli.shown_paths import shown
from tocsin_cli.stack.description import describe, outputs_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LOCAL_FILE = work_folder() / "local.json"
"""Where a running ``tocsin local`` leaves its ready line."""

STACK = "tocsin"
OUTPUT = "TableName"
REGION_HINT = "Give its Region with --region or AWS_REGION."
_CREDENTIALS = """
    ExpiredToken ExpiredTokenException RequestExpired InvalidClientTokenId UnrecognizedClientException
    InvalidSignatureException SignatureDoesNotMatch InvalidAccessKeyId AuthFailure
""".split()
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}


class DeployedError(CommandError):
    """There is no such Tocsin, or it may not be asked; the message names what is missing and what to do."""

    status = 2


@dataclass(frozen=True, slots=True)
class Deployed:
    """A Tocsin that can be asked.

    Attributes:
        name: For people: ``stack tocsin in eu-west-1`` or ``tocsin local``.
        stack: The stack's name; None for ``tocsin local``.
        table: The incident table's name.
        client: A DynamoDB client that reaches it.
    """

    name: str
    stack: str | None
    table: str
    client: DynamoDBClient


def add_deployed(parser: argparse.ArgumentParser) -> None:
    """Give a sub-command the options that say which Tocsin it is about."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--stack",
        metavar="NAME",
        help=f"the deployed CloudFormation stack (default: that in tocsin.toml, else {STACK})",
    )
    which.add_argument(
        "--local", action="store_true", help="the `tocsin local` that runs on this machine, not AWS"
    )
    parser.add_argument("--env", default="", metavar="NAME", help="a further environment of tocsin.toml")
    parser.add_argument(
        "--region", help="the stack's Region (default: that in tocsin.toml, or of the environment)"
    )


@contextlib.contextmanager
def deployed(arguments: argparse.Namespace) -> Iterator[Deployed]:
    """Find the Tocsin that the options name, and explain what AWS refuses while it is used.

    What the options leave open is taken from tocsin.toml, and is in ``arguments`` then.

    Raises:
        DeployedError: It cannot be found, reached or asked.
    """
    if not arguments.local:
        _complete(arguments)
    with _aws_explained(arguments):
        yield running_local(LOCAL_FILE) if arguments.local else _stack(arguments.stack, arguments.region)


def _complete(arguments: argparse.Namespace) -> None:
    """Take the stack and its Region from tocsin.toml, where the options do not say them."""
    root, environment = getattr(arguments, "root", None) or default_root(), getattr(arguments, "env", "")
    try:
        said = read_deployment(root, environment)
    except ConfigurationError as error:
        if environment:
            raise DeployedError(str(error)) from error
        said = DeploymentFile()  # in an outage it must go on; `tocsin check` says what is wrong
    arguments.stack = arguments.stack or said.stack or STACK
    arguments.region = arguments.region or said.region or None


def running_local(file: Path) -> Deployed:
    """The ``tocsin local`` that runs on this machine.

    Args:
        file: Where it left its ready line.

    Raises:
        DeployedError: None runs.
    """
    from tocsin_cli.local_aws.cloud import answers, embedded_client

    start = "start one in another terminal: tocsin local"
    try:
        ready = json.loads(file.read_text("utf-8"))
        endpoint, table = str(ready["aws_endpoint"]), str(ready["table"])
    except FileNotFoundError:
        raise DeployedError(
            f"no `tocsin local` is running here (there is no {shown(file)}); {start}"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DeployedError(
            f"{shown(file)} cannot be read ({error}); stop `tocsin local` and {start}"
        ) from error
    if not answers(f"{endpoint}/_ministack/health"):
        raise DeployedError(
            f"no `tocsin local` is running here: {shown(file)} names {endpoint}, where nothing answers "
            f"(it was killed before it could take the file away); {start}"
        )
    return Deployed("tocsin local", None, table, embedded_client(endpoint, "dynamodb"))


def write_ready_file(ready: Mapping[str, Any], file: Path = LOCAL_FILE) -> None:
    """Leave a ready line for ``running_local``; whole or not at all, the latest ``tocsin local`` counts."""
    file.parent.mkdir(exist_ok=True)
    beside = file.with_suffix(f".{os.getpid()}")
    beside.write_text(json.dumps(ready) + "\n", "utf-8")
    beside.replace(file)


def remove_ready_file(ready: Mapping[str, Any], file: Path = LOCAL_FILE) -> None:
    """Remove the ready line, unless another ``tocsin local`` has left its own since."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        if json.loads(file.read_text("utf-8"))["aws_endpoint"] == ready["aws_endpoint"]:
            file.unlink()


def region_or_environment(given: str | None) -> str | None:
    """The Region to give to boto3: the one given, else ``AWS_REGION``, else None, which leaves it to boto3.

    The AWS CLI and the Lambda runtime go by ``AWS_REGION``; boto3 knows only ``AWS_DEFAULT_REGION`` and the profile.
    """
    return given or os.environ.get("AWS_REGION") or None


def _stack(name: str, region: str | None) -> Deployed:
    import boto3

    session = boto3.Session(region_name=region_or_environment(region))
    cloudformation = session.client("cloudformation")
    where = f"stack {name} in {cloudformation.meta.region_name}"
    stack = describe(cloudformation, name)
    if stack is None:
        raise DeployedError(
            f"there is no {where}. {REGION_HINT} Another name goes with --stack; "
            "for one on this machine use --local."
        )
    outputs = outputs_of(stack)
    if OUTPUT not in outputs:
        raise DeployedError(
            f"{where} ({stack['StackStatus']}) has no output {OUTPUT}: it is not a Tocsin stack, or its deployment "
            "did not succeed. Name the right one with --stack."
        )
    return Deployed(where, name, outputs[OUTPUT], session.client("dynamodb"))


@contextlib.contextmanager
def _aws_explained(arguments: argparse.Namespace) -> Iterator[None]:
    """What AWS or boto3 refuses, as a ``DeployedError`` that says what to do."""
    try:
        yield
    except Exception as error:
        if not is_aws_error(error):
            raise
        raise DeployedError(_explained(error, arguments)) from error


def _explained(error: Exception, arguments: argparse.Namespace) -> str:
    from botocore import exceptions

    where = "`tocsin local`" if arguments.local else f"stack {arguments.stack}"
    match error:
        case exceptions.NoRegionError():
            return f"no Region to look for {where} in. {REGION_HINT}"
        case exceptions.NoCredentialsError() | exceptions.PartialCredentialsError():
            return (
                f"no AWS credentials to look for {where} with. Log in (aws sso login, aws configure) or set AWS_PROFILE; "
                "for one on this machine use --local."
            )
        case exceptions.ProfileNotFound():
            return f"{error}. Set AWS_PROFILE to one of your profiles: aws configure list-profiles"
        case exceptions.ClientError():
            return _refusal(error.operation_name, error.response["Error"], where)
        case exceptions.HTTPClientError() | exceptions.ConnectionError():
            return f"{error}. Is the Region right, and AWS_ENDPOINT_URL, if you have set it?"
        case exceptions.TokenRetrievalError() | exceptions.SSOError() | exceptions.CredentialRetrievalError():
            return f"{error}. Log in again: aws sso login"
        case _:
            return str(error)


def _refusal(operation: str, answer: Mapping[str, Any], where: str) -> str:
    """What AWS itself refuses, in words that name the action."""
    code, text = answer.get("Code", ""), answer.get("Message", "")
    action = f"{'cloudformation' if operation == 'DescribeStacks' else 'dynamodb'}:{operation}"
    if code in _DENIED:
        return f"not allowed to {action}: ask for that action on {where}. AWS says: {text}"
    if code in _CREDENTIALS:
        return f"AWS does not accept these credentials ({code}). Log in again, then repeat the command."
    if code == "ResourceNotFoundException":
        return f"the table of {where} is gone: deploy the stack again. AWS says: {text}"
    return f"{action}: {code}: {text}"
