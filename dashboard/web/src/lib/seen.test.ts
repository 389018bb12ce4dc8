import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { watchSeen } from "./seen";

class Page {
  visibilityState: DocumentVisibilityState = "visible";
  heard: (() => void)[] = [];
  addEventListener(_name: string, listener: () => void): void {
    this.heard.push(listener);
  }
  removeEventListener(_name: string, listener: () => void): void {
    this.heard = this.heard.filter((each) => each !== listener);
  }
  becomes(state: DocumentVisibilityState): void {
    this.visibilityState = state;
    for (const listener of this.heard) listener();
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a page that is hidden for a while is not seen, and is again as soon as it is shown", () => {
  const page = new Page();
  const told: boolean[] = [];
  const stop = watchSeen(page as unknown as Document, (seen) => told.push(seen));
  page.becomes("hidden");
  vi.advanceTimersByTime(1_000);
  page.becomes("visible");
  vi.advanceTimersByTime(60_000);
  expect(told).toEqual([true, true]);
  page.becomes("hidden");
  vi.advanceTimersByTime(6_000);
  expect(told.at(-1)).toBe(false);
  page.becomes("visible");
  expect(told.at(-1)).toBe(true);
  stop();
  expect(page.heard).toEqual([]);
});
