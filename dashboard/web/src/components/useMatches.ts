import { useEffect, useMemo, useState } from "react";
import { findLines } from "../lib/logs";
import { useShortcuts } from "../lib/keyboard";

/** The lines in which a search is found, one of them current; `n` and `N` go on. */
export function useMatches(lines: readonly string[], text: string): { line: number | null; hint: string | undefined; step: (backwards: boolean) => void } {
  const found = useMemo(() => findLines(lines, text), [lines, text]);
  const [at, setAt] = useState(0);
  useEffect(() => setAt(0), [text]);
  const step = (backwards: boolean): void => setAt((old) => (found.length === 0 ? 0 : (old + (backwards ? -1 : 1) + found.length) % found.length));
  useShortcuts({ n: () => step(false), N: () => step(true) });
  const hint = text === "" ? undefined : found.length === 0 ? "none" : `${at + 1} of ${found.length}`;
  return { line: found[at] ?? null, hint, step };
}
