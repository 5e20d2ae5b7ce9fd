"""What accounts are called: ``[accounts]`` in the settings, names beside the numbers that nobody knows by heart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tocsin.core.problems import Problem

MAX_ACCOUNT_NAME_LENGTH: Final = 60
_NUMBER = re.compile(r"[0-9]{12}")


def read_account_names(table: Mapping[str, object], file: str, problems: list[Problem]) -> dict[str, str]:
    """Read the table: an account's number, in quotation marks or not, and its name.

    Args:
        table: As TOML has it.
        file: Where it stands.
        problems: What is wrong with it is added here.
    """
    names: dict[str, str] = {}
    for number, name in table.items():
        key = f"accounts.{number}"
        if not _NUMBER.fullmatch(number):
            problems.append(Problem(file, key, "an account is a number of twelve digits"))
        elif not isinstance(name, str) or not name.strip() or len(name) > MAX_ACCOUNT_NAME_LENGTH:
            reason = f"must be a name of 1 to {MAX_ACCOUNT_NAME_LENGTH} characters, is {name!r}"
            problems.append(Problem(file, key, reason))
        else:
            names[number] = " ".join(name.split())
    return names
