import { describe, expect, it } from "vitest";
import type { Run } from "../api/types";
import { mergeNodes, mergeRun } from "./merge";
import { aNode } from "./testing";

describe("live changes", () => {
  it("change a known run in place and leave other pages as they are", () => {
    const page = { items: [{ run_id: "a", phase: "Running" } as Run, { run_id: "b" } as Run], next: null };
    expect(mergeRun(page, { run_id: "a", phase: "Failed" } as Run).items.map((run) => run.phase)).toEqual(["Failed", undefined]);
    expect(mergeRun(page, { run_id: "z" } as Run)).toBe(page);
  });

  it("replace nodes and add new ones last", () => {
    const nodes = mergeNodes([aNode("a"), aNode("b")], [aNode("c"), aNode("a", { phase: "Failed" })]);
    expect(nodes.map((node) => [node.path, node.phase])).toEqual([
      ["a", "Failed"],
      ["b", "Succeeded"],
      ["c", "Succeeded"],
    ]);
  });
});
