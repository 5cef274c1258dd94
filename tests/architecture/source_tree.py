"""Where the project's files are. These tests read the tree; they do not import the package."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "rlcompress"
CPP = ROOT / "src" / "cpp"
IGNORED = {".git", ".venv", "build", "dist", "runs", "__pycache__"}
TEXT_SUFFIXES = {
    ".py",
    ".pyi",
    ".cpp",
    ".hpp",
    ".inl",
    ".def",
    ".h",
    ".c",
    ".md",
    ".toml",
    ".txt",
    ".json",
    ".yaml",
    ".yml",
    ".cmake",
    ".in",
}


def text_files() -> Iterator[Path]:
    """Every text file of the project, generated folders and caches left out."""
    for folder in (ROOT, *sorted(path for path in ROOT.rglob("*") if path.is_dir())):
        parts = folder.relative_to(ROOT).parts
        if any(part in IGNORED or (part.startswith(".") and part != ".ci") for part in parts):
            continue
        for path in sorted(folder.iterdir()):
            if path.is_file() and (path.suffix in TEXT_SUFFIXES or parts == (".ci",)):
                yield path


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Import:
    """An import: of what, where, whether loading the module runs it, and whether it is only a name in a string."""

    module: str
    line: int
    at_load: bool
    as_text: bool = False


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def package_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists() or path.with_suffix(".pyi").exists()


def imports_of(path: Path) -> list[Import]:
    """Imports of a file, those for type checkers alone left out; module names inside strings count as imports."""
    found: list[Import] = []

    def visit(node: ast.AST, at_load: bool) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for child in node.orelse:
                visit(child, at_load)
            return
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, node.lineno, at_load) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{relative(path)}:{node.lineno}: write absolute imports"
            base = node.module or ""
            for alias in node.names:
                name = f"{base}.{alias.name}"
                found.append(Import(name if _is_module(name) else base, node.lineno, at_load))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value.partition(":")[0]
            if name.startswith("rlcompress.") and _is_module(name):
                found.append(Import(name, node.lineno, False, as_text=True))
        lazy = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for child in ast.iter_child_nodes(node):
            visit(child, at_load and not lazy)

    visit(ast.parse(path.read_text(encoding="utf-8")), True)
    return found
