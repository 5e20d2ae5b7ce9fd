"""The dashboard shows exactly the metrics that are printed, of this stack alone, and what is watched by its names."""

from __future__ import annotations

import json
import re
from functools import cache

import pytest
from policies import holds
from template_snapshot import translated
from translated_template import translated_with

from tocsin.adapters.aws import metrics
from tocsin_cli.local_aws.cloud import Deployment

WATCHING = {
    "FunctionNames": "backend,worker",
    "QueueNames": "jobs.fifo",
    "DeadLetterQueueNames": "a-dlq,b-dlq",
}
MANY = {
    # More than a stack has room for, whose 500 resources are 3 for a function, 2 for a dead-letter queue, 1 for a queue.
    "FunctionNames": ",".join(f"f{number}" for number in range(140)),
    "QueueNames": ",".join(f"q{number}" for number in range(120)),
    "DeadLetterQueueNames": ",".join(f"d{number}" for number in range(120)),
}
NOTHING = dict.fromkeys(WATCHING, "")
WATCHED = {
    "watching": WATCHING,
    "nothing": NOTHING,
    "many": MANY,
    **{which: {**NOTHING, which: "only"} for which in ("QueueNames", "DeadLetterQueueNames")},
}
SERVICE = "tocsin"


@cache
def widgets(which="watching"):
    template = translated_with(WATCHED[which])
    body = made_of(template["Resources"]["Dashboard"]["Properties"]["DashboardBody"], template["Conditions"])
    return json.loads(re.sub(r"\$\{(\w+)(\.\w+)?\}", r"<\1>", body))["widgets"]


def made_of(value, conditions):
    """The text that CloudFormation makes of this; None for no value."""
    match value:
        case str():
            return value
        case {"Ref": "AWS::NoValue"}:
            return None
        case {"Fn::If": [name, there, absent]}:
            return made_of(there if holds({"Condition": name}, conditions) else absent, conditions)
        case {"Fn::Join": [between, parts]}:
            made = [made_of(each, conditions) for each in parts]
            return between.join(each for each in made if each is not None)
        case {"Fn::Sub": [text, names]}:
            for name, each in names.items():
                text = text.replace("${" + name + "}", made_of(each, conditions))
            return text
        case {"Fn::Sub": text}:
            return text
    raise AssertionError(value)


def test_without_names_there_is_no_row_for_the_empty_name():
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


def printed(capsys):
    """Every metric that there is, as it is printed: its name, and its dimensions."""
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


def test_each_metric_is_shown_with_exactly_the_dimensions_that_it_is_printed_with(capsys):
    there = {(name, frozenset(dimensions)) for name, dimensions in printed(capsys)}
    assert {(name, frozenset(dimensions)) for name, dimensions in shown()} == there
    assert len(there) == 9


def test_every_metric_is_of_this_stack_so_that_two_in_one_account_do_not_add_up(capsys):
    assert {dimensions["stack"] for _, dimensions in shown()} == {"local"}
    assert {dimensions["stack"] for _, dimensions in printed(capsys)} == {"local"}
    assert {dimensions["service"] for _, dimensions in shown()} <= {SERVICE, None}


def test_nothing_is_printed_of_nothing(capsys):
    metrics.count_occurrences({"kaboom": 0}, "local")
    metrics.count_notifications({}, "local")
    metrics.count_redactions(0, "local")
    metrics.count_suppressed({}, "local")
    metrics.count_latencies([], "local")
    assert capsys.readouterr().out == ""


def watched(which):
    """The metrics of what is watched, by the name of the metric: whose they are, in order."""
    found = {}
    for widget in widgets(which):
        if widget["properties"].get("title", "").startswith("Watched"):
            for _, metric, _, name, *options in widget["properties"]["metrics"]:
                found.setdefault((metric, widget["properties"]["stat"], bool(options)), []).append(name)
    return found


def test_what_is_watched_has_rows_of_exactly_its_names():
    functions, queues = ["backend", "worker"], ["a-dlq", "b-dlq", "jobs.fifo"]
    assert watched("watching") == {
        ("Errors", "Sum", False): functions,
        ("Duration", "p95", False): functions,
        ("ApproximateNumberOfMessagesVisible", "Maximum", False): queues,
        ("ApproximateAgeOfOldestMessage", "Maximum", True): queues,
    }


@pytest.mark.parametrize("which", ["DeadLetterQueueNames", "QueueNames"])
def test_one_list_of_queues_alone_makes_rows_too(which):
    rows = next(
        each for each in widgets(which) if each["properties"].get("title", "").startswith("Watched queues")
    )
    assert {row[3] for row in rows["properties"]["metrics"]} == {"only"}
    assert len(rows["properties"]["metrics"]) == 2


def test_as_many_names_as_a_stack_has_room_for_make_no_search_and_no_graph_that_is_too_long():
    metrics = [row for each in widgets("many") for row in each["properties"].get("metrics", ())]
    assert not [row for row in metrics if "AWS/" in str(row[0]) and isinstance(row[0], dict)]
    for widget in widgets("many"):
        assert len(widget["properties"].get("metrics", ())) <= 500
    assert len(metrics) <= 2_500


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
