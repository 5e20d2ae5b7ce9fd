"""The nightly search: one variable makes every property test search longer, and what it finds is kept for the next."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import EXAMPLES, search_longer
from hypothesis import given, settings
from hypothesis import strategies as st

TESTS = Path(__file__).parents[2]
SHOW = "import conftest; from hypothesis import settings as s; d = s.default; print(d.max_examples, d.derandomize, d.database)"


def chosen(**environment):
    """How many examples, whether the same each time, and where they are kept, in a process with this environment."""
    kept = {name: value for name, value in os.environ.items() if name not in {"CI", "HYPOTHESIS_PROFILE"}}
    done = subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd=TESTS,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr.splitlines()[-1]


@pytest.mark.parametrize("runner", [{}, {"CI": "true"}])
def test_the_variable_chooses_thousands_of_examples_drawn_anew_and_kept_where_a_runner_can_cache_them(runner):
    assert (
        chosen(HYPOTHESIS_PROFILE="nightly", **runner)
        == f"5000 False DirectoryBasedExampleDatabase({EXAMPLES!r})"
    )


def test_without_the_variable_nothing_is_searched_longer():
    assert chosen().startswith("100 False ")


def test_a_profile_that_is_not_there_is_refused():
    assert "nightli" in chosen(HYPOTHESIS_PROFILE="nightli")


@pytest.mark.parametrize(("own", "most", "expected"), [(3, 5_000, 150), (40, 100, 40), (200, 100, 200)])
def test_a_test_that_pins_its_number_takes_the_same_part_of_a_longer_search(own, most, expected):
    seen = []

    @settings(max_examples=own, database=None, deadline=None)
    @given(st.integers())
    def probe(number):
        seen.append(number)

    search_longer(probe, most)
    probe()
    assert len(seen) == expected


def test_a_test_that_has_its_number_from_the_profile_is_not_raised_twice():
    seen = []

    @settings(max_examples=300, database=None, deadline=None)
    @given(st.integers())
    def probe(number):
        seen.append(number)

    search_longer(probe, 300)
    probe()
    assert len(seen) == 300
