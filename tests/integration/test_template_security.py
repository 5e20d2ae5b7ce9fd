"""The template as attack surface, asserted on what CloudFormation gets: loops unrolled, SAM translated, conditions
resolved for given parameters. What checkov and cfn-lint look for is in here too, so that it holds without them."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest
from samcli.yamlhelper import yaml_parse
from translated_template import translated_with

from tocsin.core.redaction.redact import redact

ROOT = Path(__file__).resolve().parents[2]
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/envelopes"
WITH_EVERYTHING = {
    "KmsKeyArn": KEY,
    "KinesisStreamArn": STREAM,
    "SlackSecretKeyArn": KEY.replace("1234abcd", "abcd1234"),
    "MoreSlackSecretNames": "team/slack-oncall,slack-data",
    "OperatorEmail": "ops@example.com",
    "ReservedConcurrency": "10",
    "SlackActions": "yes",
    "RedriveQueues": "worker-dlq,billing-dlq.fifo",
    "RedriveTargets": "worker",
}
WITH_A_STREAM = {"KmsKeyArn": KEY, "KinesisShards": "2"}
DEPLOYMENTS = {
    "by default": {}, "with everything": WITH_EVERYTHING, "with a stream of its own": WITH_A_STREAM,
}  # fmt: skip
CLOUDWATCH = "cloudwatch.amazonaws.com"


@cache
def translated(which):
    """What CloudFormation gets, by the name of a deployment."""
    template = translated_with(DEPLOYMENTS[which])
    acts = DEPLOYMENTS[which].get("SlackActions") == "yes"
    template["Resources"] = {
        name: each
        for name, each in template["Resources"].items()
        if acts or each.get("Condition") not in {"ActsFromSlack", "RedrivesQueues", "RedrivesSomewhere"}
    }
    return template


@pytest.fixture(params=list(DEPLOYMENTS))
def resources(request):
    return translated(request.param)["Resources"]


@pytest.fixture
def with_key():
    return translated("with everything")["Resources"]


@pytest.fixture
def by_default():
    return translated("by default")["Resources"]


def of_type(resources, kind):
    return {name: each["Properties"] for name, each in resources.items() if each["Type"] == kind}


def listed(value):
    return value if isinstance(value, list) else [value]


def name_of(reference):
    """The logical id that a Ref or a GetAtt names."""
    return reference.get("Ref") or listed(reference["Fn::GetAtt"])[0].partition(".")[0]


def role_statements(resources):
    for name, role in of_type(resources, "AWS::IAM::Role").items():
        for policy in role["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                if statement != {"Ref": "AWS::NoValue"}:
                    yield name, statement
    for attached, statement in resource_statements(resources, "AWS::IAM::Policy", "Roles"):
        yield from ((role, statement) for role in attached)


def resource_statements(resources, kind, named):
    """Every statement of a kind of resource policy with the logical ids that the policy is attached to."""
    for policy in of_type(resources, kind).values():
        attached = [name_of(each) for each in policy[named]]
        for statement in policy["PolicyDocument"]["Statement"]:
            yield attached, statement


def policies(resources):
    yield from resource_statements(resources, "AWS::SNS::TopicPolicy", "Topics")
    yield from resource_statements(resources, "AWS::SQS::QueuePolicy", "Queues")


def test_the_translation_is_of_the_whole_template(resources):
    kinds = {each["Type"] for each in resources.values()}
    assert not [kind for kind in kinds if "Serverless" in kind]
    assert not [name for name in resources if name.startswith("Fn::")]
    assert len(of_type(resources, "AWS::Lambda::Function")) == 3 + ("RespondFunction" in resources)


# ------------------------------------------------------------------ what functions may do


READS_MORE = {"LookAtDeadLetterQueues", "HowOldIsTheOldestMessage"}
"""Statements that read numbers of any queue: which one is known from its alarm only (docs/security.md)."""


OF_OTHERS = {"RedriveFromThisQueue", "RedriveToThisQueue", "LookAtThisQueue"}
"""Statements about queues that are not the stack's, and whose key is not this one."""


def test_no_role_has_an_action_by_wildcard_or_a_resource_that_is_everything(resources):
    seen = list(role_statements(resources))
    assert len(seen) > 10
    for role, statement in seen:
        assert statement["Effect"] == "Allow"
        assert not [action for action in listed(statement["Action"]) if "*" in action], role
        for resource in listed(statement["Resource"]):
            if statement["Sid"] not in READS_MORE:
                assert "*" not in json.dumps(resource), (role, statement["Sid"])


def test_notify_reads_the_named_secrets_and_no_other(with_key):
    secrets = [
        json.dumps(statement["Resource"]).rpartition("secret:")[2].rstrip('"}')
        for role, statement in role_statements(with_key)
        if statement["Action"] == "secretsmanager:GetSecretValue" and role == "NotifyRole"
    ]
    assert sorted(secrets) == ["slack-data-??????", "team/slack-oncall-??????", "tocsin/slack-??????"]
    names = [each["PolicyName"] for each in of_type(with_key, "AWS::IAM::Policy").values()]
    assert all(len(name) <= 128 and re.fullmatch(r"[\w+=,.@-]+", name) for name in map(str, names)), names


def test_without_further_destinations_there_is_no_policy_for_them(by_default):
    policies_there = of_type(by_default, "AWS::IAM::Policy")
    conditions = {each.get("Condition") for name, each in by_default.items() if name in policies_there}
    assert conditions <= {"HasMoreSecrets", "RedrivesQueues", "RedrivesSomewhere"}


def test_a_role_is_worn_by_lambda_alone_but_for_the_one_that_fills_the_stream(resources):
    for name, role in of_type(resources, "AWS::IAM::Role").items():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        if name == "LogsToStreamRole":
            assert statement["Principal"] == {"Service": "logs.amazonaws.com"}
            assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}
        else:
            assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
        assert "ManagedPolicyArns" not in role


def test_a_function_is_invoked_by_this_accounts_sources_alone(resources):
    permissions = of_type(resources, "AWS::Lambda::Permission")
    assert permissions
    for name, permission in permissions.items():
        if permission["FunctionName"] == {"Ref": "RespondFunction"}:
            continue  # the public entrance: see below
        assert permission["Action"] == "lambda:InvokeFunction"
        assert permission["Principal"].endswith(".amazonaws.com"), name
        source = permission["SourceArn"]
        ours = "Ref" in source or "Fn::GetAtt" in source if isinstance(source, dict) else True
        assert ours or "${AWS::AccountId}" in source["Fn::Sub"], name
        if isinstance(source, str):
            assert ":123456789012:" in source, name


def test_without_actions_from_slack_there_is_no_public_entrance(by_default):
    assert not of_type(by_default, "AWS::Lambda::Url")
    assert not [name for name in by_default if "Respond" in name]


def test_with_actions_from_slack_there_is_one_public_entrance_by_its_url_alone(with_key):
    (url,) = of_type(with_key, "AWS::Lambda::Url").values()
    assert url == {"AuthType": "NONE", "TargetFunctionArn": {"Ref": "RespondFunction"}}
    public = [
        each for each in of_type(with_key, "AWS::Lambda::Permission").values() if each["Principal"] == "*"
    ]
    assert len(public) == 2
    for each in public:
        assert each["FunctionName"] == {"Ref": "RespondFunction"}
        assert each.get("FunctionUrlAuthType") == "NONE" or each.get("InvokedViaFunctionUrl") is True


def test_the_public_function_changes_no_incident_and_its_copies_are_few(with_key):
    function = of_type(with_key, "AWS::Lambda::Function")["RespondFunction"]
    assert function["ReservedConcurrentExecutions"] == 5
    able = [each for role, each in role_statements(with_key) if role == "RespondRole"]
    writes = [each for each in able if "dynamodb:PutItem" in listed(each["Action"])]
    assert [each["Condition"] for each in writes] == [
        {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["A#@action", "SILENCE", "SEEN"]}}
    ]
    actions = {action for each in able for action in listed(each["Action"])}
    assert not actions & {"dynamodb:UpdateItem", "dynamodb:DeleteItem", "sns:Publish", "sqs:SendMessage"}


def test_only_the_named_queues_can_be_redriven_and_only_to_the_named_ones(with_key):
    able = {}
    for role, statement in role_statements(with_key):
        for action in listed(statement["Action"]):
            names = [
                json.dumps(each).rpartition(":")[2].strip('"}') for each in listed(statement["Resource"])
            ]
            able.setdefault((role, action), []).extend(names)
    dead = ["billing-dlq.fifo", "worker-dlq"]
    for action in ("StartMessageMoveTask", "ListMessageMoveTasks", "ReceiveMessage", "DeleteMessage"):
        assert sorted(able["ReconcileRole", f"sqs:{action}"]) == dead, action
    assert able["ReconcileRole", "sqs:SendMessage"] == ["worker"]
    assert sorted(able["RespondRole", "sqs:GetQueueAttributes"]) == dead
    assert sorted(able["RespondRole", "sqs:GetQueueUrl"]) == dead
    assert not [role for role, action in able if "MessageMove" in action and role != "ReconcileRole"]


def test_by_default_nothing_can_be_redriven(by_default):
    assert "MessageMove" not in json.dumps(by_default)


# ---------------------------------------------------------- who may speak to topics and queues


def test_topics_and_queues_admit_services_in_this_accounts_name_and_nobody_else(resources):
    admitted = [statement for _, statement in policies(resources) if statement["Effect"] == "Allow"]
    assert admitted
    for statement in admitted:
        assert list(statement["Principal"]) == ["Service"], statement["Sid"]
        assert statement["Action"] in ("sns:Publish", "sqs:SendMessage")
        conditions = {key for each in statement["Condition"].values() for key in each}
        assert conditions & {"aws:SourceAccount", "aws:SourceArn"}, statement["Sid"]


def test_every_topic_refuses_plain_http_from_publishers_and_towards_subscribers(resources):
    refused = {}
    for topics, statement in resource_statements(resources, "AWS::SNS::TopicPolicy", "Topics"):
        if statement["Effect"] == "Deny" and statement["Principal"] == "*":
            for topic in topics:
                assert name_of(statement["Resource"]) == topic
                refused.setdefault(topic, {})[statement["Action"]] = statement["Condition"]
    assert refused == {
        topic: {
            "sns:Publish": {"Bool": {"aws:SecureTransport": False}},
            "sns:Subscribe": {"StringEquals": {"sns:Protocol": "http"}},
        }
        for topic in of_type(resources, "AWS::SNS::Topic")
    }


def test_every_queue_refuses_whatever_comes_by_plain_http(resources):
    refused = {
        name_of(resource)
        for _, statement in resource_statements(resources, "AWS::SQS::QueuePolicy", "Queues")
        if statement["Effect"] == "Deny"
        and (statement["Principal"], statement["Action"]) == ("*", "sqs:*")
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": False}}
        for resource in listed(statement["Resource"])
    }
    assert refused == set(of_type(resources, "AWS::SQS::Queue"))


def test_a_wildcard_action_stands_only_where_it_refuses(resources):
    for _, statement in policies(resources):
        assert statement["Effect"] == "Deny" or "*" not in json.dumps(statement["Action"])


# -------------------------------------------------------------------- encryption at rest


def test_with_a_key_everything_that_is_stored_is_encrypted_with_it(with_key):
    keys = {
        **{name: each.get("KmsMasterKeyId") for name, each in of_type(with_key, "AWS::SNS::Topic").items()},
        **{name: each.get("KmsMasterKeyId") for name, each in of_type(with_key, "AWS::SQS::Queue").items()},
        **{name: each.get("KmsKeyId") for name, each in of_type(with_key, "AWS::Logs::LogGroup").items()},
        **{
            name: each["SSESpecification"].get("KMSMasterKeyId")
            for name, each in of_type(with_key, "AWS::DynamoDB::Table").items()
        },
    }
    assert len(keys) >= 10
    assert set(keys.values()) == {KEY}, keys
    # SQS refuses a queue with both.
    assert {
        json.dumps(each.get("SqsManagedSseEnabled")) for each in of_type(with_key, "AWS::SQS::Queue").values()
    } <= {"null", '{"Ref": "AWS::NoValue"}'}


def test_without_a_key_aws_encrypts_with_its_own_wherever_alarms_can_still_publish(by_default):
    assert all(
        each["SqsManagedSseEnabled"] is True for each in of_type(by_default, "AWS::SQS::Queue").values()
    )
    (table,) = of_type(by_default, "AWS::DynamoDB::Table").values()
    assert (table["SSESpecification"]["SSEEnabled"], table["SSESpecification"]["SSEType"]) == (True, "KMS")
    topics = of_type(by_default, "AWS::SNS::Topic")
    with_awss_key = {name for name, each in topics.items() if each.get("KmsMasterKeyId") == "alias/aws/sns"}
    heard_by_alarms = {
        name_of(statement["Resource"])
        for _, statement in resource_statements(by_default, "AWS::SNS::TopicPolicy", "Topics")
        if statement["Effect"] == "Allow" and statement["Principal"] == {"Service": CLOUDWATCH}
    }
    # alias/aws/sns admits no service: an alarm that publishes there fails in silence.
    assert with_awss_key | heard_by_alarms == set(topics)
    assert not with_awss_key & heard_by_alarms


def test_an_alarm_acts_only_on_topics_that_admit_alarms(resources):
    admitting = {
        name_of(statement["Resource"])
        for _, statement in resource_statements(resources, "AWS::SNS::TopicPolicy", "Topics")
        if statement["Effect"] == "Allow" and statement["Principal"] == {"Service": CLOUDWATCH}
    }
    for name, alarm in of_type(resources, "AWS::CloudWatch::Alarm").items():
        for action in (*alarm["AlarmActions"], *alarm["OKActions"]):
            assert name_of(action) in admitting, name


@pytest.mark.parametrize("which", ["with everything", "with a stream of its own"])
def test_with_a_key_each_role_may_use_it_in_the_name_of_the_services_it_calls_and_of_no_other(which):
    resources = translated(which)["Resources"]
    encrypted = {"dynamodb", "sns", "sqs", "kinesis"}  # an existing stream's key may be this one too
    via, calls = {}, {}
    for role, statement in role_statements(resources):
        if statement["Sid"] == "UseTheKey":
            assert statement["Resource"] == KEY
            assert list(statement["Condition"]) == ["StringEquals"]
            via[role] = {
                host.partition(".")[0]
                for host in statement["Condition"]["StringEquals"]["kms:ViaService"]
                if host != {"Ref": "AWS::NoValue"}
            }
        elif statement["Sid"] not in READS_MORE | OF_OTHERS:  # a queue's attributes are not encrypted
            services = {action.partition(":")[0] for action in listed(statement["Action"])}
            calls.setdefault(role, set()).update(services & encrypted)
    assert via == calls


def test_a_stream_with_a_key_of_its_own_can_be_read_and_written_and_nothing_else_uses_that_key():
    key = KEY.replace("1234abcd", "5678abcd")
    resources = translated_with({"KinesisStreamArn": STREAM, "KinesisStreamKeyArn": key})["Resources"]
    allowed = {
        role: statement
        for role, statement in role_statements(resources)
        if key in json.dumps(statement["Resource"])
    }
    assert {role: each["Action"] for role, each in allowed.items()} == {
        "DetectRole": "kms:Decrypt", "LogsToStreamRole": "kms:GenerateDataKey",
    }  # fmt: skip
    for each in allowed.values():
        assert "kinesis." in json.dumps(each["Condition"]["StringEquals"]["kms:ViaService"])


def test_without_a_key_no_role_may_use_one(by_default):
    assert not [each for _, each in role_statements(by_default) if "kms:" in json.dumps(each["Action"])]


def test_a_stream_of_its_own_is_encrypted_with_the_key_or_with_awss(by_default):
    with_key = of_type(translated("with a stream of its own")["Resources"], "AWS::Kinesis::Stream")
    assert [each["StreamEncryption"]["KeyId"] for each in with_key.values()] == [KEY]
    for each in of_type(by_default, "AWS::Kinesis::Stream").values():
        assert each["StreamEncryption"]["KeyId"] == "alias/aws/kinesis"


# ------------------------------------------------------------- logs, secrets, runaway cost


def test_every_log_group_forgets_and_every_function_writes_to_one_of_them(resources):
    groups = of_type(resources, "AWS::Logs::LogGroup")
    assert all(isinstance(each["RetentionInDays"], int) for each in groups.values())
    for name, function in of_type(resources, "AWS::Lambda::Function").items():
        assert name_of(function["LoggingConfig"]["LogGroup"]) in groups, name


def test_no_environment_variable_holds_a_secret(resources):
    for name, function in of_type(resources, "AWS::Lambda::Function").items():
        variables = function["Environment"]["Variables"]
        assert "{{resolve:" not in json.dumps(variables), name
        for key, value in variables.items():
            assert not re.search(r"TOKEN|PASSWORD|CREDENTIAL|WEBHOOK|API_KEY", key), (name, key)
            if isinstance(value, str):
                assert redact(value) == value, (name, key)
    assert (
        of_type(resources, "AWS::Lambda::Function")["NotifyFunction"]["Environment"]["Variables"][
            "TOCSIN_SLACK_SECRET"
        ]
        == "tocsin/slack"
    )  # a name


def test_what_each_function_can_cost_at_once_is_bounded(with_key, by_default):
    functions = of_type(with_key, "AWS::Lambda::Function")
    assert int(functions["DetectFunction"]["ReservedConcurrentExecutions"]) == 10
    (queue,) = [
        source
        for source in of_type(with_key, "AWS::Lambda::EventSourceMapping").values()
        if name_of(source["FunctionName"]) == "NotifyFunction"
    ]
    assert queue["ScalingConfig"] == {"MaximumConcurrency": 2}
    (schedule,) = [
        rule["ScheduleExpression"]
        for rule in of_type(with_key, "AWS::Events::Rule").values()
        if "ScheduleExpression" in rule
    ]
    assert schedule == "rate(1 minute)"
    assert functions["ReconcileFunction"]["Timeout"] < 60  # so that no two of a schedule overlap
    invocations = of_type(with_key, "AWS::Lambda::EventInvokeConfig")
    assert {name_of(each["FunctionName"]) for each in invocations.values()} == {
        "DetectFunction",
        "ReconcileFunction",
    }
    assert all(each["MaximumRetryAttempts"] <= 2 for each in invocations.values())
    # A new account has ten unreserved executions and may give none away: reserving one would fail the deploy.
    reserved = of_type(by_default, "AWS::Lambda::Function")["DetectFunction"].get(
        "ReservedConcurrentExecutions"
    )
    assert reserved in (None, {"Ref": "AWS::NoValue"})


# -------------------------------------------------------------------------- exemptions


def exemptions():
    for name, definition in yaml_parse((ROOT / "template.yaml").read_text())["Resources"].items():
        if isinstance(definition, dict):
            for each in definition.get("Metadata", {}).get("checkov", {}).get("skip", []):
                yield name, each["id"], each["comment"]


def test_checkov_is_told_of_exemptions_on_functions_alone_and_each_has_its_reason():
    given = {(name, number) for name, number, _ in exemptions()}
    assert given - {("RespondFunction", "CKV_AWS_258")} == {
        (function, number)
        for function in ("DetectFunction", "ReconcileFunction", "NotifyFunction", "RespondFunction")
        for number in ("CKV_AWS_115", "CKV_AWS_116", "CKV_AWS_117", "CKV_AWS_173")
    }
    for name, number, comment in exemptions():
        assert len(comment) > 25, (name, number)


def test_the_page_on_security_names_every_exemption_and_a_key_policy_that_admits_who_must_use_the_key():
    page = (ROOT / "docs" / "security.md").read_text()
    for _, number, _ in exemptions():
        assert number in page
    policy = json.loads(re.search(r"```json\n(.*?)```", page, re.DOTALL)[1])
    admitted = {
        service: set(listed(statement["Action"]))
        for statement in policy["Statement"]
        for service in listed(statement["Principal"].get("Service", []))
    }
    for service in (CLOUDWATCH, "sns.amazonaws.com", "events.amazonaws.com"):
        assert {"kms:Decrypt", "kms:GenerateDataKey*"} <= admitted[service]
    assert {"kms:Encrypt*", "kms:Decrypt*", "kms:GenerateDataKey*"} <= admitted[
        "logs.us-east-1.amazonaws.com"
    ]
    for statement in policy["Statement"]:
        if statement["Principal"].get("Service") == "events.amazonaws.com":
            assert "Condition" not in statement, (
                "EventBridge sends KMS nothing that a condition could compare"
            )
        else:
            assert "events.amazonaws.com" not in listed(statement["Principal"].get("Service", []))
            assert "Condition" in statement or list(statement["Principal"]) == ["AWS"]
