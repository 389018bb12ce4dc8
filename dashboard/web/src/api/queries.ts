import {
  type InfiniteData,
  keepPreviousData,
  QueryClient,
  useInfiniteQuery,
  useQueries,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useCallback, useRef } from "react";
import { apiQuery, type Filters, formatFilters, statsQuery } from "../lib/filters";
import { mergeNodes, mergeRun } from "../lib/merge";
import { ended } from "../lib/phases";
import { api, ApiError, streams } from "./client";
import { type Live, useStream } from "./stream";
import type { Graph, ItemTimes, Run, RunDetail, RunNode, RunPage } from "./types";

export const PAGE = 50;

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      refetchOnWindowFocus: false,
      retry: (count, error) => count < 2 && (!(error instanceof ApiError) || error.status === 0 || error.status >= 500),
    },
  },
});

const seconds = (): number => Date.now() / 1000;

export function useRuns(filters: Filters) {
  const key = formatFilters(filters).toString();
  return useInfiniteQuery({
    queryKey: ["runs", key],
    queryFn: ({ pageParam, signal }) => api.runs(apiQuery(filters, seconds()), pageParam, PAGE, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
  });
}

/** Of many that start at once, one answer tells: a change is on the screen within a second all the same. */
const REFRESH_MS = 250;

/** Keeps the list of runs live: known runs change in place; new ones bring the list anew. */
export function useLiveRuns(filters: Filters): Live {
  const client = useQueryClient();
  const key = formatFilters(filters).toString();
  const waiting = useRef<number | null>(null);
  const refresh = useCallback(() => {
    waiting.current ??= window.setTimeout(() => {
      waiting.current = null;
      void client.invalidateQueries({ queryKey: ["runs", key] });
      void client.invalidateQueries({ queryKey: ["stats"] });
    }, REFRESH_MS);
  }, [client, key]);
  return useStream(streams.all, {
    run: (data) => {
      const run = data as Run | null;
      if (run === null) return;
      const known = client.getQueryData<InfiniteData<RunPage>>(["runs", key]);
      const isKnown = known?.pages.some((page) => page.items.some((item) => item.run_id === run.run_id));
      if (isKnown) {
        client.setQueryData<InfiniteData<RunPage>>(["runs", key], (old) => old && { ...old, pages: old.pages.map((page) => mergeRun(page, run)) });
      } else refresh();
      if (ended(run.phase)) refresh();
    },
    // Said once the stream has begun, and when it has been silent: what changed before it began is not missed.
    ping: refresh,
  });
}

export const useRun = (run: string) => useQuery({ queryKey: ["run", run], queryFn: () => api.run(run) });
export const useNodes = (run: string) => useQuery({ queryKey: ["run", run, "nodes"], queryFn: () => api.nodes(run) });
export const useDocument = (run: string) =>
  useQuery({ queryKey: ["run", run, "document"], queryFn: () => api.document(run), staleTime: Infinity });
export const useAttempts = (run: string, path?: string) =>
  useQuery({ queryKey: ["run", run, "attempts", path ?? ""], queryFn: () => api.attempts(run, path) });
export const useErrors = (run: string) => useQuery({ queryKey: ["run", run, "errors"], queryFn: () => api.errors(run) });
export const useItemStates = (run: string, path: string) =>
  useQuery({ queryKey: ["run", run, "states", path], queryFn: () => api.itemStates(run, path) });
/** When the items of some maps ended, by path; what has not come yet is not in it. */
export function useItemTimes(run: string, paths: readonly string[]): ReadonlyMap<string, ItemTimes> {
  const combine = useCallback(
    (answers: { data: ItemTimes | undefined }[]) => new Map(answers.flatMap(({ data }, at): [string, ItemTimes][] => (data ? [[paths[at] ?? "", data]] : []))),
    [paths],
  );
  return useQueries({
    queries: paths.map((path) => ({ queryKey: ["run", run, "states", path, "times"], queryFn: () => api.itemTimes(run, path) })),
    combine,
  });
}
/** In the place of an item's index: what the node itself raised. */
export const NODE_ITSELF = -1;
export const useExceptions = (run: string, path: string, index: number, enabled = true) =>
  useQuery({ queryKey: ["run", run, "exceptions", path, index], queryFn: () => api.exceptions(run, path, index), enabled });
export function useStats(filters: Filters) {
  const query = statsQuery(filters);
  return useQuery({
    queryKey: ["stats", query.toString()],
    queryFn: ({ signal }) => api.stats(query, signal),
    staleTime: 30_000,
    placeholderData: keepPreviousData,
  });
}
export const useNames = () => useQuery({ queryKey: ["names"], queryFn: api.names, staleTime: 60_000 });
export const useMe = () => useQuery({ queryKey: ["me"], queryFn: api.me, staleTime: Infinity });

/** Keeps one run live: its head and its nodes change in place, what is derived is asked anew at most every two seconds. */
export function useLiveRun(id: string, over: boolean): Live {
  const client = useQueryClient();
  const waiting = useRef<number | null>(null);
  const grown = useRef(false);
  const refresh = (): void => {
    waiting.current ??= window.setTimeout(() => {
      waiting.current = null;
      const parts = ["attempts", "errors", "states", "exceptions", ...(grown.current ? ["nodes"] : [])];
      grown.current = false;
      for (const part of parts) void client.invalidateQueries({ queryKey: ["run", id, part] });
    }, 2000);
  };
  return useStream(over ? null : streams.run(id), {
    run: (data) => {
      const run = data as Run | null;
      if (run === null) return;
      client.setQueryData<RunDetail>(["run", id], (old) => old && { ...old, ...run });
      if (ended(run.phase)) void client.invalidateQueries({ queryKey: ["run", id] });
    },
    nodes: (data) => {
      const changed = (data as { nodes: RunNode[] } | null)?.nodes ?? [];
      // A node that was not there before may bring edges, which events do not tell.
      const known = new Set(client.getQueryData<Graph>(["run", id, "nodes"])?.nodes.map((node) => node.path));
      grown.current ||= changed.some((node) => !known.has(node.path));
      client.setQueryData<Graph>(["run", id, "nodes"], (old) => old && { ...old, nodes: mergeNodes(old.nodes, changed) });
      refresh();
    },
    ping: () => undefined,
  });
}
