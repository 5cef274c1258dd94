"""What the README says exists: names, keywords, verbs, options, files, links, defaults."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import shlex
from collections.abc import Callable, Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import click
import pytest

import rlcompress as rlc
from rlcompress.algorithms.pops import PoPS
from rlcompress.cli.app import main
from rlcompress.cli.teacher_source import default_folder
from rlcompress.engine.result import Result
from rlcompress.network import Network

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OBJECTS: dict[str, type] = {"policy": rlc.Runtime, "result": Result, "result.best": Network, "task": rlc.PolicyTask}
"""What the variables of the README hold."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def prose() -> str:
    return re.sub(r"^```.*?^```", "", README, flags=re.DOTALL | re.MULTILINE)


def spans() -> list[str]:
    return re.findall(r"`([^`\n]+)`", prose())


def dotted(node: ast.AST) -> str | None:
    """`a.b.c` of names and attributes, or None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return None if base is None else f"{base}.{node.attr}"
    return None


def resolve(name: str) -> Any:
    """What a dotted name of the README stands for."""
    base = max((known for known in OBJECTS if name == known or name.startswith(f"{known}.")), key=len, default=None)
    start: Any = rlc if base is None else OBJECTS[base]
    rest = name.removeprefix("rlc" if base is None else base).split(".")[1:]
    return reduce(_member, rest, start)


def _member(owner: Any, name: str) -> Any:
    """Attribute of an object, or field of a dataclass, which has none on the class itself."""
    return getattr(owner, "__dataclass_fields__", {}).get(name) or getattr(owner, name)


def nodes() -> Iterator[ast.AST]:
    for block in blocks("python"):
        yield from ast.walk(ast.parse(block))


def names() -> list[str]:
    """Dotted names in Python blocks and in prose that begin with the package or a known variable."""
    roots = {"rlc", *(name.partition(".")[0] for name in OBJECTS)}
    found = {name for node in nodes() if isinstance(node, ast.Attribute) and (name := dotted(node))}
    found |= {name for span in spans() for name in re.findall(r"(?<![\w./])rlc(?:\.[A-Za-z_]\w*)+", span)}
    return sorted(name for name in found if name.partition(".")[0] in roots)


def commands() -> list[list[str]]:
    """Calls of `rlcompress` in shell blocks and code spans, as words after the program's name."""
    texts = [line for block in blocks("sh") for line in block.splitlines()] + spans()
    found = [re.search(r"(?:^|[\s/])rlcompress (.+)", text) for text in texts]
    return [shlex.split(match.group(1)) for match in found if match]


def command_of(verb: str) -> click.Command | None:
    with click.Context(main) as context:
        return main.get_command(context, verb)


def test_there_is_something_to_check() -> None:
    assert {"rlc.compress", "rlc.PoPS.paper", "rlc.Runtime", "policy.predict", "result.best.save"} <= set(names())
    assert {"pops", "resume", "inspect"} <= {words[0] for words in commands()}


@pytest.mark.parametrize("name", names())
def test_name_exists(name: str) -> None:
    resolve(name)


def test_keywords_exist() -> None:
    checked = 0
    for node in nodes():
        if isinstance(node, ast.Call) and (name := dotted(node.func)) and name.partition(".")[0] in ("rlc", *OBJECTS):
            target: Callable[..., Any] = resolve(name)
            if name in OBJECTS:  # policy(observation): the object itself is called
                target = target.__call__
            parameters = inspect.signature(target).parameters
            unknown = {keyword.arg for keyword in node.keywords} - set(parameters)
            if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
                unknown -= {field.name for field in dataclasses.fields(rlc.PuRL)}  # prune takes its settings by name
            assert not unknown, f"{name} has no {unknown}; it has {list(parameters)}"
            checked += len(node.keywords)
    assert checked >= 4


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_command_exists(words: list[str]) -> None:
    command = main if words[0].startswith("-") else command_of(words[0])
    assert command is not None, f"rlcompress {words[0]}: no such verb"
    known = {text for parameter in command.params for text in (*parameter.opts, *parameter.secondary_opts)}
    unknown = {word for word in words if word.startswith("-")} - known - {"--help"}
    assert not unknown, f"rlcompress {words[0]} has no {unknown}"


def test_every_verb_but_the_papers_is_in_the_table() -> None:
    with click.Context(main) as context:
        verbs = {verb for verb in main.list_commands(context) if not verb.endswith("-paper")}
    assert verbs <= set(re.findall(r"^\| `rlcompress ([a-z-]+)", README, re.MULTILINE))


def test_options_in_prose_exist() -> None:
    loose = [span.split()[0] for span in spans() if span.startswith("--")]
    known = {
        text
        for verb in ("pops", "inspect", "export", "bench")
        for parameter in getattr(command_of(verb), "params", [])
        for text in parameter.opts
    }
    assert loose
    assert set(loose) <= known


def headings(text: str) -> set[str]:
    """Anchors of a Markdown file, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def test_links_resolve() -> None:
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", prose()) if "://" not in link]
    assert links
    for link in links:
        path, _, anchor = link.partition("#")
        target = ROOT / path if path else ROOT / "README.md"
        assert target.exists(), link
        if anchor:
            assert anchor in headings(target.read_text(encoding="utf-8")), link


def test_scripts_exist() -> None:
    for script in re.findall(r"\b(?:benchmarks|docs|examples|tests)/[\w./-]+\.py\b", README):
        assert (ROOT / script).is_file(), script


def test_defaults_are_those_of_the_code() -> None:
    settings = PoPS()
    assert f"{settings.keep_return * 100:.0f} % of its mean return" in README
    assert f"({settings.min_episodes:,} to {settings.max_episodes:,}," in README
    own = [words for words in commands() if "pops" in words and "--env" in words and "--policy" not in words]
    (env,) = {words[words.index("--env") + 1] for words in own}
    assert f"`{default_folder(env).as_posix()}/`" in README
