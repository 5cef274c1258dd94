from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from fake_algorithm import Fake

import rlcompress
from rlcompress.cli import main
from rlcompress.cli.setting_options import SettingValue, chosen
from rlcompress.cli.teacher_source import default_folder
from rlcompress.engine import registry
from rlcompress.engine.config import settings
from rlcompress.errors import InvalidValueError

pytest.importorskip("gymnasium")


def run(runner: CliRunner, policy: Path, out: Path, *more: str) -> Result:
    arguments = ["fake", "--env", "CartPole-v1", "--policy", str(policy), "--out", str(out), "--jobs", "1", *more]
    return runner.invoke(main, arguments)


def test_options_come_from_the_fields(runner: CliRunner) -> None:
    output = runner.invoke(main, ["fake", "--help"]).output
    assert "Compress by taking a linear network." in output
    assert "More words" not in output
    for words in (
        "--keep-return NUMBER",
        "share to keep",
        "[default: 0.98]",
        "--accept / --no-accept",
        "KL|MSE",
        "--paper",
    ):
        assert words in output


def test_every_registered_algorithm_has_a_verb_with_an_option_per_field(runner: CliRunner) -> None:
    for name in registry.ALGORITHMS:
        output = runner.invoke(main, [name, "--help"]).output
        for setting in settings(registry.algorithm_type(name)):
            assert f"--{setting.name.replace('_', '-')} " in output.replace("\n", " ")


def test_a_run_leaves_policy_and_reports(runner: CliRunner, policy: Path, tmp_path: Path) -> None:
    done = run(runner, policy, tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert "polished and quantised" in done.stdout
    assert "fake on CartPole-v1" in done.stderr
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"policy.rlc", "report.md", "report.json", "run.json"} <= names
    assert rlcompress.load(tmp_path / "run" / "policy.rlc").parameter_count == 10


def test_json_on_standard_output(runner: CliRunner, policy: Path, tmp_path: Path) -> None:
    done = run(runner, policy, tmp_path / "run", "--json", "--seed", "4", "--keep-return", "0.9", "--widths", "3,2")
    found = json.loads(done.stdout)
    assert (found["schema"], found["seed"], found["best"]["parameters"]) == (1, 4, 10)
    assert found["settings"]["algorithm"]["keep_return"] == 0.9
    assert found["settings"]["algorithm"]["widths"] == [3, 2]
    assert found == json.loads((tmp_path / "run" / "report.json").read_text())


def test_paper_is_a_preset_that_options_refine(runner: CliRunner, policy: Path, tmp_path: Path) -> None:
    done = run(runner, policy, tmp_path / "run", "--json", "--paper", "--rounds", "2")
    algorithm = json.loads(done.stdout)["settings"]["algorithm"]
    assert (algorithm["widths"], algorithm["rounds"]) == ([256, 128], 2)


def test_nothing_accepted_exits_with_1(runner: CliRunner, policy: Path, tmp_path: Path) -> None:
    done = run(runner, policy, tmp_path / "run", "--no-accept")
    assert done.exit_code == 1
    assert "nothing was accepted: policy.rlc is the teacher itself" in done.stdout
    assert (tmp_path / "run" / "report.json").exists()


def test_interrupted_runs_exit_with_130_and_resume(runner: CliRunner, policy: Path, tmp_path: Path) -> None:
    done = run(runner, policy, tmp_path / "run", "--interrupt-at", "1")
    assert done.exit_code == 130
    assert "interrupted after step 1" in done.stderr
    assert (tmp_path / "run" / "report.json").exists()


def test_interrupted_before_anything_exits_with_130(
    runner: CliRunner, policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Fake, "start", interrupt)
    done = run(runner, policy, tmp_path / "run")
    assert (done.exit_code, done.stdout) == (130, "")


def test_resume_continues_and_reports(runner: CliRunner, policy: Path, tmp_path: Path) -> None:
    first = run(runner, policy, tmp_path / "run", "--max-steps", "1", "--json")
    assert "out of steps after step 1" in json.loads(first.stdout)["notes"][0]
    done = runner.invoke(main, ["resume", str(tmp_path / "run"), "--jobs", "1", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["notes"] == []
    assert "resuming fake" in done.stderr


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--keep-return", "high"], "'high' is not number"),
        (["--loss", "l2"], "loss"),
        (["--rounds", "2.5"], "rounds: a whole number expected, found 2.5"),
        (["--env-kwargs", "[1]"], "not a JSON object"),
        (["--env", "NoSuch-v9"], "NoSuch"),
        (["--env", "Acrobot-v1"], "Acrobot-v1 gives observations of 6 values"),
        (["--max-seconds", "0"], "--max-seconds: a value > 0 expected, found 0.0"),
    ],
)
def test_bad_input_exits_with_2_and_says_what(
    runner: CliRunner, policy: Path, tmp_path: Path, more: list[str], message: str
) -> None:
    done = run(runner, policy, tmp_path / "run", *more)
    assert done.exit_code == 2, done.output
    assert message in done.stderr
    assert "Traceback" not in done.output


def test_a_folder_of_another_run_is_refused(runner: CliRunner, policy: Path, tmp_path: Path) -> None:
    assert run(runner, policy, tmp_path / "run").exit_code == 0
    done = run(runner, policy, tmp_path / "run", "--seed", "9")
    assert done.exit_code == 2
    assert "holds another run (differs in seed)" in done.stderr


def test_a_defect_is_not_hidden(runner: CliRunner, policy: Path, tmp_path: Path) -> None:
    assert isinstance(run(runner, policy, tmp_path / "run", "--fail").exception, RuntimeError)


@pytest.mark.parametrize(
    ("env_id", "folder"),
    [("CartPole-v1", "cartpole"), ("ALE/Pong-v5", "ale-pong"), ("mine:Odd Name-v0", "odd-name"), ("Plain", "plain")],
)
def test_default_folder(env_id: str, folder: str) -> None:
    assert default_folder(env_id) == Path("runs") / folder


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("limit", "none", None),
        ("limit", "2", 2.0),
        ("limit", "inf", float("inf")),
        ("widths", "[9]", (9,)),
        ("widths", "9", (9,)),
    ],
)
def test_setting_values(field: str, text: str, value: Any) -> None:
    hint = next(setting.hint for setting in settings(Fake) if setting.name == field)
    parsed = SettingValue(hint).convert(text, None, None)
    assert getattr(chosen(Fake, Fake(limit=7.0), {f"setting_{field}": parsed}), field) == value


def test_settings_not_given_keep_the_base() -> None:
    assert chosen(Fake, Fake.paper(), {"setting_rounds": None, "seed": 3}) == Fake.paper()
    with pytest.raises(InvalidValueError, match="rounds"):
        chosen(Fake, Fake(), {"setting_rounds": "many"})


def test_without_a_policy_a_teacher_is_trained_once(runner: CliRunner, tmp_path: Path) -> None:
    pytest.importorskip("stable_baselines3")
    arguments = ["fake", "--env", "CartPole-v1", "--teacher-steps", "500", "--out", str(tmp_path), "--jobs", "1"]
    first = runner.invoke(main, arguments)
    assert first.exit_code == 0, first.output
    assert "training PPO on CartPole-v1" in first.stderr
    assert "time: teacher training " in first.stdout
    digest = (tmp_path / "teacher.zip").read_bytes()
    again = runner.invoke(main, arguments)
    assert again.exit_code == 0, again.output
    assert "using the teacher trained before" in again.stderr
    assert (tmp_path / "teacher.zip").read_bytes() == digest


def test_statistics_without_a_policy_are_refused(runner: CliRunner, tmp_path: Path, policy: Path) -> None:
    done = runner.invoke(main, ["fake", "--env", "CartPole-v1", "--vecnormalize", str(policy), "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "add --policy" in done.stderr
