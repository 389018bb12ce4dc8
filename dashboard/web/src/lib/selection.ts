/** Choosing several rows of a list. */

/** So many can be chosen at once. */
export const MOST_CHOSEN = 200;

interface Identified {
  run_id: string;
}

/** What is chosen, with one more or without it. */
export function toggleChosen<T extends Identified>(chosen: readonly T[], one: T): readonly T[] {
  if (chosen.some((other) => other.run_id === one.run_id)) return chosen.filter((other) => other.run_id !== one.run_id);
  return [...chosen, one].slice(0, MOST_CHOSEN);
}

/** What is chosen, and all from one row to another as well; only the latter where the first is not in the list any more. */
export function chooseRange<T extends Identified>(list: readonly T[], chosen: readonly T[], from: string | null, to: T): readonly T[] {
  const end = list.findIndex((one) => one.run_id === to.run_id);
  const known = list.findIndex((one) => one.run_id === from);
  const start = known < 0 ? end : known;
  const range = list.slice(Math.min(start, end), Math.max(start, end) + 1);
  return withAll(chosen, range);
}

/** What is chosen, and these as well, each once. */
export function withAll<T extends Identified>(chosen: readonly T[], more: readonly T[]): readonly T[] {
  const known = new Set(chosen.map((one) => one.run_id));
  return [...chosen, ...more.filter((one) => !known.has(one.run_id))].slice(0, MOST_CHOSEN);
}

/** What is chosen, each as the list has it now. */
export function refreshed<T extends Identified>(chosen: readonly T[], list: readonly T[]): T[] {
  const now = new Map(list.map((one) => [one.run_id, one]));
  return chosen.map((one) => now.get(one.run_id) ?? one);
}

/** Does something to each, at most so many at once, in order; stops where `over` says so. */
export async function forEachAtMost<T>(many: number, list: readonly T[], over: () => boolean, act: (one: T) => Promise<void>): Promise<void> {
  const rest = [...list];
  const work = async (): Promise<void> => {
    for (let one = rest.shift(); one !== undefined && !over(); one = rest.shift()) await act(one);
  };
  await Promise.all(Array.from({ length: many }, work));
}
