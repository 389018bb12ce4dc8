import { useCallback, useMemo, useSyncExternalStore } from "react";

/** The address is the page's state: what a view shows can be linked to. */

const CHANGED = "headwater:navigated";

function subscribe(changed: () => void): () => void {
  window.addEventListener("popstate", changed);
  window.addEventListener(CHANGED, changed);
  return () => {
    window.removeEventListener("popstate", changed);
    window.removeEventListener(CHANGED, changed);
  };
}

export function navigate(to: string, options: { replace?: boolean } = {}): void {
  if (to === window.location.pathname + window.location.search) return;
  if (options.replace) window.history.replaceState(null, "", to);
  else window.history.pushState(null, "", to);
  window.dispatchEvent(new Event(CHANGED));
}

export function usePathname(): string {
  return useSyncExternalStore(subscribe, () => window.location.pathname);
}

export function useQueryString(): URLSearchParams {
  const search = useSyncExternalStore(subscribe, () => window.location.search);
  return useMemo(() => new URLSearchParams(search), [search]);
}

/** One value of the query string, and how to change it; "" takes it away. Typing replaces, choosing pushes. */
export function useQueryValue(key: string): [string, (value: string, options?: { replace?: boolean }) => void] {
  const value = useQueryString().get(key) ?? "";
  const set = useCallback(
    (next: string, options: { replace?: boolean } = { replace: true }) => setQuery({ [key]: next }, options),
    [key],
  );
  return [value, set];
}

/** Changes several values of the query string at once. */
export function setQuery(values: Record<string, string>, options: { replace?: boolean } = { replace: true }): void {
  const query = new URLSearchParams(window.location.search);
  for (const [key, value] of Object.entries(values)) {
    if (value === "") query.delete(key);
    else query.set(key, value);
  }
  const text = query.toString();
  navigate(window.location.pathname + (text === "" ? "" : `?${text}`), options);
}
