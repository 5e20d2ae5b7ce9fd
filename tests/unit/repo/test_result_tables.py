"""What was measured becomes tables; what was not says why; pages keep what people wrote around them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import container_cold_start, grouping, peers, shares
from benchmarks.result_tables import Titled, number, tables
from tools import performance_page

WHY = "there is no such thing here"
MEASURED = {
    "peers": {"skipped": WHY},
    "shares": {"skipped": WHY},
    "container_cold_start": {"skipped": WHY},
    "cold_start_ms": 20.0,
    "import_boto3_ms": 150.0,
    "boto3_and_clients_ms": 300.0,
    "cold_start_with_a_match_ms": 90.0,
    "cold_start_told_ms": 390.0,
    "thousand_signatures_build_ms": 15.0,
    "thousand_signatures_uncompiled_ms": 900.0,
    "import_profile": [{"module": "re2", "ms": 2.4}],
    "backtest": {"JSON lines": {"seconds": 5.0, "peak_mb": 64.0}},
    "throughput": [
        {
            "kind": "nothing matches",
            "events": 100,
            "inflated_mb": 0.1,
            "ms": 1,
            "mb_per_s": 300.0,
            "events_per_s": 900_000.0,
            "peak_mb": 30.0,
        },
    ],
    **{
        f"{name}_{p}_ms": 10.0
        for name in ("log_line_to_slack", "hundred_incidents_at_once")
        for p in ("cold", "p50", "p95", "p99")
    },
    "hundred_to_a_slow_slack_in_turn_ms": 12_000.0,
    "hundred_to_a_slow_slack_ms": 2_500.0,
}


def test_what_was_left_out_says_why():
    shown = tables(MEASURED)
    assert [table for table in shown if table.rows == [[WHY]]]
    assert all(len(row) == len(table.header) for table in shown for row in table.rows)


def test_a_share_that_was_measured_of_failures_only_has_an_empty_cell_beside_it():
    speeds = {
        "mb_per_s_by_share": {"0": 200.0, "1/10": 50.0},
        "mb_per_s_by_share_of_known_errors": {"1/10": 30.0},
    }
    (table,) = [
        table for table in tables({**MEASURED, **speeds}) if table.title.startswith("Warm `detect`, 12")
    ]
    assert table.rows == [["0", "200", ""], ["1/10", "50.0", "30.0"]]


def test_a_peer_that_was_left_out_stands_in_the_table_with_its_reason():
    row = {"ms": 1.0, "lines": 10, "missed": 0, "more": 0, "start_ms": 0.0}
    measured = {
        **MEASURED,
        "peers": {"left_out": {"ripgrep": WHY}, "quiet": {"Tocsin": row}, "dense": {"Tocsin": row}},
    }
    (table,) = [table for table in tables(measured) if table.title.startswith("Side by side")]
    assert [cells[1:3] for cells in table.rows] == [["Tocsin", "100"], ["Tocsin", "100"], ["ripgrep", WHY]]


def test_without_the_candidates_the_reason_names_the_way_to_them(monkeypatch):
    monkeypatch.setattr(peers, "PYTHON", Path("/nowhere/python"))
    assert "make bench" in peers.measure()["peers"]["skipped"]


def test_without_a_container_engine_the_reason_is_said(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert container_cold_start.measure() == {"container_cold_start": {"skipped": "there is no docker"}}


def test_a_peer_that_is_not_installed_is_skipped_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert "apt-get install" in peers.ripgrep(["a line"], [("x", "line")])


def test_tocsins_answer_in_the_comparison_is_that_of_one_search_per_expression_where_no_line_is_special():
    lines = peers.lines_of(40, 0)
    numbered = [("import-module-error", r"Runtime\.ImportModuleError")]
    assert peers.tocsin(lines, numbered)() == peers.naive(lines, numbered)() == set()
    line = "[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': No module named 'mangum'"
    assert peers.tocsin([line], numbered)() == peers.naive([line], numbered)()


SPEEDS = {way: {shares.share_name(n): 10.0 for n in shares.SHARES} for way in ("Tocsin", "hyperscan")}


def test_each_way_has_a_row_with_its_speed_at_each_share_and_what_was_left_out_says_why():
    measured = {**MEASURED, "shares": {"mb_per_s": SPEEDS, "left_out": {"ripgrep": WHY}}}
    (table,) = [table for table in tables(measured) if table.title.startswith("MB of log a second")]
    assert table.header == ["way", "none", "1/10,000", "1/1,000", "1/100", "1/10", "all"]
    assert table.rows[0] == ["Tocsin", *["10.0"] * 6]
    assert table.rows[2] == ["ripgrep", WHY, *[""] * 5]


def test_the_chart_of_shares_goes_from_none_to_all():
    chart = performance_page.shares_chart(SPEEDS)
    below = [name for name in ("none", "1/10,000", "1/1,000", "1/100", "1/10", "all") if f">{name}<" in chart]
    assert below == list(SPEEDS["Tocsin"])


def test_only_what_stands_between_the_marks_is_written_anew():
    page = f"before\n{performance_page.BEGIN}old\n{performance_page.END}after\n"
    assert (
        performance_page.between(page, "new")
        == f"before\n{performance_page.BEGIN}\nnew\n{performance_page.END}after\n"
    )
    with pytest.raises(SystemExit, match="marks"):
        performance_page.between("no marks", "new")


def test_a_cell_never_breaks_its_table():
    assert r"a\|b" in performance_page.markdown(Titled("t", ["h"], [["a|b"]]))


@pytest.mark.parametrize(
    ("value", "text"), [(0.123, "0.12"), (12.34, "12.3"), (1234.5, "1,234"), (0, "0.00")]
)
def test_figures_have_as_many_digits_as_tell_something(value, text):
    assert number(value) == text


def test_a_line_counts_only_in_a_group_of_exactly_its_true_lines():
    assert grouping.accuracy(["a", "a", "b", "c"], [1, 1, 2, 2]) == 0.5
    assert grouping.accuracy(["a", "a", "a", "c"], [1, 1, 2, 2]) == 0
    assert grouping.accuracy(["x", "x", "y", "y"], [1, 1, 2, 2]) == 1


def test_without_the_labelled_lines_the_reason_is_said(monkeypatch, tmp_path):
    monkeypatch.delenv(grouping.FOLDER, raising=False)
    assert grouping.FOLDER in grouping.compare()["skipped"]
    monkeypatch.setenv(grouping.FOLDER, str(tmp_path))
    assert str(tmp_path) in grouping.compare()["skipped"]


def test_the_labelled_lines_of_a_folder_are_grouped(monkeypatch, tmp_path):
    rows = [{"message": f"order {n} lost", "event": "E1"} for n in range(3)]
    (tmp_path / "Own.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    monkeypatch.setenv(grouping.FOLDER, str(tmp_path))
    measured = {**MEASURED, "grouping": grouping.compare()}
    (table,) = [table for table in tables(measured) if table.title.startswith("Grouping accuracy")]
    assert [row[:2] for row in table.rows] == [["Own", "1.000"], ["mean", "1.000"]]
