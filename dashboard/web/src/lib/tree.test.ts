import { describe, expect, it } from "vitest";
import { buildTree, initiallyOpen, reveal } from "./tree";
import { aNode } from "./testing";

describe("the tree of a run's nodes", () => {
  const tree = buildTree([
    aNode("gen", { started_at: 1, finished_at: 2 }),
    aNode("train[0]/fit", { started_at: 3, finished_at: 4 }),
    aNode("train[1]/fit", { phase: "Failed", started_at: 3, finished_at: 6 }),
    aNode("train[1]/score", { phase: "Skipped" }),
  ]);

  it("makes the containers that are not recorded", () => {
    expect(tree.roots).toEqual(["gen", "train"]);
    expect(tree.nodes.get("train")?.children).toEqual(["train[0]", "train[1]"]);
    expect(tree.nodes.get("train")?.node).toBeNull();
  });

  it("sums up what a container holds", () => {
    const train = tree.nodes.get("train");
    expect(train?.size).toBe(3);
    expect(train?.counts).toEqual({ Succeeded: 1, Failed: 1, Skipped: 1 });
    expect(train?.phase).toBe("Failed");
    expect([train?.started_at, train?.finished_at]).toEqual([3, 6]);
  });

  it("lets a recorded container speak for itself", () => {
    const own = buildTree([aNode("a/b", { phase: "Failed" }), aNode("a", { phase: "Running", started_at: 1 })]);
    expect(own.nodes.get("a")?.phase).toBe("Running");
    expect(own.roots).toEqual(["a"]);
  });

  it("leaves a container open while a member runs", () => {
    const own = buildTree([aNode("a/b", { started_at: 1, finished_at: 2 }), aNode("a/c", { phase: "Running", started_at: 2 })]);
    expect(own.nodes.get("a")?.finished_at).toBeNull();
  });

  it("opens all containers of a small run and none of a large one", () => {
    expect([...initiallyOpen(tree)].sort()).toEqual(["train", "train[0]", "train[1]"]);
    expect(initiallyOpen(tree, 3).size).toBe(0);
  });

  it("opens what hides a path", () => {
    expect([...reveal(new Set(["x"]), "train[1]/fit")]).toEqual(["x", "train[1]", "train"]);
  });
});
