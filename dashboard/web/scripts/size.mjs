// Fails when the JavaScript of the first paint (the entry and all that it imports at once) is over the budget.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BUDGET = 350 * 1024;
const page = new URL("../../headwater_dashboard/page/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL(".vite/manifest.json", page), "utf8"));

const first = new Set();
const visit = (key) => {
  if (first.has(key)) return;
  first.add(key);
  for (const imported of manifest[key].imports ?? []) visit(imported);
};
for (const [key, chunk] of Object.entries(manifest)) if (chunk.isEntry) visit(key);

const zipped = (file) => gzipSync(readFileSync(new URL(file, page)), { level: 9 }).length;
const show = (bytes) => `${(bytes / 1024).toFixed(1).padStart(7)} KB`;

let total = 0;
for (const [key, chunk] of Object.entries(manifest)) {
  if (!/\.m?js$/.test(chunk.file)) continue;
  const bytes = zipped(chunk.file);
  if (first.has(key)) total += bytes;
  console.log(`${show(bytes)}  ${first.has(key) ? "first" : "later"}  ${chunk.file}`);
}
console.log(`${show(total)}  first paint, gzipped; the budget is${show(BUDGET)}`);
if (total > BUDGET) {
  console.error("The first paint is over its budget: load what is not needed at once with import().");
  process.exit(1);
}
