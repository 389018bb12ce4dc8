import { useEffect, useRef, useState } from "react";

/** How a live stream fares: shown as a word, never silently. */
export type Live = "connecting" | "live" | "lost" | "off";

type Handlers = Record<string, (data: unknown) => void>;

/** Listens to an SSE address while mounted; the browser connects anew by itself. `null` listens to nothing. */
export function useStream(url: string | null, handlers: Handlers): Live {
  const [live, setLive] = useState<Live>("connecting");
  const latest = useRef(handlers);
  useEffect(() => {
    latest.current = handlers;
  });
  const names = Object.keys(handlers).sort().join(" ");

  useEffect(() => {
    if (url === null) {
      setLive("off");
      return;
    }
    setLive("connecting");
    const source = new EventSource(url);
    source.onopen = () => setLive("live");
    source.onerror = () => setLive("lost");
    for (const name of names.split(" ")) {
      source.addEventListener(name, (event: MessageEvent<string>) => {
        setLive("live");
        latest.current[name]?.(parse(event.data));
      });
    }
    return () => source.close();
  }, [url, names]);

  return live;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
