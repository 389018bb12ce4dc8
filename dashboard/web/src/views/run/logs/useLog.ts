import { useCallback, useEffect, useRef, useState } from "react";
import { api, streams } from "../../../api/client";
import { type Live, useStream } from "../../../api/stream";
import type { LogMatch } from "../../../api/types";
import { appendText, type LogLines, NO_LINES } from "../../../lib/logs";

const CHUNK = 256 * 1024;
/** So much is read before a line that is looked for. */
const BEFORE = 32 * 1024;
/** So much is kept of a log that is read at once. */
const ALL = 32 * 1024 * 1024;

export interface LogState {
  log: LogLines;
  /** The byte at which the reading began, and the one to go on from. */
  from: number;
  /** The number of the first line that was read, where it is known. */
  first: number | null;
  next: number;
  size: number;
  complete: boolean;
  growing: boolean;
  note: string;
  busy: boolean;
  error: unknown;
}

const START: LogState = { log: NO_LINES, from: 0, first: 0, next: 0, size: 0, complete: false, growing: false, note: "", busy: true, error: null };

export interface Log extends LogState {
  live: Live;
  more: () => void;
  all: () => void;
  tail: () => void;
  /** Reads anew around a line that was found. */
  around: (match: LogMatch) => void;
  restart: () => void;
}

/** A node's log (or the run's for ""), read in chunks; while `follow`, what is written is read at once. */
export function useLog(run: string, path: string, follow: boolean): Log {
  const [state, setState] = useState<LogState>(START);
  const latest = useRef(state);
  const aborter = useRef<AbortController | null>(null);
  const again = useRef(false);

  const put = useCallback((next: LogState) => {
    latest.current = next;
    setState(next);
  }, []);

  const read = useCallback(
    async (from: LogState, until: number) => {
      aborter.current?.abort();
      const mine = new AbortController();
      aborter.current = mine;
      let at: LogState = { ...from, busy: true, error: null };
      put(at);
      try {
        for (;;) {
          again.current = false;
          const chunk = await api.logs(run, path, { offset: at.next, limit: CHUNK }, mine.signal);
          if (mine.signal.aborted) return;
          const moved = chunk.next_offset > at.next;
          const { next_offset: next, size, complete, growing, note } = chunk;
          at = { ...at, log: appendText(at.log, chunk.text), next, size, complete, growing, note };
          const go = moved && at.next < at.size && (at.next < until || again.current);
          put({ ...at, busy: go });
          if (!go && !again.current) return;
        }
      } catch (error) {
        if (!mine.signal.aborted) put({ ...at, busy: false, error });
      }
    },
    [run, path, put],
  );

  useEffect(() => {
    void read(START, 0);
    return () => aborter.current?.abort();
  }, [read]);

  const more = useCallback(() => {
    const now = latest.current;
    if (now.busy) again.current = true;
    else void read(now, 0);
  }, [read]);
  const all = useCallback(() => void read(latest.current, latest.current.next + ALL), [read]);
  const restart = useCallback(() => void read(START, 0), [read]);
  const tail = useCallback(() => {
    const from = Math.max(0, latest.current.size - CHUNK);
    void read({ ...START, from, first: from === 0 ? 0 : null, next: from, size: latest.current.size }, from + CHUNK);
  }, [read]);
  const around = useCallback(
    (match: LogMatch) => {
      aborter.current?.abort();
      const mine = new AbortController();
      aborter.current = mine;
      put({ ...latest.current, busy: true, error: null });
      api
        .logs(run, path, { offset: Math.max(0, match.offset - BEFORE), limit: 1024 * 1024, until: match.offset }, mine.signal)
        .then((before) => {
          const log = appendText(NO_LINES, before.text);
          return read({ ...latest.current, log, from: before.offset, first: match.line - log.lines.length, next: match.offset }, 0);
        })
        .catch((error: unknown) => {
          if (!mine.signal.aborted) put({ ...latest.current, busy: false, error });
        });
    },
    [run, path, put, read],
  );

  // The event only says that there is more: reading from the known byte neither repeats nor loses a line.
  const [since, setSince] = useState<number | null>(null);
  if (state.growing && since === null) setSince(state.next);
  const on = follow && state.growing && since !== null;
  const live = useStream(on ? streams.logs(run, path, since) : null, { log: more, end: more, ping: () => undefined });
  return { ...state, live, more, all, tail, around, restart };
}
