import type { Action, Phase } from "../api/types";

const SENSIBLE: Record<Action, readonly Phase[]> = {
  stop: ["Pending", "Running", "Suspended"],
  cancel: ["Pending", "Running", "Suspended"],
  suspend: ["Pending", "Running"],
  approve: ["Suspended"],
  resume: ["Suspended", "Failed", "Cancelled", "Lost"],
  retry: ["Failed", "Lost"],
};

/** Of what is allowed, what makes sense for a run in this phase. */
export function sensibleActions(phase: Phase, allowed: readonly Action[]): Action[] {
  return (Object.keys(SENSIBLE) as Action[]).filter((action) => allowed.includes(action) && SENSIBLE[action].includes(phase));
}
