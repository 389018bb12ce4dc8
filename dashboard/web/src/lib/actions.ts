import type { Action, Phase } from "../api/types";

const SENSIBLE: Record<Action, readonly Phase[]> = {
  stop: ["Pending", "Running", "Suspended"],
  cancel: ["Pending", "Running", "Suspended"],
  suspend: ["Pending", "Running"],
  approve: ["Pending", "Running", "Suspended"],
  resume: ["Suspended", "Failed", "Cancelled", "Lost"],
  retry: ["Failed", "Lost"],
};

/** Of what is allowed, what makes sense for a run as a whole in this phase, or for a node of it that waits. */
export function sensibleActions(run: { phase: Phase; backend: string }, allowed: readonly Action[], waitingNode = false): Action[] {
  return (Object.keys(SENSIBLE) as Action[]).filter((action) => {
    if (!allowed.includes(action) || !SENSIBLE[action].includes(run.phase)) return false;
    if (action === "suspend") return !waitingNode && run.backend === "kubernetes";
    return (action === "approve") === waitingNode;
  });
}
