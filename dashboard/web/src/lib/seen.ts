import { useEffect, useState } from "react";

const HIDDEN_MS = 5_000;

/** Tells whether a page is seen: at once when it is shown, after some seconds when it is hidden. */
export function watchSeen(page: Document, tell: (seen: boolean) => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const changed = (): void => {
    clearTimeout(timer);
    if (page.visibilityState === "hidden") timer = setTimeout(() => tell(false), HIDDEN_MS);
    else tell(true);
  };
  page.addEventListener("visibilitychange", changed);
  changed();
  return () => {
    clearTimeout(timer);
    page.removeEventListener("visibilitychange", changed);
  };
}

/** Whether somebody sees this page. */
export function useSeen(): boolean {
  const [seen, setSeen] = useState(true);
  useEffect(() => watchSeen(document, setSeen), []);
  return seen;
}
