"""Expressions that are compiled when they are first used: most never are in a process's life, and a cold start waits.

A hundred of them took a tenth of a cold start with a match.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

import re2

from tocsin.core.expressions import line_options


def lazy(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """As `re.compile`, later; a wrong expression is refused at its first use, which a test tries for each."""
    return cast("re.Pattern[str]", _Lazy(lambda: re.compile(pattern, flags), pattern))


def lazy_re2(pattern: str) -> re2._Regexp:
    """As `re2.compile` with `line_options`, later."""
    return _Lazy(lambda: re2.compile(pattern, line_options()), pattern)


class _Lazy:
    """Stands for a compiled expression, whose methods it takes over as they are asked for."""

    def __init__(self, compile_: Callable[[], Any], pattern: str) -> None:
        self._compile, self.pattern = compile_, pattern

    def __getattr__(self, name: str) -> Any:
        # Two threads may both compile it, to the same.
        compiled = self.__dict__.get("_compiled") or self._compile()
        self._compiled = compiled
        method = getattr(compiled, name)
        setattr(self, name, method)
        return method
