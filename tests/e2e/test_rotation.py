"""Signing secret and token are rotated in Slack and in the secret; no deploy, and the deployed stack goes on."""

from __future__ import annotations

import json

import pytest
from test_acting_in_slack import fail, posted, shows, top, words

from tocsin_cli.local_aws.local_tocsin import LocalTocsin

pytestmark = pytest.mark.cloud

SECRET = "tocsin/slack"


@pytest.fixture(scope="module")
def tocsin():
    with LocalTocsin(parameters={"ResolveAfter": "1h", "GroupInterval": "1s"}) as running:
        yield running


@pytest.fixture(scope="module")
def message(tocsin):
    fail(tocsin)
    tocsin.slack.wait_for(lambda all_: bool(all_) and "tocsin-take" in words(top(all_)), 30)
    return top(tocsin.slack.messages())


def keep(tocsin, **changed):
    client = tocsin.deployment.client("secretsmanager")
    kept = json.loads(client.get_secret_value(SecretId=SECRET)["SecretString"])
    client.put_secret_value(SecretId=SECRET, SecretString=json.dumps(kept | changed))


def press(tocsin, message, what):
    return posted(tocsin, "/api/press", ts=message["ts"], action_id=f"tocsin-{what}")["status"]


def test_a_new_signing_secret_counts_at_once_and_the_old_one_no_longer(tocsin, message):
    assert press(tocsin, message, "take") == 200
    shows(tocsin, message["ts"], "Ada has it")
    people, old = tocsin.slack.interactivity, tocsin.slack.interactivity.signing_secret
    people.signing_secret = "rotated-signing-secret"
    keep(tocsin, signing_secret=people.signing_secret)
    assert press(tocsin, message, "hand-back") == 200
    shows(tocsin, message["ts"], "tocsin-take")
    people.signing_secret = old
    assert press(tocsin, message, "take") == 401
    people.signing_secret = "rotated-signing-secret"
    assert "nobody has it" in posted(tocsin, "/api/command", text="")["ephemeral"][0]


def test_a_new_token_counts_at_once_where_slack_refuses_the_old_one(tocsin, message):
    tocsin.slack.bot_token = "xoxb-rotated-token"
    keep(tocsin, bot_token=tocsin.slack.bot_token)
    before = len(tocsin.slack.messages())
    fail(tocsin, "backend")
    tocsin.slack.wait_for(lambda all_: len(all_) > before and "tocsin-take" in words(top(all_)), 30)
    assert press(tocsin, top(tocsin.slack.messages()), "over") == 200
    shows(tocsin, top(tocsin.slack.messages())["ts"], "It is over")
