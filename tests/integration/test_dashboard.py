"""The dashboard shows exactly the metrics that are printed, of this stack alone, and what is watched by its names."""

from __future__ import annotations

import json
import re
from functools import cache

import pytest
from samcli.yamlhelper import yaml_parse
from template_snapshot import DEPLOYMENTS, ROOT, translated

from tocsin.adapters.aws import metrics
from tocsin_cli.local_aws.cloud import Deployment

WATCHING = {
    "FunctionNames": "backend,worker",
    "QueueNames": "jobs.fifo",
    "DeadLetterQueueNames": "a-dlq,b-dlq",
}
SERVICE = "tocsin"


@cache
def widgets(which="watching"):
    parameters = {"watching": WATCHING, "nothing": dict.fromkeys(WATCHING, "")}[which]
    DEPLOYMENTS[which] = parameters
    try:
        body = translated(which)["Resources"]["Dashboard"]["Properties"]["DashboardBody"]
    finally:
        del DEPLOYMENTS[which]
    rows = {"FunctionRows": which == "watching", "QueueRow": which == "watching"}
    return json.loads(re.sub(r"\$\{(\w+)(\.\w+)?\}", r"<\1>", filled(body, rows)))["widgets"]


def filled(body, shows):
    """The text that CloudFormation makes, where ``shows`` says of each part that depends on a list whether it is there."""
    if isinstance(body, str):
        return body
    given = body["Fn::Sub"]
    text, values = (given, {}) if isinstance(given, str) else given
    for name, value in values.items():
        text = text.replace("${" + name + "}", part(value, name, shows))
    return text


def part(value, name, shows):
    if isinstance(value, str):
        return value
    if "Fn::If" in value:
        _, there, absent = value["Fn::If"]
        return filled(there if shows[name] else absent, shows)
    between, parts = value["Fn::Join"]
    return between.join(each if isinstance(each, str) else filled_list(each) for each in parts)


def filled_list(given):
    given = given["Fn::If"][1] if "Fn::If" in given else given
    return given if isinstance(given, str) else given["Fn::Join"][0].join(given["Fn::Join"][1])


def test_without_names_there_is_no_search_for_the_empty_name():
    titles = [each["properties"].get("title", "") for each in widgets("nothing")]
    assert not [title for title in titles if title.startswith("Watched")]
    assert len([each for each in widgets() if each["properties"].get("title", "").startswith("Watched")]) == 3


def shown():
    """Every metric of Tocsin's own on the dashboard: its name, and its dimensions' names and known values."""
    for widget in widgets():
        for row in widget["properties"].get("metrics", ()):
            if row[0] == "Tocsin":
                yield row[1], dict(zip(row[2:-1:2], row[3:-1:2], strict=True))
            elif isinstance(row[0], dict) and "{Tocsin" in row[0]["expression"]:
                found = re.fullmatch(
                    r"SEARCH\('\{Tocsin,([\w,]+)\} MetricName=\"(\w+)\" stack=\"([\w-]+)\"', '\w+', 300\)",
                    row[0]["expression"],
                )
                assert found, row
                yield found[2], dict.fromkeys(found[1].split(",")) | {"stack": found[3]}


def printed(capsys, monkeypatch):
    """Every metric that there is, as it is printed: its name, and its dimensions."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", SERVICE)
    metrics.count_occurrences({"kaboom": 2}, "local")
    metrics.count_notifications({"backend": ["opened"]}, "local")
    metrics.count_redactions(3, "local")
    metrics.count_suppressed({"silenced": 1}, "local")
    metrics.gauge_open_incidents(1, "local")
    metrics.count_latencies([20], "local")
    metrics.count_heartbeat(230, "local")
    metrics.time_lines(900, 4_000, "local")
    for line in capsys.readouterr().out.splitlines():
        document = json.loads(line)
        (metric,) = document["_aws"]["CloudWatchMetrics"]
        (names,) = metric["Dimensions"]
        assert metric["Namespace"] == "Tocsin"
        yield metric["Metrics"][0]["Name"], {name: document[name] for name in names}


def test_each_metric_is_shown_with_exactly_the_dimensions_that_it_is_printed_with(capsys, monkeypatch):
    there = {(name, frozenset(dimensions)) for name, dimensions in printed(capsys, monkeypatch)}
    assert {(name, frozenset(dimensions)) for name, dimensions in shown()} == there
    assert len(there) == 9


def test_every_metric_is_of_this_stack_so_that_two_in_one_account_do_not_add_up(capsys, monkeypatch):
    assert {dimensions["stack"] for _, dimensions in shown()} == {"local"}
    assert {dimensions["stack"] for _, dimensions in printed(capsys, monkeypatch)} == {"local"}
    service = yaml_parse((ROOT / "template.yaml").read_text())["Globals"]["Function"]["Environment"][
        "Variables"
    ]
    assert service["POWERTOOLS_SERVICE_NAME"] == SERVICE
    assert {dimensions["service"] for _, dimensions in shown()} <= {SERVICE, None}


def test_nothing_is_printed_of_nothing(capsys):
    metrics.count_occurrences({"kaboom": 0}, "local")
    metrics.count_notifications({}, "local")
    metrics.count_redactions(0, "local")
    metrics.count_suppressed({}, "local")
    metrics.count_latencies([], "local")
    assert capsys.readouterr().out == ""


def test_what_is_watched_is_found_by_exactly_its_names():
    expressions = [
        row[0]["expression"]
        for widget in widgets()
        for row in widget["properties"].get("metrics", ())
        if isinstance(row[0], dict) and "AWS/" in row[0]["expression"]
    ]
    functions = [each for each in expressions if "AWS/Lambda" in each]
    queues = [each for each in expressions if "AWS/SQS" in each]
    assert len(functions) == len(queues) == 2
    assert all('(FunctionName="backend" OR FunctionName="worker")' in each for each in functions)
    assert all('(QueueName="a-dlq" OR QueueName="b-dlq" OR QueueName="jobs.fifo")' in each for each in queues)


def test_no_widget_covers_another_and_none_leaves_the_page():
    taken = set()
    for widget in widgets():
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken, widget["properties"]
        assert widget["x"] + widget["width"] <= 24
        taken |= cells


def test_within_one_graph_no_id_comes_twice():
    for widget in widgets():
        ids = [row[0]["id"] for row in widget["properties"].get("metrics", ()) if isinstance(row[0], dict)]
        assert len(ids) == len(set(ids)), widget["properties"]["title"]


def test_its_name_has_stack_and_region_because_dashboards_are_the_whole_accounts():
    properties = translated("by default")["Resources"]["Dashboard"]["Properties"]
    assert properties["DashboardName"] == "local-us-east-1"
    assert translated("by default")["Resources"]["Dashboard"]["Condition"] == "HasDashboard"


@pytest.mark.cloud
def test_the_deployed_dashboard_is_read_by_cloudwatch_and_names_this_stacks_functions(cloud: Deployment):
    cloudwatch = cloud.client("cloudwatch")
    (entry,) = cloudwatch.list_dashboards()["DashboardEntries"]
    body = cloudwatch.get_dashboard(DashboardName=entry["DashboardName"])["DashboardBody"]
    rows = [row for widget in json.loads(body)["widgets"] for row in widget["properties"].get("metrics", ())]
    named = {row[3] for row in rows if row[0] == "AWS/Lambda"}
    assert named == set(cloud.functions.values())
    assert "${" not in body
