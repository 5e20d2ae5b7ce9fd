"""Whether shell commands in documents are real ones.

``Shell`` finds the commands of a script; ``problems_of`` holds those of the AWS CLI (version 2) against
botocore's service models: the operation, each option, what it requires, enumerated values, and the fields in
``--query``.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.exceptions
import botocore.session
import jmespath
from botocore import xform_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GLOBAL_OPTIONS = {
    "--cli-binary-format",
    "--color",
    "--endpoint-url",
    "--no-cli-pager",
    "--no-paginate",
    "--output",
    "--profile",
    "--query",
    "--region",
}
PAGING_OPTIONS = {"--max-items", "--page-size", "--starting-token"}
"""What the CLI adds to operations with a paginator."""
CLI_COMMANDS = {
    ("logs", "tail"): {"--since", "--follow", "--format", "--filter-pattern", "--log-stream-names"}
}
"""Commands that the CLI has and the API has not, with their options."""
POSITIONAL = {("lambda", "invoke"): 1, ("logs", "tail"): 1}
"""How many arguments without an option a command takes: the file for the answer, the log group."""
RENAMED = {("sns", "subscribe", "--endpoint"): "--notification-endpoint"}
"""Options that the CLI calls otherwise than the API."""
SAM_COMMANDS = {
    "build": {"--use-container"},
    "deploy": {"--guided", "--stack-name", "--parameter-overrides"},
    "local": {"-e", "--event"},
}
DECODED_BY_CLI = {"TemplateBody"}
"""Text by the model, JSON by the time ``--query`` sees it."""
BEFORE_A_COMMAND = {"do", "then", "else", "while", "until", "if", "!", "{", "}", "done", "fi"}
END_OF_WORD = frozenset(" \t\n;|&()<>")


class Shell:
    """The simple commands of a script, also those in ``$(…)``: as much of the shell as documents use.

    Attributes:
        commands: The words of each command, quotes removed.
        inputs: The files that input is redirected from; in documents, placeholders somebody forgot to quote.
    """

    def __init__(self, script: str) -> None:
        self.commands: list[list[str]] = []
        self.inputs: list[str] = []
        self._script, self._at = script, 0
        self._documents: list[str] = []
        self._sequence("")

    def _sequence(self, end: str) -> None:
        """Commands up to ``end``: a closing parenthesis, or the end of the script."""
        words: list[str] = []
        while (char := self._char()) != end:
            if char in "\n;|&":
                self._keep(words)
                words = []
            if char in END_OF_WORD or char == "#":
                self._special(char)
            elif self._script.startswith("\\\n", self._at):
                self._at += 2
            else:
                words.append(self._word())
        self._keep(words)

    def _special(self, char: str) -> None:
        """What stands between words."""
        self._at += 1
        if char == "#":
            self._text_to("\n")
        elif char == "\n":
            for delimiter in self._documents:
                self._text_to(f"\n{delimiter}\n", from_start_of_line=True)
            self._documents = []
        elif char == "(":
            self._sequence(")")
            self._at += 1
        elif char == "<" and self._char() == "<":
            self._at += 1
            self._documents.append(self._word())
        elif char in "<>":
            while self._char() in {" ", "\t"}:
                self._at += 1
            target = self._word()
            if char == "<":
                self.inputs.append(target)

    def _char(self) -> str:
        return self._script[self._at : self._at + 1]

    def _keep(self, words: list[str]) -> None:
        while words and (words[0] in BEFORE_A_COMMAND or re.match(r"\w+=", words[0])):
            words = words[1:]
        if words:
            self.commands.append(words)

    def _word(self) -> str:
        found = ""
        while self._char() and self._char() not in END_OF_WORD:
            found += self._piece(in_quotes=False)
        return found

    def _piece(self, *, in_quotes: bool) -> str:
        char = self._char()
        self._at += 1
        if char == "'" and not in_quotes:
            text = self._text_to("'")
            self._at += 1
            return text
        if char == '"' and not in_quotes:
            found = ""
            while self._char() != '"':
                found += self._piece(in_quotes=True)
            self._at += 1
            return found
        if char == "\\":
            self._at += 1
            return self._script[self._at - 1]
        if char == "$" and self._char() == "(":
            self._at += 1
            self._sequence(")")
            self._at += 1
            return "$OUTPUT"
        return char

    def _text_to(self, end: str, *, from_start_of_line: bool = False) -> str:
        start = self._at
        found = self._script.find(end, start - from_start_of_line)
        self._at = len(self._script) if found < 0 else found + from_start_of_line * (len(end) - 1)
        return self._script[start : self._at]


SESSION = botocore.session.get_session()


@cache
def service_model(service: str) -> Any:
    """The model of a service by the CLI's name for it.

    Raises:
        botocore.exceptions.UnknownServiceError: There is none.
    """
    return SESSION.get_service_model({"s3api": "s3"}.get(service, service))


def operation_of(service: str, name: str) -> str:
    """The API's name of an operation by the CLI's, or nothing."""
    return {xform_name(one, "-"): one for one in service_model(service).operation_names}.get(name, "")


def problems_of(words: list[str]) -> list[str]:
    """What is wrong with one command; empty for commands other than ``aws`` and ``sam``."""
    if words[0] == "sam":
        return _sam_problems(words[1:])
    if words[0] != "aws":
        return []
    service, name, *arguments = words[1:]
    try:
        service_model(service)
    except botocore.exceptions.UnknownServiceError:
        return [f"{service}: no such service"]
    options, positional = _apart(arguments)
    if (service, name) in CLI_COMMANDS:
        found = _cli_problems(service, name, options, positional)
    elif name == "wait":
        found = _wait_problems(service, options, positional)
    elif operation := operation_of(service, name):
        found = _Call(service, operation, options, positional, POSITIONAL.get((service, name), 0)).problems()
    else:
        found = iter(["no such operation"])
    return [f"aws {service} {name}: {problem}" for problem in found]


def _sam_problems(words: list[str]) -> list[str]:
    if words[0] not in SAM_COMMANDS:
        return [f"sam {words[0]}: not a known command"]
    options = {word for word in words if word.startswith("-")}
    return [f"sam {words[0]}: no option {option}" for option in options - SAM_COMMANDS[words[0]]]


def _apart(arguments: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Options with the arguments that follow them, and the arguments before the first option."""
    options: dict[str, list[str]] = {}
    positional: list[str] = []
    into = positional
    for argument in arguments:
        if argument.startswith("--"):
            into = options.setdefault(argument, [])
        else:
            into.append(argument)
    return options, positional


def _cli_problems(
    service: str, name: str, options: dict[str, list[str]], positional: list[str]
) -> Iterator[str]:
    if len(positional) != POSITIONAL.get((service, name), 0):
        yield f"takes {POSITIONAL.get((service, name), 0)} arguments, has {positional}"
    for option in options.keys() - CLI_COMMANDS[service, name] - GLOBAL_OPTIONS:
        yield f"no option {option}"


def _wait_problems(service: str, options: dict[str, list[str]], positional: list[str]) -> Iterator[str]:
    waiters = SESSION.get_waiter_model(service)
    names = {xform_name(waiter, "-"): waiter for waiter in waiters.waiter_names}
    if positional[0] not in names:
        return iter([f"no such waiter as {positional[0]}"])
    operation = waiters.get_waiter(names[positional[0]]).operation
    return _Call(service, operation, options, positional[1:], 0).problems()


class _Call:
    """A call of an operation by the CLI."""

    def __init__(
        self, service: str, operation: str, options: dict[str, list[str]], positional: list[str], takes: int
    ) -> None:
        self.service, self.operation, self.options, self.positional = service, operation, options, positional
        # Arguments without an option may stand behind options too: so many may be one option's surplus.
        self.surplus = takes - len(positional)
        self.model = service_model(service).operation_model(operation)
        self.input = self.model.input_shape

    def problems(self) -> Iterator[str]:
        members = dict(self.input.members) if self.input else {}
        command = (self.service, xform_name(self.operation, "-"))
        options = {member: f"--{xform_name(member, '-')}" for member in members}
        by_option = {
            RENAMED.get((*command, options[member]), options[member]): members[member] for member in members
        }
        for member in self.input.required_members if self.input else []:
            if f"--{xform_name(member, '-')}" not in self.options:
                yield f"needs --{xform_name(member, '-')}"
        if self.positional and self.surplus:
            yield f"stray arguments {self.positional}"
        for option, values in self.options.items():
            if option == "--query":
                yield from query_problems(values[0], self.model.output_shape)
            elif option not in GLOBAL_OPTIONS and not (option in PAGING_OPTIONS and self.paginates()):
                yield from self.option_problems(option, values, by_option)

    def paginates(self) -> bool:
        try:
            model = SESSION.get_paginator_model({"s3api": "s3"}.get(self.service, self.service))
            return bool(model.get_paginator(self.operation))
        except (ValueError, botocore.exceptions.DataNotFoundError):
            return False

    def option_problems(self, option: str, values: list[str], by_option: dict[str, Any]) -> Iterator[str]:
        shape = by_option.get(option)
        if shape is None and option.startswith("--no-"):
            positive = by_option.get(f"--{option[5:]}")
            shape = positive if positive is not None and positive.type_name == "boolean" else None
        if shape is None:
            yield f"no option {option}; there are {sorted(by_option)}"
            return
        least = most = 1 + (self.surplus if shape.type_name != "list" else 0)
        if shape.type_name == "boolean":
            least = most = 0
        elif shape.type_name == "list":
            most = len(values)
        if not min(least, 1) <= len(values) <= most:
            yield f"{option} takes {most} values, has {values}"
            return
        element = shape.member if shape.type_name == "list" else shape
        yield from (f"{option} {problem}" for value in values for problem in value_problems(element, value))


def is_open(value: str) -> bool:
    """Whether the reader, or the shell, fills something in."""
    return "$" in value or "<" in value


def value_problems(shape: Any, value: str) -> Iterator[str]:
    """What is wrong with a value given on the command line."""
    if shape.type_name in {"integer", "long"} and not is_open(value) and not value.isdigit():
        yield f"must be a number, is {value!r}"
    if getattr(shape, "enum", None) and not is_open(value) and value not in shape.enum:
        yield f"must be one of {shape.enum}, is {value!r}"
    if shape.type_name not in {"structure", "map"} or value.startswith(("{", "[", "file://")):
        return
    known = shape.members if shape.type_name == "structure" else getattr(shape.key, "enum", None)
    for key in re.findall(r"(?:^|,)(\w+)=", re.sub(r"\[.*\]", "", value)):
        if known and key not in known:
            yield f"has no key {key!r}; there are {list(known)}"


def query_problems(query: str, output: Any) -> list[str]:
    """What is wrong with a JMESPath expression, held against the shape of what it is applied to."""
    plain = re.sub(r"\$\{?\w+\}?|<[^>]*>", "x", query)
    try:
        tree = jmespath.compile(plain).parsed
    except jmespath.exceptions.ParseError as error:
        return [f"--query {query}: {error}"]
    walk = _Query()
    walk.visit(tree, output)
    return [f"--query {problem}" for problem in walk.problems]


class _Query:
    """Walks an expression with the shape each part is applied to; None where that is not known."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def visit(self, node: dict[str, Any], shape: Any) -> Any:
        visitors: dict[str, Callable[[dict[str, Any], Any], Any]] = {
            "field": self.field,
            "subexpression": self.chain,
            "index_expression": self.chain,
            "pipe": self.chain,
            "flatten": self.chain,
            "projection": self.projection,
            "value_projection": self.projection,
            "filter_projection": self.projection,
            "index": lambda _node, shape: _element(shape),
            "slice": lambda _node, shape: _element(shape),
            "identity": lambda _node, shape: shape,
            "current": lambda _node, shape: shape,
            "function_expression": self.function,
        }
        return visitors.get(node["type"], self.parts)(node, shape)

    def field(self, node: dict[str, Any], shape: Any) -> Any:
        name = node["value"]
        if shape is None:
            return None
        if shape.type_name == "structure" and name in shape.members:
            return None if name in DECODED_BY_CLI else shape.members[name]
        if shape.type_name == "map":
            return shape.value
        self.problems.append(
            f"no field {name!r} in {shape.name}; there are {list(getattr(shape, 'members', []))}"
        )
        return None

    def chain(self, node: dict[str, Any], shape: Any) -> Any:
        for child in node["children"]:
            shape = self.visit(child, shape)
        return shape

    def projection(self, node: dict[str, Any], shape: Any) -> None:
        inner = _element(self.visit(node["children"][0], shape))
        if node["children"][0]["type"] == "flatten" and inner is not None and inner.type_name == "list":
            inner = inner.member
        for child in node["children"][1:]:
            self.visit(child, inner)

    def function(self, node: dict[str, Any], shape: Any) -> Any:
        # map(&f, list), sort_by(list, &f): the reference is applied to the list's elements.
        arguments = [self.visit(child, shape) for child in node["children"] if child["type"] != "expref"]
        for child in node["children"]:
            if child["type"] == "expref":
                self.parts(child, _element(arguments[0]))
        return arguments[0] if node["value"] == "sort_by" else None

    def parts(self, node: dict[str, Any], shape: Any) -> None:
        for child in node["children"]:
            self.visit(child, shape)


def _element(shape: Any) -> Any:
    if shape is not None and shape.type_name == "list":
        return shape.member
    return shape.value if shape is not None and shape.type_name == "map" else shape
