"""docs/deploying.md lists every permission that the doctor and a deploy need, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from needed_permissions import as_lines, of_deploy, of_doctor

PAGE = Path(__file__).resolve().parents[3] / "docs" / "deploying.md"


@pytest.mark.parametrize(("which", "needed"), [("doctor", of_doctor), ("deploy", of_deploy)])
def test_the_listed_permissions_are_those_that_are_needed(which, needed):
    listed = re.search(rf"```text {which}\n(.*?)\n```", PAGE.read_text("utf-8"), re.DOTALL)[1]
    assert listed == as_lines(needed())


def test_the_doctor_only_reads():
    writing = {"Put", "Create", "Update", "Delete", "Set", "Add", "Send", "Publish", "Remove"}
    names = [action.partition(":")[2] for action in of_doctor()]
    assert not [name for name in names if name.startswith(tuple(writing))]
