import { describe, expect, it } from "vitest";
import { diffDurations, diffValues } from "./diff";
import { aNode } from "./testing";

describe("two runs side by side", () => {
  it("show what differs first, leaf by leaf", () => {
    expect(diffValues({ n: 1, model: { depth: 3, kind: "tree" }, old: true }, { n: 1, model: { depth: 5, kind: "tree" }, fresh: [1] })).toEqual([
      { key: "fresh", change: "only-b", a: undefined, b: [1] },
      { key: "model.depth", change: "changed", a: 3, b: 5 },
      { key: "old", change: "only-a", a: true, b: undefined },
      { key: "model.kind", change: "same", a: "tree", b: "tree" },
      { key: "n", change: "same", a: 1, b: 1 },
    ]);
  });

  it("look through the records' encoding", () => {
    expect(diffValues({ x: { json: 3 } }, { x: 3 })[0]?.change).toBe("same");
  });

  it("compare durations, the greatest difference first", () => {
    const a = [aNode("x", { started_at: 0, finished_at: 1 }), aNode("y", { started_at: 0, finished_at: 5 }), aNode("gone", { started_at: 0, finished_at: 2 })];
    const b = [aNode("x", { started_at: 0, finished_at: 9 }), aNode("y", { started_at: 0, finished_at: 4 })];
    expect(diffDurations(a, b, 0).map((pair) => [pair.path, pair.delta])).toEqual([
      ["x", 8],
      ["gone", null],
      ["y", -1],
    ]);
  });
});
