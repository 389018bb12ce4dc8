/** What the read API answers (`/api/v1/openapi.json`). Times are seconds since the epoch. */

export type Phase =
  | "Pending"
  | "Running"
  | "Suspended"
  | "Succeeded"
  | "Failed"
  | "Cancelled"
  | "Skipped"
  | "Lost"
  | "Cached";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export interface Failure {
  type: string;
  message: string;
  error_class: string;
  node: string;
}

export interface Run {
  run_id: string;
  name: string;
  phase: Phase;
  backend: string;
  target: string;
  namespace: string;
  project: string | null;
  labels: Record<string, string>;
  user: string;
  host: string;
  message: string;
  started_at: number | null;
  finished_at: number | null;
  failed_items: number;
  exit_code: number | null;
  resumed_from: string | null;
  error: Failure | null;
  progress_done: number | null;
  progress_total: number | null;
}

export interface RunDetail extends Run {
  inputs: JsonObject;
  outputs: JsonObject;
  code: Record<string, string>;
}

export interface RunPage {
  items: Run[];
  next: string | null;
}

export interface RunNode {
  path: string;
  phase: Phase;
  kind: string;
  ref: string;
  attempt: number;
  message: string;
  started_at: number | null;
  finished_at: number | null;
  inputs: JsonObject | null;
  outputs: JsonObject | null;
  answer: boolean | null;
  total: number | null;
  succeeded: number | null;
  failed: number | null;
  cached: number | null;
  error: Failure | null;
}

export interface Edge {
  from: string;
  to: string;
}

export interface Graph {
  nodes: RunNode[];
  edges: Edge[];
}

export interface Attempt {
  path: string;
  attempt: number;
  phase: Phase;
  started_at: number | null;
  finished_at: number | null;
  error: Failure | null;
}

export interface Item {
  index: number;
  phase: Phase;
  attempt: number;
  finished_at: number | null;
  error: Failure | null;
}

export interface ItemPage {
  total: number;
  counts: Partial<Record<Phase, number>>;
  items: Item[];
}

export interface ItemRange {
  start: number;
  stop: number;
  phase: Phase;
}

export interface ItemStates {
  total: number;
  ranges: ItemRange[];
}

export interface ItemBin {
  start: number;
  stop: number;
  succeeded: number;
  failed: number;
}

/** When the items of a map ended; `last` ended last, the latest first. */
export interface ItemTimes {
  total: number;
  bins: ItemBin[];
  last: Item[];
}

export interface ExceptionRecord {
  path: string;
  index: number | null;
  attempt: number;
  type: string;
  message: string;
  error_class: string;
  traceback: string;
  raised_at: number | null;
}

export interface RunEvent {
  at: number;
  path: string;
  index: number | null;
  attempt: number;
  phase: Phase;
  message: string;
}

export interface ErrorGroup {
  signature: string;
  type: string;
  error_class: string;
  message: string;
  count: number;
  first_at: number | null;
  nodes: string[];
  example: { path: string; index: number | null; attempt: number; traceback: string } | null;
}

export interface TemplateInput {
  type: string | null;
  default: Json;
  required: boolean | null;
  description: string | null;
}

export interface Template {
  namespace: string;
  name: string;
  version: number | null;
  project: string | null;
  description: string | null;
  inputs: Record<string, TemplateInput>;
}

export interface Preview {
  kind: "image" | "table" | "json" | "text" | "none";
  size: number;
  note: string;
  text: string;
  value: Json;
  columns: string[];
  rows: string[][];
}

export interface LogChunk {
  text: string;
  offset: number;
  next_offset: number;
  size: number;
  complete: boolean;
  /** More may be written. */
  growing: boolean;
  /** Why nothing can be read from a cluster's pods, or "". */
  note: string;
}

/** A line that holds a text: where it begins in the file, and its number in the log, from 0. */
export interface LogMatch {
  offset: number;
  line: number;
}

export interface LogMatches {
  matches: LogMatch[];
  next_offset: number;
  next_line: number;
  size: number;
  /** There is no further line at present. */
  complete: boolean;
}

export interface DayStats {
  day: string;
  succeeded: number;
  failed: number;
  other: number;
  p50: number | null;
  p95: number | null;
}

export interface Stats {
  phases: Partial<Record<Phase, number>>;
  days: DayStats[];
  /** What of the filter the numbers do not follow. */
  unfollowed: string[];
}

export interface Names {
  names: string[];
  projects: string[];
  namespaces: string[];
  backends: string[];
  users: string[];
}

export type Action = "stop" | "cancel" | "suspend" | "resume" | "retry" | "approve";

export interface Me {
  user: string;
  authenticated: boolean;
  actions: Action[];
  csrf: string;
}
