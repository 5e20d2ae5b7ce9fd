"""What a deploy refuses before CloudFormation does, held against what CloudFormation really gets."""

from __future__ import annotations

from pathlib import Path

import pytest
from translated_template import translated_with

from tocsin_cli.commands import deploy
from tocsin_cli.commands.deploy import wait_until
from tocsin_cli.stack.parameters import declarations, effective, load_template
from tocsin_cli.stack.preflight import loops, problems, resource_count
from tocsin_cli.stack.subscription_slots import slots_of_log_groups

ROOT = Path(__file__).resolve().parents[3]
TEMPLATE = load_template(ROOT / "template.yaml")
DECLARED = declarations(ROOT / "template.yaml")
EMPTY = {name: "" for name, each in DECLARED.items() if each.is_list}


def found(**given):
    return problems(TEMPLATE, DECLARED, effective(DECLARED, {**EMPTY, **given}, {}))


@pytest.mark.parametrize(
    "given",
    [
        {},
        EMPTY,
        {
            "LogGroupNames": "/a,/b,/c",
            "FunctionNames": "a,b",
            "DeadLetterQueueNames": "x",
            "KinesisShards": "1",
        },
    ],
)
def test_the_resources_that_are_counted_are_those_that_cloudformation_gets(given):
    counted = resource_count(TEMPLATE, effective(DECLARED, given, {}))
    assert counted == len(translated_with(given)["Resources"])


def test_every_loop_runs_over_a_list_parameter():
    assert {parameter for parameter, _ in loops(TEMPLATE)} <= set(EMPTY)
    assert found() == []


def test_more_resources_than_cloudformation_takes_are_counted_with_the_way_out():
    names = ",".join(f"fn{number}" for number in range(200))
    (one, *_) = [each for each in found(FunctionNames=names, CreateDashboard="no") if "resources" in each]
    assert "takes 500" in one
    assert "second stack" in one


def test_names_that_differ_in_punctuation_alone_are_named_and_so_is_one_given_twice():
    (one,) = found(FunctionNames="my-fn,myfn,other")
    assert "my-fn and myfn differ only in punctuation" in one
    (two,) = found(LogGroupNames="/a,/a")
    assert "named 2 times" in two


def test_all_problems_come_in_one_list():
    several = found(FunctionNames="my-fn,myfn", HeartbeatMinutes="7", KinesisShards="1",
                    KinesisStreamArn="arn:aws:kinesis:us-east-1:123456789012:stream/s")  # fmt: skip
    assert len(several) == 3


class Logs:
    class exceptions:  # noqa: N801 - as boto3 names it
        ResourceNotFoundException = KeyError

    def __init__(self, log_class):
        self.log_class = log_class

    def get_paginator(self, _):
        return self

    def paginate(self, **_):
        return [{"subscriptionFilters": []}]

    def describe_log_groups(self, **_):
        return {
            "logGroups": [{"logGroupName": "/a", "logGroupClass": self.log_class}, {"logGroupName": "/ab"}]
        }


def test_a_log_group_whose_class_takes_no_subscription_is_named():
    (rare,) = slots_of_log_groups(Logs("INFREQUENT_ACCESS"), ["/a"], "tocsin")
    assert "INFREQUENT_ACCESS" in rare.problem
    (usual,) = slots_of_log_groups(Logs("STANDARD"), ["/a"], "tocsin")
    assert usual.problem == ""


class Time:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def test_the_first_heartbeat_is_waited_for_with_progress_and_not_for_ever():
    time, said = Time(), []
    assert wait_until(lambda: time.now >= 90, 360, say=said.append, clock=time, sleep=time.sleep)
    assert time.now == 90
    assert [each for each in said if "not yet" in each] == ["  30 s: not yet", "  60 s: not yet"]
    time = Time()
    assert not wait_until(lambda: False, 60, say=said.append, clock=time, sleep=time.sleep)
    assert time.now == 60


def test_a_template_is_fetched_from_the_regions_own_endpoint(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for region in ("eu-central-2", "ap-southeast-4", "cn-north-1"):
        s3 = deploy._client("s3", region, regional=True)
        address = s3.generate_presigned_url("get_object", {"Bucket": "packages", "Key": "k"})
        assert address.startswith(f"https://s3.{region}.amazonaws.com"), address
        assert "/packages/k?" in address
