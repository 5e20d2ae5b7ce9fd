"""Expressions that are compiled when they are first used: most never are in a process's life, and a cold start waits.

A hundred of them took a tenth of a cold start with a match.
"""

from __future__ import annotations

import re
from typing import Any, cast

import re2


def lazy(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """As `re.compile`, later; a wrong expression is refused at its first use, which a test tries for each."""
    return cast("re.Pattern[str]", _Lazy(re, pattern, flags))


def lazy_re2(pattern: str, options: re2.Options | None = None) -> re2._Regexp:
    """As `re2.compile`, later."""
    return _Lazy(re2, pattern, *filter(None, [options]))


class _Lazy:
    """Stands for a compiled expression, whose methods it takes over as they are asked for."""

    def __init__(self, engine: Any, pattern: str, *flags: object) -> None:
        self._engine, self.pattern, self._flags = engine, pattern, flags

    def __getattr__(self, name: str) -> Any:
        # Two threads may both compile it, to the same.
        compiled = self.__dict__.get("_compiled") or self._engine.compile(self.pattern, *self._flags)
        self._compiled = compiled
        method = getattr(compiled, name)
        setattr(self, name, method)
        return method
