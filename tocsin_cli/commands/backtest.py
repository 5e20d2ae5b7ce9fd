"""The incidents and notifications that log lines would have made, on a simulated clock.

Reads files and folders (JSON lines, answers of `aws logs`, plain text, .gz; - for standard input) or a CloudWatch log
group, and runs them through the code of the Lambdas.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.adapters.files.configuration import Configuration
from tocsin.core.model import Millis
from tocsin.core.problems import ConfigurationError
from tocsin_cli.aws_errors import aws_refusals
from tocsin_cli.backtest.external_sort import in_time_order
from tocsin_cli.backtest.in_slack import MODES
from tocsin_cli.backtest.line_blocks import LineBlock, read_blocks
from tocsin_cli.backtest.log_files import Reading, files_below
from tocsin_cli.backtest.report import Report, build_report, compare
from tocsin_cli.backtest.sieve import OutOfOrderError, Sieve
from tocsin_cli.configuration_folder import read_configuration
from tocsin_cli.options import add_root
from tocsin_cli.shown_paths import shown
from tocsin_cli.simulation import BLOCK, LoggedLine, Outcome, Simulation

if TYPE_CHECKING:
    from rich.progress import Progress

INTERVALS = (
    "group_wait",
    "group_interval",
    "repeat_interval",
    "resolve_after",
    "max_resolve_after",
    "errors_learning",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_root(parser)
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="a file or folder of logs; - for standard input"
    )
    parser.add_argument(
        "--log-group",
        action="append",
        default=[],
        metavar="NAME",
        help="with FILEs: the log group that lines are from which name none; without: read it from CloudWatch (may be repeated)",
    )
    parser.add_argument(
        "--since", default="1d", help="for CloudWatch: a duration ago, or a time (default: %(default)s)"
    )
    parser.add_argument(
        "--until", default="0s", help="for CloudWatch: a duration ago, or a time (default: now)"
    )
    parser.add_argument(
        "--region", help="the Region: of the log group, and for links (default: that of the environment)"
    )
    parser.add_argument(
        "--multiline", action="store_true", help="a text line without a time belongs to the event before it"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=_interval,
        metavar="KEY=VALUE",
        help=f"an interval: {', '.join(INTERVALS)}; for example group_interval=10m",
    )
    parser.add_argument(
        "--mode", choices=MODES, default="bot", help="how your Slack is spoken to (default: %(default)s)"
    )
    parser.add_argument(
        "--changed-since",
        metavar="REF",
        help="also run the signatures of a git reference, and say what differs",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the JSON document that docs/backtest.md describes"
    )
    parser.add_argument("--html", type=Path, metavar="OUT", help="write a page")
    parser.add_argument("--all", action="store_true", help="show every incident on the terminal")


def run(arguments: argparse.Namespace) -> int:
    """Run the backtest; 0 when it ran, whatever it found."""
    overrides = {**os.environ, **dict(arguments.set)}
    reading = Reading(arguments.log_group[0] if arguments.log_group else "", arguments.multiline)
    try:
        config = read_configuration(arguments.root, overrides)
        before = (
            _configuration_at(arguments.changed_since, arguments.root, overrides)
            if arguments.changed_since
            else None
        )
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1
    region = arguments.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    configs = [config] if before is None else [config, before]
    try:
        with aws_refusals(), _progress() as progress:
            outcomes = _outcomes(arguments, reading, progress, configs, region)
    except (OSError, ValueError) as error:
        print(f"tocsin backtest: {error}", file=sys.stderr)
        return 2
    report = build_report(outcomes[0], config, reading.problems, arguments.mode)
    if before is not None:
        report["comparison"] = compare(outcomes[1], outcomes[0], arguments.changed_since)
    for problem in reading.problems:
        print(f"tocsin backtest: {problem}", file=sys.stderr)
    _answer(report, arguments)
    return 0


def replay(lines: Iterable[LoggedLine], configs: Iterable[Configuration], region: str = "") -> list[Outcome]:
    """Run the same lines, read once, through each configuration.

    Args:
        lines: In the order of their times.
        configs: The configurations.
        region: For links into the console.
    """
    simulations = [Simulation(config, region=region) for config in configs]
    _feed(simulations, lines)
    return [simulation.finish() for simulation in simulations]


def _feed(simulations: list[Simulation], lines: Iterable[LoggedLine]) -> None:
    if len(simulations) == 1:
        simulations[0].feed(lines)
    else:
        ahead = iter(lines)
        while block := list(islice(ahead, BLOCK)):
            for simulation in simulations:
                simulation.feed(block)


def replay_names(
    names: Iterable[str],
    reading: Reading,
    progress: Progress | None,
    configs: Iterable[Configuration],
    region: str = "",
) -> list[Outcome]:
    """Run the lines of files, of which only those are looked at from which something can follow.

    Raises:
        OSError: One cannot be read.
    """
    files = files_below(names)
    simulations = [Simulation(config, region=region) for config in configs]
    if not all(name != "-" and Path(name).is_file() for name in files):  # a pipe is read once only
        _feed(simulations, in_time_order(_all_lines(_blocks(files, reading, progress))))
        return [simulation.finish() for simulation in simulations]
    sieve = Sieve(simulations)
    try:
        # Before the first line is fed the last one is read.
        _feed(simulations, in_time_order(sieve.kept(_blocks(files, reading, progress))))
        sieve.count_passed()
    except OutOfOrderError:
        _feed(simulations, in_time_order(_all_lines(_blocks(files, reading, progress))))
    return [simulation.finish() for simulation in simulations]


def replay_cloudwatch(
    configs: Iterable[Configuration], groups: list[str], since: str, region: str | None, ref: str
) -> Report:
    """Run the recent lines of log groups through two configurations, and compare.

    Args:
        configs: The configuration, and the one before it.
        groups: The log groups.
        since: A duration ago, or a time.
        region: Their Region; None for that of the environment.
        ref: What the one before is called.

    Raises:
        ValueError: ``since`` is no duration and no time.
    """
    given = argparse.Namespace(log_group=groups, since=since, until="0s", region=region)
    with _progress() as progress:
        after, before = replay(in_time_order(_from_cloudwatch(given, progress)), configs, region or "")
    return compare(before, after, ref)


def replay_files(configs: Iterable[Configuration], names: Iterable[str], ref: str) -> Report:
    """Run the lines of files through two configurations, and compare.

    Args:
        configs: The configuration, and the one before it.
        names: Files and folders, as the command takes them.
        ref: What the one before is called.

    Raises:
        OSError: One cannot be read.
    """
    reading = Reading()
    with _progress() as progress:
        after, before = replay_names(names, reading, progress, configs)
    for problem in reading.problems:
        print(f"tocsin plan: {problem}", file=sys.stderr)
    return compare(before, after, ref)


def _outcomes(
    arguments: argparse.Namespace,
    reading: Reading,
    progress: Progress | None,
    configs: Iterable[Configuration],
    region: str,
) -> list[Outcome]:
    if arguments.files:
        return replay_names(arguments.files, reading, progress, configs, region)
    if arguments.log_group:
        return replay(in_time_order(_from_cloudwatch(arguments, progress)), configs, region)
    raise ValueError("nothing to read: name files, - for standard input, or --log-group")


def _blocks(files: Iterable[str], reading: Reading, progress: Progress | None) -> Iterator[LineBlock]:
    for name in files:
        task = progress.add_task(name, total=None) if progress else None
        lines = 0
        for block in read_blocks(name, reading):
            lines += len(block.times)
            if progress and task is not None:
                progress.update(task, description=f"{name}: {lines:,} lines")
            yield block
        if progress and task is not None:
            progress.update(task, total=1, completed=1)


def _all_lines(blocks: Iterable[LineBlock]) -> Iterator[LoggedLine]:
    for block in blocks:
        yield from map(LoggedLine, *block)


def _from_cloudwatch(arguments: argparse.Namespace, progress: Progress | None) -> Iterator[LoggedLine]:
    from tocsin_cli.backtest.cloudwatch import logs_client, read_log_group, time_of

    now = time.time_ns() // 1_000_000
    since, until = time_of(arguments.since, now), time_of(arguments.until, now)
    if since >= until:
        raise ValueError(f"--since {arguments.since} is not before --until {arguments.until}")
    client = logs_client(arguments.region)
    for group in arguments.log_group:
        yield from read_log_group(client, group, since, until, _on_page(progress, group, since, until))


def _on_page(
    progress: Progress | None, group: str, since: Millis, until: Millis
) -> Callable[[Millis, int], None]:
    if progress is None:
        return lambda _at, _events: None
    task, seen = progress.add_task(group, total=until - since), 0

    def show(at: Millis, events: int) -> None:
        nonlocal seen
        seen += events
        progress.update(task, completed=at - since, description=f"{group}: {seen:,} lines")

    return show


def _progress() -> AbstractContextManager[Progress | None]:
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _answer(report: Report, arguments: argparse.Namespace) -> None:
    if arguments.html:
        from tocsin_cli.backtest.html import render_backtest_page

        arguments.html.parent.mkdir(parents=True, exist_ok=True)
        arguments.html.write_text(render_backtest_page(report), "utf-8")
    if arguments.json:
        print(json.dumps(report, indent=2, ensure_ascii=False))
        return
    from tocsin_cli.backtest.timeline import show_report

    show_report(report, everything=arguments.all)
    if arguments.html:
        print(f"Page: {shown(arguments.html)}")


def _configuration_at(ref: str, root: Path, overrides: Mapping[str, str]) -> Configuration:
    from tocsin_cli.backtest.git_configuration import configuration_at

    return configuration_at(ref, root, overrides)


def _interval(text: str) -> tuple[str, str]:
    """Read ``KEY=VALUE`` as the environment variable that sets the interval.

    Raises:
        argparse.ArgumentTypeError: There is no such interval.
    """
    key, equals, value = text.partition("=")
    if not equals or key.strip() not in INTERVALS:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE with KEY one of {', '.join(INTERVALS)}")
    return f"TOCSIN_{key.strip().upper()}", value.strip()
