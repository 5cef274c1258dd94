"""The stub of `_core` has the names and parameters of the compiled module, which pybind11 writes into docstrings."""

from __future__ import annotations

import ast
from importlib.resources import files
from typing import Any

from rlcompress import kernels

CORE = kernels._core
Signatures = dict[str, list[str] | None]  # parameter names, or None for what is not called


def parameters(function: ast.FunctionDef) -> list[str]:
    return [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]


def is_public(name: str) -> bool:
    return name == "__init__" or not name.startswith("_")


def of_stub(body: list[ast.stmt], prefix: str = "") -> Signatures:
    found: Signatures = {}
    for node in body:
        if isinstance(node, ast.FunctionDef) and is_public(node.name):
            is_property = any(isinstance(mark, ast.Name) and mark.id == "property" for mark in node.decorator_list)
            found[prefix + node.name] = None if is_property else parameters(node)
        elif isinstance(node, ast.ClassDef):
            found |= of_stub(node.body, f"{node.name}.")
        elif isinstance(node, ast.AnnAssign):
            found[prefix + ast.unparse(node.target)] = None
    return found


def of_module(owner: Any, prefix: str = "") -> Signatures:
    found: Signatures = {}
    for name, value in vars(owner).items():
        if isinstance(value, type) and value.__module__ == CORE.__name__:
            found |= of_module(value, f"{value.__name__}.")
        elif is_public(name):
            found[prefix + name] = None if isinstance(value, property) else parameters(written_signature(value))
    return found


def written_signature(function: Any) -> ast.FunctionDef:
    line = (function.__doc__ or "").splitlines()[0]
    parsed = ast.parse(f"def {line}: ...").body[0]
    assert isinstance(parsed, ast.FunctionDef)
    return parsed


def test_stubs_match_the_core():
    stub = of_stub(ast.parse(files("rlcompress").joinpath("_core.pyi").read_text(encoding="utf-8")).body)
    module = of_module(CORE) | {"__version__": None}
    assert sorted(stub) == sorted(module)
    differ = {name: (stub[name], module[name]) for name in stub if stub[name] != module[name]}
    assert not differ, f"(stub, module): {differ}"
    assert sum(names is not None for names in module.values()) >= 8
