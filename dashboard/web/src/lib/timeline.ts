import type { Attempt, Item, ItemBin, ItemTimes, Phase } from "../api/types";

/** One attempt on the timeline, in seconds. */
export interface Span {
  path: string;
  attempt: number;
  phase: Phase;
  start: number;
  end: number;
  open: boolean;
  message: string;
}

/** A row of the timeline: a node, its attempts packed into lanes so that none overlap. */
export interface NodeRow {
  kind: "node";
  path: string;
  lanes: Span[][];
}

/** Below a map that is open: when its items ended, as a histogram. */
export interface DensityRow {
  kind: "density";
  path: string;
  times: ItemTimes;
}

/** Below a map that is open: one of the items that ended last. When an item began is not recorded. */
export interface ItemRow {
  kind: "item";
  path: string;
  item: Item;
  at: number;
}

export type Row = NodeRow | DensityRow | ItemRow;

/** The rows with those of the maps that are open below them. */
export function withItems(rows: readonly NodeRow[], times: ReadonlyMap<string, ItemTimes>): Row[] {
  return rows.flatMap((row): Row[] => {
    const found = times.get(row.path);
    if (!found) return [row];
    const items = found.last.flatMap((item): ItemRow[] => (item.finished_at === null ? [] : [{ kind: "item", path: row.path, item, at: item.finished_at }]));
    return [row, { kind: "density", path: row.path, times: found }, ...items];
  });
}

/** What tells a row from all others. */
export function rowKey(row: Row): string {
  return row.kind === "item" ? `${row.path}[${row.item.index}] item` : row.kind === "density" ? `${row.path} density` : row.path;
}

/** A histogram's bar: where it is, and its parts as shares of the highest. */
export interface DensityBar {
  start: number;
  stop: number;
  succeeded: number;
  failed: number;
}

/** The bars of a histogram that are not empty; any that is not can be seen, however high the highest. */
export function densityBars(bins: readonly ItemBin[], least = 0.06): DensityBar[] {
  const most = Math.max(1, ...bins.map((bin) => bin.succeeded + bin.failed));
  const share = (count: number): number => (count === 0 ? 0 : Math.max(least, count / most));
  return bins
    .filter((bin) => bin.succeeded + bin.failed > 0)
    .map((bin) => ({ start: bin.start, stop: bin.stop, succeeded: share(bin.succeeded), failed: share(bin.failed) }));
}

/** Rows by node in the order of their first start; attempts without a start are not drawn. */
export function timelineRows(attempts: readonly Attempt[], now: number): NodeRow[] {
  const byPath = new Map<string, Span[]>();
  for (const attempt of attempts) {
    if (attempt.started_at === null) continue;
    const open = attempt.finished_at === null;
    const span: Span = {
      path: attempt.path,
      attempt: attempt.attempt,
      phase: attempt.phase,
      start: attempt.started_at,
      end: Math.max(attempt.started_at, attempt.finished_at ?? now),
      open,
      message: attempt.error ? `${attempt.error.type}: ${attempt.error.message}` : "",
    };
    const spans = byPath.get(attempt.path);
    if (spans) spans.push(span);
    else byPath.set(attempt.path, [span]);
  }
  const rows = [...byPath].map(([path, spans]): NodeRow => ({ kind: "node", path, lanes: packLanes(spans) }));
  return rows.sort((a, b) => firstStart(a) - firstStart(b));
}

/** Spans in as few lanes as can be, greedily by start. */
export function packLanes(spans: readonly Span[]): Span[][] {
  const lanes: Span[][] = [];
  for (const span of [...spans].sort((a, b) => a.start - b.start || a.attempt - b.attempt)) {
    const lane = lanes.find((candidate) => (candidate.at(-1)?.end ?? 0) <= span.start);
    if (lane) lane.push(span);
    else lanes.push([span]);
  }
  return lanes;
}

function firstStart(row: NodeRow): number {
  return row.lanes[0]?.[0]?.start ?? 0;
}

/** What is on the screen, in seconds. */
export interface Window {
  from: number;
  to: number;
}

export function fullWindow(rows: readonly NodeRow[]): Window {
  let from = Infinity;
  let to = -Infinity;
  for (const row of rows) {
    for (const span of row.lanes.flat()) {
      from = Math.min(from, span.start);
      to = Math.max(to, span.end);
    }
  }
  if (from > to) return { from: 0, to: 1 };
  const margin = Math.max((to - from) * 0.01, 0.0005);
  return { from: from - margin, to: to + margin };
}

/** The window zoomed by `factor` (below 1 is nearer) around a point, kept within `full`. */
export function zoom(window: Window, factor: number, around: number, full: Window): Window {
  const length = Math.min(full.to - full.from, Math.max(0.001, (window.to - window.from) * factor));
  const share = (around - window.from) / (window.to - window.from);
  return clamp({ from: around - share * length, to: around + (1 - share) * length }, full);
}

/** The window moved by `seconds`, kept within `full`. */
export function pan(window: Window, seconds: number, full: Window): Window {
  return clamp({ from: window.from + seconds, to: window.to + seconds }, full);
}

function clamp(window: Window, full: Window): Window {
  const length = Math.min(window.to - window.from, full.to - full.from);
  const from = Math.min(Math.max(window.from, full.from), full.to - length);
  return { from, to: from + length };
}

const STEPS = [1, 2, 5];
const LONG_STEPS = [15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800];

/** Round times after the run's start for the axis: at most about `count` ticks. */
export function ticks(window: Window, origin: number, count: number): { at: number; after: number }[] {
  const step = tickStep((window.to - window.from) / Math.max(1, count));
  const first = Math.ceil((window.from - origin) / step);
  const many = Math.floor((window.to - origin) / step) - first + 1;
  // Far from the origin, numbers are too coarse to be counted up: what is not a number of ticks is none.
  if (!Number.isSafeInteger(first) || !(many > 0 && many < 1000)) return [];
  return Array.from({ length: many }, (_, index) => ({ at: origin + (first + index) * step, after: (first + index) * step }));
}

function tickStep(least: number): number {
  for (let scale = 0.001; scale <= 10; scale *= 10) {
    for (const step of STEPS) if (step * scale >= least && step * scale <= 10) return step * scale;
  }
  return LONG_STEPS.find((step) => step >= least) ?? Math.ceil(least / 604_800) * 604_800;
}
