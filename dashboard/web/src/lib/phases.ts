import type { Phase } from "../api/types";

/** All phases, what needs a look first. */
export const PHASES: readonly Phase[] = [
  "Failed",
  "Lost",
  "Running",
  "Suspended",
  "Pending",
  "Succeeded",
  "Cached",
  "Skipped",
  "Cancelled",
];

/** The phases that a run can have. */
export const RUN_PHASES: readonly Phase[] = PHASES.filter((phase) => phase !== "Cached" && phase !== "Skipped");

export function isPhase(word: string): word is Phase {
  return (PHASES as readonly string[]).includes(word);
}

/** The phases in a value of the query string, such as `Failed,Lost`; what is none is passed over. */
export function parsePhases(text: string): Phase[] {
  return text.split(",").filter(isPhase);
}

/** The phases with one more, or without it. */
export function toggled(phases: readonly Phase[], phase: Phase): Phase[] {
  return phases.includes(phase) ? phases.filter((other) => other !== phase) : [...phases, phase];
}

/** Whether nothing more will happen. */
export function ended(phase: Phase): boolean {
  return phase !== "Pending" && phase !== "Running" && phase !== "Suspended";
}

/** The CSS variable with a phase's colour. */
export function phaseColor(phase: Phase): string {
  return `--phase-${phase.toLowerCase()}`;
}

/** The phase that a group shows for its members: what needs a look wins over what is fine. */
export function groupPhase(members: Iterable<Phase>): Phase {
  const seen = new Set(members);
  for (const phase of ["Failed", "Lost", "Running", "Suspended"] as const) if (seen.has(phase)) return phase;
  if (seen.has("Pending")) return seen.size > 1 ? "Running" : "Pending";
  for (const phase of ["Cancelled", "Succeeded", "Cached", "Skipped"] as const) if (seen.has(phase)) return phase;
  return "Pending";
}
