import type { Live } from "../api/stream";

const WORDS: Record<Live, string> = { live: "Live", connecting: "Connecting", lost: "Not live: reconnecting", off: "Ended" };

/** Whether what is on the screen follows what happens. */
export function LiveMark({ live }: { live: Live }) {
  return (
    <span className={`live live-${live}`} role="status">
      <span className="dot" aria-hidden="true" />
      {WORDS[live]}
    </span>
  );
}
