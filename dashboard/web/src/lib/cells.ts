import type { ItemRange, Phase } from "../api/types";

/** How the cells of a heat grid lie: `columns` squares of `size` pixels in a row, `rows` of them. */
export interface Grid {
  columns: number;
  rows: number;
  size: number;
}

/** The largest square cells with which `total` items fill at most `width` by `height` pixels; never less than `least`. */
export function fitGrid(total: number, width: number, height: number, least = 3, most = 18): Grid {
  if (total <= 0 || width <= 0) return { columns: 0, rows: 0, size: most };
  for (let size = most; size > least; size--) {
    const columns = Math.max(1, Math.floor(width / size));
    if (Math.ceil(total / columns) * size <= height) return grid(total, columns, size);
  }
  return grid(total, Math.max(1, Math.floor(width / least)), least);
}

function grid(total: number, columns: number, size: number): Grid {
  return { columns: Math.min(columns, total), rows: Math.ceil(total / columns), size };
}

/** A run of cells in one row of the grid. */
export interface Bar {
  row: number;
  column: number;
  length: number;
  phase: Phase;
}

/** Ranges of items as bars of at most one row each: a canvas draws them without visiting each item. */
export function rangeBars(ranges: readonly ItemRange[], columns: number): Bar[] {
  const bars: Bar[] = [];
  if (columns <= 0) return bars;
  for (const range of ranges) {
    for (let at = range.start; at < range.stop; ) {
      const row = Math.floor(at / columns);
      const end = Math.min(range.stop, (row + 1) * columns);
      bars.push({ row, column: at % columns, length: end - at, phase: range.phase });
      at = end;
    }
  }
  return bars;
}

/** The item at a point of the grid, or null beside it. */
export function itemAt(x: number, y: number, { columns, size }: Grid, total: number): number | null {
  const column = Math.floor(x / size);
  const row = Math.floor(y / size);
  if (column < 0 || column >= columns || row < 0) return null;
  const index = row * columns + column;
  return index < total ? index : null;
}

/** The phase of an item by bisection of sorted ranges; what lies in no range is pending. */
export function phaseOf(ranges: readonly ItemRange[], index: number): Phase {
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const range = ranges[middle] as ItemRange;
    if (index < range.start) high = middle - 1;
    else if (index >= range.stop) low = middle + 1;
    else return range.phase;
  }
  return "Pending";
}

/** Items by phase; what lies in no range is pending. */
export function countPhases(ranges: readonly ItemRange[], total: number): Map<Phase, number> {
  const counts = new Map<Phase, number>();
  let known = 0;
  for (const range of ranges) {
    counts.set(range.phase, (counts.get(range.phase) ?? 0) + range.stop - range.start);
    known += range.stop - range.start;
  }
  if (known < total) counts.set("Pending", (counts.get("Pending") ?? 0) + total - known);
  return counts;
}
