import { describe, expect, it } from "vitest";
import { isDimmed, liftEdges, pathsInPhases, phaseCounts, searchPaths, unfinishedBefore, visibleGraph } from "./graph";
import { nestedLayout } from "./nestedLayout";
import type { Phase } from "../api/types";
import { parentPath } from "./paths";
import { parsePhases } from "./phases";
import { layering, quickLayout } from "./quickLayout";
import { aNode } from "./testing";
import { buildTree } from "./tree";

const tree = buildTree(["gen", "m[0]/a", "m[0]/b", "m[1]/a", "end"].map((path) => aNode(path)));
const edges = [
  { from: "gen", to: "m[0]/a" },
  { from: "gen", to: "m[1]/a" },
  { from: "m[0]/a", to: "m[0]/b" },
  { from: "m[0]/b", to: "end" },
];

describe("what the graph draws", () => {
  it("stops at closed containers and joins their edges", () => {
    expect(visibleGraph(tree, edges, new Set())).toEqual({
      paths: ["gen", "m", "end"],
      edges: [
        { from: "gen", to: "m" },
        { from: "m", to: "end" },
      ],
    });
  });

  it("goes into open ones, containers first", () => {
    const graph = visibleGraph(tree, edges, new Set(["m", "m[0]"]));
    expect(graph.paths).toEqual(["gen", "m", "m[0]", "m[0]/a", "m[0]/b", "m[1]", "end"]);
    expect(graph.edges).toContainEqual({ from: "gen", to: "m[1]" });
    expect(graph.edges).toContainEqual({ from: "m[0]/a", to: "m[0]/b" });
  });

  it("draws no edge from a container to what it holds, or to what is unknown", () => {
    expect(liftEdges([{ from: "a", to: "a/b" }, { from: "x", to: "a" }], new Set(["a", "a/b"]))).toEqual([]);
  });

  it("finds all words in any order, whatever the case", () => {
    expect(searchPaths(tree.nodes.keys(), "A M[0")).toEqual(["m[0]/a"]);
    expect(searchPaths(tree.nodes.keys(), " ")).toEqual([]);
  });
});

describe("a filter by phase", () => {
  const mixed = buildTree([aNode("gen"), aNode("m[0]/a", { phase: "Failed" }), aNode("m[0]/b", { phase: "Pending" }), aNode("m[1]/a", { phase: "Running" })]);
  const dimmed = (phases: Phase[]): string[] => [...mixed.nodes.values()].filter((node) => isDimmed(node, phases)).map((node) => node.path).sort();

  it("counts what holds nothing else, what needs a look first", () => {
    expect(phaseCounts(mixed)).toEqual([["Failed", 1], ["Running", 1], ["Pending", 1], ["Succeeded", 1]]);
  });

  it("finds nodes in any of the phases, with a search too", () => {
    expect(pathsInPhases(mixed, ["Failed", "Running"], "")).toEqual(["m[0]/a", "m[1]/a"]);
    expect(pathsInPhases(mixed, ["Failed", "Running"], "[1]")).toEqual(["m[1]/a"]);
  });

  it("dims the others, but not what holds one that stands out", () => {
    expect(dimmed([])).toEqual([]);
    expect(dimmed(["Failed"])).toEqual(["gen", "m[0]/b", "m[1]", "m[1]/a"]);
    expect(parsePhases("Failed,Nope,Lost")).toEqual(["Failed", "Lost"]);
  });
});

describe("the quick layout", () => {
  it("puts each node after all that it needs", () => {
    const links = [
      { from: "a", to: "b" },
      { from: "b", to: "c" },
      { from: "a", to: "c" },
    ];
    expect(layering(["c", "b", "a"], links)).toEqual([["a"], ["b"], ["c"]]);
  });

  it("ends on cycles", () => {
    expect(layering(["a", "b"], [{ from: "a", to: "b" }, { from: "b", to: "a" }]).flat().sort()).toEqual(["a", "b"]);
  });

  it("places 5000 nodes without overlap, about as wide as high", () => {
    const paths = Array.from({ length: 5000 }, (_, index) => `n${index}`);
    const { boxes, width, height } = quickLayout(paths, [], () => ({ width: 10, height: 10 }), { width: 2, height: 2 });
    expect(new Set([...boxes.values()].map((box) => `${box.x},${box.y}`)).size).toBe(5000);
    expect(width / height).toBeGreaterThan(0.2);
    expect(width / height).toBeLessThan(5);
  });

  it("lays out open containers within themselves", () => {
    const graph = visibleGraph(tree, edges, new Set(["m", "m[0]"]));
    const boxes = nestedLayout(graph.paths, graph.edges, parentPath, { width: 100, height: 20 });
    expect([...boxes.keys()].sort()).toEqual([...graph.paths].sort());
    const inner = boxes.get("m[0]/b");
    const outer = boxes.get("m[0]");
    expect((inner?.x ?? 0) + 100).toBeLessThanOrEqual(outer?.width ?? 0);
    expect(boxes.get("end")?.x).toBeGreaterThan((boxes.get("m")?.x ?? 0) + (boxes.get("m")?.width ?? 0));
  });
});

describe("what a node waits for", () => {
  it("is what stands before it and has not ended", () => {
    const nodes = [aNode("gen", { phase: "Succeeded" }), aNode("fit", { phase: "Running" }), aNode("end", { phase: "Pending" })];
    const graph = { nodes, edges: [{ from: "gen", to: "end" }, { from: "fit", to: "end" }, { from: "other", to: "end" }] };
    expect(unfinishedBefore(graph, "end")).toEqual(["fit", "other"]);
  });
});
