"""Where a signature looks: which log groups and services."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from tocsin.core.signatures.signature import Signature


def in_scope(signature: Signature, log_group: str, service: str) -> bool:
    """Whether a signature looks at this log group; what is not known (empty) keeps nothing out."""
    return (not service or fits((service,), signature.services)) and (
        not log_group or fits((log_group,), signature.log_groups)
    )


def fits(values: Iterable[str], globs: tuple[str, ...]) -> bool:
    """Whether one of the values fits one of the globs, in any case; no globs fit everything."""
    return not globs or any(fnmatchcase(value.lower(), glob.lower()) for value in values for glob in globs)
