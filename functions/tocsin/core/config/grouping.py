"""``group_by`` of a route: the labels that incidents of several services must have in common to be told as one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from tocsin.core.config.routing import ALONE
from tocsin.core.problems import Problem, did_you_mean

if TYPE_CHECKING:
    from tocsin.core.config.routing import Route

COMMON: Final = ("signature", "service", "account", "region", "severity", "owner")
"""What every alert has, beside the fields that its signature captures."""


def read_group_by(value: object) -> tuple[str, ...]:
    """The labels of a route.

    Raises:
        ValueError: It is no list of labels; says why.
    """
    if not isinstance(value, list) or not value or not all(isinstance(each, str) and each for each in value):
        raise ValueError(
            f'must be a list of at least one label, as ["signature", "host"], or ["{ALONE}"], is {value!r}'
        )
    if ALONE in value and len(value) > 1:
        raise ValueError(f'"{ALONE}" joins nothing and stands alone, is {value!r}')
    return tuple(dict.fromkeys(value))


def grouping_problems(routes: Iterable[Route], file: str, captured: Collection[str]) -> Iterator[Problem]:
    """Labels that no alert has.

    Args:
        routes: All routes, children included.
        file: The file's name, for the problems.
        captured: The fields that signatures capture.
    """
    known = {*COMMON, ALONE, *captured}
    for route in routes:
        for name in route.group_by:
            if name not in known:
                near = did_you_mean(name, known)
                yield Problem(
                    file,
                    f"{route.key}.group_by",
                    f"{name!r}: no such label{near}; there are {', '.join(COMMON)} and the fields that signatures capture",
                )
