"""The limits of expressions and the options they are compiled with."""

from __future__ import annotations

import re2

MAX_EXPRESSION_LENGTH = 1_000
"""Characters; RE2 is linear in the text, and this and ``MAX_PROGRAM_SIZE`` bound the factor."""


MAX_PROGRAM_SIZE = 10_000
"""RE2 instructions of one expression; a counted repetition such as ``.{0,1000}`` is what makes them many."""


def re2_options() -> re2.Options:
    """RE2 options for signatures: errors are raised, not printed; ``^`` and ``$`` are written with ``(?m)``."""
    options = re2.Options()
    options.log_errors = False
    return options
