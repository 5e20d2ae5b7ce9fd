"""What was measured, as tables: the same on the terminal and in the documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Titled(NamedTuple):
    """A table with its title."""

    title: str
    header: list[str]
    rows: list[list[str]]


def tables(measured: Mapping[str, Any]) -> list[Titled]:
    """Every table that these results fill; what was skipped says why."""
    makers = (peers, shares, grouping, cold_start, container, throughput, suspicions, backtests, latency)
    return [table for maker in makers for table in maker(measured)]


def number(value: float) -> str:
    """As many digits as mean something."""
    if value >= 100:  # three digits are enough
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def skipped(title: str, reason: str) -> list[Titled]:
    return [Titled(title, ["not measured"], [[reason]])]


def peers(measured: Mapping[str, Any]) -> list[Titled]:
    found, title = measured["peers"], "Side by side: the same lines, the same expressions"
    if "skipped" in found:
        return skipped(title, found["skipped"])
    rows = []
    for kind in ("quiet", "dense"):
        first = next(iter(found[kind].values()))
        ours = first["ms"] / first["lines"]
        for name, row in found[kind].items():
            running = max(0.0, row["ms"] - row["start_ms"])
            start = number(row["start_ms"]) if row["start_ms"] else ""
            line = running / row["lines"]
            rows.append(
                [
                    kind,
                    name,
                    number(line * 1000),
                    f"{line / ours:,.1f} ×",
                    start,
                    str(row["missed"]),
                    str(row["more"]),
                ]
            )
    rows += [["", name, reason, "", "", "", ""] for name, reason in found["left_out"].items()]
    return [
        Titled(title, ["batch", "way", "µs a line", "of Tocsin", "its start, ms", "left out", "more"], rows)
    ]


def suspicions(measured: Mapping[str, Any]) -> list[Titled]:
    """Speed by the share of lines that are a failure, or a known error that no signature explains."""
    failures = measured.get("mb_per_s_by_share", {})
    errors = measured.get("mb_per_s_by_share_of_known_errors", {})
    rows = [
        [share, number(speed), number(errors[share]) if share in errors else ""]
        for share, speed in failures.items()
    ]
    title = "Warm `detect`, 12,000 lines, unknown errors looked for: MB/s by the share of lines that are one"
    share = Titled(title, ["share", "a failure with a signature", "a known unknown error"], rows)
    return [share, *_real_logs(measured)] if rows else []


def _real_logs(measured: Mapping[str, Any]) -> list[Titled]:
    title = (
        "Warm `detect` ÷ standard-library decode on loghub's lines, 2,000 a batch, unknown errors looked for"
    )
    by_file = measured.get("real_logs_by_file")
    if by_file is None:
        return skipped(title, "TOCSIN_LOGHUB is not set: it names a folder with loghub's labelled lines")
    rows = [[name, *map(number, (found["again"], found["once"]))] for name, found in by_file.items()]
    together = ("real_logs_over_decode", "real_logs_read_once_over_decode")
    rows.append(["all together", *(number(measured[key]) for key in together)])
    header = ["file", "lines it had before", "others of the same log, read once, new errors told"]
    return [Titled(title, header, rows)]


def grouping(measured: Mapping[str, Any]) -> list[Titled]:
    found = measured.get("grouping", {"skipped": "not asked for"})
    title = "Grouping accuracy of templates on loghub's labelled lines"
    if "skipped" in found:
        return skipped(title, found["skipped"])
    rows = [[name, *(f"{value:.3f}" for value in ways.values())] for name, ways in found["files"].items()]
    rows.append(["mean", *(f"{value:.3f}" for value in found["means"].values())])
    return [Titled(title, ["file", *found["means"]], rows)]


def cold_start(measured: Mapping[str, Any]) -> list[Titled]:
    rows = [
        ["first answer, batch without a match", number(measured["cold_start_ms"])],
        ["`import boto3` alone", number(measured["import_boto3_ms"])],
        ["`import boto3` and its clients for DynamoDB and SNS", number(measured["boto3_and_clients_ms"])],
        [
            "a batch with a match, counted and sent to plain clients",
            number(measured["cold_start_with_a_match_ms"]),
        ],
        ["the same through boto3, without the network", number(measured["cold_start_told_ms"])],
        ["the search of a thousand signatures, compiled", number(measured["thousand_signatures_build_ms"])],
        ["the same, derived again (not compiled)", number(measured["thousand_signatures_uncompiled_ms"])],
    ]
    profile = [[f"`{row['module']}`", number(row["ms"])] for row in measured["import_profile"]]
    return [
        Titled("Cold start, over a bare interpreter", ["what", "ms"], rows),
        Titled(
            "What `detect` imports before its first answer, the slowest by themselves",
            ["module", "ms"],
            profile,
        ),
    ]


def container(measured: Mapping[str, Any]) -> list[Titled]:
    found, title = measured["container_cold_start"], "First answer of a fresh container, ms"
    if "skipped" in found:
        return skipped(title, found["skipped"])
    sizes = list(found)
    rows = [[way, *(number(found[size][way]) for size in sizes)] for way in found[sizes[0]]]
    image = measured.get("container_image", "")
    return [
        Titled(f"{title} ({image})" if image else title, ["handler", *(f"{size} MB" for size in sizes)], rows)
    ]


def throughput(measured: Mapping[str, Any]) -> list[Titled]:
    rows = [
        [
            row["kind"],
            f"{row['events']:,}",
            number(row["inflated_mb"]),
            number(row["ms"]),
            number(row["mb_per_s"]),
            f"{row['events_per_s']:,.0f}",
            number(row["peak_mb"]),
        ]
        for row in measured["throughput"]
    ]
    header = ["batch", "events", "inflated, MB", "ms", "MB/s", "events/s", "peak of the process, MB"]
    return [Titled("Warm `detect` on one core", header, rows)]


def backtests(measured: Mapping[str, Any]) -> list[Titled]:
    rows = [
        [kind, number(row["seconds"]), number(row["peak_mb"])] for kind, row in measured["backtest"].items()
    ]
    title = "`tocsin backtest` of a million lines, one in 1,000 a failure"
    return [Titled(title, ["file", "seconds", "peak of the process, MB"], rows)]


def shares(measured: Mapping[str, Any]) -> list[Titled]:
    found, title = measured["shares"], "MB of log a second, by the share of lines that match"
    if "skipped" in found:
        return skipped(title, found["skipped"])
    columns = next(iter(found["mb_per_s"].values()))
    rows = [[name, *(number(speed) for speed in by.values())] for name, by in found["mb_per_s"].items()]
    rows += [[name, reason, *[""] * (len(columns) - 1)] for name, reason in found["left_out"].items()]
    return [Titled(title, ["way", *columns], rows)]


def latency(measured: Mapping[str, Any]) -> list[Titled]:
    rows = [
        ["cold: the first line after a deployment", number(measured["log_line_to_slack_cold_ms"]), "", ""],
        [
            "warm, one incident after the other",
            *(number(measured[f"log_line_to_slack_{p}_ms"]) for p in ("p50", "p95", "p99")),
        ],
        [
            "a hundred incidents at once",
            *(number(measured[f"hundred_incidents_at_once_{p}_ms"]) for p in ("p50", "p95", "p99")),
        ],
    ]
    return [
        Titled("Log line to local Slack, ms", ["how", "p50", "p95", "p99"], rows),
        Titled(
            "A hundred incidents that wait for a Slack that answers in 250 ms",
            ["how", "the last message, ms"],
            [
                ["one of a batch after the other", number(measured["hundred_to_a_slow_slack_in_turn_ms"])],
                ["five at a time (`notify`)", number(measured["hundred_to_a_slow_slack_ms"])],
            ],
        ),
    ]
