// Runs `check_all` of a module: 0, or the number of the first network that differs, from 1.
import { readFileSync } from "node:fs";

const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), {});
const first = instance.exports.check_all();
if (first !== 0) console.log(`the first that differs is n${first - 1}`);
process.exit(first === 0 ? 0 : 1);
