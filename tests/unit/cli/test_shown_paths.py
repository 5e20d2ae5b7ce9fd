"""A path that a command prints can be clicked, or pasted, where one stands."""

from __future__ import annotations

import pytest

from tocsin_cli.main import main
from tocsin_cli.product import product_root
from tocsin_cli.shown_paths import shown


@pytest.fixture
def here(tmp_path, monkeypatch):
    folder = tmp_path / "alerts"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_below_the_working_directory_it_is_relative_and_elsewhere_absolute(here):
    assert shown(here / "runbooks" / "x.md") == "runbooks/x.md"
    assert shown(here / "a" / ".." / "x.md") == "x.md"
    assert shown(here.parent / "x.md") == str(here.parent / "x.md")
    assert shown(here / ".." / "alerts-old") == str(here.parent / "alerts-old"), "no neighbour by its name"


def test_through_a_symbolic_link_to_where_one_stands_it_is_relative_too(here):
    (here.parent / "link").symlink_to(here)
    assert shown(here.parent / "link" / "x.md") == "x.md"


@pytest.mark.parametrize(
    "given",
    [
        ("init", "--no-aws", "--yes", "{here}/own"),
        ("runbooks", "--html", "{here}/site"),
        ("preview", "lambda-timeout", "--html", "{here}/page.html"),
        ("new", "--root", "{here}/own", "stock-negative", "--from-line", "ERROR stock is negative"),
        ("event", "all", "--events", "{here}/events"),
    ],
)
def test_a_path_given_absolute_comes_back_relative(given, here, capsys):
    if given[0] == "new":
        main(["init", "--no-aws", "--yes", "own"])
        capsys.readouterr()
    assert main([word.format(here=here) for word in given]) == 0
    printed = capsys.readouterr().out
    assert str(here) not in printed
    assert str(product_root()) not in printed


def test_an_unknown_id_suggests_one_and_does_not_list_all(capsys):
    assert main(["preview", "lambda-timeot"]) == 1
    said = capsys.readouterr().err
    assert "did you mean lambda-timeout?" in said
    assert len(said) < 200
