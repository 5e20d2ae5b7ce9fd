"""Writes what was measured and modelled into the documents: ``docs/performance.md`` and ``docs/cost.md``.

``make docs`` runs it. Figures of a run come from ``benchmarks/results.json``; without it ``docs/performance.md`` stays as
it is. Cost comes from a model and is the same wherever it is written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.result_tables import Titled, tables
from benchmarks.shares import SHARES
from benchmarks.svg_chart import line_chart
from tocsin_cli.cost_model import (
    LOADS,
    PASSES,
    PRICES,
    STREAM_FROM_GB,
    Load,
    Machine,
    between_sizes,
    instead,
    shards_for,
    tocsin,
    unknown_errors,
    with_filter,
)

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
RESULTS = ROOT / "benchmarks" / "results.json"
BEGIN, END = "<!-- measured: make bench, then make docs -->\n", "<!-- end of what was measured -->\n"
OFTEN = (("without a pause", 1_000.0), ("once an hour", 1.0), ("once a day", 1 / 24))
"""How often each of some unknown errors is seen in an hour."""
FAILURES = 30
"""Distinguished by what Tocsin is compared with; about as many signatures ship for log lines."""
SIZES_GB = (0.002, 0.02, 0.2, 1, 5, 20, 50, 200, 1_000, 5_000)


def main() -> None:
    """Write every page."""
    for path, text in modelled().items():
        path.write_text(text, "utf-8")
        print(f"written: {path.relative_to(ROOT)}")
    if not RESULTS.exists():
        print("docs/performance.md stays as it is: there is no benchmarks/results.json (make bench)")
        return
    results = json.loads(RESULTS.read_text("utf-8"))
    page = DOCS / "performance.md"
    page.write_text(performance(page.read_text("utf-8"), results), "utf-8")
    (DOCS / "images" / "throughput.svg").write_text(throughput_chart(results["measured"]), "utf-8")
    if "mb_per_s" in results["measured"]["shares"]:
        shares = DOCS / "images" / "shares.svg"
        shares.write_text(shares_chart(results["measured"]["shares"]["mb_per_s"]), "utf-8")
    print("written: docs/performance.md and its pictures")


def modelled() -> dict[Path, str]:
    """Pages and pictures that depend on no run, by path."""
    return {DOCS / "cost.md": cost_page(), DOCS / "images" / "cost.svg": cost_chart()}


def between(page: str, tables_text: str) -> str:
    """A page with everything between its two marks replaced."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit("a page lacks the marks between which its tables are written")
    return before + begin + "\n" + tables_text + "\n" + end + after


def markdown(table: Titled, *, level: str = "###") -> str:
    """A table with its title as a heading."""
    head = "| " + " | ".join(table.header) + " |\n|" + "---|" * len(table.header) + "\n"
    body = "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |\n" for row in table.rows)
    return f"{level} {table.title}\n\n{head}{body}"


# --- performance ---


def performance(page: str, results: Mapping[str, Any]) -> str:
    """``docs/performance.md`` with the figures of one run."""
    from benchmarks.__main__ import promised

    machine, measured = results["machine"], results["measured"]
    said = (
        f"Measured on {machine['date']}: {machine['cpus']} processors ({machine['machine']}), CPython "
        f"{machine['python']}, load {machine['load']} at the end. Compare within this page only.\n"
    )
    parts = [said, *(markdown(table) for table in (promised(measured), *tables(measured)))]
    return between(page, "\n".join(parts))


def throughput_chart(measured: Mapping[str, Any]) -> str:
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in measured["throughput"]:
        lines.setdefault(row["kind"], []).append((row["events"], row["mb_per_s"]))
    return line_chart(
        "Throughput of detect on one core", "log events in a batch", "MB of log a second", lines
    )


def shares_chart(speeds: Mapping[str, Mapping[str, float]]) -> str:
    # Nothing has no logarithm: it stands where one in a hundred thousand would.
    exponents = dict(enumerate(next(iter(speeds.values())), -len(SHARES) + 1))
    lines = {
        name: [(10**exponent, by_share[share]) for exponent, share in exponents.items()]
        for name, by_share in speeds.items()
    }
    return line_chart(
        "Throughput over the share of lines that match",
        "share of lines that match",
        "MB of log a second",
        lines,
        exponents,
    )


# --- cost ---


def at(gb_a_day: float) -> Load:
    """A load between the three sizes; a stream from where it pays."""
    load = Load(
        f"{gb_a_day:g} GB a day",
        gb_a_day,
        between_sizes(gb_a_day, lambda size: size.kb_a_batch),
        incidents=round(between_sizes(gb_a_day, lambda size: size.incidents)),
        log_groups=round(between_sizes(gb_a_day, lambda size: size.log_groups)),
    )
    return load if gb_a_day < STREAM_FROM_GB else replace(load, shards=shards_for(load))


def cost_chart() -> str:
    lines = {
        "Tocsin": [(gb, sum(tocsin(at(gb)).values())) for gb in SIZES_GB],
        "Tocsin, FilterPattern": [(gb, sum(tocsin(with_filter(at(gb))).values())) for gb in SIZES_GB],
    }
    for name in instead(LOADS[0], FAILURES):
        points = [(gb, instead(at(gb), FAILURES)[name]) for gb in SIZES_GB]
        lines[name] = [(gb, usd) for gb, usd in points if usd >= 0.05]  # nothing has no logarithm
    return line_chart("US dollars a month, by size", "GB of log a day", "US dollars a month", lines)


def usd(value: float) -> str:
    value = round(value, 2) + 0.0  # no minus before nothing
    return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"  # cents matter below


def cost_page() -> str:
    plain = [tocsin(load) for load in LOADS]
    filtered = [tocsin(with_filter(load)) for load in LOADS]
    names = list(dict.fromkeys(name for items in plain for name in items))
    header = ["item", *(load.name for load in LOADS)]
    rows = [[name, *(usd(items[name]) if name in items else "" for items in plain)] for name in names]
    rows.append(["**sum**", *(f"**{usd(sum(items.values()))}**" for items in plain)])
    rows.append(["**sum, with FilterPattern**", *(f"**{usd(sum(items.values()))}**" for items in filtered)])
    others = [instead(load, FAILURES) for load in LOADS]
    beside = [[name, *(usd(each[name]) for each in others)] for name in others[0]]
    beside.append(
        [
            "CloudWatch Logs itself, paid in any case",
            *(usd(load.gb_a_day * 30.4 * PRICES["logs_gb"].usd) for load in LOADS),
        ]
    )
    prices = [[f"{price.usd:.10f}".rstrip("0"), price.unit, price.source] for price in PRICES.values()]
    assumed = [
        [
            load.name,
            f"{load.gb_a_day:g} GB",
            f"{load.kb_a_batch:g} KB",
            f"{load.matching:.1%}",
            str(load.incidents),
            str(load.shards or "none"),
        ]
        for load in LOADS
    ]
    machine = Machine()
    assumption = (
        f"One processor looks through {machine.mb_per_s:g} MB of log a second where nothing matches "
        f"([performance.md](performance.md)), and a Lambda's is taken to be as fast; {machine.fixed_ms:g} ms for each "
        f"invocation and {machine.match_ms:g} ms for a batch with a match; gzip makes log {machine.gzip_ratio:g} times "
        f"smaller; FilterPattern lets {PASSES:.0%} of the log through. A stream has half of its shards' capacity free.\n"
    )
    return "\n".join(
        [
            "# What it costs, by size\n",
            COMPUTED,
            "![US dollars a month over GB of log a day](images/cost.svg)\n",
            f"Between the three sizes the picture interpolates; from {STREAM_FROM_GB:,} GB a day on it has a stream.\n",
            markdown(Titled("Tocsin", header, rows), level="##"),
            markdown(
                Titled(f"Beside it, for {FAILURES} different failures", ["means", *header[1:]], beside),
                level="##",
            ),
            BESIDE,
            markdown(steady_errors(), level="##"),
            ERRORS,
            "## Which knob matters\n",
            *(knobs(load, items, fewer) for load, items, fewer in zip(LOADS, plain, filtered, strict=True)),
            KNOBS,
            "## What is assumed\n",
            assumption,
            markdown(
                Titled(
                    "The three sizes",
                    ["size", "log a day", "log a batch", "batches with a match", "incidents", "shards"],
                    assumed,
                )
            ),
            markdown(Titled("Prices", ["USD", "for one", "read in"], prices)),
        ]
    )


def steady_errors() -> Titled:
    """What unknown errors cost that are known and never stop."""
    header = ["errors"]
    for words, _ in OFTEN:
        header += [f"{words}: writes a month", "USD"]
    rows = []
    for errors in (10, 100, 1_000):
        row = [f"{errors:,}"]
        for _, an_hour in OFTEN:
            writes, cost = unknown_errors(errors, an_hour)
            row += [f"{writes:,.0f}", usd(cost)]
        rows.append(row)
    return Titled("Known errors that no signature explains", header, rows)


def knobs(load: Load, items: Mapping[str, float], filtered: Mapping[str, float]) -> str:
    largest = sorted(items, key=items.__getitem__, reverse=True)[:3]
    saved = sum(items.values()) - sum(filtered.values())
    smaller = replace(load, memory_mb=512)
    change = sum(tocsin(smaller).values()) - sum(items.values())
    slow = sum(tocsin(load, replace(Machine(), mb_per_s=Machine().mb_per_s / 15)).values()) - sum(
        items.values()
    )
    fast = sum(items.values()) - sum(
        tocsin(load, replace(Machine(), mb_per_s=Machine().mb_per_s * 1.25)).values()
    )
    return (
        f"* **{load.name}**: most goes to {', '.join(f'{name} ({usd(items[name])})' for name in largest)}. FilterPattern "
        f"saves {usd(saved)}; half the memory for `detect` changes {usd(change)}; an engine fifteen times slower would "
        f"cost {usd(slow)} more, an inflater that makes the whole a quarter faster would save {usd(fast)}."
    )


COMPUTED = """\
Computed by `tocsin_cli/cost_model.py` and written by `make docs`. Not measured on a bill. US dollars a month, us-east-1,
arm64, without the free tier, taxes and discounts.
"""

BESIDE = """\
What these do is not the same. A metric filter knows one pattern, counts, and says neither what was logged nor what to do;
it costs the same at any size, and only in hours in which its metric has a value. A Log Alarm reads the log again with
each query: here each byte once for each alarm; with a window that is wider than its schedule, several times. Of Datadog
and New Relic only what the log costs is listed, at public prices, without hosts and users; they do much else.
"""

ERRORS = """Nothing of it is in the sums above. The writes do not depend on how often an error comes within a minute: a thousand lines a
minute are one write, by each copy of `detect` that sees it. An error that is news is written as often, and for a day at most.
What they cost `detect` in time is in [performance.md](performance.md). Without them (`tell = "off"`), and with FilterPattern,
which keeps such lines back, nothing of this is paid, and nobody is notified of an error that has no signature.
"""
KNOBS = """
At the small size nothing that Tocsin does shows on the bill: what is paid are alarms and the secret. In the middle what
counts is how many batches there are, not how long each takes: FilterPattern first, then Lambda's own three lines about each
invocation (`LogLevel` does not stop them; a function whose log format is JSON and whose system level is WARN would not
write them). At the large size it is the stream: FilterPattern makes fewer shards do. The memory of `detect` hardly matters:
half of it takes twice as long.
"""


if __name__ == "__main__":
    main()
