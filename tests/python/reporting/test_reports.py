from __future__ import annotations

import builtins
import json
import sys
from dataclasses import replace
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlcompress.engine.result import Result
from rlcompress.reporting import report_text, write_reports
from rlcompress.reporting.json_report import plain, report_json, report_object
from rlcompress.reporting.markdown import report_markdown
from rlcompress.reporting.plot import acceptance_bar
from rlcompress.reporting.rows import columns, headlines, sections


@pytest.mark.parametrize("algorithm", ["neon", "neon-paper"])
def test_headlines_of_narrowed_networks_speak_of_no_environment(result: Result, algorithm: str) -> None:
    narrowed, before = headlines(replace(result, algorithm=algorithm))
    assert narrowed.startswith("narrowed: ")
    assert before.startswith("as it was: ")


def test_two_headlines_tell_distilled_from_polished(result: Result) -> None:
    lines = report_text(result).splitlines()
    assert lines[0] == "pops on LunarLander-v3, seed 7"
    distilled = next(line for line in lines if "distilled only (no reward used)" in line)
    polished = next(line for line in lines if "polished and quantised (needs the environment)" in line)
    assert "128 bytes (312x smaller" in distilled
    assert "return 249.0 [248.0, 250.0] over 3 final episodes" in distilled
    assert "8-4 int4, 18 bytes (2,222x smaller than the teacher's 40,000)" in polished


def test_a_distilled_result_is_not_called_polished(result: Result) -> None:
    text = report_text(replace(result, best_candidate=result.best_without_reward))
    assert "needs the environment): nothing smaller than the distilled network was accepted" in text


def test_text_table_holds_every_judged_candidate(result: Result) -> None:
    text = report_text(result)
    for cell in (
        *columns(result),
        "55.50 (torch)",
        "0.25",
        "0.875",
        "one-shot 90 %",
        "PoPS as published",
        "smallest accepted",
    ):
        assert all(word in text for word in cell.split()), cell
    assert "rejected 7" in text
    assert "rejected 8" not in text
    assert "2 more not accepted: see report.json" in text
    assert "screened 3" not in text
    assert "20..79" in text
    assert "distil 12.5 s, polish 100.0 s; 112.5 s in all" in text
    assert "note: the target of 16 bytes was not reached" in text


def test_text_keeps_brackets_and_fits_its_width(result: Result) -> None:
    assert "[relu]" in report_text(result)
    table = [line for line in report_text(result).splitlines() if "(no reward used)" not in line]
    assert max(map(len, table)) <= 170


def test_rows_of_data_have_scores_and_no_returns(result: Result) -> None:
    on_rows = replace(result, settings={"task": {"kind": "dataset"}})
    for text in (report_text(on_rows), report_markdown(on_rows, "report.png")):
        assert "best score" in text
        assert "over 3 final rows" in text
        assert "return" not in text.replace("PoPS", "")
        assert "episodes" not in text


def test_nothing_accepted_is_said(rejected_result: Result) -> None:
    text = report_text(rejected_result)
    assert text.count("none accepted") == 2
    assert "RESULT" not in text
    assert report_object(rejected_result)["best"] is None
    assert report_object(rejected_result)["accepted"] is False


def test_sections_start_with_teacher_and_result(result: Result) -> None:
    found = sections(result)
    assert [section.title for section in found[:2]] == ["teacher", "result"]
    assert [row[0] for row in found[1].rows] == ["▶ 8-4 int4", "▷ 8-2-4 [relu]"]
    assert all(len(row) == len(columns(result)) for section in found for row in section.rows)


def test_markdown_escapes_what_comes_from_outside(result: Result) -> None:
    page = report_markdown(replace(result, task="a|b\n# <img>", notes=("*x*",)), "report.png")
    assert page.splitlines()[0] == "# pops on a\\|b # \\<img>, seed 7"
    assert "- \\*x\\*" in page
    assert "![return against bytes](report.png)" in page
    found = {line.count(" | ") for line in page.splitlines() if line.startswith("| ") and "8-4 int4" in line}
    assert found == {len(columns(result)) - 1}


def test_json_has_every_candidate_and_no_nan(result: Result) -> None:
    broken = replace(result.teacher, interval=(nan, inf))
    found = json.loads(report_json(replace(result, teacher=broken)), parse_constant=lambda text: pytest.fail(text))
    assert found["schema"] == 1
    assert found["seed"] == 7
    assert len(found["candidates"]) == len(result.candidates)
    assert found["teacher"]["score"]["lower"] is None
    assert found["settings"]["algorithm"]["limit"] is None
    best = found["best"]
    assert best["score"] == {
        "mean": 255.0,
        "lower": 254.0,
        "upper": 256.0,
        "std": 1.0,
        "count": 3,
        "split": "final",
        "values": [254.0, 255.0, 256.0],
    }
    assert best["compression_ratio"] == pytest.approx(40_000 / 18)
    assert (best["uses_reward"], best["latency_us"], best["agreement"]) == (True, 0.25, 0.875)
    assert best["widths"][0] == 8
    assert found["candidates"][0]["score"]["values"] is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [(np.float32(0.5), 0.5), (np.array([1.0, nan]), [1.0, None]), ({1: (True, None)}, {"1": [True, None]}), (1j, "1j")],
)
def test_plain(value: Any, expected: Any) -> None:
    assert plain(value) == expected


def test_reports_are_files_in_the_run_folder(result: Result, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    written = write_reports(result, tmp_path / "run")
    assert [path.name for path in written] == ["report.md", "report.json", "report.png"]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["report.json", "report.md", "report.png"]
    assert written[2].read_bytes().startswith(b"\x89PNG\r\n")
    assert json.loads(written[1].read_text())["task"] == "LunarLander-v3"
    assert "report.png" in written[0].read_text()


def test_without_matplotlib_a_note_replaces_the_plot(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")
        return real(name, *args, **kwargs)

    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(builtins, "__import__", refuse)
    written = write_reports(result, tmp_path)
    assert [path.name for path in written] == ["report.md", "report.json"]
    assert "no plot: matplotlib is not installed" in written[0].read_text().replace("\\", "")


def test_the_bar_is_the_kept_share_also_for_negative_returns(result: Result) -> None:
    bar = acceptance_bar(result)
    assert bar is not None
    assert bar == (pytest.approx(245.0), "98 % of the teacher")
    below = replace(result, teacher=replace(result.teacher, values=np.array([-100.0, -100.0])))
    assert acceptance_bar(below) == (pytest.approx(-102.0), "98 % of the teacher")
    assert acceptance_bar(replace(result, settings={})) is None
