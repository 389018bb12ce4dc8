/** Seconds as people read them: `340 ms`, `8.6 s`, `2 m 05 s`, `3 h 12 m`, `4 d 02 h`. */
export function formatDuration(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return "–";
  const value = Math.max(0, seconds);
  if (value < 0.9995) return `${Math.round(value * 1000)} ms`;
  if (value < 59.95) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} m`;
  return `${Math.floor(whole / 86_400)} d ${two(Math.floor((whole % 86_400) / 3600))} h`;
}

/** How long something took, or takes until `now`; null when it has not begun. A skewed clock never gives less than 0. */
export function elapsed(started: number | null, finished: number | null, now: number): number | null {
  return started === null ? null : Math.max(0, (finished ?? now) - started);
}

/** Whether the clock that wrote these times was ahead of this one, or went back. */
export function skewed(started: number | null, finished: number | null, now: number): boolean {
  if (started === null) return false;
  return (finished !== null && finished < started - 0.001) || started > now + 5;
}

/** `just now`, `4 min ago`, `3 h ago`, `2 d ago`; what lies ahead of the clock says so. */
export function formatAgo(at: number | null, now: number): string {
  if (at === null) return "–";
  const seconds = now - at;
  if (seconds < -5) return `in ${formatDuration(-seconds)}`;
  if (seconds < 45) return "just now";
  if (seconds < 3600) return `${Math.max(1, Math.round(seconds / 60))} min ago`;
  if (seconds < 86_400) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} d ago`;
}

/** The full local time with its zone, for a tooltip. */
export function formatTime(at: number | null): string {
  if (at === null) return "–";
  return new Date(at * 1000).toLocaleString(undefined, {
    year: "numeric",
    month: "short",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    timeZoneName: "short",
  });
}

/** The time as HTML wants it; nothing for one that no calendar has. */
export function isoTime(at: number): string | undefined {
  const date = new Date(at * 1000);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

/** `1 234 567` with thin spaces: the same in every locale, easy to scan in a column. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
