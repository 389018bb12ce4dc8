import type { Phase, RunNode } from "../api/types";
import { ancestors, parentPath } from "./paths";
import { groupPhase } from "./phases";

/** A node with what it contains. `node` is null where only its members are recorded. */
export interface TreeNode {
  path: string;
  node: RunNode | null;
  parent: string | null;
  children: string[];
  /** Recorded nodes within it, at any depth. */
  size: number;
  phase: Phase;
  counts: Partial<Record<Phase, number>>;
  started_at: number | null;
  finished_at: number | null;
}

export interface Tree {
  nodes: Map<string, TreeNode>;
  roots: string[];
}

/** The nodes of a run by containment, in the order in which they came. */
export function buildTree(nodes: readonly RunNode[]): Tree {
  const tree: Tree = { nodes: new Map(), roots: [] };
  for (const node of nodes) {
    const own = ensure(tree, node.path);
    own.node = node;
  }
  for (const path of tree.roots) summarise(tree, path);
  return tree;
}

function ensure(tree: Tree, path: string): TreeNode {
  const known = tree.nodes.get(path);
  if (known) return known;
  const parent = parentPath(path);
  const made: TreeNode = {
    path,
    node: null,
    parent,
    children: [],
    size: 0,
    phase: "Pending",
    counts: {},
    started_at: null,
    finished_at: null,
  };
  tree.nodes.set(path, made);
  if (parent === null) tree.roots.push(path);
  else ensure(tree, parent).children.push(path);
  return made;
}

function summarise(tree: Tree, path: string): TreeNode {
  const own = tree.nodes.get(path);
  if (!own) throw new Error(`no node ${path}`);
  const members: Phase[] = [];
  let open = false;
  for (const child of own.children) {
    const below = summarise(tree, child);
    own.size += below.size + (below.node ? 1 : 0);
    for (const [phase, count] of Object.entries(below.counts) as [Phase, number][]) add(own.counts, phase, count);
    if (below.node) add(own.counts, below.node.phase, 1);
    members.push(below.phase);
    own.started_at = least(own.started_at, below.started_at);
    own.finished_at = greatest(own.finished_at, below.finished_at);
    open ||= below.started_at !== null && below.finished_at === null;
  }
  if (own.node) {
    own.phase = own.node.phase;
    own.started_at = own.node.started_at ?? own.started_at;
    own.finished_at = own.node.finished_at ?? (own.node.started_at === null && !open ? own.finished_at : null);
  } else {
    own.phase = groupPhase(members);
    if (open) own.finished_at = null;
  }
  return own;
}

/** The containers to open at first: all of a small run, none of a large one. */
export function initiallyOpen(tree: Tree, limit = 200): Set<string> {
  if (tree.nodes.size > limit) return new Set();
  return new Set([...tree.nodes.values()].filter((node) => node.children.length > 0).map((node) => node.path));
}

/** The open containers with all that contain `path` opened too. */
export function reveal(open: ReadonlySet<string>, path: string): Set<string> {
  return new Set([...open, ...ancestors(path)]);
}

function add(counts: Partial<Record<Phase, number>>, phase: Phase, count: number): void {
  counts[phase] = (counts[phase] ?? 0) + count;
}

function least(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.min(a, b);
}

function greatest(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b);
}
