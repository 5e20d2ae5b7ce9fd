"""What a function says of itself: one line of JSON each, in the very words and order of Powertools' ``Logger``.

A function says a line or two in an invocation, if any. To import Powertools for that took a tenth of a cold start with a
match, and it was a tenth of the package.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping

_LEVELS = {
    "TRACE": 0,
    "DEBUG": 10,
    "INFO": 20,
    "WARN": 30,
    "WARNING": 30,
    "ERROR": 40,
    "CRITICAL": 50,
    "FATAL": 50,
}
_LEVEL_VARIABLES = ("AWS_LAMBDA_LOG_LEVEL", "TOCSIN_LOG_LEVEL")
"""Lambda's own setting goes before the stack's."""
_NOTHING: Mapping[str, object] = {}


class FunctionLog:
    """The log of a function, on standard output.

    Args:
        service: The function's name.
        environ: The environment, which says from which level on something is printed.

    Attributes:
        least: The rank of the lowest level that is printed.
    """

    def __init__(self, service: str, environ: Mapping[str, str]) -> None:
        self._service, self._environ = service, environ
        named = next(filter(None, map(environ.get, _LEVEL_VARIABLES)), "")
        self.least = _LEVELS.get(named.upper(), _LEVELS["INFO"])

    def info(self, message: str, extra: Mapping[str, object] = _NOTHING) -> None:
        """Say what was done, with more keys."""
        self._print("INFO", message, extra)

    def warning(self, message: str, extra: Mapping[str, object] = _NOTHING) -> None:
        """Say what should not be so, with more keys."""
        self._print("WARNING", message, extra)

    def error(self, message: str, extra: Mapping[str, object] = _NOTHING) -> None:
        """Say what could not be done, with more keys."""
        self._print("ERROR", message, extra)

    def _print(self, level: str, message: str, extra: Mapping[str, object]) -> None:
        if _LEVELS[level] < self.least:
            return
        said = sys._getframe(2)  # noqa: SLF001 - there is no other way to know who says it
        now = time.time()
        line = {
            "level": level,
            "location": f"{said.f_code.co_name}:{said.f_lineno}",
            "message": message,
            "timestamp": time.strftime(f"%Y-%m-%d %H:%M:%S,{int(now % 1 * 1000):03d}%z", time.localtime(now)),
            "service": self._service,
            **extra,
        }
        trace = self._environ.get("_X_AMZN_TRACE_ID")  # another one in each invocation
        if trace:
            line["xray_trace_id"] = trace.split(";")[0].removeprefix("Root=")
        sys.stdout.write(json.dumps(line, default=str, separators=(",", ":"), ensure_ascii=False) + "\n")
        sys.stdout.flush()
