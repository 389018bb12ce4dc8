import { useEffect, useRef, useState } from "react";
import { type Live, listen } from "../lib/reconnect";
import { useSeen } from "../lib/seen";

export type { Live } from "../lib/reconnect";

type Handlers = Record<string, (data: unknown) => void>;

/**
 * Listens to an SSE address while mounted and seen, and connects anew whatever ends it. `null` listens to nothing. A
 * browser has six connections for all pages of a server: one that nobody sees keeps none of them.
 */
export function useStream(url: string | null, handlers: Handlers): Live {
  const [live, setLive] = useState<Live>("connecting");
  const latest = useRef(handlers);
  useEffect(() => {
    latest.current = handlers;
  });
  const seen = useSeen();
  const names = Object.keys(handlers).sort().join(" ");

  useEffect(() => {
    if (url === null) {
      setLive("off");
      return;
    }
    const heard = (name: string, data: string): void => latest.current[name]?.(parse(data));
    if (!seen) return;
    return listen(() => new EventSource(url), names.split(" "), heard, setLive);
  }, [url, names, seen]);

  return live;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
