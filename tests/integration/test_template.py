"""What template.yaml promises: read as text and as data, and deployed onto the embedded cloud."""

from __future__ import annotations

import base64
import json
import re
import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from samtranslator.yaml_helper import yaml_parse

from benchmarks.batches import batch
from tocsin.adapters.aws import error_table, incident_table
from tocsin.core.times import parse_duration
from tocsin_cli.fake_slack.server import LocalSlack
from tocsin_cli.local_aws.cloud import CloudError, Deployment, EmbeddedCloud, Watched, packaged

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "template.yaml").read_text()


def with_topics_of_its_own(value):
    """The template with its choices between a topic of the stack's own and an existing one made."""
    if isinstance(value, dict):
        choice = value.get("Fn::If")
        if choice and str(choice[0]).startswith("Owns") and str(choice[0]).endswith("Topic"):
            return with_topics_of_its_own(choice[1])
        return {key: with_topics_of_its_own(each) for key, each in value.items()}
    return [with_topics_of_its_own(each) for each in value] if isinstance(value, list) else value


TEMPLATE = with_topics_of_its_own(yaml_parse(TEXT))
PARAMETERS = TEMPLATE["Parameters"]
DURATIONS = (
    "GroupWait",
    "GroupInterval",
    "RepeatInterval",
    "ResolveAfter",
    "MaxResolveAfter",
    "RegressWithin",
    "DigestInterval",
    "ErrorsLearning",
)


def unrolled():
    """All resources by logical id; those inside a loop under the id as it is written there."""
    for name, definition in TEMPLATE["Resources"].items():
        if name.startswith("Fn::ForEach::"):
            yield from definition[2].items()
        else:
            yield name, definition


RESOURCES = dict(unrolled())


def of_type(kind):
    return {name: each for name, each in RESOURCES.items() if each["Type"] == kind}


FUNCTIONS = of_type("AWS::Serverless::Function")
ROLES = of_type("AWS::IAM::Role")
ALARMS = of_type("AWS::CloudWatch::Alarm")
ABOUT_TOCSIN = {
    name: alarm for name, alarm in ALARMS.items() if alarm["Properties"]["AlarmActions"] != [{"Ref": "AlarmTopic"}]
}  # fmt: skip


def statements():
    for name, role in ROLES.items():
        for policy in role["Properties"]["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement["Fn::If"][1] if "Fn::If" in statement else statement
    for policy in of_type("AWS::IAM::Policy").values():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            for role in policy["Properties"]["Roles"]:
                yield role["Ref"], statement


def accepts(parameter, value):
    return re.search(PARAMETERS[parameter]["AllowedPattern"], value) is not None


def listed(value):
    return value if isinstance(value, list) else [value]


# ------------------------------------------------------------------ parameters


def test_every_parameter_is_described_defaulted_labelled_and_in_one_group():
    interface = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(PARAMETERS)
    assert sorted(interface["ParameterLabels"]) == sorted(PARAMETERS)
    for name, parameter in PARAMETERS.items():
        assert len(parameter["Description"]) > 20, name
        assert "Default" in parameter, name


def test_every_default_satisfies_its_own_parameter():
    for name, parameter in PARAMETERS.items():
        values = (
            str(parameter["Default"]).split(",")
            if parameter["Type"] == "CommaDelimitedList"
            else [parameter["Default"]]
        )
        for value in values:
            assert "AllowedPattern" not in parameter or accepts(name, value), (name, value)
            assert value in parameter.get("AllowedValues", [value]), (name, value)


@pytest.mark.parametrize("name", ["/tocsin/prod/detect", "/tocsin/", "/tocsin/prod/notify"])
def test_own_log_groups_are_refused_as_log_groups_to_watch(name):
    assert not accepts("LogGroupNames", name)


@pytest.mark.parametrize(
    "name", ["/aws/lambda/backend", "backend", "/aws/lambda/tocsin/x", "API-Gateway-Execution-Logs_a/b", ""]
)
def test_other_log_groups_are_accepted(name):
    assert accepts("LogGroupNames", name)


@pytest.mark.parametrize(
    "credential", ["xoxb-1234-abcd", "https://hooks.slack.com/services/T0/B0/x", '{"bot_token": "x"}']
)
def test_a_slack_credential_is_refused_where_its_secrets_name_belongs(credential):
    assert not accepts("SlackSecretName", credential)
    assert not accepts("MoreSlackSecretNames", credential)


@pytest.mark.parametrize("parameter", DURATIONS)
@given(text=st.from_regex(r"[0-9.]{0,4}(ms|s|m|h|d|x| )?", fullmatch=True))
def test_a_duration_parameter_accepts_exactly_what_the_configuration_reads(parameter, text):
    try:
        parse_duration(text)
    except ValueError:
        readable = text == ""  # empty means: what tocsin.toml says
    else:
        readable = " " not in text  # the configuration forgives spaces around, the template does not
    assert accepts(parameter, text) == readable


def test_no_parameter_takes_a_secret_value():
    assert not [name for name, parameter in PARAMETERS.items() if parameter.get("NoEcho")]
    assert (
        "{{resolve:" not in TEXT
    )  # a dynamic reference would put the value into the function's configuration


# ------------------------------------------------------------- least privilege


READS_MORE = {
    "LookAtDeadLetterQueues": "the queue is known from its alarm only; any queue of this account and Region, attributes only",
    "HowOldIsTheOldestMessage": "CloudWatch knows no resource for reading metrics",
}
"""Statements that read from more than one thing, and why."""


def test_no_statement_allows_an_action_by_wildcard_or_on_everything():
    for role, statement in statements():
        assert statement["Effect"] == "Allow"
        assert not [action for action in listed(statement["Action"]) if "*" in action], (
            role,
            statement["Sid"],
        )
        if statement["Sid"] not in READS_MORE:
            assert "*" not in json.dumps(statement["Resource"]), (role, statement["Sid"])


def test_the_only_open_place_in_a_resource_is_the_suffix_secrets_manager_adds():
    with_blanks = [
        statement["Sid"] for _, statement in statements() if "?" in json.dumps(statement["Resource"])
    ]
    assert sorted(with_blanks) == ["ReadAnotherSlackCredential", *["ReadTheSlackCredential"] * 2]


def test_every_statement_gives_its_reason_beside_it():
    sids = re.findall(r"^ *- (?:!If\n.*\n *- )?Sid: (.*)$|^ *- Sid: (.*)$", TEXT, re.MULTILINE)
    lines = ["".join(found) for found in sids]
    assert len(lines) == len(re.findall(r"\bSid:", TEXT))
    for line in lines:
        assert re.fullmatch(r"\w+ # .{10,}", line), line


def test_no_function_but_those_that_speak_with_slack_reads_the_secret_and_they_cannot_publish():
    able = {
        role: {action for name, each in statements() if name == role for action in listed(each["Action"])}
        for role in ROLES
    }
    assert [role for role, actions in able.items() if "secretsmanager:GetSecretValue" in actions] == [
        "NotifyRole",
        "RespondRole",
    ]
    assert [role for role, actions in able.items() if "sns:Publish" in actions] == [
        "DetectRole",
        "ReconcileRole",
    ]
    assert "sqs:ChangeMessageVisibility" in able["NotifyRole"]


CALLS = {
    "DetectRole": (
        "aws/incident_table",
        "aws/sns",
        "aws/failure_queue",
        "aws/heartbeat_record",
        "aws/queue_depth",
    ),
    "ReconcileRole": (
        "aws/incident_table",
        "aws/sns",
        "aws/heartbeat_log",
        "aws/queue_depth",
        "aws/message_moves",
    ),
    "NotifyRole": ("aws/delivery_table", "aws/notify_queue", "slack/credentials", "aws/heartbeat_record"),
}
"""The adapters each function is wired with."""

BY_THE_PLATFORM = {
    "DetectRole": {
        "sqs:SendMessage",
        "kinesis:*",
        "kms:Decrypt",
    },  # on-failure destination; event source and its key
    # SQS moves messages in the name of who asked for it.
    "ReconcileRole": {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:SendMessage"},
    "NotifyRole": {
        *("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),  # event source
        "kms:Decrypt",  # Secrets Manager
    },
}
"""What Lambda itself does in a function's name, beside writing its log."""

NEVER = {"DetectRole": {"dynamodb:Scan"}}
"""What the adapters could call, and a function does not; test_least_privilege.py sees its calls."""

ACTIONS = {
    "put_item": "dynamodb:PutItem",
    "get_item": "dynamodb:GetItem",
    "update_item": "dynamodb:UpdateItem",
    "delete_item": "dynamodb:DeleteItem",
    "query": "dynamodb:Query",
    "scan": "dynamodb:Scan",
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
    "send_message": "sqs:SendMessage",
    "get_queue_url": "sqs:GetQueueUrl",
    "get_queue_attributes": "sqs:GetQueueAttributes",
    "get_metric_statistics": "cloudwatch:GetMetricStatistics",
    "start_message_move_task": "sqs:StartMessageMoveTask",
    "list_message_move_tasks": "sqs:ListMessageMoveTasks",
    "change_message_visibility": "sqs:ChangeMessageVisibility",
    "publish": "sns:Publish",
    "get_secret_value": "secretsmanager:GetSecretValue",
    "put_log_events": "logs:PutLogEvents",
    "create_log_stream": "logs:CreateLogStream",
}


def called(adapter):
    source = (ROOT / "functions" / "tocsin" / "adapters" / f"{adapter}.py").read_text()
    calls = set(re.findall(r"(?:_client|_sqs|cloudwatch)\.([a-z_]+)\(", source)) - {
        "get_paginator",
        "transact_write_items",
    }
    calls |= set(re.findall(r"get_paginator\(\"(\w+)\"\)", source))
    calls |= set(re.findall(r"\"(Put|Update|Delete|ConditionCheck)\": ", source))
    return {ACTIONS[call] for call in calls}


@pytest.mark.parametrize("role", sorted(CALLS))
def test_a_role_allows_what_its_function_calls_and_nothing_else(role):
    granted = {
        action
        for name, each in statements()
        if name == role and each["Sid"] != "UseTheKey"  # test_template_security.py
        for action in listed(each["Action"])
    }
    needed = set().union(*map(called, CALLS[role])) - NEVER.get(role, set())
    assert needed <= granted
    services = {action.partition(":")[0] + ":*" for action in granted} & BY_THE_PLATFORM[role]
    rest = {action for action in granted if action.partition(":")[0] + ":*" not in services}
    assert (
        rest - needed
        == (BY_THE_PLATFORM[role] | {"logs:CreateLogStream", "logs:PutLogEvents"}) - needed - services
    )


@pytest.mark.parametrize("role", ["DetectRole", "ReconcileRole"])
def test_of_the_table_itself_only_silences_and_changes_may_be_listed(role):
    listing = [
        each
        for name, each in statements()
        if name == role and {"dynamodb:Query", "dynamodb:Scan"} & set(listed(each["Action"]))
    ]
    index, *partitions = listing
    assert index["Resource"] == {"Fn::Sub": "${IncidentTable.Arn}/index/due"}
    if role == "DetectRole":  # it forgets the oldest of too many errors
        errors = partitions.pop(0)
        assert errors["Action"] == "dynamodb:Query"
        assert errors["Resource"] == {"Fn::GetAtt": ["IncidentTable", "Arn"]}
        assert errors["Condition"] == {
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{error_table.PREFIX}*"]}
        }
    for each, partition in zip(partitions, (incident_table.SILENCE, incident_table.CHANGE), strict=True):
        assert each["Action"] == "dynamodb:Query"
        assert each["Resource"] == {"Fn::GetAtt": ["IncidentTable", "Arn"]}
        assert each["Condition"] == {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [partition]}}


def test_no_managed_policy_is_attached():
    for role in ROLES.values():
        assert "ManagedPolicyArns" not in role["Properties"]
    for function in FUNCTIONS.values():
        assert "Policies" not in function["Properties"]


def test_who_may_publish_or_invoke_is_bound_to_this_account_or_stack():
    for kind in ("AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy"):
        for name, policy in of_type(kind).items():
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                assert statement["Condition"], name
    for name, permission in of_type("AWS::Lambda::Permission").items():
        assert "SourceArn" in permission["Properties"], name
        principal = permission["Properties"]["Principal"]
        if principal in ("logs.amazonaws.com", "lambda.alarms.cloudwatch.amazonaws.com"):
            assert permission["Properties"]["SourceAccount"] == {"Ref": "AWS::AccountId"}, name


# ------------------------------------------------------------ nothing is lost


def test_each_function_has_its_own_role_and_its_own_log_group_under_the_refused_prefix():
    assert set(FUNCTIONS) == {"DetectFunction", "ReconcileFunction", "NotifyFunction", "RespondFunction"}
    roles = [function["Properties"]["Role"]["Fn::GetAtt"][0] for function in FUNCTIONS.values()]
    assert sorted([*roles, "LogsToStreamRole"]) == sorted(ROLES)  # and one for CloudWatch Logs itself
    for name, function in FUNCTIONS.items():
        log_group = RESOURCES[function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]]["Properties"]
        assert log_group["LogGroupName"] == {
            "Fn::Sub": f"/tocsin/${{AWS::StackName}}/{name.removesuffix('Function').lower()}"
        }
        assert log_group["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    prefix = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]["TOCSIN_OWN_LOG_GROUP_PREFIX"]
    assert prefix == "/tocsin/"


def test_the_queue_to_notify_outlasts_a_day_without_slack():
    queue = RESOURCES["NotifyQueue"]["Properties"]
    longest_delay = 15 * 60
    assert queue["RedrivePolicy"]["maxReceiveCount"] * longest_delay >= 24 * 3600
    assert queue["MessageRetentionPeriod"] >= 4 * 86_400
    assert queue["VisibilityTimeout"] >= 6 * FUNCTIONS["NotifyFunction"]["Properties"]["Timeout"]


def test_notify_answers_per_message_and_its_concurrency_is_bounded():
    source = FUNCTIONS["NotifyFunction"]["Properties"]["Events"]["Notifications"]["Properties"]
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["ScalingConfig"] == {"MaximumConcurrency": 2}


def test_whatever_cannot_be_handed_over_is_kept():
    kept = {"Fn::GetAtt": ["FailureQueue", "Arn"]}
    on_failure = FUNCTIONS["DetectFunction"]["Properties"]["EventInvokeConfig"]["DestinationConfig"][
        "OnFailure"
    ]
    assert on_failure == {"Type": "SQS", "Destination": kept}
    assert RESOURCES["AlarmSubscription"]["Properties"]["RedrivePolicy"] == {"deadLetterTargetArn": kept}
    assert RESOURCES["DetectKinesisSource"]["Properties"]["DestinationConfig"]["OnFailure"] == {
        "Destination": kept
    }
    (target,) = RESOURCES["AlarmRule&{AlarmNamePrefix}"]["Properties"]["Targets"]
    assert target["DeadLetterConfig"] == {"Arn": kept}
    assert RESOURCES["NotifySubscription"]["Properties"]["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": ["NotifyDeadLetterQueue", "Arn"]}
    }


def described(alarm):
    text = ALARMS[alarm]["Properties"]["AlarmDescription"]
    return text["Fn::Sub"] if isinstance(text, dict) else text


def test_every_queue_of_dead_letters_and_every_function_has_an_alarm_that_does_not_go_through_slack():
    watched = set()
    for name, alarm in ABOUT_TOCSIN.items():
        properties = alarm["Properties"]
        assert properties["AlarmActions"] == properties["OKActions"] == [{"Ref": "OpsTopic"}], name
        assert len(described(name)) > 40, name
        if properties.get("Namespace") not in ("AWS/Lambda", "AWS/SQS"):
            continue
        (dimension,) = properties["Dimensions"]
        value = dimension["Value"]
        watched.add((value.get("Ref") or value["Fn::GetAtt"][0], properties["MetricName"]))
    assert {(name, "Errors") for name in FUNCTIONS} <= watched
    assert {
        (name, "ApproximateNumberOfMessagesVisible") for name in ("NotifyDeadLetterQueue", "FailureQueue")
    } <= watched
    assert ("ReconcileFunction", "Invocations") in watched
    assert {
        ("DetectFunction", metric)
        for metric in ("Throttles", "AsyncEventsDropped", "AsyncEventAge", "IteratorAge")
    } <= watched


PAGES = {
    "Notify": "tocsin-delivery-failed.md",
    "Detect": "tocsin-detect-failed.md",
    "Failures": "tocsin-detect-failed.md",
    "DeliveryErrors": "tocsin-detect-failed.md",
    "Reconcile": "tocsin-reconcile-failed.md",
    "Heartbeat": "tocsin-heartbeat-stopped.md",
    "Respond": "tocsin-respond-failed.md",
}


@pytest.mark.parametrize("name", list(ABOUT_TOCSIN))
def test_each_alarm_about_tocsin_names_its_runbook_because_its_e_mail_shows_nothing_else(name):
    (page,) = [page for start, page in PAGES.items() if name.startswith(start)]
    assert described(name).endswith(f" Runbook: {page}")
    assert (ROOT / "runbooks" / page).is_file()


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("NotifyDelayedAlarm", "ApproximateNumberOfMessagesNotVisible"),  # put off by notify
        ("NotifyIdleAlarm", "ApproximateNumberOfMessagesVisible"),  # not even taken
    ],
)
def test_an_outage_of_slack_is_noticed_by_what_waits_and_not_by_its_age(name, metric):
    """The age of the oldest message leaves out what was received three times and not deleted."""
    assert "ApproximateAgeOfOldestMessage" not in str(ABOUT_TOCSIN)
    alarm = ALARMS[name]["Properties"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/SQS", metric)
    assert alarm["Dimensions"] == [
        {"Name": "QueueName", "Value": {"Fn::GetAtt": ["NotifyQueue", "QueueName"]}}
    ]
    assert (alarm["Statistic"], alarm["Period"], alarm["Threshold"]) == ("Maximum", 60, 1)
    assert (alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]) == (10, 9)
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert alarm["TreatMissingData"] == "notBreaching"


def test_a_stream_outlasts_an_outage_because_its_failure_destination_gets_no_data():
    source = RESOURCES["DetectKinesisSource"]["Properties"]
    asynchronous = FUNCTIONS["DetectFunction"]["Properties"]["EventInvokeConfig"]
    assert source["MaximumRetryAttempts"] == -1
    assert source["MaximumRecordAgeInSeconds"] == asynchronous["MaximumEventAgeInSeconds"] == 6 * 3600
    assert source["BisectBatchOnFunctionError"] is True
    # detect answers which records failed; what it answers is in test_stream.
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    # A record that is reported is no error of the function: another alarm has to see it.
    behind = RESOURCES["DetectBehindAlarm"]
    assert behind["Condition"] == RESOURCES["DetectKinesisSource"]["Condition"]
    assert behind["Properties"]["MetricName"] == "IteratorAge"
    assert behind["Properties"]["Threshold"] < source["MaximumRecordAgeInSeconds"] * 1000


def test_the_streams_role_serves_this_accounts_logs_and_only_puts():
    role = ROLES["LogsToStreamRole"]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "logs.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    allowed, _use_the_key, _use_the_streams_key = role["Policies"][0]["PolicyDocument"]["Statement"]
    assert allowed["Action"] == "kinesis:PutRecord"
    read = RESOURCES["DetectKinesisSource"]["Properties"]["EventSourceArn"]
    assert allowed["Resource"] == read


def test_rules_are_admitted_whatever_cloudformation_calls_them():
    """A rule's name has 64 characters at most, so that of a long stack's name only a part is in it."""
    rules = {"Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/*"}
    assert RESOURCES["AlarmRulesPermission"]["Properties"]["SourceArn"] == rules
    (dead_letters,) = [
        statement
        for statement in RESOURCES["FailureQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
        if statement["Principal"] == {"Service": "events.amazonaws.com"}
    ]
    assert dead_letters["Condition"] == {"ArnLike": {"aws:SourceArn": rules}}


def test_a_key_of_ones_own_is_used_for_the_secret_alone_and_only_if_it_is_named():
    found = {
        role: statement
        for role, statement in statements()
        if statement["Action"] == "kms:Decrypt" and "SecretKey" in json.dumps(statement)
    }
    assert list(found) == ["NotifyRole", "RespondRole"]
    for role, statement in found.items():
        *_, optional = ROLES[role]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
        assert optional == {"Fn::If": ["HasSecretKey", statement, {"Ref": "AWS::NoValue"}]}
        assert statement["Resource"] == {"Ref": "SlackSecretKeyArn"}
        assert statement["Condition"] == {
            "StringEquals": {"kms:ViaService": {"Fn::Sub": "secretsmanager.${AWS::Region}.${AWS::URLSuffix}"}}
        }


@pytest.mark.parametrize("parameter", ["SlackSecretKeyArn", "KmsKeyArn"])
@pytest.mark.parametrize(
    ("arn", "accepted"),
    [
        ("", True), ("arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab", True),
        ("arn:aws:kms:eu-west-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab", True),
        ("arn:aws:kms:eu-west-1:123456789012:alias/mine", False), ("alias/mine", False), ("*", False),
        ("arn:aws:kms:eu-west-1:123456789012:key/*", False),
    ],
)  # fmt: skip
def test_a_key_is_given_by_its_arn(parameter, arn, accepted):
    assert accepts(parameter, arn) is accepted


def test_own_alarms_are_not_told_through_slack():
    subscription = RESOURCES["NotifySubscription"]["Properties"]
    assert subscription["FilterPolicy"] == {"reason": [{"exists": True}]}
    assert subscription["FilterPolicyScope"] == "MessageAttributes"
    assert subscription["RawMessageDelivery"] is True


def test_what_cloudwatch_logs_could_not_hand_over_is_told_by_the_name_of_the_filter_alone():
    """No document gives the values of the metric's dimension DestinationType: an alarm that names one may never fire."""
    alarm = RESOURCES["DeliveryErrorsAlarm"]["Properties"]
    subscription = RESOURCES["LogsSubscription&{LogGroupName}"]["Properties"]
    assert "DestinationType" not in json.dumps(RESOURCES)
    (metric,) = alarm["Metrics"]
    name = subscription["FilterName"]["Fn::Sub"]
    assert metric["Expression"] == {
        "Fn::Sub": f"SELECT SUM(DeliveryErrors) FROM \"AWS/Logs\" WHERE FilterName = '{name}'"
    }
    assert alarm["TreatMissingData"] == "notBreaching"


def test_what_sends_to_detect_is_made_after_detect_may_be_invoked_and_failures_may_be_kept():
    """A new alarm says OK within seconds; what cannot be handed over then lands in the failure queue."""
    senders = {"AlarmSubscription": "AlarmTopicPermission", "AlarmRule&{AlarmNamePrefix}": "AlarmRulesPermission",
               "StackChangesRule": "AlarmRulesPermission", "FunctionChangesRule": "AlarmRulesPermission"}  # fmt: skip
    for name, permission in senders.items():
        assert set(RESOURCES[name]["DependsOn"]) == {permission, "FailureQueuePolicy"}, name
    rules = {name for name in of_type("AWS::Events::Rule") if "Schedule" not in name}
    assert rules | {"AlarmSubscription"} == set(senders)


def test_the_heartbeat_has_one_writer_one_listener_and_a_log_group_under_the_refused_prefix():
    group = RESOURCES["HeartbeatLogGroup"]["Properties"]
    assert group["LogGroupName"] == {"Fn::Sub": "/tocsin/${AWS::StackName}/heartbeat"}
    writers = [role for role, each in statements() if "HeartbeatLogGroup" in json.dumps(each["Resource"])]
    assert writers == ["ReconcileRole"]
    (subscription,) = [
        each["Properties"]
        for each in of_type("AWS::Logs::SubscriptionFilter").values()
        if each["Properties"]["LogGroupName"] == {"Ref": "HeartbeatLogGroup"}
    ]
    watched = RESOURCES["LogsSubscription&{LogGroupName}"]["Properties"]
    assert watched["DestinationArn"]["Fn::If"][0] == "OwnsStream"
    for way in ("DestinationArn", "RoleArn"):
        # Through the stream wherever one is read, the stack's own or one that was there before.
        assert subscription[way]["Fn::If"][0] == "ReadsKinesis"
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["TOCSIN_HEARTBEAT_LOG_GROUP"] == {
        "Fn::If": ["WritesHeartbeat", {"Ref": "HeartbeatLogGroup"}, ""]
    }


def test_nobody_but_notify_hears_the_heartbeat_and_only_a_notify_that_knows_it():
    heard = [
        each
        for each in of_type("AWS::SNS::Subscription").values()
        if each["Properties"]["TopicArn"] == {"Ref": "HeartbeatTopic"}
    ]
    assert [each["Properties"]["Protocol"] for each in heard] == ["sqs"]
    assert "NotifyFunction" in heard[0]["DependsOn"]


def test_whoever_is_told_by_e_mail_hears_alerts_and_what_is_wrong_with_tocsin():
    for name, topic in (("OperatorSubscription", "AlertsTopic"), ("OpsSubscription", "OpsTopic")):
        assert RESOURCES[name]["Condition"] == "HasOperator"
        told = {"TopicArn": {"Ref": topic}, "Protocol": "email", "Endpoint": {"Ref": "OperatorEmail"}}
        assert told.items() <= RESOURCES[name]["Properties"].items()
    assert "FilterPolicy" not in RESOURCES["OperatorSubscription"]["Properties"]
    assert TEMPLATE["Outputs"]["OpsTopicArn"]["Value"] == {"Ref": "OpsTopic"}


# ----------------------------------------------------------------- the sources


def test_the_depth_alarm_measures_what_lies_in_the_queue_and_takes_silence_for_emptiness():
    alarm = RESOURCES["DlqDepth&{QueueName}"]["Properties"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/SQS", "ApproximateNumberOfMessagesVisible")
    assert (alarm["Statistic"], alarm["Period"], alarm["Threshold"]) == ("Maximum", 60, 1)
    assert (alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]) == (1, 1)
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert alarm["TreatMissingData"] == "notBreaching"
    assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopic"}]


def test_the_event_rule_takes_state_changes_and_no_edits():
    pattern = RESOURCES["AlarmRule&{AlarmNamePrefix}"]["Properties"]["EventPattern"]
    assert pattern["detail-type"] == [
        "CloudWatch Alarm State Change",
        "CloudWatch Alarm Contributor State Change",
    ]


def test_no_resource_of_a_loop_is_referred_to():
    # CloudFormation replaces &{...} in logical ids only: a reference to one would not deploy.
    without_ids = re.sub(r"^ *- ?\w*&\{\w+\}:|^ *\w+&\{\w+\}:", "", TEXT, flags=re.MULTILINE)
    without_comments = re.sub(r"#.*", "", without_ids)
    assert "&{" not in without_comments


def test_the_table_keeps_and_forgets_as_it_should():
    table = RESOURCES["IncidentTable"]["Properties"]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"]["SSEEnabled"] is True


# --------------------------------------------------------------- the functions


def test_the_functions_read_no_variable_that_the_template_does_not_set():
    given = set(TEMPLATE["Globals"]["Function"]["Environment"]["Variables"])
    for function in FUNCTIONS.values():
        given |= set(function["Properties"].get("Environment", {}).get("Variables", {}))
    shipped = [
        path for path in (ROOT / "functions").rglob("*.py") if path.name != "lambda_package.py"
    ]  # the build
    source = "\n".join(path.read_text() for path in shipped)
    read = set(re.findall(r"\bTOCSIN_[A-Z_]+[A-Z]\b", source))
    assert read - given - {"TOCSIN_DRY_RUN", "TOCSIN_ARCHITECTURE"} == set()  # by hand; for the build


def test_one_package_runs_on_the_architecture_that_is_a_parameter():
    functions = TEMPLATE["Globals"]["Function"]
    assert functions["Runtime"] == "python3.13"
    assert functions["Architectures"] == [{"Ref": "Architecture"}]
    assert PARAMETERS["Architecture"]["Default"] == "arm64"
    assert {name for name, each in FUNCTIONS.items() if each["Metadata"]["BuildMethod"] == "makefile"} == set(
        FUNCTIONS
    )


def test_boto3_does_not_ship_and_what_ships_is_what_the_project_declares():
    shipped = {
        requirement.name: requirement
        for line in (ROOT / "functions" / "requirements.txt").read_text().splitlines()
        if line and not line.startswith("#")
        for requirement in [Requirement(line)]
    }
    declared = {
        requirement.name: requirement
        for requirement in map(
            Requirement, tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
        )
    }
    assert not {"boto3", "botocore", "s3transfer"} & set(shipped)
    assert set(shipped) <= set(declared), "the command runs with what the functions run with"
    for name, requirement in shipped.items():
        (pin,) = requirement.specifier
        assert pin.operator == "==", name
        assert declared[name].specifier.contains(pin.version), name


def test_packaging_refuses_a_template_that_does_not_say_where_its_code_is(tmp_path):
    (tmp_path / "template.yaml").write_text("Resources: {}")
    with pytest.raises(CloudError, match="CodeUri"):
        packaged(tmp_path / "template.yaml", "s3://bucket/key")


# -------------------------------------------------------------------- deployed


@pytest.mark.cloud
def test_it_deploys_next_to_log_groups_and_queues_that_exist(cloud: Deployment):
    logs, cloudwatch = cloud.client("logs"), cloud.client("cloudwatch")
    for log_group in cloud.log_groups.values():
        (subscription,) = logs.describe_subscription_filters(logGroupName=log_group)["subscriptionFilters"]
        assert subscription["destinationArn"] == cloud.outputs["DetectFunctionArn"]
        assert subscription["filterPattern"] == ""
    for service, queue in cloud.dlqs.items():
        (alarm,) = cloudwatch.describe_alarms(AlarmNames=[cloud.dlq_alarm(service)])["MetricAlarms"]
        assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": queue}]
        assert alarm["AlarmActions"] == [cloud.alarm_topic]


@pytest.mark.cloud
def test_the_deployed_functions_write_to_the_log_groups_of_the_stack(cloud: Deployment):
    client = cloud.client("lambda")
    for name, function in cloud.functions.items():
        configuration = client.get_function_configuration(FunctionName=function)
        assert configuration["LoggingConfig"]["LogGroup"] == f"/tocsin/{cloud.stack}/{name}"
        assert configuration["Runtime"] == "python3.13"
        assert configuration["Environment"]["Variables"]["TOCSIN_TABLE"] == cloud.table


@pytest.mark.cloud
def test_the_deployed_index_holds_only_items_that_are_due(cloud: Deployment):
    client = cloud.client("dynamodb")
    for item in (
        {"pk": {"S": "template"}, "sk": {"S": "idle"}},
        {"pk": {"S": "template"}, "sk": {"S": "due"}},
    ):
        due = {"grp": {"S": "template-test"}, "due": {"N": "1"}} if item["sk"]["S"] == "due" else {}
        client.put_item(TableName=cloud.table, Item=item | due)
    try:
        found = client.query(
            TableName=cloud.table,
            IndexName="due",
            KeyConditionExpression="grp = :group",
            ExpressionAttributeValues={":group": {"S": "template-test"}},
        )["Items"]
        assert [item["sk"]["S"] for item in found] == ["due"]
    finally:
        for name in ("idle", "due"):
            client.delete_item(TableName=cloud.table, Key={"pk": {"S": "template"}, "sk": {"S": name}})


@pytest.mark.cloud
def test_what_is_wrong_with_tocsin_reaches_the_ops_topic_and_neither_the_alerts_topic_nor_slack(
    cloud: Deployment, local_slack: LocalSlack, request: pytest.FixtureRequest
):
    sqs, sns, cloudwatch = cloud.client("sqs"), cloud.client("sns"), cloud.client("cloudwatch")

    def listener(topic, name):
        queue = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = f"arn:aws:sqs:{cloud.region}:000000000000:{name}"
        admits = {
            "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn,
        }  # fmt: skip
        policy = json.dumps({"Version": "2012-10-17", "Statement": [admits]})
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
        subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
        request.addfinalizer(lambda: sns.unsubscribe(SubscriptionArn=subscription))
        return queue

    ops = cloud.outputs["OpsTopicArn"]
    on_ops, on_alerts = listener(ops, "hears-ops"), listener(cloud.alerts_topic, "hears-alerts")
    before = local_slack.messages()
    alarms = cloudwatch.describe_alarms()["MetricAlarms"]
    own = [each["AlarmName"] for each in alarms if each["AlarmActions"] == [ops]]
    (dead_letters,) = [name for name in own if "NotifyDeadLetters" in name]
    for state in ("OK", "ALARM"):
        cloudwatch.set_alarm_state(AlarmName=dead_letters, StateValue=state, StateReason="by hand")
    told = sqs.receive_message(QueueUrl=on_ops, MaxNumberOfMessages=10, WaitTimeSeconds=5)["Messages"]
    states = [json.loads(json.loads(message["Body"])["Message"]) for message in told]
    assert {state["AlarmName"] for state in states} == {dead_letters}
    assert "tocsin-delivery-failed.md" in str(states)
    assert "Messages" not in sqs.receive_message(QueueUrl=on_alerts)
    assert local_slack.messages() == before


@pytest.mark.cloud
def test_the_operator_is_mailed_what_fires_and_what_is_over_and_no_first_ok_of_a_new_alarm(cloud: Deployment):
    sns, sqs = cloud.client("sns"), cloud.client("sqs")
    queue = sqs.create_queue(QueueName="the-operators-mail")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    admitted = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [{**admitted, "Resource": arn}]}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    given = RESOURCES["OpsSubscription"]["Properties"]
    topic = sns.create_topic(Name="what-the-operator-hears")["TopicArn"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn,
        Attributes={
            "RawMessageDelivery": "true",
            "FilterPolicy": json.dumps(given["FilterPolicy"]),
            "FilterPolicyScope": given["FilterPolicyScope"],
        },
    )
    states = ("INSUFFICIENT_DATA", "OK", "ALARM")
    changes = [(old, new) for old in states for new in states if old != new]
    for old, new in changes:
        told = {"AlarmName": "tocsin-x", "OldStateValue": old, "NewStateValue": new}
        sns.publish(TopicArn=topic, Message=json.dumps(told))
    received = set()
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=2).get(
        "Messages"
    ):
        bodies = [json.loads(each["Body"]) for each in messages]
        received |= {(each["OldStateValue"], each["NewStateValue"]) for each in bodies}
        for each in messages:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=each["ReceiptHandle"])
    assert received == {change for change in changes if "ALARM" in change}


def test_only_what_carries_a_reason_reaches_notify(cloud: Deployment):
    sns = cloud.client("sns")
    (to_notify,) = [
        each
        for each in sns.list_subscriptions_by_topic(TopicArn=cloud.alerts_topic)["Subscriptions"]
        if each["Protocol"] == "sqs"
    ]
    attributes = sns.get_subscription_attributes(SubscriptionArn=to_notify["SubscriptionArn"])["Attributes"]
    assert json.loads(attributes["FilterPolicy"]) == {"reason": [{"exists": True}]}
    assert attributes["RawMessageDelivery"] == "true"


@pytest.mark.cloud
def test_it_deploys_with_nothing_to_watch_but_a_stream_and_with_an_operator(tmp_path):
    with EmbeddedCloud(ROOT, log=tmp_path / "cloud.log") as embedded:
        stream = "arn:aws:kinesis:us-east-1:000000000000:stream/envelopes"
        embedded.client("kinesis").create_stream(StreamName="envelopes", ShardCount=1)
        deployed = embedded.deploy(
            {"webhook_url": "http://127.0.0.1:9/"},
            Watched({}, {}),
            {
                "AlarmNamePrefixes": "",
                "WatchChanges": "no",
                "KinesisStreamArn": stream,
                "OperatorEmail": "a@example.com",
                "ReservedConcurrency": "5",
                "MoreSlackSecretNames": "team/slack-oncall,slack-data",
                "SlackSecretKeyArn": "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab",
                "KmsKeyArn": embedded.client("kms").create_key()["KeyMetadata"]["Arn"],
            },
        )
        assert (
            embedded.client("cloudwatch").describe_alarms(AlarmNamePrefix="tocsin-dlq-depth")["MetricAlarms"]
            == []
        )
        sources = embedded.client("lambda").list_event_source_mappings(EventSourceArn=stream)[
            "EventSourceMappings"
        ]
        assert [
            (source["MaximumRetryAttempts"], source["MaximumRecordAgeInSeconds"]) for source in sources
        ] == [(-1, 21600)]
        resources = embedded.client("cloudformation").describe_stack_resources(StackName=deployed.stack)
        made = {each["LogicalResourceId"] for each in resources["StackResources"]}
        assert {"ReadSlackSecretteamslackoncall", "ReadSlackSecretslackdata"} <= made
        assert not {"StackChangesRule", "FunctionChangesRule"} & made
        for topic in (deployed.alerts_topic, deployed.outputs["OpsTopicArn"]):
            told = embedded.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
            assert ("email", "a@example.com") in {(each["Protocol"], each["Endpoint"]) for each in told}


@pytest.mark.cloud
def test_with_a_stream_of_its_own_log_groups_are_subscribed_to_it_and_what_is_in_it_is_counted(tmp_path):
    with EmbeddedCloud(ROOT, log=tmp_path / "cloud.log") as embedded:
        deployed = embedded.deploy(
            {"webhook_url": "http://127.0.0.1:9/"},
            Watched({"backend": "/aws/lambda/backend"}, {}),
            {"AlarmNamePrefixes": "", "KinesisShards": "1"},
        )
        (stream,) = embedded.client("kinesis").list_streams()["StreamNames"]
        (subscribed,) = embedded.client("logs").describe_subscription_filters(
            logGroupName="/aws/lambda/backend"
        )["subscriptionFilters"]
        assert subscribed["destinationArn"].endswith(f":stream/{stream}")
        assert ":role/" in subscribed["roleArn"]
        assert subscribed["distribution"] == "Random"
        # MiniStack stores such a subscription and delivers nothing by it, so the envelope is put by hand.
        line = (
            "[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': No module named 'mangum'"
        )
        packed_envelope = base64.b64decode(batch([line])["awslogs"]["data"])
        embedded.client("kinesis").put_record(StreamName=stream, Data=packed_envelope, PartitionKey="1")
        table, deadline = embedded.client("dynamodb"), time.monotonic() + 30
        while time.monotonic() < deadline:
            items = table.scan(TableName=deployed.table)["Items"]
            if any(
                item["pk"]["S"] == "G#backend" for item in items
            ):  # the occurrence count comes a moment before
                break
            time.sleep(0.2)
        assert [item for item in items if item["pk"]["S"] == "G#backend"]


@pytest.mark.cloud
def test_deploying_onto_its_own_log_groups_fails(tmp_path):
    with (
        EmbeddedCloud(ROOT, log=tmp_path / "cloud.log") as embedded,
        pytest.raises(Exception, match="LogGroupNames"),
    ):
        embedded.deploy(
            {"webhook_url": "http://127.0.0.1:9/"}, Watched({"loop": "/tocsin/tocsin/detect"}, {})
        )
