"""``tocsin.toml`` on disk: services, routes and intervals, without the signatures, for a function that matches nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tocsin.core.config.settings import FILE, Settings, parse_settings
from tocsin.core.problems import ConfigurationError


def load_settings(root: Path, environ: Mapping[str, str]) -> Settings:
    """Read ``tocsin.toml`` below the deployment root, with the deployment's values laid over it.

    Raises:
        ConfigurationError: With every problem in it, in the words of ``tocsin check``.
    """
    try:
        text = (root / FILE).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError.of(FILE, "", f"cannot be read: {error}") from error
    return parse_settings(text, environ)
