"""An account that was there before: what exists is left alone, an update replaces nothing, two stacks do not meet, and
removal takes away what the stack brought and nothing else."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator
from moto import mock_aws
from template_snapshot import DEPLOYMENTS, ROOT, SNAPSHOT, current, translated

from tocsin.core.incidents.serialization import load_incident
from tocsin_cli.fake_slack.server import LocalSlack
from tocsin_cli.local_aws.cloud import Deployment, EmbeddedCloud, Watched
from tocsin_cli.main import main
from tocsin_cli.stack.subscription_slots import slot_of_account, slots_of_log_groups

# ------------------------------------------------------- compared with the last release


def released() -> dict[str, dict[str, dict[str, Any]]]:
    snapshot: dict[str, dict[str, dict[str, Any]]] = json.loads(SNAPSHOT.read_text())
    return snapshot


@pytest.mark.parametrize("which", DEPLOYMENTS)
def test_an_update_from_the_last_release_removes_renames_and_replaces_nothing(which):
    """A release that must do so says it in the changelog, with what to do, and renews the snapshot."""
    now, before = current()[which], released()[which]
    assert len(before) > 60
    assert {name: each for name, each in now.items() if name in before} == before


def test_the_snapshot_knows_what_makes_cloudformation_replace_a_resource():
    """Were the schemas read wrongly, nothing would be compared and nothing would fail."""
    fixed = {name: set(each["fixed"]) for name, each in released()["with everything"].items()}
    assert "KeySchema" in fixed["IncidentTable"]
    assert "LogGroupName" in fixed["DetectLogGroup"]
    assert {"TopicArn", "Endpoint", "Protocol"} <= fixed["NotifySubscription"]
    assert "AlarmName" in fixed["ErrorRatebackend"]
    assert "FunctionName" in fixed["LogsPermission"]


@pytest.mark.parametrize("which", DEPLOYMENTS)
def test_whatever_has_a_name_of_its_own_has_the_stacks_in_it(which):
    """Two stacks in one account and Region must not meet; what has no name gets one from CloudFormation."""
    named = {
        "LogGroupName",
        "AlarmName",
        "DashboardName",
        "FilterName",
        "PolicyName",
        "TopicName",
        "QueueName",
    }
    own = {
        (name, value)
        for name, each in translated(which)["Resources"].items()
        for key, value in each.get("Properties", {}).items()
        if key in named and each["Type"] not in ("AWS::IAM::Policy", "AWS::Logs::SubscriptionFilter")
    }
    assert len(own) > 5
    assert [name for name, value in own if "local" not in str(value)] == []
    filters = [
        each["Properties"]["FilterName"]
        for each in translated(which)["Resources"].values()
        if each["Type"] == "AWS::Logs::SubscriptionFilter"
    ]
    assert set(filters) == {"local-detect"}


# --------------------------------------------------------------- the account-level policy


def account_policy(**parameters):
    DEPLOYMENTS["this one"] = {"AccountSubscription": "yes", **parameters}
    translated.cache_clear()
    template = translated("this one")
    del DEPLOYMENTS["this one"]
    return template, template["Resources"]["AccountSubscriptionPolicy"]["Properties"]


def text_of(value):
    """The text of an intrinsic; what only a deploy knows stays as ``${...}``."""
    return value if isinstance(value, str) else text_of(value["Fn::Sub"])


def test_the_account_policy_leaves_out_every_log_group_of_the_stack_and_those_named():
    template, policy = account_policy(AccountSubscriptionExcept="/aws/lambda/slack-proxy,/vpc/flow")
    criteria = text_of(policy["SelectionCriteria"])
    assert criteria.startswith("LogGroupName NOT IN [")
    excluded = json.loads(criteria.removeprefix("LogGroupName NOT IN "))
    own = [
        each["Properties"]["LogGroupName"]
        for each in template["Resources"].values()
        if each["Type"] == "AWS::Logs::LogGroup"
    ]
    assert len(own) >= 4
    assert sorted(excluded) == sorted([*own, "/aws/lambda/slack-proxy", "/vpc/flow"])
    assert len(
        json.loads(text_of(account_policy()[1]["SelectionCriteria"])[len("LogGroupName NOT IN ") :])
    ) == len(own)


@pytest.mark.parametrize(
    "pattern", ["", "?ERROR ?Error", r'?"Task timed out" %a\x28b%', '{ $.level = "ERROR" }']
)
def test_the_account_policys_document_is_json_whatever_the_filter_pattern(pattern):
    _, policy = account_policy(FilterPattern=pattern)
    document = json.loads(text_of(policy["PolicyDocument"]))
    assert document == {"DestinationArn": "${DetectFunction.Arn}", "FilterPattern": pattern}
    assert policy["PolicyType"] == "SUBSCRIPTION_FILTER_POLICY"


def test_the_account_policy_can_feed_the_stream_which_needs_a_role():
    document = json.loads(text_of(account_policy(KinesisShards="1")[1]["PolicyDocument"]))
    assert document["DestinationArn"] == "${EnvelopeStream.Arn}"
    assert "LogsToStreamRole" in document["RoleArn"]


def test_cloudwatch_logs_takes_the_account_policy_as_it_is_defined():
    _, policy = account_policy(FilterPattern="?ERROR")
    call = {
        "policyName": policy["PolicyName"], "policyType": policy["PolicyType"], "scope": policy["Scope"],
        "policyDocument": text_of(policy["PolicyDocument"]), "selectionCriteria": text_of(policy["SelectionCriteria"]),
    }  # fmt: skip
    shape = boto3.client("logs", region_name="us-east-1").meta.service_model.operation_model(
        "PutAccountPolicy"
    )
    report = ParamValidator().validate(call, shape.input_shape)
    assert not report.has_errors(), report.generate_report()


def test_with_the_account_policy_no_log_group_has_a_subscription_of_its_own():
    template, _ = account_policy()
    assert template["Conditions"]["WatchesLogGroups"]["Fn::And"][1] == {
        "Fn::Not": [{"Condition": "SubscribesAccount"}]
    }
    own = [each for each in template["Resources"].values() if each["Type"] == "AWS::Logs::SubscriptionFilter"]
    assert {each["Condition"] for each in own} == {"WatchesLogGroups", "WritesHeartbeat"}


def test_every_role_has_the_boundary_if_there_is_one_and_none_if_not():
    boundary = DEPLOYMENTS["with everything"]["PermissionsBoundaryArn"]
    for which, expected in (("by default", {"Ref": "AWS::NoValue"}), ("with everything", boundary)):
        roles = [each for each in translated(which)["Resources"].values() if each["Type"] == "AWS::IAM::Role"]
        assert len(roles) >= 4
        for role in roles:
            assert role["Properties"].get("PermissionsBoundary", {"Ref": "AWS::NoValue"}) == expected


def test_with_existing_topics_none_is_made_and_no_policy_of_theirs_is_touched():
    topics = {
        f"Existing{name}TopicArn": f"arn:aws:sns:us-east-1:123456789012:{name}"
        for name in ("Alarm", "Alerts", "Ops")
    }
    template, _ = account_policy(**topics)
    for name in ("Alarm", "Alerts", "Ops"):
        for made in (f"{name}Topic", f"{name}TopicPolicy"):
            assert template["Resources"].pop(made)["Condition"] == f"Owns{name}Topic"
        choice = {"Fn::If": [f"Owns{name}Topic", {"Ref": f"{name}Topic"}, {"Ref": f"Existing{name}TopicArn"}]}
        # SAM's translation leaves what comes from Globals as it is; besides, nothing refers to what is not made.
        rest = json.dumps(template["Resources"]).replace(json.dumps(choice), "")
        assert f'"{name}Topic"' not in rest
        assert topics[f"Existing{name}TopicArn"] in json.dumps(template["Resources"])


# -------------------------------------------------------------------- subscription slots


@pytest.fixture
def logs() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("logs", region_name="us-east-1")
        stream = "arn:aws:kinesis:us-east-1:123456789012:stream/theirs"
        boto3.client("kinesis", region_name="us-east-1").create_stream(StreamName="theirs", ShardCount=1)
        for group, filters in {
            "free": [],
            "one": ["datadog"],
            "full": ["datadog", "splunk"],
            "ours": ["datadog", "t-detect"],
        }.items():
            client.create_log_group(logGroupName=group)
            for name in filters:
                client.put_subscription_filter(
                    logGroupName=group, filterName=name, filterPattern="", destinationArn=stream,
                    roleArn="arn:aws:iam::123456789012:role/theirs",
                )  # fmt: skip
        yield client


def test_a_log_group_has_two_slots_and_ones_own_counts_as_free(logs):
    found = slots_of_log_groups(logs, ["free", "one", "full", "ours", "gone", "/tocsin/t/detect"], "t")
    assert [bool(each.problem) for each in found] == [False, False, True, False, True, True]
    assert "datadog, splunk" in found[2].problem
    assert "no such log group" in found[4].problem
    assert found[3].own


def test_the_command_fails_where_a_deploy_would(logs, capsys, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert main(["subscription-slots", "--stack", "t", "free", "ours"]) == 0
    assert main(["subscription-slots", "--stack", "t", "free", "full"]) == 1
    assert "full: both subscription filters are taken (datadog, splunk)" in capsys.readouterr().out


class AccountPolicies:
    """CloudWatch Logs, of which neither moto nor the embedded cloud knows account-level policies."""

    def __init__(self, *names):
        self.names = names

    def describe_account_policies(self, *, policyType):  # noqa: N803 - AWS's name
        assert policyType == "SUBSCRIPTION_FILTER_POLICY"
        return {"accountPolicies": [{"policyName": name, "policyType": policyType} for name in self.names]}


@pytest.mark.parametrize(("names", "fits"), [((), True), (("theirs",), False), (("t-detect",), True)])
def test_an_account_has_one_policy(names, fits):
    assert (slot_of_account(AccountPolicies(*names), "t").problem == "") is fits


# ------------------------------------------------------------------------------- deployed


@dataclass
class Account:
    """An account on the embedded cloud with things in it, and what was there at the beginning."""

    cloud: EmbeddedCloud
    slack: LocalSlack
    topic: str
    ops: str

    def inventory(self) -> set[tuple[str, str]]:
        """Everything there is of the kinds that a stack of Tocsin creates."""
        client = self.cloud.client
        groups = [each["logGroupName"] for each in client("logs").describe_log_groups()["logGroups"]]
        found = {
            "log group": groups,
            "filter": [
                f"{group}/{each['filterName']}"
                for group in groups
                for each in client("logs").describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
            ],
            "topic": [each["TopicArn"] for each in client("sns").list_topics()["Topics"]],
            "subscription": [
                f"{each['TopicArn']} {each['Endpoint']}" for each in client("sns").list_subscriptions()["Subscriptions"]
            ],
            "queue": client("sqs").list_queues().get("QueueUrls", []),
            "table": client("dynamodb").list_tables()["TableNames"],
            "alarm": [each["AlarmName"] for each in client("cloudwatch").describe_alarms()["MetricAlarms"]],
            "dashboard": [each["DashboardName"] for each in client("cloudwatch").list_dashboards()["DashboardEntries"]],
            "function": [each["FunctionName"] for each in client("lambda").list_functions()["Functions"]],
            "event source": [each["UUID"] for each in client("lambda").list_event_source_mappings()["EventSourceMappings"]],
            "role": [each["RoleName"] for each in client("iam").list_roles()["Roles"]],
            "rule": [each["Name"] for each in client("events").list_rules()["Rules"]],
            "stream": client("kinesis").list_streams()["StreamNames"],
        }  # fmt: skip
        return {(kind, name) for kind, names in found.items() for name in names}

    def stack(self, action: str, name: str, **parameters: str) -> None:
        """Create, update or delete a stack from the template that the first deploy left in the bucket; wait for it."""
        cloudformation = self.cloud.client("cloudformation")
        given = {"StackName": name}
        if action != "delete":
            given |= {
                "TemplateURL": f"{self.cloud.endpoint}/tocsin-artifacts/template.yaml",
                "Parameters": [
                    {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
                ],
                "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            }
        getattr(cloudformation, f"{action}_stack")(**given)
        deadline = time.monotonic() + 90
        while True:
            stacks = [
                each for each in cloudformation.list_stacks()["StackSummaries"] if each["StackName"] == name
            ]
            status = stacks[0]["StackStatus"] if stacks else "DELETE_COMPLETE"
            if not status.endswith("_IN_PROGRESS"):
                break
            assert time.monotonic() < deadline, status
            time.sleep(0.1)
        assert status == f"{action.upper()}_COMPLETE"

    def resources(self, name: str) -> dict[str, str]:
        """Physical ids by logical id."""
        described = self.cloud.client("cloudformation").describe_stack_resources(StackName=name)
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in described["StackResources"]}


@pytest.fixture
def account(tmp_path) -> Iterator[Account]:
    with LocalSlack() as slack, EmbeddedCloud(ROOT, log=tmp_path / "cloud.log") as cloud:
        logs, sns, cloudwatch = cloud.client("logs"), cloud.client("sns"), cloud.client("cloudwatch")
        topic = sns.create_topic(Name="prod-alarms")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="old@example.com")
        ops = sns.create_topic(Name="platform-ops")["TopicArn"]
        theirs = cloud.client("kinesis")
        theirs.create_stream(StreamName="datadog", ShardCount=1)
        stream = theirs.describe_stream(StreamName="datadog")["StreamDescription"]["StreamARN"]
        for group in ("/aws/lambda/backend", "/aws/lambda/worker"):
            logs.create_log_group(logGroupName=group)
            logs.put_retention_policy(logGroupName=group, retentionInDays=7)
            logs.put_subscription_filter(
                logGroupName=group, filterName="datadog", filterPattern="", destinationArn=stream,
                roleArn="arn:aws:iam::000000000000:role/datadog",
            )  # fmt: skip
        for queue in ("backend-dlq", "worker-dlq"):
            cloud.client("sqs").create_queue(QueueName=queue)
        cloudwatch.put_metric_alarm(
            AlarmName="prod-backend-latency", Namespace="AWS/ApiGateway", MetricName="Latency", Statistic="Average",
            Dimensions=[{"Name": "ApiName", "Value": "backend"}], Period=60, EvaluationPeriods=1, Threshold=1000,
            ComparisonOperator="GreaterThanThreshold", AlarmActions=[topic], OKActions=[topic],
        )  # fmt: skip
        yield Account(cloud, slack, topic, ops)


def services(deployed: Deployment) -> set[str]:
    items = deployed.client("dynamodb").scan(TableName=deployed.table)["Items"]
    return {load_incident(item["doc"]["S"]).service for item in items if item["pk"]["S"].startswith("G#")}


def until(condition, within=30.0):
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.cloud
def test_it_moves_into_an_account_is_updated_shares_it_and_moves_out(account):
    before = account.inventory()
    logs, sns = account.cloud.client("logs"), account.cloud.client("sns")
    policy = sns.get_topic_attributes(TopicArn=account.topic)["Attributes"].get("Policy")
    parameters = {
        "LogGroupNames": "/aws/lambda/backend",
        "DeadLetterQueueNames": "worker-dlq",
        "ExistingAlarmTopicArn": account.topic,
        "ExistingOpsTopicArn": account.ops,
        "PermissionsBoundaryArn": "arn:aws:iam::000000000000:policy/boundary",
        "SlackApiUrl": account.slack.api_url,
        # as local_aws.cloud gives them: the embedded cloud has no metric maths
        "FunctionErrorPercent": "0",
        "FunctionSuccessPercent": "0",
        "WatchDeliveryErrors": "no",
    }
    assert not [
        each.problem for each in slots_of_log_groups(logs, ["/aws/lambda/backend"], "tocsin") if each.problem
    ]
    deployed = account.cloud.deploy(
        {"bot_token": account.slack.bot_token, "channel": account.slack.channel_id},
        Watched({}, {}),
        parameters,
    )

    # What was there is as it was.
    assert before <= account.inventory()
    assert {
        each["retentionInDays"] for each in logs.describe_log_groups(logGroupNamePrefix="/aws/")["logGroups"]
    } == {7}
    assert sns.get_topic_attributes(TopicArn=account.topic)["Attributes"].get("Policy") == policy
    subscribed = [
        each["Endpoint"] for each in sns.list_subscriptions_by_topic(TopicArn=account.topic)["Subscriptions"]
    ]
    assert sorted(subscribed) == sorted(["old@example.com", deployed.outputs["DetectFunctionArn"]])
    assert deployed.alarm_topic == account.topic
    assert deployed.outputs["OpsTopicArn"] == account.ops

    # An alarm that nobody touched tells by the topic it always told by; what else comes that way is passed over.
    sns.publish(TopicArn=account.topic, Message="The budget report is ready.")
    account.cloud.client("cloudwatch").set_alarm_state(
        AlarmName="prod-backend-latency", StateValue="ALARM", StateReason="by a test"
    )
    until(lambda: services(deployed) == {"backend"})
    until(account.slack.messages)
    depth = account.cloud.client("sqs").get_queue_attributes(
        QueueUrl=deployed.outputs["FailureQueueUrl"], AttributeNames=["ApproximateNumberOfMessages"]
    )
    assert depth["Attributes"]["ApproximateNumberOfMessages"] == "0"

    # Deployed again with other parameters: what stays keeps its identity, and what is open stays open.
    there = account.resources("tocsin")
    changed = parameters | {
        "SlackSecretName": "tocsin/slack",
        "LogGroupNames": "/aws/lambda/backend,/aws/lambda/worker",
        "DeadLetterQueueNames": "worker-dlq,backend-dlq",
        "FunctionNames": "backend",
        "DeadLetterBacklog": "0",
        "LogRetentionDays": "7",
    }
    account.stack("update", "tocsin", **changed)
    after = account.resources("tocsin")
    assert set(there) - set(after) == {"DlqBacklogworkerdlq"}
    assert {name: after[name] for name in there if name in after} == {
        name: there[name] for name in there if name in after
    }
    assert set(after) - set(there) >= {
        "LogsSubscriptionawslambdaworker",
        "DlqDepthbackenddlq",
        "Throttlesbackend",
    }
    assert services(deployed) == {"backend"}
    assert before <= account.inventory()

    # A second environment beside it.
    account.stack(
        "create", "tocsin-staging",
        **changed | {"LogGroupNames": "", "ExistingAlarmTopicArn": "", "ExistingOpsTopicArn": ""},
    )  # fmt: skip
    assert not set(account.resources("tocsin-staging").values()) & set(after.values())

    # Both removed: what was there before is all there is.
    account.stack("delete", "tocsin-staging")
    assert set(account.resources("tocsin").values()) == set(after.values())
    account.stack("delete", "tocsin")
    left = account.inventory()
    assert before - left == set()
    assert left - before == set()


@pytest.mark.cloud
def test_a_log_group_without_room_is_known_before_the_deploy_and_not_by_its_failure(account):
    logs = account.cloud.client("logs")
    stream = account.cloud.client("kinesis").describe_stream(StreamName="datadog")["StreamDescription"][
        "StreamARN"
    ]
    logs.put_subscription_filter(
        logGroupName="/aws/lambda/backend", filterName="splunk", filterPattern="", destinationArn=stream,
        roleArn="arn:aws:iam::000000000000:role/datadog",
    )  # fmt: skip
    (full, room) = slots_of_log_groups(logs, ["/aws/lambda/backend", "/aws/lambda/worker"], "tocsin")
    assert "datadog, splunk" in full.problem
    assert room.problem == ""
