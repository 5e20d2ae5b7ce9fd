"""Least privilege, on the calls that the functions really make: none that a role refuses, no grant for nothing.

Judged twice, by two that know nothing of each other: the embedded cloud's evaluator on every run, PMapper where
`make judge` has installed it.
"""

from __future__ import annotations

import copy
import json

import pytest
from calls_in_our_name import (
    KEY,
    SECRET_KEY,
    STREAM,
    STREAM_KEY,
    of_keys,
    of_lambda,
    of_redrives,
    of_the_stream,
)
from policies import ARNS, resource_statements, role_statements
from policy_judges import (
    JUDGES,
    MiniStackJudge,
    PMapperJudge,
    as_list,
    findings,
    granted,
    is_allowed,
    verdict,
)
from reliability.deployment import Deployment, simulated_aws
from reliability.enumeration import MODES
from reliability.every_grant import every_grant
from reliability.people import ACTS, PeopleStory
from reliability.permissions import LEADING_KEYS, PLACE, Request, recorded_requests
from reliability.scenario import SHORT, Story
from translated_template import translated_with

DEPLOYMENTS = {
    "with what is there by default": {},
    "with everything": {
        "SlackActions": "yes",
        "RedriveQueues": "worker-dlq",
        "RedriveTargets": "worker",
        "MoreSlackSecretNames": "tocsin/team-a",
        "KmsKeyArn": KEY,
        "SlackSecretKeyArn": SECRET_KEY,
        "KinesisStreamArn": STREAM,
        "KinesisStreamKeyArn": STREAM_KEY,
    },
    "with a stream of its own": {"KinesisShards": "2", "KmsKeyArn": KEY},
    "with topics that were there before": {
        f"Existing{name}Arn": ARNS[name] for name in ("AlarmTopic", "AlertsTopic", "OpsTopic")
    },
}
EVERYTHING = "with everything"
NOT_HERE = "PMapper and parliament are not installed here: `make judge` sets them up"

UNUSED = {
    # The documentation gives one list for both keys of a stream; only one of them encrypts it.
    ("logs.amazonaws.com", "UseTheKey", "kms:GenerateDataKey"),
}
"""Grants that nothing needs, and why they stand there."""


@pytest.fixture(scope="module")
def deployments():
    return {
        name: translated_with({"LogGroupNames": "/aws/lambda/backend", **parameters})
        for name, parameters in DEPLOYMENTS.items()
    }


@pytest.fixture(scope="module")
def everything(deployments):
    return role_statements(deployments[EVERYTHING])


@pytest.fixture(scope="module")
def asked():
    """What IAM is asked in a run of the scenario, and of what it does not come to."""
    made = set()
    with simulated_aws():
        for mode in MODES:
            story = Story(Deployment(mode, environment=SHORT))
            story.play()
            made |= story.deployment.wire.asked
        people = PeopleStory(Deployment("people", environment=ACTS))
        people.play()
        made |= people.deployment.wire.asked
        return frozenset(made | every_grant().wire.asked)


@pytest.fixture(params=["MiniStack", "PMapper"])
def judge(request):
    if request.param == "MiniStack":
        return MiniStackJudge()
    if not JUDGES.exists():
        pytest.skip(NOT_HERE)
    return PMapperJudge()


def of_a_deployment(asked, parameters):
    """What is asked where these parameters are given, with what AWS does in our name."""
    acts = "SlackActions" in parameters
    made = {
        each
        for each in asked
        if acts
        or (each.function != "respond" and "team-a" not in each.resource and "MessageMove" not in each.action)
    }
    made.update(of_lambda("detect", "reconcile", "notify", *(["respond"] if acts else [])))
    if "KinesisStreamArn" in parameters or "KinesisShards" in parameters:
        made.update(of_the_stream(parameters.get("KinesisStreamArn", ARNS["EnvelopeStream"])))
    if "KmsKeyArn" in parameters:
        own = "SlackSecretKeyArn" in parameters  # otherwise secrets are encrypted with AWS's key
        made.update(of_keys([each for each in made if own or not each.action.startswith("secretsmanager")]))
    if "RedriveQueues" in parameters:
        made.update(of_redrives("worker-dlq", "worker"))  # queues of others, whose keys are not ours
    return made


@pytest.mark.parametrize("which", DEPLOYMENTS)
def test_no_call_is_refused_by_the_role_of_whoever_makes_it(judge, deployments, asked, which):
    made = of_a_deployment(asked | recorded_requests(), DEPLOYMENTS[which])
    assert len(made) > 50
    assert sorted(verdict(judge, role_statements(deployments[which]), made).denied) == []


@pytest.mark.parametrize("which", DEPLOYMENTS)
def test_every_grant_is_needed_by_a_call_or_named_here_with_its_reason(judge, deployments, asked, which):
    roles = role_statements(deployments[which])
    used = verdict(judge, roles, of_a_deployment(asked, DEPLOYMENTS[which])).used
    assert granted(roles) - used <= UNUSED
    if which == EVERYTHING:
        assert granted(roles) - used == UNUSED  # each reason is of a grant that still stands there


def test_no_failure_needs_a_permission_that_runs_without_one_do_not(asked):
    needed = {(each.function, each.action, each.resource) for each in asked}
    assert {(each.function, each.action, each.resource) for each in recorded_requests()} <= needed


@pytest.mark.skipif(not JUDGES.exists(), reason=NOT_HERE)
def test_aws_knows_every_action_and_takes_the_resource_and_the_condition_that_stand_beside_it(everything):
    assert findings(everything) == []
    wrong = copy.deepcopy(everything["detect"])
    wrong[0]["Action"] = ["logs:PutLogEvent"]
    wrong[2]["Resource"] = ARNS["AlertsTopic"]
    wrong[3]["Condition"] = {"StringEquals": {"dynamodb:LeadingKey": "E"}}
    issues = {issue for _, issue, _ in findings({"detect": wrong})}
    assert issues == {"UNKNOWN_ACTION", "RESOURCE_MISMATCH", "UNKNOWN_CONDITION_FOR_ACTION"}


# ------------------------------------------------------ the judges see what is wrong


def narrowed(roles):
    """The roles, once for each grant without it, and once for each statement about another resource or key."""
    for name, statements in roles.items():
        for position, statement in enumerate(statements):
            for action in as_list(statement["Action"]):
                rest = [each for each in as_list(statement["Action"]) if each != action]
                yield name, action, position, {"Action": rest or ["none:None"]}
            first = as_list(statement["Action"])[0]
            if statement["Resource"] != "*":
                elsewhere = [each + "x" for each in as_list(statement["Resource"])]
                yield name, first, position, {"Resource": elsewhere}
            if "Condition" in statement:
                text = json.dumps(statement["Condition"])
                for operator, keys in json.loads(text).items():
                    other = {operator: {key: ["another"] for key in keys}}
                    yield name, first, position, {"Condition": other}


def test_a_role_without_any_one_of_its_grants_is_seen_to_be_too_narrow(judge, everything, asked):
    made = sorted(of_a_deployment(asked, DEPLOYMENTS[EVERYTHING]))
    unseen = []
    for name, action, position, change in narrowed(everything):
        if (name, everything[name][position]["Sid"], action) in UNUSED:
            continue
        statements = copy.deepcopy(everything[name])
        statements[position].update(change)
        mine = [each for each in made if each.function == name and each.action == action]
        if not verdict(judge, {name: statements}, mine).denied:
            unseen.append((name, everything[name][position]["Sid"], change))
    assert unseen == []


@pytest.mark.parametrize(
    ("function", "action", "resource", "key"),
    [
        ("respond", "dynamodb:PutItem", ARNS["IncidentTable"], "G"),
        ("respond", "dynamodb:UpdateItem", ARNS["IncidentTable"], "A#@action"),
        ("respond", "sns:Publish", ARNS["AlertsTopic"], None),
        ("respond", "lambda:InvokeFunction", f"arn:aws:lambda:{PLACE}:function:another", None),
        ("notify", "dynamodb:GetItem", ARNS["IncidentTable"], "G"),
        ("notify", "secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{PLACE}:secret:prod/db-a1B2c3", None),
        ("detect", "dynamodb:Query", ARNS["IncidentTable"], "G"),
        ("detect", "dynamodb:DeleteItem", ARNS["IncidentTable"], "A"),
        ("detect", "sqs:ReceiveMessage", f"arn:aws:sqs:{PLACE}:worker-dlq", None),
        ("reconcile", "dynamodb:Scan", ARNS["IncidentTable"], None),
        ("reconcile", "logs:PutLogEvents", f"arn:aws:logs:{PLACE}:log-group:/aws/lambda/backend:log-stream:x", None),
    ],
)  # fmt: skip
def test_what_no_function_does_its_role_refuses(judge, everything, function, action, resource, key):
    request = Request(function, action, resource)
    request = request.with_context(LEADING_KEYS, key) if key else request
    assert verdict(judge, everything, [request]).denied == {request}


def test_a_key_is_used_in_the_name_of_no_service_but_those_that_are_called(judge, everything):
    ours = {each.function: each for each in of_keys([Request("notify", "dynamodb:UpdateItem", "*")])}
    foreign = ours["notify"].with_context("kms:ViaService", "s3.us-east-1.amazonaws.com")
    direct = Request("notify", "kms:Decrypt", KEY)
    assert verdict(judge, everything, [ours["notify"], foreign, direct]).denied == {foreign, direct}


# ------------------------------------------------------------ policies of topics and queues


DELIVERIES = [
    ("cloudwatch.amazonaws.com", "sns:Publish", "AlarmTopic", "aws:SourceAccount", "123456789012", "999999999999"),
    ("cloudwatch.amazonaws.com", "sns:Publish", "OpsTopic", "aws:SourceArn",
     f"arn:aws:cloudwatch:{PLACE}:alarm:local-DetectErrorsAlarm", f"arn:aws:cloudwatch:{PLACE}:alarm:theirs"),
    ("sns.amazonaws.com", "sqs:SendMessage", "NotifyQueue", "aws:SourceArn", ARNS["AlertsTopic"], ARNS["AlarmTopic"]),
    ("sns.amazonaws.com", "sqs:SendMessage", "NotifyQueue", "aws:SourceArn", ARNS["HeartbeatTopic"], ARNS["OpsTopic"]),
    ("sns.amazonaws.com", "sqs:SendMessage", "NotifyDeadLetterQueue", "aws:SourceArn", ARNS["AlertsTopic"],
     f"arn:aws:sns:{PLACE}:theirs"),
    ("sns.amazonaws.com", "sqs:SendMessage", "FailureQueue", "aws:SourceArn", ARNS["AlarmTopic"], ARNS["AlertsTopic"]),
    ("events.amazonaws.com", "sqs:SendMessage", "FailureQueue", "aws:SourceArn",
     f"arn:aws:events:{PLACE}:rule/local-AlarmRule", "arn:aws:events:us-east-1:999999999999:rule/theirs"),
]  # fmt: skip


def admitted(judge, statements, request):
    """Whether the policies of topics and queues let a service in."""
    named = [
        each
        for each in statements
        if each["Principal"] == "*" or request.function in as_list(each["Principal"]["Service"])
    ]
    return is_allowed(named, judge.matching(named, [request])[0])


@pytest.mark.parametrize(
    "delivery", DELIVERIES, ids=lambda each: f"{each[0].split('.')[0]} to {each[2]}, {each[3]}"
)
def test_a_service_delivers_from_where_it_should_over_tls_and_in_no_other_way(judge, deployments, delivery):
    service, action, to, key, ours, theirs = delivery
    statements = resource_statements(deployments[EVERYTHING])
    request = Request(service, action, ARNS[to]).with_context("aws:SourceAccount", "123456789012")
    request = request.with_context(key, ours)
    assert admitted(judge, statements, request)
    assert not admitted(judge, statements, request.with_context(key, theirs))
    assert not admitted(judge, statements, request.with_context("aws:SecureTransport", "false"))


def test_plain_http_is_refused_by_every_topic_and_queue_to_whoever_has_the_permission(
    judge, deployments, asked
):
    statements = resource_statements(deployments[EVERYTHING])
    own = {arn for name, arn in ARNS.items() if name.endswith(("Topic", "Queue"))}
    made = of_a_deployment(asked, DEPLOYMENTS[EVERYTHING])
    calls = sorted(each for each in made if each.resource in own)
    calls += [Request("somebody", "sns:Publish", ARNS[name]) for name in ARNS if name.endswith("Topic")]
    calls += [
        Request("somebody", f"sqs:{action}", ARNS[name])
        for name in ARNS
        if name.endswith("Queue")
        for action in ("SendMessage", "ReceiveMessage", "DeleteMessage", "PurgeQueue", "SetQueueAttributes")
    ]
    assert {each.resource for each in calls} == own
    denials = [each for each in statements if each["Effect"] == "Deny"]
    plain = [each.with_context("aws:SecureTransport", "false") for each in calls]
    assert all(judge.matching(denials, plain))
    assert not any(judge.matching(denials, calls))


def test_nobody_is_sent_notifications_over_plain_http(judge, deployments):
    statements = resource_statements(deployments[EVERYTHING])
    for name in ("AlarmTopic", "AlertsTopic", "OpsTopic", "HeartbeatTopic"):
        request = Request("somebody", "sns:Subscribe", ARNS[name])
        for protocol, is_refused in (("http", True), ("https", False), ("email", False), ("sqs", False)):
            asked_for = request.with_context("sns:Protocol", protocol)
            assert bool(judge.matching(statements, [asked_for])[0]) is is_refused
