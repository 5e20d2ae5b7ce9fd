"""Reading a block at a time and keeping only what counts change no answer: line by line is the reference."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from line_by_line import read_file

from tocsin.core.matching.crash_lines import is_piece, pieces_in
from tocsin_cli.backtest import line_blocks, log_files
from tocsin_cli.backtest.external_sort import in_time_order
from tocsin_cli.backtest.line_blocks import read_blocks
from tocsin_cli.backtest.log_files import Reading, files_below
from tocsin_cli.backtest.report import build_report
from tocsin_cli.backtest.sieve import OutOfOrderError, Sieve
from tocsin_cli.commands import backtest
from tocsin_cli.configuration_folder import read_configuration
from tocsin_cli.main import main
from tocsin_cli.simulation import LoggedLine, Simulation

AT = 1_769_990_591_201  # 2026-02-02T00:03:11.201Z
BOOM = "[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': No module named 'mangum'"
OF_TAIL, UTC = (
    "2026-02-02T00:03:{:02d}.201+00:00 2026/02/02/[$LATEST]0f ",
    "2026-02-02T00:03:{:02d}.201+00:00 ",
)
ISO = (
    "2026-02-02T00:03:{:02d}.201Z ",
    "2026-02-02 00:03:{:02d},201 ",
    "2026-02-02 00:03:{:02d} ",
    "2026-02-02T00:03:{:02d}.2019+01:00 ",
    OF_TAIL,
    "2026-02-02T00:03:{:02d}.201",
    "2026-02-02T24:00:{:02d}.201Z ",
    "2026-02-30T00:03:{:02d}.201Z ",
    "2026-02-02T00:03:{:02d}.2\t",
    "\u0662026-02-02T00:03:{:02d}.201Z ",
    "1969-12-31T23:59:{:02d}.201Z ",
)
OTHER_TIMES = (
    "Feb  2 00:03:{:02d} host ",
    "[02/Feb/2026:00:03:{:02d} +0000] ",
    "2026/02/02 00:03:{:02d} ",
    "",
)
TEXTS = (
    "GET / 200", "", " ", "\r", "x\r", "\x1e", "5", "+01:00", "\u2028", "é€", BOOM, "ERROR order 17 was lost",
    "Traceback (most recent call last):", '  File "a.py", line 3, in b', "    raise ValueError(1)", "ValueError: 1",
    "\tat a.B.c(D.java:1)", "java.lang.IllegalStateException: no", "}\n{", "{", '{"message": "cut',
    '{"level":"INFO","timestamp":"2026-02-02T00:03:12Z","message":"fine"}', '{"level":"ERROR","message":"lost"}',
    "START RequestId: 1 Version: 1", "y" * 90,
)  # fmt: skip

stamped = st.builds(
    lambda stamp, second, text: stamp.format(second) + text,
    st.sampled_from((*ISO, *OTHER_TIMES)),
    st.integers(0, 61),
    st.sampled_from(TEXTS),
)


def all_stamped(*stamps):
    return st.lists(
        st.builds(
            lambda stamp, second, text: stamp.format(second) + text,
            st.sampled_from(stamps),
            st.integers(0, 59),
            st.sampled_from(TEXTS),
        ),
        min_size=3,
        max_size=30,
    )


usual = st.builds(
    lambda second, text: ISO[0].format(second) + text, st.integers(0, 59), st.sampled_from(TEXTS)
)
documents = st.fixed_dictionaries(
    {"message": st.sampled_from((*TEXTS, "\ud83d\ude00 \u0000"))},
    optional={
        "timestamp": st.one_of(
            st.integers(AT, AT + 3_000),
            st.sampled_from((
                AT // 1000, True, None, "soon", "2026-02-02T00:03:11.5Z", "2026-02-02T00:03:11.201Z", -1, 10**20, 1.5,
            )),
        ),
        "logGroup": st.sampled_from(("/aws/lambda/backend", "/tocsin/detect", "", None)),
        "logStream": st.sampled_from(("a", "b", "")),
        "label": st.just({"x": [1]}),
    },
)  # fmt: skip
plain_documents = st.fixed_dictionaries(
    {
        "message": st.sampled_from(TEXTS),
        "timestamp": st.integers(AT, AT + 3_000),
        "logGroup": st.just("/aws/lambda/backend"),
    }
)
written = st.builds(
    lambda value, ascii_, space: space + json.dumps(value, ensure_ascii=ascii_) + space,
    documents,
    st.booleans(),
    st.sampled_from(("", "", "", " ")),
)
kinds = st.sampled_from(
    (
        st.lists(stamped, max_size=20),
        all_stamped(ISO[0]),
        all_stamped(ISO[0]).map(sorted),
        all_stamped(OF_TAIL),
        all_stamped(UTC),
        all_stamped(UTC, OF_TAIL, OF_TAIL.replace(" ", "\t")),
        st.lists(written, max_size=20),
        st.lists(plain_documents.map(json.dumps), max_size=30),
        st.lists(plain_documents, max_size=30).map(
            lambda docs: [json.dumps(doc) for doc in sorted(docs, key=lambda doc: doc["timestamp"])]
        ),
        st.lists(stamped | usual | written | st.text(max_size=20), max_size=20),
        st.lists(documents, max_size=5).map(lambda found: [json.dumps({"events": found}, indent=1)]),
    )
).flatmap(lambda lines: lines)
contents = st.builds(
    lambda lines, end, cut, junk: (
        (end.join(lines) + end).encode("utf-8", "surrogatepass")[: cut or None] + junk
    ),
    kinds,
    st.sampled_from(("\n", "\n", "\r\n", "\n\n")),
    st.integers(-8, 0),
    st.sampled_from((b"", b"", b"\xff\xe2\x82", b"\xe2\x82\n\xac")),
)
few = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def by_line(path, **options):
    reading = Reading(**options)
    return list(read_file(str(path), reading)), reading.problems


def by_block(path, **options):
    reading = Reading(**options)
    lines = [block.line(i) for block in read_blocks(str(path), reading) for i in range(len(block.times))]
    return lines, reading.problems


@given(
    contents,
    st.sampled_from((7, 64, 300, 1 << 20)),
    st.sampled_from((1, 3, 64)),
    st.sampled_from((80, 1 << 21)),
    st.booleans(),
    st.booleans(),
)
@settings(few, max_examples=400)
def test_blocks_hold_the_very_lines(tmp_path, content, size, part, longest, multiline, packed):
    path = tmp_path / "app.log"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_blocks, "BLOCK_SIZE", size)
        patch.setattr(line_blocks, "PART", part)
        for module in (line_blocks, log_files):
            patch.setattr(module, "MAX_LINE_LENGTH", longest)
        assert by_block(path, multiline=multiline) == by_line(path, multiline=multiline)


@pytest.mark.parametrize("stamp", [*ISO, *OTHER_TIMES], ids=lambda stamp: stamp.format(11).strip() or "none")
def test_each_way_of_writing_a_time_is_read_as_line_by_line(tmp_path, stamp):
    path = tmp_path / "app.log"
    path.write_text("".join(f"{stamp.format(i % 60)}line {i}\n" for i in range(200)), "utf-8")
    assert by_block(path) == by_line(path)


@pytest.mark.parametrize("behind", ["", "Z", "1", "+01:00", " +01:00", ":", "]", "\u0661"])
def test_what_goes_on_with_a_time_is_part_of_it_in_a_block_too(tmp_path, behind):
    path = tmp_path / "app.log"
    lines = ["2026-02-02T00:03:11.201 first", *(f"2026-02-02T00:03:12.201{behind} x" for _ in range(3))]
    path.write_text("\n".join([lines[0], *lines]), "utf-8")
    assert by_block(path) == by_line(path)


@pytest.fixture(scope="module")
def config():
    return read_configuration(Path(__file__).parents[3] / "functions", {})


def answers(paths, config):
    """The report by the reference, and as the command makes it."""
    names = [str(path) for path in paths]
    reference, reading = Reading(), Reading()
    lines = (line for name in files_below(names) for line in read_file(name, reference))
    (plain,) = backtest.replay(in_time_order(lines), [config])
    (fast,) = backtest.replay_names(names, reading, None, [config])
    return (
        build_report(plain, config, reference.problems, "bot"),
        build_report(fast, config, reading.problems, "bot"),
    )


@given(st.lists(contents, min_size=1, max_size=2), st.sampled_from((64, 1 << 20)))
@settings(few, max_examples=60)
def test_the_report_is_that_of_all_lines(tmp_path, config, files, size):
    paths = [tmp_path / f"app{number}.log" for number in range(len(files))]
    for path, content in zip(paths, files, strict=True):
        path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_blocks, "BLOCK_SIZE", size)
        plain, fast = answers(paths, config)
    assert fast == plain
    assert list(fast["ignored"]) == list(plain["ignored"])


def log_of(path, events):
    path.write_text(
        "".join(f"2026-02-02T00:{at // 60:02d}:{at % 60:02d}.000Z {text}\n" for at, text in events), "utf-8"
    )


def test_a_crash_over_the_border_of_two_blocks_has_its_first_line(tmp_path, config, monkeypatch):
    events = [
        {"timestamp": AT + i, "message": message, "logGroup": "/aws/lambda/backend"}
        for i, message in enumerate(
            ["fine"] * 5 + ["Orders: nothing to lose", '  File "a.py", line 1, in b', "fine"]
        )
    ]
    path = tmp_path / "app.jsonl"
    path.write_text("\n".join(map(json.dumps, events)), "utf-8")
    monkeypatch.setattr(line_blocks, "BLOCK_SIZE", 40)
    sieve = Sieve([Simulation(config)])
    kept = [line.message for line in sieve.kept(read_blocks(str(path), Reading()))]
    assert kept == ["Orders: nothing to lose", '  File "a.py", line 1, in b']
    plain, fast = answers([path], config)
    assert fast == plain


def test_files_that_overlap_are_put_in_order_also_with_crashes_in_them(tmp_path, config):
    log_of(tmp_path / "a.log", [(second, BOOM if second == 30 else "fine") for second in range(60)])
    log_of(tmp_path / "b.log", [(second, BOOM if second == 31 else "fine") for second in range(60)])
    plain, fast = answers([tmp_path], config)
    assert fast == plain
    with (tmp_path / "b.log").open("a", encoding="utf-8") as file:
        file.write("  at a.B.c(D.java:1)\n")
    with pytest.raises(OutOfOrderError):  # what is before it in its file may not be before it in time
        list(
            Sieve([Simulation(config)]).kept(
                block for name in ("a.log", "b.log") for block in read_blocks(str(tmp_path / name), Reading())
            )
        )
    again, fast = answers([tmp_path], config)
    assert fast == again
    assert fast["lines"] == plain["lines"] + 1


def test_of_quiet_lines_only_the_number_and_the_first_and_the_last_are_kept(tmp_path, config):
    path = tmp_path / "app.log"
    log_of(path, [(second, "fine") for second in range(600)])
    simulation = Simulation(config)
    sieve = Sieve([simulation])
    assert list(sieve.kept(read_blocks(str(path), Reading()))) == []
    sieve.count_passed()
    outcome = simulation.finish()
    assert (outcome.lines, outcome.last - outcome.first) == (600, 599_000)


def test_a_pipe_is_read_once_and_answers_as_a_file_does(tmp_path, capsys):
    path, pipe = tmp_path / "app.log", tmp_path / "pipe"
    log_of(path, [(second, BOOM if second == 7 else "fine") for second in range(20, 0, -1)])
    os.mkfifo(pipe)
    if (child := os.fork()) == 0:
        pipe.write_bytes(path.read_bytes())
        os._exit(0)
    answers = []
    for name in (pipe, path):
        assert main(["backtest", str(name), "--log-group", "/aws/lambda/backend", "--json"]) == 0
        answers.append(json.loads(capsys.readouterr().out))
    os.waitpid(child, 0)
    assert answers[0] == answers[1]
    assert answers[0]["occurrences"] == 1


@pytest.mark.parametrize("kind", ["text", "json"])
def test_lines_that_are_all_alike_are_not_read_one_by_one(tmp_path, monkeypatch, kind):
    """Else all that is compared here would be the reference with itself."""
    path = tmp_path / "app.log"
    if kind == "text":
        log_of(path, [(second, "fine") for second in range(300)])
    else:
        path.write_text(
            "".join(f'{{"timestamp": {AT + i}, "message": "fine"}}\n' for i in range(300)), "utf-8"
        )
    singly = []
    one_by_one = line_blocks.text_entries
    monkeypatch.setattr(
        line_blocks, "text_entries", lambda lines, *rest: singly.extend(lines) or one_by_one(lines, *rest)
    )
    assert by_block(path) == by_line(path)
    assert len(singly) == line_blocks.PART  # up to the first time


@pytest.mark.parametrize("message", TEXTS)
def test_the_pieces_of_crashes_among_messages_are_those_that_are_pieces(message):
    assert pieces_in(["fine", message, message]) == ([1, 2] if is_piece(message) else [])


def test_a_line_is_given_back_as_it_was_read():
    block = line_blocks.LineBlock([1, 2], ["a", "b"], ["g", "h"], ["s", ""])
    assert block.line(1) == LoggedLine(2, "b", "h")
