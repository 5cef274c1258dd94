from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import rlcompress
from rlcompress import kernels
from rlcompress.cli import main
from rlcompress.contract import Contract
from rlcompress.layers import Dense
from rlcompress.network import Network


def test_help_lists_every_verb_and_algorithm(runner: CliRunner) -> None:
    found = runner.invoke(main, ["--help"])
    assert found.exit_code == 0
    for verb in ("pops", "fake", "resume", "inspect", "bench", "targets"):
        assert f"\n  {verb} " in found.output


def test_version(runner: CliRunner) -> None:
    assert runner.invoke(main, ["--version"]).output.strip().endswith(rlcompress.__version__)


def test_help_as_a_module_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from rlcompress.cli import main; main(['--help'], standalone_mode=False); "
        "print(sorted({'torch', 'gymnasium', 'matplotlib', 'stable_baselines3', 'rich'} & set(sys.modules)))"
    )
    code += "; import time; print(time.thread_time())"  # processor time: a busy machine must not fail it
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(3)]
    assert runs[0].stdout.splitlines()[-2] == "[]"
    assert min(float(run.stdout.splitlines()[-1]) for run in runs) < 0.5


def test_module_entry_reports_bad_input_in_one_line(tmp_path: Path) -> None:
    bad = tmp_path / "bad.rlc"
    bad.write_bytes(b"RLC\x1a" + bytes(60))
    done = subprocess.run([sys.executable, "-m", "rlcompress", "inspect", str(bad)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: malformed .rlc image")


def test_targets(runner: CliRunner) -> None:
    found = json.loads(runner.invoke(main, ["targets", "--json"]).output)
    assert found["active"] in found["available"]
    assert set(found["available"]) <= set(found["compiled"])
    assert "scalar" in found["available"]
    assert f"{found['active']:10} active" in runner.invoke(main, ["targets"]).output


def test_inspect(runner: CliRunner, policy: Path) -> None:
    done = runner.invoke(main, ["inspect", str(policy), "--json"])
    assert done.exit_code == 0
    found: dict[str, Any] = json.loads(done.output, parse_constant=lambda text: pytest.fail(text))
    assert found["file_bytes"] == policy.stat().st_size
    assert found["weights_bytes"] == 4 * found["parameters"] == 4 * (4 * 6 + 6 + 6 * 2 + 2)
    assert found["macs"] == 36
    assert [(layer["inputs"], layer["outputs"], layer["activation"]) for layer in found["layers"]] == [
        (4, 6, "relu"),
        (6, 2, "identity"),
    ]
    assert found["contract"]["head"] == {"kind": "argmax", "start": 0}
    assert found["contract"]["observation_low"][1] is None
    assert found["metadata"] == {"source": "test"}
    assert found["golden_count"] > 0
    assert found["self_test"] == "passed"
    text = runner.invoke(main, ["inspect", str(policy)]).output
    assert "dense 4 -> 6 relu, 32 bit" in text
    assert "passed" in text


def test_inspect_names_the_values_that_are_read(runner: CliRunner, tmp_path: Path) -> None:
    network = Network((Dense([[1, 2]], [3]),), Contract((9,), selected=(1, 8)))
    network.save(tmp_path / "small.rlc")
    found = json.loads(runner.invoke(main, ["inspect", str(tmp_path / "small.rlc"), "--json"]).output)
    assert found["contract"]["selected"] == [1, 8]
    assert found["weights_bytes"] == 4 * 3 + 2
    assert "values read: 2 (1, 8)" in runner.invoke(main, ["inspect", str(tmp_path / "small.rlc")]).output


def test_inspect_of_a_zip(runner: CliRunner, agent: Any) -> None:
    pytest.importorskip("torch")
    found = json.loads(runner.invoke(main, ["inspect", str(agent("dqn/CartPole-v1.zip")), "--json"]).output)
    assert [layer["outputs"] for layer in found["layers"]] == [256, 256, 2]
    assert (found["golden_count"], found["self_test"]) == (0, None)


def test_bench(runner: CliRunner, policy: Path) -> None:
    done = runner.invoke(main, ["bench", str(policy), "--calls", "200", "--batch", "16", "--json"])
    found = json.loads(done.output)
    assert found["target"] == json.loads(runner.invoke(main, ["targets", "--json"]).output)["active"]
    for name in ("core_us", "call_us", "call_out_us", "batch_us_per_observation", "timer_us"):
        assert 0 <= found[name]["p50"] <= found[name]["p99"] <= found[name]["p99.9"] <= found[name]["max"]
    assert found["call_us"]["p50"] > 0
    assert (found["file_bytes"], found["macs"]) == (policy.stat().st_size, 36)
    assert found["weights_bytes"] == 4 * (4 * 6 + 6 + 6 * 2 + 2)
    assert 0 < found["read_weights_us"] < found["core_us"]["max"]
    assert 0 <= found["core_above_3x"] <= 200
    assert "p99.9" in runner.invoke(main, ["bench", str(policy), "--calls", "20"]).output


def test_bench_tells_a_slow_observation_from_a_machine_that_stops(
    runner: CliRunner, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = np.full(3 * 512 + 5, 100.0)
    times[7::512] = 250.0
    times[900] = 90_000.0
    monkeypatch.setattr(kernels, "call_times_ns", lambda model, rows, calls: times[:calls])
    arguments = ["bench", str(policy), "--calls", str(len(times))]
    found = json.loads(runner.invoke(main, [*arguments, "--json"]).output)
    assert (found["core_slowest_us"], found["core_us"]["max"]) == (0.25, 90.0)
    assert "slowest of 512 observations, each at its fastest: 0.250" in runner.invoke(main, arguments).output


def test_bench_counts_instructions_on_a_core(runner: CliRunner, policy: Path) -> None:
    if shutil.which("arm-none-eabi-gcc") is None or shutil.which("qemu-system-arm") is None:
        pytest.skip("arm-none-eabi-gcc and qemu-system-arm are not installed")
    arguments = ["bench", str(policy), "--calls", "20", "--core", "cortex-m4"]
    counted = json.loads(runner.invoke(main, [*arguments, "--json"]).output)["cores"]["cortex-m4"]
    assert 36 < counted["instructions"] < 36 * 100
    assert f"{counted['instructions']:,} instructions" in runner.invoke(main, arguments).output


def test_bench_names_the_package_that_is_missing(
    runner: CliRunner, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    done = runner.invoke(main, ["bench", str(policy), "--calls", "20", "--core", "cortex-m0"])
    assert done.exit_code != 0
    assert "apt-get install gcc-arm-none-eabi" in done.output


@pytest.mark.parametrize(
    "arguments",
    [["inspect"], ["inspect", "missing.rlc"], ["unknown"], ["pops"], ["resume", "missing"], ["bench", "--calls", "x"]],
)
def test_usage_errors_exit_with_2(runner: CliRunner, arguments: list[str]) -> None:
    assert runner.invoke(main, arguments).exit_code == 2


@pytest.mark.parametrize("name", ["cmake", "include"])
def test_folders_for_c_and_cpp_programs(runner: CliRunner, name: str) -> None:
    """An installed wheel says where its sources are; the source tree, which has them elsewhere, says so."""
    done = runner.invoke(main, [f"--{name}-dir"])
    folder = Path(rlcompress.__file__).parent / "cpp" / name
    if folder.is_dir():
        assert done.exit_code == 0
        assert Path(done.output.strip()) == folder.resolve()
    else:
        assert done.exit_code == 2
        assert "installed wheel expected" in done.output


@pytest.mark.parametrize("place", [["--debug", "resume"], ["resume", "--debug"]])
def test_debug_shows_the_error(runner: CliRunner, tmp_path: Path, place: list[str]) -> None:
    assert runner.invoke(main, ["resume", str(tmp_path)]).exit_code == 2
    assert isinstance(runner.invoke(main, [*place, str(tmp_path)]).exception, rlcompress.RlcompressError)


@pytest.mark.parametrize("kind", ["empty", "several"])
def test_pack_refuses_observations_that_are_no_array(
    runner: CliRunner, policy: Path, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "observations.npy"
    path.write_bytes(b"")
    if kind == "several":
        with path.open("wb") as file:
            np.savez(file, a=np.zeros(3), b=np.zeros(3))
    done = runner.invoke(main, ["pack", str(policy), str(tmp_path / "out.rlc"), "--observations", str(path)])
    assert (done.exit_code, done.output[:33]) == (2, "error: observations: a .npy file ")


def test_pack_tells_how_many_actions_change(runner: CliRunner, policy: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "observations.npy", tmp_path / "out.rlc"
    np.save(path, np.random.default_rng(0).standard_normal((200, 4)))
    arguments = ["pack", str(policy), str(out), "--prefer", "size"]
    done = runner.invoke(main, [*arguments, "--observations", str(path)])
    assert "% of the observations" in done.output or "standard deviation on the observations" in done.output
    assert "observations" not in runner.invoke(main, arguments).output.replace(str(tmp_path), "")


def test_pack_in_an_environment_tells_the_returns(runner: CliRunner, policy: Path, tmp_path: Path) -> None:
    pytest.importorskip("gymnasium")
    arguments = ["pack", str(policy), str(tmp_path / "out.rlc"), "--prefer", "size", "--env", "CartPole-v1"]
    done = runner.invoke(main, arguments)
    assert done.exit_code == 0
    assert "integer" in done.output
    assert "return over 30 episodes: " in done.output
    told = json.loads(runner.invoke(main, [*arguments, "--json"]).output)
    assert {form["name"] for form in told["forms"]} >= {"dense", "integer"}
    assert 0 <= told["action_error"] <= 1
    assert [told[name]["episodes"] for name in ("return_before", "return_packed")] == [30, 30]
    both = runner.invoke(main, [*arguments, "--observations", str(policy)])
    assert (both.exit_code, both.output) == (2, "error: observations: a file or --env expected, both were given\n")
