import type { Action, Phase } from "../api/types";
import { ended } from "./phases";

const SENSIBLE: Record<Action, readonly Phase[]> = {
  stop: ["Pending", "Running", "Suspended"],
  cancel: ["Pending", "Running", "Suspended"],
  suspend: ["Pending", "Running"],
  approve: ["Pending", "Running", "Suspended"],
  resume: ["Suspended", "Failed", "Cancelled", "Lost"],
  retry: ["Failed", "Lost"],
};

/** What an action is about: a run as a whole, a node of it that waits for an answer, or any other node. */
export type Subject = "run" | "waiting" | "node";

/** Of what is allowed, what makes sense for a run in this phase, or for a node of it. */
export function sensibleActions(run: { phase: Phase; backend: string }, allowed: readonly Action[], subject: Subject = "run"): Action[] {
  if (subject === "node") return ended(run.phase) && allowed.includes("retry") ? ["retry"] : [];
  return (Object.keys(SENSIBLE) as Action[]).filter((action) => {
    if (!allowed.includes(action) || !SENSIBLE[action].includes(run.phase)) return false;
    if (action === "suspend") return subject === "run" && run.backend === "kubernetes";
    return (action === "approve") === (subject === "waiting");
  });
}
