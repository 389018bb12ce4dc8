import { elapsed, formatAgo, formatDuration, formatTime, isoTime, skewed } from "../lib/duration";

/** How long ago, with the full time on hover. */
export function Ago({ at, now }: { at: number | null; now: number }) {
  if (at === null) return <span className="quiet">–</span>;
  return (
    <time dateTime={isoTime(at)} title={formatTime(at)}>
      {formatAgo(at, now)}
    </time>
  );
}

/** How long something took or takes; a clock that was wrong is said. */
export function Took({ started, finished, now }: { started: number | null; finished: number | null; now: number }) {
  const wrong = skewed(started, finished, now);
  return (
    <span className="num" title={wrong ? "The clocks of the machines that wrote these times differ." : undefined}>
      {formatDuration(elapsed(started, finished, now))}
      {wrong ? <span className="warn"> clock?</span> : null}
    </span>
  );
}
