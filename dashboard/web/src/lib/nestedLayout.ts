import type { Edge } from "../api/types";
import { ancestors } from "./paths";
import { type Box, quickLayout, type Size } from "./quickLayout";

/** What lies where: boxes are relative to the container's corner. */
export type Boxes = Map<string, Box>;

/** Room within a container: its title above, a margin around. */
export const INSET = { top: 44, side: 14, bottom: 14 };

const GAP: Size = { width: 56, height: 14 };

/** A quick layout of nested nodes: each open container is laid out by itself, the inner ones first. */
export function nestedLayout(
  paths: readonly string[],
  edges: readonly Edge[],
  parentOf: (path: string) => string | null,
  card: Size,
): Boxes {
  const members = new Map<string | null, string[]>();
  for (const path of paths) {
    const parent = parentOf(path);
    const inside = members.get(parent);
    if (inside) inside.push(path);
    else members.set(parent, [path]);
  }
  const between = siblingEdges(edges, parentOf);
  const boxes: Boxes = new Map();

  const place = (container: string | null): Size => {
    const inside = members.get(container) ?? [];
    const sizes = new Map(inside.map((path) => [path, members.has(path) ? place(path) : card]));
    const layout = quickLayout(inside, between.get(container) ?? [], (path) => sizes.get(path) ?? card, GAP);
    const [left, top] = container === null ? [0, 0] : [INSET.side, INSET.top];
    for (const [path, box] of layout.boxes) boxes.set(path, { ...box, x: box.x + left, y: box.y + top });
    return {
      width: Math.max(card.width, layout.width + 2 * INSET.side),
      height: layout.height + INSET.top + INSET.bottom,
    };
  };
  place(null);
  return boxes;
}

/** Edges by the container in which they run: both ends are lifted to where they are siblings. */
function siblingEdges(edges: readonly Edge[], parentOf: (path: string) => string | null): Map<string | null, Edge[]> {
  const found = new Map<string | null, Edge[]>();
  for (const edge of edges) {
    const tos = [edge.to, ...ancestors(edge.to)];
    const from = [edge.from, ...ancestors(edge.from)].find((path) => tos.some((to) => parentOf(to) === parentOf(path)));
    if (from === undefined) continue;
    const to = tos.find((path) => parentOf(path) === parentOf(from));
    if (to === undefined || to === from) continue;
    const parent = parentOf(from);
    const list = found.get(parent);
    if (list) list.push({ from, to });
    else found.set(parent, [{ from, to }]);
  }
  return found;
}
