"""The doctor on acting from Slack: what the secret must hold besides, what the bot may do, and whether the address answers.

Only for a stack with ``SlackActions=yes``; of any other it says nothing. The calls to the address change nothing: one is
signed and asks whether somebody is there, as Slack itself does; the other is not signed, and must be refused.
Sources: docs.slack.dev/reference/methods/auth.test, docs.slack.dev/authentication/verifying-requests-from-slack.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import NamedTuple

from tocsin.adapters.slack.credentials import SIGNING_SHAPE, BotCredential
from tocsin.core.config.settings import Settings
from tocsin.core.slack.signing import signature_of
from tocsin_cli.doctor.egress import api_url, auth_test, credential_of
from tocsin_cli.doctor.findings import Examined, Finding, fail, ok, warn
from tocsin_cli.doctor.fixes import put_secret, redeploy, restore, set_parameter

CHECK = "slack-actions"
TEST_CALL = "ssl_check=1"
"""What Slack too sends to see whether somebody answers; it presses nothing."""

Send = Callable[[str, Mapping[str, str], str], int]
"""Sends headers and a body to an address; returns HTTP's status, or raises ``NotReachedError``."""

_TIMEOUT = 15
_HISTORY = ("channels:history", "groups:history")
_DOING_NOTHING = "what people press in Slack does nothing"


class NotReachedError(Exception):
    """Nobody answered; says what happened, and nothing of what was sent."""


class _Scope(NamedTuple):
    """A scope of the bot, and what is lost without it."""

    name: str
    lost: str


_SCOPES = (
    _Scope("chat:write", "the bot cannot post or edit a message"),
    _Scope("commands", "`/tocsin` does not exist"),
    _Scope("users:read", "\"until tomorrow nine o'clock\" is by UTC and not by the person's clock"),
)


def acting(stack: Examined, settings: Settings, send: Send) -> Iterator[Finding]:
    """People can act: the secret, the bot's scopes and team, and the address.

    Args:
        stack: The stack.
        settings: Who may act.
        send: Calls the address.
    """
    if stack.parameters.get("SlackActions") != "yes":
        return
    name = stack.parameters.get("SlackSecretName", "")
    credential = credential_of(stack, name)
    if isinstance(credential, Finding):
        return  # the secret's own check says what is wrong with it
    if not isinstance(credential, BotCredential):
        yield fail(
            CHECK,
            f"SlackActions is yes, and {name} holds a webhook",
            "a webhook's messages have no buttons: nobody can act",
            f"make an app with a bot (docs/guides/slack.md), then: {put_secret(name)}; or {set_parameter('SlackActions', 'no')}",
        )
        return
    if not credential.acts:
        yield fail(
            CHECK,
            f"the secret {name} has no signing_secret, app_id and team_id",
            "messages have no buttons, and every request is refused",
            f"add {SIGNING_SHAPE} beside the token (Basic Information of the app), then: {put_secret(name)}",
        )
        return
    yield from _bot(name, credential, api_url(stack), settings)
    yield from _address(stack, name, credential, send)


def send_over_http(url: str, headers: Mapping[str, str], body: str) -> int:
    """Send a request as Slack would.

    Raises:
        NotReachedError: Nobody answered.
    """
    import requests

    try:
        return requests.post(
            url, body.encode(), headers=dict(headers), timeout=_TIMEOUT, allow_redirects=False
        ).status_code
    except requests.RequestException as error:
        raise NotReachedError(type(error).__name__) from None


def _bot(name: str, credential: BotCredential, api_url: str, settings: Settings) -> Iterator[Finding]:
    """What Slack says of the token: its scopes are in a header of every answer."""
    import requests

    try:
        response, answer = auth_test(credential, api_url)
    except (requests.RequestException, ValueError):
        return  # the token's own check says so
    if not isinstance(answer, Mapping) or answer.get("ok") is not True:
        return
    team = str(answer.get("team_id", ""))
    if team and team != credential.team_id:
        yield fail(
            CHECK,
            f"team_id in {name} is {credential.team_id}, and the token is of the team {team}",
            "every request is refused as one of another team",
            f"write {team} as team_id, then: {put_secret(name)}",
        )
    said = response.headers.get("x-oauth-scopes")
    if said is None:
        yield warn(
            CHECK,
            "Slack does not say which scopes the token has",
            "whether one is missing is not known",
            "compare OAuth & Permissions of the app with docs/guides/slack-app-manifest-actions.yaml",
        )
        return
    given = {scope.strip() for scope in said.split(",")}
    missing = [scope for scope in _needed(settings) if scope.name not in given]
    for scope in missing:
        yield fail(CHECK, f"the bot has not the scope {scope.name}", scope.lost, _add(scope.name))
    if not given.intersection(_HISTORY):
        names = " or ".join(_HISTORY)
        yield warn(
            CHECK,
            f"the bot has not the scope {names}",
            "after a crash in mid-post it cannot find its own message, and posts again",
            _add(names),
        )
    elif not missing:
        yield ok(CHECK, "the bot has the scopes that acting from Slack needs")


def _needed(settings: Settings) -> list[_Scope]:
    group = _Scope("usergroups:read", "who may act is not known, so nobody may")
    return [*_SCOPES, *([group] if settings.may_act else [])]


def _add(scope: str) -> str:
    return f"OAuth & Permissions of the app: add {scope} to the bot token's scopes, and install the app again"


def _address(stack: Examined, name: str, credential: BotCredential, send: Send) -> Iterator[Finding]:
    url = stack.outputs.get("RespondUrl", "")
    if not url:
        yield fail(CHECK, "the stack has no output RespondUrl", _DOING_NOTHING, redeploy())
        return
    try:
        signed = send(url, _signed(credential.signing_secret), TEST_CALL)
        unsigned = send(url, _HEADERS, TEST_CALL)
    except NotReachedError as error:
        yield warn(
            CHECK,
            f"{url} could not be reached from here ({error})",
            "whether it answers Slack is not known",
            "run the doctor where the internet can be reached",
        )
        return
    if signed == HTTPStatus.OK and unsigned == HTTPStatus.UNAUTHORIZED:
        yield ok(
            CHECK, "the address that Slack calls answers a signed call, and refuses one that is not signed"
        )
    elif {signed, unsigned} == {HTTPStatus.OK}:
        yield fail(
            CHECK,
            f"{url} answers {unsigned} to a call that nobody signed, and should refuse it (401)",
            "somebody who is not Slack may be able to act",
            f"at once: {set_parameter('SlackActions', 'no')}; then look who answers there",
        )
    else:
        is_refused = signed != HTTPStatus.OK
        status = signed if is_refused else unsigned
        why, fix = _REFUSED.get(status, _BROKEN)
        call = (
            "a signed call, and should answer 200"
            if is_refused
            else "a call that is not signed, and should refuse it (401)"
        )
        yield fail(
            CHECK,
            f"{url} answers {status} to {call}",
            f"{_DOING_NOTHING}: {why}",
            fix.format(stack=stack.name, secret=name, restore=restore()),
        )


_HEADERS = {"content-type": "application/x-www-form-urlencoded"}
_LOG = 'aws logs tail "/tocsin/{stack}/respond" --since 10m --format short'
_BROKEN = ("the function fails", f"{_LOG}; runbooks/tocsin-respond-failed.md")
_REFUSED: Mapping[int, tuple[str, str]] = {
    HTTPStatus.UNAUTHORIZED: (
        "the function knows another signing secret, or this machine's clock is wrong",
        f"if {{secret}} was changed within the minute, run the doctor again; else {_LOG} says why",
    ),
    HTTPStatus.FORBIDDEN: (
        "AWS lets nobody call the function by its address",
        "{restore}: everybody must be allowed lambda:InvokeFunctionUrl, and lambda:InvokeFunction by that address",
    ),
    HTTPStatus.TOO_MANY_REQUESTS: (
        "the function is throttled",
        "aws lambda get-function-concurrency --function-name the output RespondFunctionName of {stack}; 0 lets nothing run",
    ),
}


def _signed(secret: str) -> dict[str, str]:
    at = str(int(time.time()))
    return _HEADERS | {
        "x-slack-request-timestamp": at,
        "x-slack-signature": signature_of(secret, at, TEST_CALL.encode()),
    }
