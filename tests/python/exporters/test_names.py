"""Names that cannot prefix C and C++, and those that look as if they could not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from rlcompress.errors import InvalidValueError
from rlcompress.exporters import export
from rlcompress.exporters.names import checked_name, name_from
from rlcompress.layers import Dense
from rlcompress.network import Network

NETWORK = Network((Dense([[1, 2]], [3]),))
TAKEN = "asm and_eq co_await requires char8_t unix linux NULL EOF errno index time abs tanh int8_t y0 stdint"


@pytest.mark.parametrize("name", TAKEN.split())
def test_words_of_the_languages_are_refused_with_the_remedy(name: str) -> None:
    with pytest.raises(InvalidValueError, match="--name"):
        checked_name(name)
    assert name_from(Path(f"{name}.rlc")) == f"policy_{name}"


@pytest.mark.parametrize(("tool", "form", "suffix"), [("gcc", "c", "h"), ("g++", "c", "h"), ("g++", "cpp", "hpp")])
def test_names_that_differ_only_in_case(tool: str, form: str, suffix: str, tmp_path: Path) -> None:
    """Neither hides the other: C, whose macros would be those of both, says so, C++ takes them."""
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    for name in ("pol", "Pol"):
        export(NETWORK, form, tmp_path, name=name)
    use = {"c": "pol_workspace a;", "cpp": "auto *a = pol::run; auto *b = Pol::run;"}[form]
    command = [tool, "-fsyntax-only", "-Werror", f"-I{tmp_path}", "-x", "c" if tool == "gcc" else "c++", "-"]

    def compiled(*names: str) -> subprocess.CompletedProcess[str]:
        text = "".join(f'#include "{name}.{suffix}"\n' for name in (*names, *names)) + use
        return subprocess.run(command, input=text, text=True, capture_output=True, check=False)

    if form == "c":
        assert compiled("pol").returncode == 0
        assert "POL_... are those of another policy too" in compiled("pol", "Pol").stderr
    else:
        assert compiled("pol", "Pol").returncode == 0


def test_a_name_may_hold_the_marks_of_the_templates(tmp_path: Path) -> None:
    if shutil.which("clang") is None or shutil.which("wasm-ld") is None:
        pytest.skip("clang and wasm-ld are not installed")
    for name in ("BIGpolicy", "myNAMEs"):
        written = export(NETWORK, "wasm", tmp_path, name=name)
        assert [path.name for path in written.files] == [f"{name}.wasm", f"{name}.mjs"]
