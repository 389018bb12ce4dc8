import { type RefObject, useEffect, useRef, useState, useSyncExternalStore } from "react";

/** Seconds since the epoch, anew every second (or slower). */
export function useNow(every = 1000): number {
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now() / 1000), every);
    return () => window.clearInterval(timer);
  }, [every]);
  return now;
}

/** An element's inner size, as it changes. */
export function useSize<T extends HTMLElement>(): [RefObject<T | null>, { width: number; height: number }] {
  const ref = useRef<T>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setSize({ width: Math.floor(entry.contentRect.width), height: Math.floor(entry.contentRect.height) });
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [ref, size];
}

/** A value that follows another after it has rested. */
export function useRested<T>(value: T, milliseconds: number): T {
  const [rested, setRested] = useState(value);
  useEffect(() => {
    const timer = window.setTimeout(() => setRested(value), milliseconds);
    return () => window.clearTimeout(timer);
  }, [value, milliseconds]);
  return rested;
}

/** Says in the window's title where one is. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title === "" ? "Headwater" : `${title} · Headwater`;
  }, [title]);
}

export type Theme = "system" | "light" | "dark";

const STORED = "headwater-theme";
const themeListeners = new Set<() => void>();

export function storedTheme(): Theme {
  const value = window.localStorage.getItem(STORED);
  return value === "light" || value === "dark" ? value : "system";
}

export function applyTheme(theme: Theme): void {
  if (theme === "system") {
    delete document.documentElement.dataset["theme"];
    window.localStorage.removeItem(STORED);
  } else {
    document.documentElement.dataset["theme"] = theme;
    window.localStorage.setItem(STORED, theme);
  }
  for (const listener of themeListeners) listener();
}

const DARK = "(prefers-color-scheme: dark)";

/** Whether the page is dark now: canvases draw anew when it changes. */
export function useDark(): boolean {
  return useSyncExternalStore(
    (changed) => {
      const media = window.matchMedia(DARK);
      media.addEventListener("change", changed);
      themeListeners.add(changed);
      return () => {
        media.removeEventListener("change", changed);
        themeListeners.delete(changed);
      };
    },
    () => {
      const theme = storedTheme();
      return theme === "system" ? window.matchMedia(DARK).matches : theme === "dark";
    },
  );
}

/** A CSS variable's colour as the page resolves it now, for a canvas. */
export function resolveColor(variable: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${variable})`;
  document.body.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}
