/** What of an `EventSource` is needed here; tests have one of their own. */
export interface Source {
  readyState: number;
  onopen: ((event: Event) => void) | null;
  onerror: ((event: Event) => void) | null;
  addEventListener: (name: string, heard: (event: MessageEvent<string>) => void) => void;
  close: () => void;
}

/** How a live stream fares: shown as a word, never silently. */
export type Live = "connecting" | "live" | "lost" | "off";

const CLOSED = 2;
const SHORTEST_MS = 1_000;
const LONGEST_MS = 30_000;
/** The server says something every 10 s at least. */
const SILENT_MS = 30_000;

/**
 * Listens until the function that it gives is called. A browser connects anew by itself when a connection breaks, but
 * never after an answer such as 401, 429, 502 or 503, and it does not notice that nothing comes any more: both are
 * mended here, ever more slowly.
 */
export function listen(open: () => Source, names: readonly string[], heard: (name: string, data: string) => void, tell: (live: Live) => void): () => void {
  let source: Source;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let wait = SHORTEST_MS;
  const lost = (): void => {
    source.close();
    tell("lost");
    clearTimeout(timer);
    timer = setTimeout(connect, wait);
    wait = Math.min(2 * wait, LONGEST_MS);
  };
  const watch = (): void => {
    clearTimeout(timer);
    timer = setTimeout(lost, SILENT_MS);
  };
  const connect = (): void => {
    source = open();
    watch();
    tell("connecting");
    const mine = source;
    mine.onopen = () => tell("live");
    mine.onerror = () => {
      if (mine !== source) return;
      if (mine.readyState === CLOSED) lost();
      else tell("lost");
    };
    for (const name of names) {
      mine.addEventListener(name, (event) => {
        if (mine !== source) return;
        wait = SHORTEST_MS;
        watch();
        tell("live");
        heard(name, event.data);
      });
    }
  };
  connect();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}
