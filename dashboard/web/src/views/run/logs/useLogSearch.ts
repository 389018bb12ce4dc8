import { useCallback, useEffect, useRef, useState } from "react";
import { api } from "../../../api/client";
import type { LogMatch } from "../../../api/types";
import { useShortcuts } from "../../../lib/keyboard";
import { searchHint } from "../../../lib/logs";

/** With so many found a search ends: nobody goes through them one by one. */
const MOST = 10_000;

interface Search {
  text: string;
  found: readonly LogMatch[];
  offset: number;
  line: number;
  state: "going" | "complete" | "full";
}

const START: Search = { text: "", found: [], offset: 0, line: 0, state: "complete" };

export interface LogSearch {
  /** The match to show: another object whenever one is to be shown, be it the same again. */
  shown: LogMatch | null;
  hint: string | undefined;
  error: unknown;
  step: (backwards: boolean) => void;
}

/** Where a text is in the whole log, read or not; the search goes on as the log grows. `n` and `N` go from match to match. */
export function useLogSearch(run: string, path: string, text: string, size: number): LogSearch {
  const [search, setSearch] = useState<Search>(START);
  const [error, setError] = useState<unknown>(null);
  const [at, setAt] = useState(0);
  const [shown, setShown] = useState<LogMatch | null>(null);
  const latest = useRef(search);

  useEffect(() => {
    setAt(0);
    setShown(null);
  }, [text]);
  useEffect(() => {
    const mine = new AbortController();
    setError(null);
    const put = (next: Search): void => {
      latest.current = next;
      setSearch(next);
      setShown((old) => old ?? next.found[0] ?? null);
    };
    const go = async (): Promise<void> => {
      let now: Search = latest.current.text === text ? latest.current : { ...START, text };
      if (text !== "" && now.state !== "full") now = { ...now, state: "going" };
      put(now);
      while (now.state === "going") {
        const piece = await api.logMatches(run, path, text, now, mine.signal);
        if (mine.signal.aborted) return;
        const found = [...now.found, ...piece.matches];
        const state = found.length >= MOST ? "full" : piece.complete ? "complete" : "going";
        now = { text, found, offset: piece.next_offset, line: piece.next_line, state };
        put(now);
      }
    };
    go().catch((caught: unknown) => {
      if (!mine.signal.aborted) setError(caught);
    });
    return () => mine.abort();
  }, [run, path, text, size]);

  const { found } = search;
  const step = useCallback(
    (backwards: boolean) => {
      if (found.length === 0) return;
      const next = (at + (backwards ? -1 : 1) + found.length) % found.length;
      setAt(next);
      setShown({ ...(found[next] as LogMatch) });
    },
    [found, at],
  );
  useShortcuts({ n: () => step(false), N: () => step(true) });
  const going = search.text === text ? search.state : "going";
  return { shown, hint: text === "" ? undefined : searchHint(at, search.text === text ? found.length : 0, going), error, step };
}
