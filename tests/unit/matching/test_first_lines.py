"""What is done otherwise for the first lines of a process, because nothing is compiled yet, changes no answer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.matching import levels
from tocsin.core.matching.invocations import _STATEMENT, _STATEMENT_WORDS, stated_attempt
from tocsin.core.matching.levels import statement
from tocsin.core.redaction import redact as redaction
from tocsin.core.redaction.rules import RULES

FUNCTIONS = Path(__file__).parents[3] / "functions"
SAMPLES = [
    line
    for entry in load_configuration(FUNCTIONS, {}).signatures.values()
    if entry.source == "log"
    for sample in entry.matches
    for line in sample.splitlines()
]
PIECES = [
    "ERROR", "[error]", "level=warn", "<11>", "2026-01-01 12:00:00,000", " - app - ", "INFO", ": ", "|", "\t", "E", "[Nest] 17  - ",
    "npm ERR! ", "if you see ", "PHP Fatal error: ", "%3|1540199111.115|FAIL|", "REPORT RequestId: ", "Task timed out after ",
    "0f8e7b2c-1111-4222-8333-944455556666", '{"type": "platform.report", ', "LAMBDA_WARNING: ", "INIT_REPORT ",
    "2026-03-04T05:06:07.089Z\tundefined\tINFO\t", "[LOG] ", "Error: ", "NOTICE: PHP message: PHP Fatal error: ", "\u017f\u212aé",
]  # fmt: skip
NEEDLES = [needle for rule in RULES for needle in rule.needles]
lines = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), max_size=8).map("".join)


def both_levels(line):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(levels, "_TOGETHER", [])
        patched.setattr(levels, "FEW_LINES", sys.maxsize)
        first = statement.__wrapped__(line)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(levels, "FEW_LINES", 0)
        return first, statement.__wrapped__(line)


@pytest.mark.parametrize(
    "line", [line[: levels.MAX_PREFIX_LENGTH] for line in SAMPLES], ids=range(len(SAMPLES))
)
def test_the_first_lines_state_the_level_that_later_ones_do(line):
    first, later = both_levels(line)
    assert first == later


@settings(max_examples=300, deadline=None)
@given(lines)
def test_a_made_line_states_one_level_first_and_later(line):
    first, later = both_levels(line)
    assert first == later


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(NEEDLES), st.text(max_size=4)), max_size=6).map("".join))
def test_the_first_texts_leave_out_the_rules_that_later_ones_do(text):
    lowered = text.lower()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(redaction, "FEW_TEXTS", sys.maxsize)
        first = redaction._idle(lowered)
        patched.setattr(redaction, "FEW_TEXTS", 0)
        assert first == redaction._idle(lowered)


@settings(max_examples=300, deadline=None)
@given(lines)
def test_what_the_platform_states_has_one_of_the_words_that_are_asked_for_first(line):
    if _STATEMENT.match(line):
        assert any(word in line for word in _STATEMENT_WORDS)
    else:
        assert stated_attempt(line, 0) == ""


def test_msgspec_comes_without_what_it_needs_no_more_and_others_still_get_that():
    code = (
        "import sys\nfrom tocsin.lean_imports import import_msgspec\nimport_msgspec()\n"
        "assert 'msgspec' in sys.modules and not {'typing_extensions', 'inspect', 'ast'} & set(sys.modules)\n"
        "import tocsin.bootstrap, tocsin.adapters.files.configuration as made, typing_extensions\n"
        "assert typing_extensions.TypedDict\n"
        "from pathlib import Path\n"
        "assert len(made.packaged_configuration(Path(made.__file__).parents[3], {}).signatures) > 40\n"
    )
    subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path += {sys.path!r}\n{code}"], check=True, env={}
    )
