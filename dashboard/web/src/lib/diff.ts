import type { Json, RunNode } from "../api/types";
import { elapsed } from "./duration";
import { decoded, isObject } from "./values";

export type Change = "same" | "changed" | "only-a" | "only-b";

/** One value of two runs, by its dotted path. */
export interface Difference {
  key: string;
  change: Change;
  a: Json | undefined;
  b: Json | undefined;
}

/** Two values side by side, leaf by leaf; what differs first, then by name. */
export function diffValues(a: Json, b: Json): Difference[] {
  const left = leaves(a);
  const right = leaves(b);
  const keys = [...new Set([...left.keys(), ...right.keys()])];
  const found = keys.map((key): Difference => ({ key, change: changeOf(left, right, key), a: left.get(key), b: right.get(key) }));
  return found.sort((x, y) => Number(x.change === "same") - Number(y.change === "same") || x.key.localeCompare(y.key));
}

function changeOf(left: Map<string, Json>, right: Map<string, Json>, key: string): Change {
  if (!left.has(key)) return "only-b";
  if (!right.has(key)) return "only-a";
  return JSON.stringify(left.get(key)) === JSON.stringify(right.get(key)) ? "same" : "changed";
}

function leaves(value: Json, prefix = "", into = new Map<string, Json>()): Map<string, Json> {
  const plain = decoded(value);
  if (isObject(plain) && Object.keys(plain).length > 0) {
    for (const [key, item] of Object.entries(plain)) leaves(item, prefix === "" ? key : `${prefix}.${key}`, into);
  } else if (prefix !== "") into.set(prefix, plain);
  return into;
}

/** How long a node took in two runs; null where it did not run. */
export interface DurationPair {
  path: string;
  a: number | null;
  b: number | null;
  /** b less a, or null where one is missing. */
  delta: number | null;
}

/** Durations by node, the greatest difference first. */
export function diffDurations(a: readonly RunNode[], b: readonly RunNode[], now: number): DurationPair[] {
  const left = durations(a, now);
  const right = durations(b, now);
  const pairs = [...new Set([...left.keys(), ...right.keys()])].map((path): DurationPair => {
    const one = left.get(path) ?? null;
    const two = right.get(path) ?? null;
    return { path, a: one, b: two, delta: one === null || two === null ? null : two - one };
  });
  return pairs.sort((x, y) => weight(y) - weight(x) || x.path.localeCompare(y.path));
}

function durations(nodes: readonly RunNode[], now: number): Map<string, number | null> {
  return new Map(nodes.map((node) => [node.path, elapsed(node.started_at, node.finished_at, now)]));
}

function weight(pair: DurationPair): number {
  return pair.delta === null ? (pair.a ?? pair.b ?? 0) : Math.abs(pair.delta);
}
