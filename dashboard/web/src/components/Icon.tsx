import type { Phase } from "../api/types";

const PATHS = {
  check: "M3.5 8.5l3 3 6-7",
  cross: "M4.5 4.5l7 7m0-7l-7 7",
  dash: "M4 8h8",
  play: "M6 4.5l5 3.5-5 3.5z",
  pause: "M6 4.5v7M10 4.5v7",
  clock: "M8 4.5V8l2.5 1.5",
  skip: "M4.5 5l3.5 3-3.5 3M11 5v6",
  question: "M6 6.2a2 2 0 113 1.7c-.7.4-1 .8-1 1.6M8 11.8v.1",
  bolt: "M9 2.5L4.5 9H8l-1 4.5L11.5 7H8z",
  search: "M7 11.5a4.5 4.5 0 100-9 4.5 4.5 0 000 9zm3.3-1.2l3.2 3.2",
  sun: "M8 10.5a2.5 2.5 0 100-5 2.5 2.5 0 000 5zM8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9",
  moon: "M13 9.5A5.5 5.5 0 016.5 3 5.5 5.5 0 1013 9.5z",
  screen: "M2.5 3.5h11v7h-11zM6 13h4",
  chevron: "M6 4l4 4-4 4",
  back: "M10 4L6 8l4 4",
  plus: "M8 3.5v9M3.5 8h9",
  minus: "M3.5 8h9",
  copy: "M5.5 5.5h7v7h-7zM3.5 10.5v-7h7",
  compare: "M5 3v10M11 3v10M2.5 6L5 3l2.5 3M8.5 10l2.5 3 2.5-3",
  graph: "M2.5 6h4v4h-4zM9.5 2.5h4v4h-4zM9.5 9.5h4v4h-4zM6.5 8l3-3.5M6.5 8l3 3.5",
  map: "M3 3h4v4H3zM9 3h4v4H9zM3 9h4v4H3zM9 9h4v4H9z",
  task: "M3 5.5A2.5 2.5 0 015.5 3h5A2.5 2.5 0 0113 5.5v5a2.5 2.5 0 01-2.5 2.5h-5A2.5 2.5 0 013 10.5z",
  loop: "M12.5 8a4.5 4.5 0 11-1.5-3.4M12.5 2.5v3h-3",
  branch: "M8 2.5L13.5 8 8 13.5 2.5 8z",
  box: "M2.5 5L8 2.5 13.5 5v6L8 13.5 2.5 11zM2.5 5L8 7.5 13.5 5M8 7.5v6",
  fit: "M3 6V3h3M10 3h3v3M13 10v3h-3M6 13H3v-3",
  down: "M8 3v9M4.5 8.5L8 12l3.5-3.5",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

const PHASE_ICONS: Record<Phase, IconName> = {
  Succeeded: "check",
  Failed: "cross",
  Running: "play",
  Pending: "clock",
  Suspended: "pause",
  Cancelled: "minus",
  Skipped: "skip",
  Lost: "question",
  Cached: "bolt",
};

/** A phase's mark: a shape of its own within a disc of its colour. */
export function PhaseIcon({ phase, size = 16 }: { phase: Phase; size?: number }) {
  return (
    <span className={`phase-icon phase-${phase.toLowerCase()}`} style={{ width: size, height: size }}>
      <Icon name={PHASE_ICONS[phase] ?? "question"} size={Math.round(size * 0.75)} />
    </span>
  );
}

/** A phase as mark and word: never by colour alone. */
export function PhaseBadge({ phase }: { phase: Phase }) {
  return (
    <span className={`badge phase-${phase.toLowerCase()}`}>
      <PhaseIcon phase={phase} size={14} />
      {phase}
    </span>
  );
}

const KIND_ICONS: Record<string, IconName> = {
  map: "map",
  loop: "loop",
  iterate: "loop",
  condition: "branch",
  block: "box",
  container: "box",
  call: "box",
  suspend: "pause",
};

export function kindIcon(kind: string, group: boolean): IconName {
  return KIND_ICONS[kind] ?? (group ? "box" : "task");
}
