"""What the headers and `docs/embedding.md` show and say: examples that compile, the size of a model, the self-test."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from embed.builds import BALANCE, ROOT, need_compiler, run, tool
from rlcompress.exporters import export

HEADERS = ROOT / "src" / "cpp" / "include"
EMBEDDING = (ROOT / "docs" / "embedding.md").read_text(encoding="utf-8")
PROGRAM = """#include <rlcompress/rlcompress.h>
#include <stdio.h>
void use(const void *image, size_t image_bytes, const float *observation, float *action);
void use(const void *image, size_t image_bytes, const float *observation, float *action) {{
{example}
}}
"""


def header_example() -> str:
    """The lines of code in the first comment of `rlcompress.h`, without the remarks beside them."""
    text = (HEADERS / "rlcompress" / "rlcompress.h").read_text(encoding="utf-8").partition("*/")[0]
    return "\n".join(re.sub(r";   +\w.*", ";", line) for line in re.findall(r"^ \*   (.*)", text, re.MULTILINE))


def document_example() -> str:
    (text,) = re.findall(r"^```c\n(.*?)^```", EMBEDDING, re.DOTALL | re.MULTILINE)
    return str(text)


@pytest.mark.parametrize("example", [header_example, document_example])
def test_an_example_can_be_pasted(example, tmp_path: Path) -> None:
    need_compiler()
    program = tmp_path / "example.c"
    program.write_text(PROGRAM.format(example=example()), encoding="utf-8")
    command = [tool("cc"), "-std=c99", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{HEADERS}", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_model_has_the_size_that_the_documentation_gives(tmp_path: Path) -> None:
    need_compiler()
    if sys.maxsize < 2**32:
        pytest.skip("the figure is that of 64-bit pointers")
    (size,) = re.findall(r"([\d,]+) bytes with 64-bit pointers", EMBEDDING)
    program = tmp_path / "size.cpp"
    bytes_ = size.replace(",", "")
    program.write_text(
        f"#include <rlcompress/model.hpp>\nstatic_assert(sizeof(rlcompress::Model) == {bytes_});\n", encoding="utf-8"
    )
    command = [tool("c++"), "-std=c++17", "-fsyntax-only", f"-I{HEADERS}", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("call", ["rlcompress::Model::from_bytes({});", "rlcompress::force_target(nullptr);"])
def test_an_answer_that_nobody_reads_is_a_warning(call: str, tmp_path: Path) -> None:
    need_compiler()
    program = tmp_path / "ignored.cpp"
    program.write_text(f"#include <rlcompress/rlcompress.hpp>\nvoid f() {{ {call} }}\n", encoding="utf-8")
    command = [tool("c++"), "-std=c++17", "-fsyntax-only", "-Wall", f"-I{HEADERS}", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "nodiscard" in done.stderr


def test_the_self_test_is_switched_on_as_the_documentation_says(tmp_path: Path) -> None:
    need_compiler()
    (switch,) = re.findall(r"`cc (-D\w+) policy\.c main\.c`", EMBEDDING)
    (call,) = re.findall(r"`(\w+_self_test\(&workspace\))`", EMBEDDING)
    export(BALANCE, "c", tmp_path, name="policy")
    main = f'#include "policy.h"\nint main(void) {{ static policy_workspace workspace; return {call}; }}\n'
    (tmp_path / "main.c").write_text(main, encoding="utf-8")
    run(tool("cc"), switch, tmp_path / "policy.c", tmp_path / "main.c", "-o", tmp_path / "app")
    run(tmp_path / "app")


@pytest.mark.parametrize(
    "option", ["-ffast-math", "-freciprocal-math", "-ffinite-math-only", "-fno-signed-zeros -fassociative-math"]
)
def test_parts_of_fast_math_are_refused_too(option: str, tmp_path: Path) -> None:
    need_compiler()
    version = subprocess.run([tool("c++"), "--version"], capture_output=True, text=True, check=True).stdout
    if "clang" in version and option not in ("-ffast-math", "-ffinite-math-only"):
        pytest.skip("Clang does not tell of this part")
    program = tmp_path / "kernels.cpp"
    program.write_text("#include <kernels/table.hpp>\n", encoding="utf-8")
    command = [tool("c++"), "-std=c++17", "-fsyntax-only", f"-I{HEADERS}", f"-I{HEADERS.parent}", str(program)]
    plain = subprocess.run(command, capture_output=True, text=True, check=False)
    assert plain.returncode == 0, plain.stderr
    done = subprocess.run(
        [*command, "-fno-trapping-math", *option.split()], capture_output=True, text=True, check=False
    )
    assert "with -ffast-math or its parts" in done.stderr
