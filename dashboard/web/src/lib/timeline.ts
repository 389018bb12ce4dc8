import type { Attempt, Phase } from "../api/types";

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
export interface Row {
  path: string;
  lanes: Span[][];
}

/** Rows by node in the order of their first start; attempts without a start are not drawn. */
export function timelineRows(attempts: readonly Attempt[], now: number): Row[] {
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
  const rows = [...byPath].map(([path, spans]) => ({ path, lanes: packLanes(spans) }));
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

function firstStart(row: Row): number {
  return row.lanes[0]?.[0]?.start ?? 0;
}

/** What is on the screen, in seconds. */
export interface Window {
  from: number;
  to: number;
}

export function fullWindow(rows: readonly Row[]): Window {
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
  const found: { at: number; after: number }[] = [];
  for (let index = Math.ceil((window.from - origin) / step); index * step <= window.to - origin; index++) {
    found.push({ at: origin + index * step, after: index * step });
  }
  return found;
}

function tickStep(least: number): number {
  for (let scale = 0.001; scale <= 10; scale *= 10) {
    for (const step of STEPS) if (step * scale >= least && step * scale <= 10) return step * scale;
  }
  return LONG_STEPS.find((step) => step >= least) ?? Math.ceil(least / 604_800) * 604_800;
}
