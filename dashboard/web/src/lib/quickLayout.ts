import type { Edge } from "../api/types";

export interface Size {
  width: number;
  height: number;
}

export interface Box extends Size {
  x: number;
  y: number;
}

export interface Layout extends Size {
  boxes: Map<string, Box>;
}

/**
 * A layout in linear time for graphs that are too large for elk: columns by the longest path, each ordered by where its
 * predecessors lie, tall ones folded. Cycles are cut where they close.
 */
export function quickLayout(
  paths: readonly string[],
  edges: readonly Edge[],
  sizeOf: (path: string) => Size,
  gap: Size,
): Layout {
  const before = new Map<string, string[]>();
  for (const edge of edges) push(before, edge.to, edge.from);

  const layout: Layout = { boxes: new Map(), width: 0, height: 0 };
  for (const layer of layering(paths, edges)) {
    const wanted = new Map(layer.map((path, index) => [path, middle(before.get(path) ?? [], layout.boxes) ?? index]));
    const ordered = [...layer].sort((a, b) => (wanted.get(a) ?? 0) - (wanted.get(b) ?? 0));
    placeLayer(ordered, sizeOf, gap, layout);
  }
  return layout;
}

/** Adds a layer to the right of what is placed, folded into columns so that it stays about as wide as high. */
function placeLayer(layer: readonly string[], sizeOf: (path: string) => Size, gap: Size, layout: Layout): void {
  const tall = Math.max(12, Math.ceil(Math.sqrt(layer.length * 4)));
  let x = layout.width === 0 ? 0 : layout.width + gap.width;
  for (let from = 0; from < layer.length; from += tall) {
    let y = 0;
    let width = 0;
    for (const path of layer.slice(from, from + tall)) {
      const size = sizeOf(path);
      layout.boxes.set(path, { x, y, ...size });
      y += size.height + gap.height;
      width = Math.max(width, size.width);
    }
    layout.height = Math.max(layout.height, y - gap.height);
    layout.width = x + width;
    x += width + gap.width / 2;
  }
}

/** Paths by the length of the longest way to them. */
export function layering(paths: readonly string[], edges: readonly Edge[]): string[][] {
  const known = new Set(paths);
  const after = new Map<string, string[]>();
  const waiting = new Map<string, number>(paths.map((path) => [path, 0]));
  for (const edge of edges) {
    if (!known.has(edge.from) || !known.has(edge.to)) continue;
    push(after, edge.from, edge.to);
    waiting.set(edge.to, (waiting.get(edge.to) ?? 0) + 1);
  }
  const level = new Map<string, number>();
  const ready = paths.filter((path) => waiting.get(path) === 0);
  for (const path of ready) level.set(path, 0);
  for (let path = ready[0], at = 0; path !== undefined; path = ready[++at]) {
    for (const next of after.get(path) ?? []) {
      level.set(next, Math.max(level.get(next) ?? 0, (level.get(path) ?? 0) + 1));
      const left = (waiting.get(next) ?? 0) - 1;
      waiting.set(next, left);
      if (left === 0) ready.push(next);
    }
  }
  const layers: string[][] = [];
  for (const path of paths) (layers[level.get(path) ?? 0] ??= []).push(path);
  return layers.filter((layer) => layer !== undefined);
}

function middle(before: readonly string[], boxes: ReadonlyMap<string, Box>): number | null {
  const ys = before.flatMap((path) => boxes.get(path)?.y ?? []);
  return ys.length === 0 ? null : ys.reduce((sum, y) => sum + y, 0) / ys.length;
}

function push(lists: Map<string, string[]>, key: string, value: string): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}
