import type {
  Action,
  Attempt,
  ErrorGroup,
  ExceptionRecord,
  Graph,
  ItemPage,
  ItemStates,
  ItemTimes,
  Json,
  JsonObject,
  LogChunk,
  LogMatches,
  Me,
  Names,
  Phase,
  Preview,
  RunDetail,
  RunEvent,
  RunPage,
  Stats,
  Template,
} from "./types";

export const BASE = "/api/v1";

/** What the API answers when it refuses: what is wrong and what to do about it. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly fix: string,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

const UNREACHABLE = "Look whether `flowctl ui` still runs, then load the page anew.";

async function call<T>(path: string, init?: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(BASE + path, { ...init, headers: { Accept: "application/json", ...init?.headers } });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "unreachable", "The dashboard's server does not answer.", UNREACHABLE);
  }
  const body: unknown = await response.json().catch(() => null);
  if (!response.ok) throw refusal(response, body);
  return body as T;
}

function refusal(response: Response, body: unknown): ApiError {
  const said = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const word = (key: string): string => (typeof said[key] === "string" ? said[key] : "");
  const message = word("message") || `The server answered ${response.status} ${response.statusText}.`;
  return new ApiError(response.status, word("code"), message, word("fix") || (response.status >= 500 ? UNREACHABLE : ""));
}

function query(values: Record<string, string | number | undefined>): string {
  const found = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) if (value !== undefined && value !== "") found.set(key, String(value));
  const text = found.toString();
  return text === "" ? "" : `?${text}`;
}

const of = (run: string): string => `/runs/${encodeURIComponent(run)}`;

export const api = {
  runs: (filters: URLSearchParams, cursor: string | null, limit: number, signal?: AbortSignal) => {
    const wanted = new URLSearchParams(filters);
    if (cursor !== null) wanted.set("cursor", cursor);
    wanted.set("limit", String(limit));
    return call<RunPage>(`/runs?${wanted}`, { signal });
  },
  run: (run: string) => call<RunDetail>(of(run)),
  document: (run: string) => call<{ document: Json }>(`${of(run)}/document`),
  nodes: (run: string) => call<Graph>(`${of(run)}/nodes`),
  attempts: (run: string, path?: string) => call<{ items: Attempt[] }>(`${of(run)}/attempts${query({ path })}`),
  items: (run: string, path: string, phase: Phase | undefined, offset: number, limit: number) =>
    call<ItemPage>(`${of(run)}/items${query({ path, phase, offset, limit })}`),
  itemStates: (run: string, path: string) => call<ItemStates>(`${of(run)}/items/states${query({ path })}`),
  itemTimes: (run: string, path: string) => call<ItemTimes>(`${of(run)}/items/times${query({ path })}`),
  events: (run: string, path?: string) => call<{ items: RunEvent[] }>(`${of(run)}/events${query({ path })}`),
  itemValues: (run: string, path: string, index: number) =>
    call<{ inputs: JsonObject; outputs: JsonObject }>(`${of(run)}/items/values${query({ path, index })}`),
  templates: () => call<{ items: Template[]; note: string }>("/templates"),
  submit: (template: Template, values: JsonObject, csrf: string) =>
    call<{ run_id: string; namespace: string; name: string }>(`/templates/${template.namespace}/${template.name}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Headwater-CSRF": csrf },
      body: JSON.stringify({ arguments: values }),
    }),
  preview: (run: string, ref: string, format: string) => call<Preview>(`${of(run)}/artifacts/${ref}${query({ format })}`),
  exceptions: (run: string, path: string, index: number) =>
    call<{ items: ExceptionRecord[] }>(`${of(run)}/exceptions${query({ path, index })}`),
  errors: (run: string) => call<{ groups: ErrorGroup[]; left_out: number }>(`${of(run)}/errors`),
  logs: (run: string, path: string, part: { offset: number; limit: number; until?: number }, signal?: AbortSignal) =>
    call<LogChunk>(`${of(run)}/logs${query({ path, ...part })}`, { signal }),
  logMatches: (run: string, path: string, text: string, { offset, line }: { offset: number; line: number }, signal?: AbortSignal) =>
    call<LogMatches>(`${of(run)}/logs/matches${query({ path, text, offset, line })}`, { signal }),
  stats: (filters: URLSearchParams, signal?: AbortSignal) => call<Stats>(`/stats?${filters}`, { signal }),
  names: () => call<Names>("/names"),
  me: () => call<Me>("/me"),
  act: (run: string, action: Action, node: string | null, csrf: string) =>
    call<{ message: string }>(`${of(run)}/actions`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Headwater-CSRF": csrf },
      body: JSON.stringify({ action, node }),
    }),
};

export const streams = {
  artifact: (run: string, ref: string) => `${BASE}${of(run)}/artifacts/${ref}/content`,
  all: `${BASE}/stream`,
  run: (run: string) => `${BASE}${of(run)}/stream`,
  logs: (run: string, path: string, offset: number) => `${BASE}${of(run)}/logs/stream${query({ path, offset })}`,
};
