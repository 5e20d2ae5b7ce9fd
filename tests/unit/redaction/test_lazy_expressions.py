"""Expressions that are compiled when they are first used behave as if they had been compiled at once."""

from __future__ import annotations

import importlib
import pkgutil
import re

import pytest
import re2

import tocsin.core
from tocsin.core import lazy_expressions
from tocsin.core.lazy_expressions import lazy, lazy_re2


def all_of_the_core():
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(tocsin.core.__path__, "tocsin.core.")
        if not found.ispkg
    ]
    return {
        f"{module.__name__}.{name}": value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, lazy_expressions._Lazy)
    }


EXPRESSIONS = all_of_the_core()


def test_there_are_some():
    assert len(EXPRESSIONS) > 50


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_each_compiles_at_its_first_use(name):
    assert EXPRESSIONS[name].search("") is None or EXPRESSIONS[name].search("").group() == ""


def test_nothing_is_compiled_before_its_use(monkeypatch):
    compiled = []
    monkeypatch.setattr(re, "compile", lambda *expression: compiled.append(expression))
    assert lazy("(").pattern == "("
    assert compiled == []


def test_flags_count():
    assert lazy("a", re.IGNORECASE).fullmatch("A")
    assert not lazy("a").fullmatch("A")


def test_a_wrong_expression_is_refused_at_its_use():
    with pytest.raises(re.error):
        lazy("(").search("")
    with pytest.raises(re2.error):
        lazy_re2("(").search("")
