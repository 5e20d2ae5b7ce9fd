"""`tocsin drill` on the deployed template: it comes through, is marked as a drill, and says at which step it stops."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from tocsin.core.model import AlertState
from tocsin.core.signatures.drill import drill_line
from tocsin_cli.doctor.findings import Examined, Resource
from tocsin_cli.drill.alarm import REASON, AlarmDrill, alarm_of_queue
from tocsin_cli.drill.steps import Drill, report
from tocsin_cli.fake_slack.server import LocalSlack
from tocsin_cli.local_aws import cloud as cloud_module
from tocsin_cli.local_aws.cloud import EmbeddedCloud
from tocsin_cli.stack.incident_history import IncidentHistory

pytestmark = pytest.mark.cloud

ROOT = Path(__file__).resolve().parents[2]
SOON = 4.0
"""Seconds to wait for what must not come."""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A stack of its own, because what is broken here is nobody else's, with its clock."""
    with (
        LocalSlack() as slack,
        EmbeddedCloud(ROOT, log=tmp_path_factory.mktemp("cloud") / "cloud.log") as embedded,
    ):
        secret = {"bot_token": slack.bot_token, "channel": slack.channel_id}
        deployed = embedded.deploy(secret, parameters={"SlackApiUrl": slack.api_url})
        stopping = threading.Event()

        def keep_time():
            while not stopping.wait(1):
                deployed.reconcile()

        clock = threading.Thread(target=keep_time, daemon=True)
        clock.start()
        yield deployed, slack
        stopping.set()
        clock.join()


def stack_of(deployed):
    cloudformation = deployed.client("cloudformation")
    described = cloudformation.describe_stacks(StackName=deployed.stack)["Stacks"][0]
    return Examined(
        "tocsin", "here", cloud_module.REGION, deployed.client, described, {"X": Resource("x", "y")}
    )


def drill(deployed, service="backend", within=30.0):
    return Drill(stack_of(deployed), deployed.log_groups[service], within)


def alarm_drill(deployed, service="backend", within=30.0):
    stack = stack_of(deployed)
    return AlarmDrill(stack, alarm_of_queue(stack, deployed.dlqs[service]), within)


def state_of(deployed, alarm):
    (found,) = deployed.client("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    return found["StateValue"], found["StateReason"]


def outcome(steps):
    done = list(steps)
    assert all(each.passed for each in done[:-1])
    return [each.name for each in done], done[-1]


def test_a_drill_goes_to_slack_and_back_to_resolved_is_marked_and_calls_nobody(world):
    deployed, slack = world
    done = drill(deployed)
    steps = list(done.run())
    assert [(each.name, each.passed) for each in steps] == [
        (name, True) for name in ("line", "subscription", "detect", "publish", "slack", "resolved")
    ], [each.text for each in steps]
    times = [each.seconds for each in steps]
    assert times == sorted(times)
    texts = [json.dumps(each) for each in slack.messages()]
    (message,) = [each for each in texts if "Fire drill" in each and 'thread_ts": "' not in each]
    assert "calls nobody" in message
    assert not [call for call in ("<!here", "<!channel", "<!everyone", "<!subteam", "<@") if call in message]
    written = json.dumps(report(done, steps, {"tocsin": "0"}))
    assert deployed.log_groups["backend"] not in written
    assert '"passed": true' in written


def test_the_line_that_is_written_is_the_one_that_is_recognised():
    from tocsin.core.signatures.drill import SIGNATURE

    assert drill_line(1795900000000) in SIGNATURE.matches


def test_without_the_log_group_it_stops_at_the_line(world):
    deployed, _ = world
    one = drill(deployed)
    one.target = "/aws/lambda/nobody"
    names, last = outcome(one.run())
    assert (names, "there is no log group" in last.text) == (["line"], True)


def test_without_the_subscription_it_stops_there(world):
    deployed, _ = world
    logs, group = deployed.client("logs"), deployed.log_groups["worker"]
    (before,) = logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
    logs.delete_subscription_filter(logGroupName=group, filterName=before["filterName"])
    names, last = outcome(drill(deployed, "worker").run())
    logs.put_subscription_filter(
        logGroupName=group,
        filterName=before["filterName"],
        filterPattern="",
        destinationArn=before["destinationArn"],
    )
    assert (names, "tocsin doctor" in last.text) == (["line", "subscription"], True)


def test_where_detect_does_not_see_the_line_it_stops_at_detect(world):
    deployed, _ = world
    logs, group = deployed.client("logs"), deployed.log_groups["worker"]
    (before,) = logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
    put = {
        "logGroupName": group,
        "filterName": before["filterName"],
        "destinationArn": before["destinationArn"],
    }
    logs.put_subscription_filter(**put, filterPattern="never")
    names, last = outcome(drill(deployed, "worker", SOON).run())
    logs.put_subscription_filter(**put, filterPattern="")
    assert (names[-1], "/tocsin/tocsin/detect" in last.text) == ("detect", True)


def test_a_drill_of_a_dead_letter_queues_alarm_goes_to_slack_and_back_and_the_alarm_is_put_back(world):
    deployed, slack = world
    done = alarm_drill(deployed, "worker")
    assert state_of(deployed, done.target)[0] == "INSUFFICIENT_DATA"  # nobody has looked yet
    steps = list(done.run())
    assert [(each.name, each.passed) for each in steps] == [
        (name, True) for name in ("alarm", "set", "detect", "publish", "slack", "put back", "resolved")
    ], [each.text for each in steps]
    times = [each.seconds for each in steps]
    assert times == sorted(times)
    assert state_of(deployed, done.target) == ("INSUFFICIENT_DATA", REASON)
    written = json.dumps(report(done, steps, {"tocsin": "0"}))
    assert done.target not in written
    assert [each for each in slack.messages() if "worker" in json.dumps(each)]


def test_an_alarm_that_is_not_there_or_fires_already_is_not_drilled(world):
    deployed, _ = world
    one = alarm_drill(deployed)
    name, one.target = one.target, "nobody"
    assert outcome(one.run())[0] == ["alarm"]
    cloudwatch = deployed.client("cloudwatch")
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="three messages")
    names, last = outcome(alarm_drill(deployed).run())
    assert (names, "is in ALARM already" in last.text) == (["alarm"], True)
    assert state_of(deployed, name) == ("ALARM", "three messages")
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="redriven")
    history = IncidentHistory(deployed.client("dynamodb"), deployed.table)
    for _ in range(300):  # the next test begins when all of this has been counted
        alerts = [alert for each in history.everything() for alert in each.alerts.values()]
        if any(each.origin.alarm == name and each.state is AlertState.RESOLVED for each in alerts):
            return
        time.sleep(0.1)
    raise AssertionError("the alarm was never counted as over")


def test_where_the_alarm_tells_nobody_it_stops_at_detect_and_is_put_back(world):
    deployed, _ = world
    cloudwatch, one = deployed.client("cloudwatch"), alarm_drill(deployed, within=SOON)
    earlier, _ = state_of(deployed, one.target)
    cloudwatch.disable_alarm_actions(AlarmNames=[one.target])
    names, last = outcome(one.run())
    assert (names, "enable-alarm-actions" in last.text) == (["alarm"], True)
    cloudwatch.enable_alarm_actions(AlarmNames=[one.target])
    sns, topic = deployed.client("sns"), deployed.alarm_topic
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    names, last = outcome(alarm_drill(deployed, within=SOON).run())
    sns.subscribe(TopicArn=topic, Protocol=subscription["Protocol"], Endpoint=subscription["Endpoint"])
    assert (names[-1], "tocsin doctor" in last.text) == ("detect", True)
    assert state_of(deployed, one.target) == (earlier, REASON)


def test_a_drill_that_is_broken_off_leaves_the_state_that_was_there(world):
    deployed, _ = world
    done = alarm_drill(deployed, "backend")
    deployed.client("cloudwatch").set_alarm_state(
        AlarmName=done.target, StateValue="INSUFFICIENT_DATA", StateReason="new"
    )
    steps = done.run()
    assert [next(steps).name for _ in range(2)] == ["alarm", "set"]
    assert state_of(deployed, done.target)[0] == "ALARM"
    steps.close()
    assert state_of(deployed, done.target) == ("INSUFFICIENT_DATA", REASON)


def test_where_slack_does_not_take_it_it_stops_at_slack_and_says_where_the_message_lies(world):
    deployed, _ = world
    sns, topic = deployed.client("sns"), deployed.outputs["AlertsTopicArn"]
    (subscription,) = [
        each
        for each in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        if each["Protocol"] == "sqs"
    ]
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    names, last = outcome(drill(deployed, "worker", SOON).run())
    assert (names[-1], "subscription to the alerts topic is gone" in last.text) == ("slack", True)
