import ELK, { type ELK as Elk, type ElkNode } from "elkjs/lib/elk-api.js";
import workerUrl from "elkjs/lib/elk-worker.min.js?url";
import { useEffect, useRef, useState } from "react";
import type { VisibleGraph } from "../../../lib/graph";
import { type Boxes, INSET, nestedLayout } from "../../../lib/nestedLayout";
import type { Tree } from "../../../lib/tree";
import { CARD } from "./cards";

/** Above this elk takes seconds; the quick layout takes none. */
const ELK_LIMIT = 400;

let elk: Elk | null = null;

const OPTIONS: Record<string, string> = {
  "elk.algorithm": "layered",
  "elk.direction": "RIGHT",
  "elk.hierarchyHandling": "INCLUDE_CHILDREN",
  "elk.layered.spacing.nodeNodeBetweenLayers": "64",
  "elk.spacing.nodeNode": "20",
  "elk.layered.nodePlacement.strategy": "NETWORK_SIMPLEX",
  "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
};

/** Where everything lies; null until it is known first. Anew only when what is drawn changes. */
export function useLayout(tree: Tree, drawn: VisibleGraph): Boxes | null {
  const [boxes, setBoxes] = useState<Boxes | null>(null);
  const key = drawn.paths.join("\n") + drawn.edges.map((edge) => `${edge.from}>${edge.to}`).join("\n");
  const latest = useRef({ tree, drawn });
  latest.current = { tree, drawn };

  useEffect(() => {
    const { tree: nodes, drawn: shown } = latest.current;
    const parentOf = (path: string): string | null => nodes.nodes.get(path)?.parent ?? null;
    const quick = (): Boxes => nestedLayout(shown.paths, shown.edges, parentOf, CARD);
    if (shown.paths.length > ELK_LIMIT) {
      setBoxes(quick());
      return;
    }
    let over = false;
    // The first time the worker must load: until it is there the quick layout is better than nothing.
    const impatient = window.setTimeout(() => setBoxes((old) => old ?? quick()), 700);
    elk ??= new ELK({ workerUrl, workerFactory: (url) => new Worker(url ?? workerUrl) });
    elk
      .layout(elkGraph(shown, parentOf))
      .then((root) => {
        window.clearTimeout(impatient);
        if (!over) setBoxes(readBoxes(root));
      })
      .catch(() => {
        if (!over) setBoxes(quick());
      });
    return () => {
      over = true;
      window.clearTimeout(impatient);
    };
  }, [key]);
  return boxes;
}

function elkGraph(drawn: VisibleGraph, parentOf: (path: string) => string | null): ElkNode {
  const made = new Map<string, ElkNode>(drawn.paths.map((path) => [path, { id: path, ...CARD }]));
  const root: ElkNode = { id: "", layoutOptions: OPTIONS, children: [], edges: [] };
  for (const [path, node] of made) {
    const parent = parentOf(path);
    const holder = parent === null ? root : made.get(parent);
    if (!holder) continue;
    (holder.children ??= []).push(node);
    if (holder !== root) {
      holder.layoutOptions = { "elk.padding": `[top=${INSET.top},left=${INSET.side},bottom=${INSET.bottom},right=${INSET.side}]` };
      delete holder.width;
      delete holder.height;
    }
  }
  root.edges = drawn.edges.map((edge) => ({ id: `${edge.from}\n${edge.to}`, sources: [edge.from], targets: [edge.to] }));
  return root;
}

function readBoxes(node: ElkNode, into: Boxes = new Map()): Boxes {
  for (const child of node.children ?? []) {
    into.set(child.id, { x: child.x ?? 0, y: child.y ?? 0, width: child.width ?? CARD.width, height: child.height ?? CARD.height });
    readBoxes(child, into);
  }
  return into;
}
