"""What surrounds the C of a network in a WebAssembly module."""

from __future__ import annotations

MODULE = """\

/* The module's memory: the page writes the observation, calls run, and reads the action. */
static NAME_workspace module_workspace;
static float module_inputs[BIG_INPUT_SIZE], module_actions[BIG_ACTION_SIZE];
float *module_observation(void) { return module_inputs; }
float *module_action(void) { return module_actions; }
int module_input_size(void) { return BIG_INPUT_SIZE; }
int module_action_size(void) { return BIG_ACTION_SIZE; }
int module_self_test(void) { return NAME_self_test(&module_workspace); }
void module_run(void) { NAME_run(module_inputs, module_actions, &module_workspace); }
"""

LOADER = """\
// NAME: a network in WebAssembly, made by rlcompress.
//   import { load } from "./NAME.mjs";
//   const policy = await load(new URL("NAME.wasm", import.meta.url));
//   const [action] = policy.run([0.1, 0.2, 0.3, 0.4]);

// Loads the module from its URL or its bytes, and runs its self-test.
export async function load(source) {
  const bytes = typeof source === "string" || source instanceof URL ? await fetched(source) : source;
  const { instance } = await WebAssembly.instantiate(bytes, {});
  const module = instance.exports;
  const wrong = module.module_self_test();
  if (wrong > VECTORS) throw new Error("NAME: the self-test finds a constant other than the exported one");
  if (wrong !== 0) throw new Error(`NAME: the self-test's vector ${wrong} gives other bits`);
  const inputSize = module.module_input_size();
  const actionSize = module.module_action_size();
  const observation = new Float32Array(module.memory.buffer, module.module_observation(), inputSize);
  const action = new Float32Array(module.memory.buffer, module.module_action(), actionSize);
  return {
    inputSize,
    actionSize,
    // The action for an observation (numbers, in an array of any kind), as a new Float32Array.
    run(values) {
      if (values.length !== inputSize) {
        throw new RangeError(`NAME: ${inputSize} values expected, found ${values.length}`);
      }
      observation.set(numbers(values));
      module.module_run();
      return action.slice();
    },
  };
}

// Arrays of numbers alone: undefined, null and text would turn into numbers or NaN on their way to the module.
function numbers(values) {
  if (ArrayBuffer.isView(values)) return values;
  for (let i = 0; i < values.length; ++i) {
    if (typeof values[i] === "number") continue;
    throw new TypeError(`NAME: a number expected as value ${i} of the observation, found ${String(values[i])}`);
  }
  return values;
}

async function fetched(url) {
  if (typeof process !== "undefined" && process.versions?.node && String(url).startsWith("file:")) {
    const files = "node:fs/promises"; // a variable, so that bundlers for the web leave it alone; Node fetches no files
    return (await import(/* webpackIgnore: true */ /* @vite-ignore */ files)).readFile(new URL(url));
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response.arrayBuffer();
}
"""
