"""The cost model adds up and moves the right way."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.svg_chart import line_chart
from tocsin_cli import cost_model
from tocsin_cli.cost_model import (
    LOADS,
    PRICES,
    Load,
    alarms_of_the_stack,
    instead,
    shards_for,
    tocsin,
    unknown_errors,
    with_filter,
)
from tools import performance_page

ROOT = Path(__file__).parents[3]
SMALL, MIDDLE, LARGE = LOADS


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.name)
def test_nothing_costs_less_than_nothing_and_more_log_never_costs_less(load):
    items = tocsin(load)
    assert all(usd >= 0 for usd in items.values())
    more = tocsin(replace(load, gb_a_day=load.gb_a_day * 2))
    assert all(more[name] >= items[name] for name in items)
    assert sum(more.values()) > sum(items.values())


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.name)
def test_a_filter_pattern_saves_on_detect_and_counts_the_same(load):
    plain, filtered = tocsin(load), tocsin(with_filter(load))
    assert filtered["detect: processor"] < plain["detect: processor"]
    assert filtered["counting"] == pytest.approx(plain["counting"])
    assert filtered["alarms"] == plain["alarms"]


def test_by_hand_one_million_quiet_batches_of_ten_milliseconds():
    load = Load("by hand", gb_a_day=1e6 * 2.8e-6 / cost_model.DAYS * 1000, kb_a_batch=2_800, matching=0)
    machine = cost_model.Machine(mb_per_s=280 * cost_model.ONE_PROCESSOR_MB / 1024, fixed_ms=0)
    items = tocsin(load, machine)
    assert items["detect: requests"] == pytest.approx(0.20)
    assert items["detect: processor"] == pytest.approx(1e6 * 0.01 * 0.0000133334, rel=0.001)
    assert items["detect: its own log"] == pytest.approx(0.25)


def test_by_hand_known_errors_cost_one_write_a_minute_at_most():
    assert unknown_errors(1, 1_000)[0] == 730 * 60
    assert unknown_errors(1, 10**9) == unknown_errors(1, 60)
    assert unknown_errors(10, 1) == (10 * 730 * 2, pytest.approx(10 * 730 * 7 * 0.625e-6))
    assert unknown_errors(1, 1 / 24)[0] == pytest.approx(730 / 24 * 2)


def test_the_alarms_that_are_paid_for_are_those_of_the_template():
    text = (ROOT / "template.yaml").read_text("utf-8")
    resources = text.partition("\nResources:\n")[2]
    conditional = resources.count("Type: AWS::CloudWatch::Alarm\n    Condition:")
    looped = resources.count("        Type: AWS::CloudWatch::Alarm")
    assert alarms_of_the_stack() == resources.count("Type: AWS::CloudWatch::Alarm") - conditional - looped


def test_every_price_says_its_unit_and_where_it_was_read():
    for name, price in PRICES.items():
        assert price.usd > 0, name
        assert len(price.unit) > 3, name
        assert len(price.source) > 20, name


def test_metric_filters_cost_the_same_however_much_is_logged_and_queries_do_not():
    small, large = instead(SMALL, 28), instead(LARGE, 28)
    assert small["metric filters and alarms"] == large["metric filters and alarms"]
    assert large["Log Alarms, one for each failure"] > 1000 * small["Log Alarms, one for each failure"]


def test_the_shards_of_the_largest_load_are_those_that_the_model_pays_for():
    assert shards_for(LARGE) == LARGE.shards
    assert (
        LARGE.gb_a_day * 1e3 / 86_400 / cost_model.Machine().gzip_ratio < LARGE.shards
    )  # a shard takes 1 MB a second


def test_a_chart_is_an_image_with_every_line_named():
    drawn = line_chart("t & t", "x", "y", {"one": [(1, 1), (10, 20)], "two": [(1, 3), (10, 3.1)]})
    tree = ET.fromstring(drawn)
    assert len(tree.findall("{*}polyline")) == 2
    assert {"one", "two", "t & t"} <= {text.text for text in tree.findall("{*}text")}


def test_the_page_on_cost_is_as_the_model_says():
    for path, text in performance_page.modelled().items():
        assert path.read_text("utf-8") == text, f"{path.name}: make docs"
