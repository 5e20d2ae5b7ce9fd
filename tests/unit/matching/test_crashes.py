"""A crash of any runtime is one alert with its type, its words and the innermost frame of one's own code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import re2

from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.matching.crash_lines import MAX_PAUSE_LENGTH, joined
from tocsin.core.matching.crashes import Crash, read_crash
from tocsin.core.matching.fingerprint import fingerprint
from tocsin.core.matching.logline import read_line
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.runtimes import RUNTIMES
from tocsin.core.model import LogEvent

SIGNATURES = load_configuration(Path(__file__).resolve().parents[3] / "functions", {}).signatures
MATCHER = Matcher(SIGNATURES)
PYTHON = 'Traceback (most recent call last):\n  File "/app/shop/tax.py", line 3, in rate\n    return RATES[name]\nshop.TaxError: no rate'
NODE = "TaxError: no rate\n    at Object.get (/app/node_modules/rates/index.js:1:2)\n    at rate (/app/src/tax.js:10:3)"
JAVA = (
    'Exception in thread "main" java.lang.IllegalStateException: order 5\n\tat com.example.shop.Order.total(Order.java:9)\n'
    "Caused by: com.example.shop.TaxException: no rate\n\tat java.util.Map.get(Map.java:1)\n"
    "\tat com.example.shop.Tax.rate(Tax.java:31)\n\t... 3 more"
)
DOTNET = (
    "Unhandled exception. Shop.TaxException: no rate\n   at System.Collections.Generic.Dictionary`2.get_Item(TKey key)\n"
    "   at Shop.Tax.Rate(String name) in /src/Tax.cs:line 31"
)
GO = (
    "panic: runtime error: no rate\n\ngoroutine 1 [running]:\nruntime.gopanic(0x1)\n\t/usr/go/src/runtime/panic.go:1 +0x1\n"
    "example.com/shop/tax.Rate(0x1)\n\t/app/tax/tax.go:31 +0x1d"
)
RUBY = "/app/lib/tax.rb:31:in `rate': no rate (Shop::TaxError)\n\tfrom /app/main.rb:3:in `<main>'"
RUST = "thread 'main' panicked at src/tax.rs:31:9:\nno rate\nnote: run with `RUST_BACKTRACE=1`"
PHP = (
    "PHP Fatal error:  Uncaught TaxError: no rate in /app/tax.php:31\nStack trace:\n#0 /app/vendor/rates.php(3): get('x')\n"
    "#1 /app/order.php(12): total(NULL)\n#2 {main}\n  thrown in /app/tax.php on line 31"
)
CRASHES = {
    "python": (PYTHON, Crash("python", "shop.TaxError", "no rate", "shop/tax.py:rate")),
    "python, chained": (
        PYTHON.replace("TaxError", "Other") + f"\n\nDuring handling of the above exception, another exception occurred:\n\n{PYTHON}",
        Crash("python", "shop.TaxError", "no rate", "shop/tax.py:rate"),
    ),
    "python, a group": (
        ('  + Exception Group Traceback (most recent call last):\n  |   File "/app/main.py", line 3, in run\n  | ExceptionGroup: two (1 sub-exception)\n'
        '  +-+---------------- 1 ----------------\n    | Traceback (most recent call last):\n    |   File "/app/shop/tax.py", line 3, in rate\n'
        "    | ValueError: no rate\n    +------------------------------------"),
        Crash("python", "ValueError", "no rate", "shop/tax.py:rate"),
    ),
    "python, one line": (
        'Traceback (most recent call last): File "/app/shop/tax.py", line 3, in rate return RATES[name] KeyError: no rate',
        Crash("python", "KeyError", "no rate", "shop/tax.py:rate"),
    ),
    "node": (NODE, Crash("node", "TaxError", "no rate", "src/tax.js:rate")),
    "node, a rejection": (
        f"(node:17) UnhandledPromiseRejectionWarning: {NODE}", Crash("node", "TaxError", "no rate", "src/tax.js:rate"),
    ),
    "node, Lambda": (
        ('2026-03-04T05:06:07.089Z\tr\tERROR\tUncaught Exception \t{"errorType":"TaxError","errorMessage":"no rate","stack":'
        '["TaxError: no rate","    at rate (/var/task/src/tax.js:10:3)"]}'),
        Crash("node", "TaxError", "no rate", "src/tax.js:rate"),
    ),
    "java": (JAVA, Crash("java", "com.example.shop.TaxException", "no rate", "com.example.shop.Order:total")),
    ".NET": (DOTNET, Crash("dotnet", "Shop.TaxException", "no rate", "Shop.Tax:Rate")),
    "go": (GO, Crash("go", "runtime error", "no rate", "example.com/shop/tax:Rate")),
    "go, http": (
        GO.replace("panic: runtime error:", "2026/03/04 05:06:07 http: panic serving 10.0.0.9:4711: runtime error:"),
        Crash("go", "runtime error", "no rate", "example.com/shop/tax:Rate"),
    ),
    "ruby": (RUBY, Crash("ruby", "Shop::TaxError", "no rate", "lib/tax.rb:rate")),
    "rust": (RUST, Crash("rust", "panicked", "no rate", "src/tax.rs")),
    "php": (PHP, Crash("php", "TaxError", "no rate", "order.php:total")),
}  # fmt: skip
RECORDS = {
    "structlog, a list": (
        {"event": "failed", "level": "error", "exception": [{"exc_type": "TaxError", "exc_value": "no rate", "frames": [
            {"filename": "/app/main.py", "lineno": 3, "name": "run"}, {"filename": "/app/shop/tax.py", "lineno": 3, "name": "rate"}]}]},
        Crash("python", "TaxError", "no rate", "shop/tax.py:rate"),
    ),
    "structlog, exc_info": ({"event": "failed", "level": "error", "exc_info": PYTHON}, CRASHES["python"][1]),
    "python-json-logger": ({"levelname": "ERROR", "message": "failed", "exc_info": PYTHON}, CRASHES["python"][1]),
    "pino": ({"level": 50, "msg": "failed", "err": {"type": "TaxError", "message": "no rate", "stack": NODE}}, CRASHES["node"][1]),
    "winston": ({"level": "error", "message": f"uncaughtException: no rate\n{NODE}", "stack": NODE}, CRASHES["node"][1]),
    "serilog": ({"@t": "2026", "@mt": "failed", "@l": "Error", "@x": DOTNET.removeprefix("Unhandled exception. ")}, CRASHES[".NET"][1]),
    "logback": ({"level": "ERROR", "message": "failed", "stack_trace": JAVA}, CRASHES["java"][1]),
    "Elastic's names": (
        {"log.level": "ERROR", "message": "failed", "error.type": "TaxError", "error.message": "no rate", "error.stack_trace": NODE},
        CRASHES["node"][1],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "crash"), CRASHES.values(), ids=CRASHES)
def test_type_words_and_own_frame_of_a_crash_are_read(text, crash):
    assert read_crash(read_line(text).text) == crash


@pytest.mark.parametrize(("record", "crash"), RECORDS.values(), ids=RECORDS)
def test_a_crash_in_structured_fields_is_the_same_crash(record, crash):
    assert read_crash(read_line(json.dumps(record)).text) == crash


@pytest.mark.parametrize("text", [text for text, _ in CRASHES.values()], ids=CRASHES)
def test_a_crash_raises_the_catch_all_and_the_raw_bytes_let_it_through(text):
    assert [match.signature for match in MATCHER.match(text)] == ["unhandled-exception"]
    assert MATCHER.might_match(json.dumps({"logEvents": [{"message": text}]}).encode())


@pytest.mark.parametrize("text", [text for text, _ in CRASHES.values()], ids=CRASHES)
def test_a_crash_logged_at_info_raises_nothing(text):
    assert MATCHER.match(json.dumps({"level": "info", "message": text})) == []


def test_each_row_of_the_table_is_a_runtime_of_its_own():
    assert len({row.name for row in RUNTIMES}) == len(RUNTIMES)


@pytest.mark.parametrize("row", RUNTIMES, ids=lambda row: row.name)
def test_each_expression_of_a_row_finds_its_example(row):
    assert re2.search(row.frame.expression, row.frame.example)
    for wording in row.failures:
        found = re2.search(wording.expression, wording.example)
        assert found, wording
        said = {name: text for name, text in found.groupdict().items() if text}
        assert said, wording


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("no invoice 17 for a1b2c3", "no invoice 4711 for d4e5f6", True),
        ("no file '/tmp/a'", "no file '/tmp/b'", True),
        ("disk of the report server is full", "an invoice was charged twice", False),
    ],
)
def test_two_failures_of_one_wrapper_are_two_unless_only_what_varies_differs(one, other, same):
    rule = SIGNATURES["unhandled-exception"]
    names = {
        fingerprint(rule, "orders", {"exception": "RuntimeError", "frame": "steps.py:run", "message": words})
        for words in (one, other)
    }
    assert len(names) == (1 if same else 2)


def events(text, *, pause=1, start=0):
    return [LogEvent(str(n), start + n * pause, line) for n, line in enumerate(text.split("\n"))]


@pytest.mark.parametrize(("text", "crash"), CRASHES.values(), ids=CRASHES)
def test_a_crash_of_one_line_per_event_is_one_event(text, crash):
    if crash.runtime == "rust":
        pytest.skip("nothing marks the second line of a panic of Rust as one")
    before, after = LogEvent("a", 0, "INFO order 5"), LogEvent("z", 2_000, "INFO order 6")
    whole = joined([before, *events(text), after])
    assert [event.message for event in whole] == [before.message, text, after.message]


def test_two_tracebacks_after_each_other_stay_two():
    first = events(PYTHON)
    second = events(PYTHON.replace("no rate", "no land"), start=10)
    assert [event.message.split("\n")[-1] for event in joined([*first, *second])] == [
        "shop.TaxError: no rate", "shop.TaxError: no land",
    ]  # fmt: skip


def test_lines_with_a_pause_between_them_are_not_put_together():
    lines = events(PYTHON, pause=MAX_PAUSE_LENGTH + 1)
    assert list(joined(lines)) == lines


def test_ordinary_lines_are_left_as_they_are():
    lines = events("INFO a\n  indented\nINFO b\nat noon\nERROR c\nFATAL d")
    assert list(joined(lines)) == lines
