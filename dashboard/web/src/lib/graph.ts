import type { Edge, Graph, Phase } from "../api/types";
import { ancestors } from "./paths";
import { ended, PHASES } from "./phases";
import type { Tree, TreeNode } from "./tree";

/** What the graph draws: the nodes whose containers are all open, and the edges between the nearest drawn ones. */
export interface VisibleGraph {
  /** Containers come before what they contain. */
  paths: string[];
  edges: Edge[];
}

export function visibleGraph(tree: Tree, edges: readonly Edge[], open: ReadonlySet<string>): VisibleGraph {
  const paths: string[] = [];
  const visit = (path: string): void => {
    paths.push(path);
    if (!open.has(path)) return;
    for (const child of tree.nodes.get(path)?.children ?? []) visit(child);
  };
  for (const root of tree.roots) visit(root);
  return { paths, edges: liftEdges(edges, new Set(paths)) };
}

/** Edges between what is drawn: an end that is hidden moves to the container that hides it. */
export function liftEdges(edges: readonly Edge[], drawn: ReadonlySet<string>): Edge[] {
  const lifted = new Map<string, string | null>();
  const nearest = (path: string): string | null => {
    const known = lifted.get(path);
    if (known !== undefined) return known;
    const found = drawn.has(path) ? path : (ancestors(path).find((above) => drawn.has(above)) ?? null);
    lifted.set(path, found);
    return found;
  };
  const seen = new Map<string, Edge>();
  for (const edge of edges) {
    const from = nearest(edge.from);
    const to = nearest(edge.to);
    if (from === null || to === null || from === to || contains(from, to) || contains(to, from)) continue;
    seen.set(`${from}\n${to}`, { from, to });
  }
  return [...seen.values()];
}

function contains(outer: string, inner: string): boolean {
  return ancestors(inner).includes(outer);
}

/** The paths in which the words are found, in order; none for no words. */
export function searchPaths(paths: Iterable<string>, text: string): string[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  return [...paths].filter((path) => words.every((word) => path.toLowerCase().includes(word)));
}

/** How many nodes that hold no others are in which phase, what needs a look first. */
export function phaseCounts(tree: Tree): [Phase, number][] {
  const counts = new Map<Phase, number>();
  for (const node of tree.nodes.values()) if (node.children.length === 0) counts.set(node.phase, (counts.get(node.phase) ?? 0) + 1);
  return PHASES.flatMap((phase): [Phase, number][] => (counts.has(phase) ? [[phase, counts.get(phase) ?? 0]] : []));
}

/** The paths in which the words are found, or all for no words, of nodes that hold no others and are in one of the phases. */
export function pathsInPhases(tree: Tree, phases: readonly Phase[], text: string): string[] {
  const inPhase = [...tree.nodes.values()].filter((node) => node.children.length === 0 && phases.includes(node.phase)).map((node) => node.path);
  return text.trim() === "" ? inPhase : searchPaths(inPhase, text);
}

/** Whether a node is neither in one of the phases nor holds one that is; no phases dim nothing. */
export function isDimmed(node: TreeNode, phases: readonly Phase[]): boolean {
  return phases.length > 0 && !phases.some((phase) => node.node?.phase === phase || node.counts[phase]);
}

/** The nodes that a node waits for: those before it that have not ended. */
export function unfinishedBefore(graph: Graph, path: string): string[] {
  const phases = new Map(graph.nodes.map((node) => [node.path, node.phase]));
  const before = graph.edges.filter((edge) => edge.to === path).map((edge) => edge.from);
  return before.filter((name) => !ended(phases.get(name) ?? "Pending"));
}
