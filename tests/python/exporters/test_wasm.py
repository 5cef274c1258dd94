"""WebAssembly gives the bits of the runtime, and the page's loop balances the pole."""

from __future__ import annotations

import functools
import http.server
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import threading
import urllib.parse
from pathlib import Path

import numpy as np
import pytest

from embed.exported import cases_of, random_stored
from rlcompress.errors import MissingToolError, RlcompressError
from rlcompress.exporters import export
from rlcompress.layers import Dense
from rlcompress.network import Network

ROOT = Path(__file__).resolve().parents[3]
BALANCE = ROOT / "tests" / "golden" / "v1_balance.rlc"


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, without a log."""

    def log_message(self, format: str, *args: object) -> None:
        pass


TELL_THE_TEST = """
<script type="module">
  const text = (id) => document.getElementById(id).textContent;
  const timer = setInterval(() => {
    if (Number(text("steps")) < 500 && !/Fallen|does not load/.test(text("state"))) return;
    clearInterval(timer);
    fetch(`told?${new URLSearchParams([["steps", text("steps")], ["state", text("state")]])}`);
  }, 50);
</script>
"""


class TellingHandler(QuietHandler):
    """Keeps the steps and the state that `TELL_THE_TEST` sends."""

    told: queue.Queue[tuple[str, str]]

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        if url.path != "/told":
            return super().do_GET()
        told = dict(urllib.parse.parse_qsl(url.query))
        self.told.put((told["steps"], told["state"]))
        self.send_response(http.HTTPStatus.NO_CONTENT)
        self.end_headers()


def node(script: str, folder: Path) -> str:
    """Output of a module of JavaScript."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("node is not installed")
    (folder / "script.mjs").write_text(script, encoding="utf-8")
    done = subprocess.run([program, folder / "script.mjs"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def clang() -> None:
    if shutil.which("clang") is None or shutil.which("wasm-ld") is None:
        pytest.skip("clang and wasm-ld are not installed")


@pytest.mark.usefixtures("clang")
def test_bits_are_those_of_the_runtime(tmp_path: Path) -> None:
    for index, network in enumerate(random_stored(4, 3)):
        observations, actions = cases_of(network, index)
        written = export(network, "wasm", tmp_path, name="net")
        assert [path.name for path in written.files] == ["net.wasm", "net.mjs"]
        observations.tofile(tmp_path / "rows")
        script = """
            import { readFileSync, writeFileSync } from "node:fs";
            import { load } from "./net.mjs";
            const here = (name) => readFileSync(new URL(name, import.meta.url));
            const net = await load(here("net.wasm"));
            const bytes = here("rows");
            const rows = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
            const found = [];
            for (let at = 0; at < rows.length; at += net.inputSize) {
              found.push(...new Uint32Array(net.run(rows.subarray(at, at + net.inputSize)).buffer));
            }
            console.log(JSON.stringify(found));
        """
        found = np.array(json.loads(node(script, tmp_path)), np.uint32)
        np.testing.assert_array_equal(found, actions.reshape(-1).view(np.uint32))


@pytest.mark.usefixtures("clang")
@pytest.mark.parametrize(
    ("found", "message"), [(8, "net: the self-test's vector 8 gives"), (9, "net: the self-test finds a constant other")]
)
def test_the_loader_says_what_the_self_test_found(tmp_path: Path, found: int, message: str) -> None:
    export(BALANCE, "wasm", tmp_path, name="net")
    script = f"""
        import {{ load }} from "./net.mjs";
        const instance = {{ exports: {{ module_self_test: () => {found} }} }};
        WebAssembly.instantiate = async () => ({{ instance }});
        await load(new Uint8Array()).catch((error) => console.log(error.message));
    """
    assert node(script, tmp_path).startswith(message)


@pytest.mark.usefixtures("clang")
def test_the_page_balances_the_pole(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples" / "browser", tmp_path / "page")
    export(BALANCE, "wasm", tmp_path / "page", name="policy")
    script = """
        import { readFileSync } from "node:fs";
        import { STEPS, decide, stands, start, step } from "./balance.mjs";
        import { load } from "./policy.mjs";
        const policy = await load(readFileSync(new URL("policy.wasm", import.meta.url)));
        const lengths = [0.1, 0.9, 0.5].map((value) => {
          let cart = start(() => value), steps = 0;
          for (; steps < STEPS && stands(cart); ++steps) cart = step(cart, decide(policy, cart));
          return steps;
        });
        let refused = "";
        try { policy.run([1, 2]); } catch (error) { refused = error.message; }
        console.log(JSON.stringify([lengths, refused]));
    """
    lengths, refused = json.loads(node(script, tmp_path / "page"))
    assert lengths == [500, 500, 500]
    assert refused == "policy: 4 values expected, found 2"


@pytest.mark.usefixtures("clang")
def test_the_lines_at_the_top_of_the_loader_run_in_node(tmp_path: Path) -> None:
    """A URL of a file, also as text; and what is no number is refused by its place."""
    _, loader = export(BALANCE, "wasm", tmp_path, name="policy").files
    lines = re.findall(r"^//   (.*)", loader.read_text(encoding="utf-8"), re.MULTILINE)
    script = """
        const text = await load(new URL("policy.wasm", import.meta.url).href);
        const answers = [];
        for (const wrong of [undefined, null, "x", true]) {
          try { answers.push(text.run([0, 0, wrong, 0])[0]); } catch (error) { answers.push(String(error)); }
        }
        const typed = text.run(new Float64Array([0.1, 0.2, 0.3, 0.4]))[0];
        console.log(JSON.stringify([action, typed, answers]));
    """
    action, typed, answers = json.loads(node("\n".join([*lines, script]), tmp_path))
    assert action == typed == 1
    expected = "TypeError: policy: a number expected as value 2 of the observation, found "
    assert answers == [expected + word for word in ("undefined", "null", "x", "true")]


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match=r"clang is missing.*apt-get install clang lld"):
        export(Network((Dense([[1.0]], [0.0]),)), "wasm", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("said", "expected"),
    [("No available targets are compatible", MissingToolError), ("error: expected identifier", RlcompressError)],
)
def test_words_of_the_compiler_are_shown(
    said: str, expected: type[Exception], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for tool in ("clang", "wasm-ld"):
        (tmp_path / tool).write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
        (tmp_path / tool).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RlcompressError, match=said) as found:
        export(Network((Dense([[1.0]], [0.0]),)), "wasm", tmp_path)
    assert type(found.value) is expected


@pytest.mark.usefixtures("clang")
def test_the_page_runs_in_a_browser(tmp_path: Path) -> None:
    """Headless Chromium, real time: ten seconds for 500 steps, which this policy stays up from every chance start.

    Not Chromium's virtual time: that runs out while a loaded machine still compiles the module.
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("chromium is not installed")
    page = tmp_path / "page"
    shutil.copytree(ROOT / "examples" / "browser", page)
    export(BALANCE, "wasm", page, name="policy")
    with (page / "index.html").open("a", encoding="utf-8") as file:
        file.write(TELL_THE_TEST)
    TellingHandler.told = queue.Queue()
    handler = functools.partial(TellingHandler, directory=str(page))
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
    options += ["--disable-background-timer-throttling", f"--user-data-dir={tmp_path / 'profile'}"]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        with (tmp_path / "browser.log").open("w") as log:
            browser = subprocess.Popen([chromium, *options, url], stdout=log, stderr=log, start_new_session=True)
        try:
            steps, state = TellingHandler.told.get(timeout=300)
        except queue.Empty:
            pytest.fail("the page told nothing: " + (tmp_path / "browser.log").read_text()[-2000:])
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
            server.shutdown()
    assert state == "Balanced for 500 steps and more."
    assert int(steps) >= 500
