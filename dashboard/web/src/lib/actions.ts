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

/** What can be done to many runs at once, each where it makes sense for the run. */
export const BULK: readonly Action[] = ["stop", "cancel", "retry"];

/** What an action is called, and what it does. */
export const ACTION_WORDS: Record<Action, [string, string]> = {
  stop: ["Stop", "What runs is left to end, nothing new starts. `Resume` goes on from there."],
  cancel: ["Cancel", "What runs is killed at once. What succeeded is kept."],
  suspend: ["Suspend", "Nothing new starts until the run is resumed."],
  resume: ["Resume", "Runs what is missing; what succeeded is not run again."],
  retry: ["Retry", "Runs again what failed; what succeeded is not run again."],
  approve: ["Approve", "Lets the run go on where it waits for an approval."],
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
