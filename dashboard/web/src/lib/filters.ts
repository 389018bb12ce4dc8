import type { Phase } from "../api/types";
import { isPhase, toggled } from "./phases";

/** What the list of runs is filtered by. `since` is a span such as `24h`, or empty. */
export interface Filters {
  phases: Phase[];
  name: string;
  project: string;
  namespace: string;
  backend: string;
  user: string;
  labels: string[];
  since: string;
  text: string;
}

export const NO_FILTERS: Filters = {
  phases: [],
  name: "",
  project: "",
  namespace: "",
  backend: "",
  user: "",
  labels: [],
  since: "",
  text: "",
};

const WORDS = ["name", "project", "namespace", "backend", "user", "since", "text"] as const;
const SPAN = /^(\d+)([mhdw])$/;
const SECONDS: Record<string, number> = { m: 60, h: 3600, d: 86_400, w: 604_800 };

/** The filters in a query string; what is unknown there is passed over. */
export function parseFilters(query: URLSearchParams): Filters {
  const filters: Filters = { ...NO_FILTERS, phases: query.getAll("phase").filter(isPhase), labels: query.getAll("label") };
  for (const word of WORDS) filters[word] = query.get(word) ?? "";
  return filters;
}

/** The query string of filters: `parseFilters` of it gives them back. */
export function formatFilters(filters: Filters): URLSearchParams {
  const query = new URLSearchParams();
  for (const phase of filters.phases) query.append("phase", phase);
  for (const word of WORDS) if (filters[word]) query.set(word, filters[word]);
  for (const label of filters.labels) query.append("label", label);
  return query;
}

/** The query of the API: spans become seconds since the epoch. */
export function apiQuery(filters: Filters, now: number): URLSearchParams {
  const query = formatFilters(filters);
  const seconds = spanSeconds(filters.since);
  query.delete("since");
  if (seconds !== null) query.set("since", String(Math.floor(now - seconds)));
  return query;
}

/** The statistics' query: days for a span, and the filters without times. */
export function statsQuery(filters: Filters): URLSearchParams {
  const query = formatFilters({ ...filters, since: "" });
  query.set("days", String(trendDays(filters.since)));
  return query;
}

const TREND_DAYS = 30;

/** How many days the trend shows: those of the span, or as many as ever where that is no day or two. */
function trendDays(span: string): number {
  const days = Math.ceil((spanSeconds(span) ?? 0) / 86_400);
  return days < 2 ? TREND_DAYS : Math.min(days, 366);
}

const UNFOLLOWED: Record<string, string> = {
  name: "workflow",
  project: "project",
  backend: "backend",
  user: "user",
  label: "labels",
  text: "search",
};

/** What of the filters the trend does not follow, in words; `told` is what the API says of it. */
export function unfollowedWords(filters: Filters, told: readonly string[]): string[] {
  const words = told.map((word) => UNFOLLOWED[word] ?? word);
  const seconds = spanSeconds(filters.since);
  return seconds !== null && Math.ceil(seconds / 86_400) < 2 ? [...words, "time"] : words;
}

/** `90m`, `24h`, `7d` or `2w` in seconds; null for anything else. */
export function spanSeconds(span: string): number | null {
  const match = SPAN.exec(span);
  if (!match) return null;
  return Number(match[1]) * (SECONDS[match[2] ?? ""] ?? 0);
}

/** Whether a label reads `key=value`. */
export function isLabel(text: string): boolean {
  return /^[^=\s]+=\S*$/.test(text);
}

export function isFiltered(filters: Filters): boolean {
  return [...formatFilters(filters).keys()].length > 0;
}

/** The filters with one phase more, or without it. */
export function togglePhase(filters: Filters, phase: Phase): Filters {
  return { ...filters, phases: toggled(filters.phases, phase) };
}
