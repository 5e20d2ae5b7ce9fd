"""The package as `tocsin build` makes it: built once for all tests and workers, each of which takes a copy."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from tocsin_cli.commands.build import build

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def built_once(tmp_path_factory):
    """A project, built and verified, of which nobody may change anything."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    project = shared / "built"
    with (shared / "built.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another worker may be building it
        if not project.exists():
            making = shared / "building"
            copy_of_clone(making)
            build(making)
            making.rename(project)
    return project


def copy_of_clone(project):
    """What a build and a deploy need of the clone, whose own .aws-sam and .tocsin are left alone."""
    project.mkdir()
    for name in ("template.yaml", "samconfig.toml", "Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, project)
    for name in ("functions", "runbooks"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))


@pytest.fixture(scope="module")
def built(built_once, tmp_path_factory):
    """A copy of the built project for the tests of one file."""
    project = tmp_path_factory.mktemp("project") / "project"
    shutil.copytree(built_once, project)
    return project
