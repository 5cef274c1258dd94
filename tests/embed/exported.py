"""Programs of many exported networks: each runs them on stored observations and counts those that differ.

One program holds dozens of networks, so that a thousand of them are quick on every target.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import random_networks
from rlcompress import artifact
from rlcompress.exporters.c import c_source
from rlcompress.network import Network
from rlcompress.runtime import Runtime

ROWS = 8
GOLDEN_ROWS = 2
BATCH = 50
_CODE_BYTES = 7_000
_PROGRAM_BYTES = 3_000_000
Cases = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Program:
    """Sources of one program.

    Args:
        folder: of the sources, whose headers are there too.
        sources: one C file for each network, and one with the cases and `check`.
        networks: how many there are.
        data_bytes: constants of networks and cases.
    """

    folder: Path
    sources: tuple[Path, ...]
    networks: int
    data_bytes: int


def stored(network: Network) -> Network:
    """The network as its file holds it."""
    return artifact.decode(artifact.encode(network, golden=0))


def random_stored(seed: int, count: int) -> list[Network]:
    """Random networks of every layer, activation, head and contract."""
    rng = np.random.default_rng(seed)
    return [stored(random_networks.network(rng)) for _ in range(count)]


def cases_of(network: Network, seed: int, count: int = ROWS) -> Cases:
    """Observations, odd values among them, and the runtime's actions with every NaN as the format writes it."""
    size = network.contract.input_size
    rows = random_networks.observations(np.random.default_rng(seed), count, size)
    actions = Runtime(network)(rows.reshape(count, *network.contract.observation_shape))
    return rows, np.asarray(actions, np.float32).reshape(count, -1)


def write_program(folder: Path, networks: list[Network], seed: int = 0) -> Program:
    """Write the sources of a program that checks these networks."""
    sources, texts, rows, data = [], [], [], 0
    workspace = 4
    for index, network in enumerate(networks):
        name = f"n{index}"
        made = c_source(network, name, golden=GOLDEN_ROWS)
        (folder / f"{name}.h").write_text(made.header, encoding="utf-8")
        sources.append(folder / f"{name}.c")
        sources[-1].write_text(made.source, encoding="utf-8")
        observations, actions = cases_of(network, seed + index)
        words = f"observations{index}", f"actions{index}"
        texts.append(f'#include "{name}.h"\n' + _words(words[0], observations) + _words(words[1], actions))
        texts.append(
            f"static int test{index}(void *w) {{ return {name}_self_test(({name}_workspace *)w); }}\n"
            f"static void run{index}(const float *o, float *a, void *w) {{\n"
            f"  {name}_run(o, a, ({name}_workspace *)w);\n}}\n"
        )
        sizes = f"{observations.shape[1]}, {actions.shape[1]}"
        rows.append(f"  {{test{index}, run{index}, {words[0]}, {words[1]}, {sizes}}},\n")
        data += made.constant_bytes + observations.nbytes + actions.nbytes
        workspace = max(workspace, made.workspace_bytes)
    sources.append(folder / "cases.c")
    limits = (max(n.contract.input_size for n in networks), max(n.output_size for n in networks))
    text = _CASES.format(
        texts="".join(texts), rows="".join(rows), workspace=workspace, inputs=limits[0], actions=limits[1]
    )
    sources[-1].write_text(text, encoding="utf-8")
    return Program(folder, tuple(sources), len(networks), data)


def write_programs(folder: Path, networks: list[Network], seed: int) -> list[Program]:
    """Write as few programs as hold these networks, each in a folder of its own."""
    programs = []
    for number, batch in enumerate(_batches(networks)):
        place = folder / f"program{number}"
        place.mkdir()
        programs.append(write_program(place, batch, seed + 1000 * number))
    return programs


def _batches(networks: list[Network]) -> Iterator[list[Network]]:
    batch: list[Network] = []
    size = 0
    for network in networks:
        sizes = network.contract.input_size + network.output_size
        own = len(artifact.encode(network, golden=0)) + 4 * (ROWS + GOLDEN_ROWS) * sizes + _CODE_BYTES
        if batch and (len(batch) == BATCH or size + own > _PROGRAM_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(network)
        size += own
    yield batch


def defines(count: int) -> list[str]:
    """Compiler options that switch the self-tests on."""
    return [f"-DN{index}_SELF_TEST" for index in range(count)]


def _words(name: str, values: npt.NDArray[np.float32]) -> str:
    bits = ",".join(map(str, values.reshape(-1).view(np.uint32).tolist()))
    return f"static const uint32_t {name}[] = {{{bits}}};\n"


_CASES = """\
#include <stddef.h>
#include <stdint.h>
{texts}
typedef struct {{
  int (*test)(void *);
  void (*run)(const float *, float *, void *);
  const uint32_t *observations, *actions;
  size_t inputs, outputs;
}} network;
static const network networks[] = {{
{rows}}};
static float workspace[{workspace} / 4];
static union {{ float f[{inputs}]; uint32_t u[{inputs}]; }} observation;
static union {{ float f[{actions}]; uint32_t u[{actions}]; }} action;

/* Networks of which any bit differs; *first is the number of the first one. */
int check(int *first) {{
  int wrong = 0;
  for (size_t i = 0; i < sizeof networks / sizeof networks[0]; ++i) {{
    const network *n = &networks[i];
    int bad = n->test(workspace) != 0;
    for (size_t row = 0; row < {rows_count}; ++row) {{
      for (size_t k = 0; k < n->inputs; ++k) observation.u[k] = n->observations[row * n->inputs + k];
      n->run(observation.f, action.f, workspace);
      for (size_t k = 0; k < n->outputs; ++k) bad |= action.u[k] != n->actions[row * n->outputs + k];
    }}
    if (bad && wrong++ == 0) *first = (int)i;
  }}
  return wrong;
}}
""".replace("{rows_count}", str(ROWS))

HOSTED_MAIN = """\
#include <stdio.h>
int check(int *first);
int main(void) {
  int first = -1;
  const int wrong = check(&first);
  if (wrong != 0) printf("%d networks differ, the first is n%d\\n", wrong, first);
  return wrong != 0;
}
"""

BARE_MAIN = """\
#include "startup.h"
int check(int *first);
int main(void) {
  int first = -1;
  const int wrong = check(&first);
  if (wrong != 0) print_number("networks that differ: ", (uint32_t)wrong);
  if (wrong != 0) print_number("the first is n", (uint32_t)first);
  return wrong != 0;
}
"""

MODULE_MAIN = """\
int check(int *first);
int check_all(void);
int check_all(void) {
  int first = -1;
  return check(&first) == 0 ? 0 : first + 1;
}
"""
