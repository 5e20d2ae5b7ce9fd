"""What accounts are called: ``[accounts]`` in the settings, names beside the numbers that nobody knows by heart."""

from __future__ import annotations

from typing import Final

from tocsin.core.lazy_expressions import lazy
from tocsin.core.table_reader import TableReader

MAX_ACCOUNT_NAME_LENGTH: Final = 60
_NUMBER = lazy(r"[0-9]{12}")


def read_account_names(given: TableReader) -> dict[str, str]:
    """Read the table: an account's number, in quotation marks or not, and its name."""
    names: dict[str, str] = {}
    for number, name in given.table.items():
        if not _NUMBER.fullmatch(number):
            given.wrong(number, "an account is a number of twelve digits")
        elif not isinstance(name, str) or not name.strip() or len(name) > MAX_ACCOUNT_NAME_LENGTH:
            given.wrong(number, f"must be a name of 1 to {MAX_ACCOUNT_NAME_LENGTH} characters, is {name!r}")
        else:
            names[number] = " ".join(name.split())
    return names
