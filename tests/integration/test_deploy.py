"""`make deploy` as it is typed, against the embedded cloud: sam's own change set and upload, the doctor, the way back."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from own_account import run_tocsin

from tocsin_cli.local_aws import cloud as cloud_module

pytestmark = [pytest.mark.cloud, pytest.mark.minutes]

ROOT = Path(__file__).resolve().parents[2]
PARAMETERS = """LogGroupNames="/aws/lambda/backend,/aws/lambda/worker"
  DeadLetterQueueNames=""
  AlarmNamePrefixes="backend-"
  SlackApiUrl="{api}" GroupWait="{wait}" WatchDeliveryErrors="no"
"""
"""On several lines, as in the README."""


@pytest.fixture
def tocsin(built, account, slack):
    def call(*arguments, wait="1s", parameters=None):
        given = PARAMETERS.format(api=slack.api_url, wait=wait) if parameters is None else parameters
        path = os.pathsep.join([str(ROOT / "functions"), str(ROOT)])
        return run_tocsin(
            account,
            built,
            *arguments,
            "--project",
            str(built),
            AWS_REGION=cloud_module.REGION,
            PARAMETERS=given,
            PYTHONPATH=path,
        )

    return call


def parameters(account):
    (stack,) = account.client("cloudformation").describe_stacks(StackName="tocsin")["Stacks"]
    return {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}


def test_a_deploy_shows_its_change_set_examines_and_can_be_taken_back(tocsin, account, built):
    first = tocsin("deploy", "--yes", "--wait", "1")
    assert "waiting for the first heartbeat" in first.stderr
    assert "CloudFormation stack changeset" in first.stdout, first.stderr
    assert "Successfully created/updated stack - tocsin" in first.stdout
    # The one thing that is wrong with a first deploy: nobody hears what Tocsin says about itself.
    assert first.returncode == 1
    assert "FAIL  nobody is subscribed to the ops topic" in first.stdout
    assert "git switch --detach" in first.stderr, "nothing ran before, so there is no other way back"
    outputs = {
        each["OutputKey"]: each["OutputValue"]
        for each in account.client("cloudformation").describe_stacks(StackName="tocsin")["Stacks"][0][
            "Outputs"
        ]
    }
    queue = account.client("sqs").create_queue(QueueName="pager")["QueueUrl"]
    arn = account.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])[
        "Attributes"
    ]
    account.client("sns").subscribe(TopicArn=outputs["OpsTopicArn"], Protocol="sqs", Endpoint=arn["QueueArn"])

    second = tocsin("deploy", "--yes", wait="7s")
    assert second.returncode == 0, second.stdout + second.stderr
    assert parameters(account)["GroupWait"] == "7s"
    kept = json.loads((built / ".tocsin" / "before" / "tocsin" / "parameters.json").read_text())
    assert kept["GroupWait"] == "1s"
    assert kept["LogGroupNames"] == "/aws/lambda/backend,/aws/lambda/worker"
    assert (kept["DeadLetterQueueNames"], kept["AlarmNamePrefixes"]) == ("", "backend-")

    account.client("secretsmanager").put_secret_value(SecretId="tocsin/slack", SecretString="{}")
    third = tocsin("deploy", "--yes", wait="9s")
    assert third.returncode == 1
    assert "secret 'tocsin/slack' holds neither" in third.stdout
    assert "tocsin deploy --back --stack tocsin" in third.stderr

    back = tocsin("deploy", "--back", "--yes")
    assert parameters(account)["GroupWait"] == "7s", back.stderr
    assert back.returncode == 1, "the secret is still wrong, and the doctor goes on saying so"


def test_parameters_that_are_not_given_stay_as_they_were(tocsin, account):
    before = parameters(account)
    assert "GroupWait" in before
    tocsin("deploy", "--yes", parameters="")
    assert parameters(account) == before


def test_a_question_that_nobody_answers_deploys_nothing(tocsin, account):
    before = parameters(account)
    asked = tocsin("deploy", wait="8s")
    assert asked.returncode == 1
    assert parameters(account) == before


def test_a_parameter_that_the_template_refuses_deploys_nothing(tocsin, account):
    before = parameters(account)
    refused = tocsin("deploy", "--yes", parameters='HeartbeatMinutes="7"')
    assert refused.returncode == 1
    assert parameters(account) == before


def test_a_log_group_without_room_deploys_nothing_and_is_named(tocsin, account):
    logs, before = account.client("logs"), parameters(account)
    logs.create_log_group(logGroupName="/aws/lambda/full")
    account.client("kinesis").create_stream(StreamName="theirs", ShardCount=1)
    for name in ("datadog", "splunk"):
        logs.put_subscription_filter(
            logGroupName="/aws/lambda/full", filterName=name, filterPattern="",
            destinationArn=f"arn:aws:kinesis:{cloud_module.REGION}:000000000000:stream/theirs",
            roleArn="arn:aws:iam::000000000000:role/theirs",
        )  # fmt: skip
    refused = tocsin("deploy", "--yes", parameters='LogGroupNames="/aws/lambda/full,/aws/lambda/gone"')
    assert refused.returncode == 1
    assert "/aws/lambda/full: both subscription filters are taken (datadog, splunk)" in refused.stderr
    assert "/aws/lambda/gone: there is no such log group" in refused.stderr
    assert "changeset" not in refused.stdout
    assert parameters(account) == before


def test_everything_that_would_fail_half_way_is_refused_in_one_list_defaults_included(tocsin, account):
    """A first deploy of another stack: the template's own log groups count where none are given."""
    account.client("logs").delete_log_group(logGroupName="/aws/lambda/worker")
    refused = tocsin("deploy", "--yes", "--stack", "green",
                     parameters="ParameterKey=HeartbeatMinutes,ParameterValue=7 FunctionNames=my-fn,myfn AlarmNamePrefixes=")  # fmt: skip
    account.client("logs").create_log_group(logGroupName="/aws/lambda/worker")
    assert refused.returncode == 1
    assert "/aws/lambda/worker: there is no such log group" in refused.stderr
    assert "HeartbeatMinutes: '7' is none of" in refused.stderr
    assert "my-fn and myfn differ only in punctuation" in refused.stderr
    assert "changeset" not in refused.stdout


def test_without_a_build_there_is_nothing_to_deploy(tocsin, built):
    (built / ".aws-sam").rename(built / "away")
    try:
        done = tocsin("deploy", "--yes")
    finally:
        (built / "away").rename(built / ".aws-sam")
    assert (done.returncode, "nothing is built: make build" in done.stderr) == (1, True)


def test_going_back_without_anything_kept_says_what_else_there_is(tocsin):
    done = tocsin("deploy", "--back", "--yes", "--stack", "another")
    assert done.returncode == 1
    assert "git switch --detach <the last good commit>, then make deploy STACK=another" in done.stderr


def test_make_deploy_is_check_build_and_deploy_in_this_order():
    done = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "deploy", "STACK=blue", "YES=1", "VENV=.venv"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    ours = [line for line in done.stdout.splitlines() if line.startswith(".venv/bin/tocsin ")]
    assert ours == [
        ".venv/bin/tocsin check",
        ".venv/bin/tocsin build --architecture both",
        '.venv/bin/tocsin deploy --stack "blue" --yes',
    ]
