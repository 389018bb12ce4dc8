import type { Attempt, RunNode } from "../api/types";

/** A node for tests: what is not said is empty. */
export function aNode(path: string, values: Partial<RunNode> = {}): RunNode {
  return {
    path,
    phase: "Succeeded",
    kind: "task",
    ref: "",
    attempt: 1,
    message: "",
    started_at: null,
    finished_at: null,
    inputs: null,
    outputs: null,
    answer: null,
    total: null,
    succeeded: null,
    failed: null,
    cached: null,
    error: null,
    ...values,
  };
}

export function anAttempt(path: string, started_at: number | null, finished_at: number | null, attempt = 1): Attempt {
  return { path, attempt, phase: "Succeeded", started_at, finished_at, error: null };
}
