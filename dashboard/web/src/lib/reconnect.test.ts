import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Live, listen, type Source } from "./reconnect";

class Fake implements Source {
  readyState = 0;
  onopen: ((event: Event) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  heard = new Map<string, (event: MessageEvent<string>) => void>();

  addEventListener(name: string, heard: (event: MessageEvent<string>) => void): void {
    this.heard.set(name, heard);
  }

  close(): void {
    this.readyState = 2;
  }

  refuse(): void {
    this.readyState = 2;
    this.onerror?.(new Event("error"));
  }

  say(name: string, data: string): void {
    this.heard.get(name)?.({ data } as MessageEvent<string>);
  }
}

describe("a stream", () => {
  let opened: Fake[];
  let said: string[];
  let live: Live[];
  let end: () => void;

  beforeEach(() => {
    vi.useFakeTimers();
    [opened, said, live] = [[], [], []];
    const open = (): Fake => {
      opened.push(new Fake());
      return opened.at(-1) as Fake;
    };
    end = listen(open, ["run", "ping"], (name, data) => said.push(`${name} ${data}`), (state) => live.push(state));
  });
  afterEach(() => {
    end();
    vi.useRealTimers();
  });

  it("connects anew after an answer that ends it for the browser, ever more slowly", () => {
    opened[0]?.refuse();
    expect(live.at(-1)).toBe("lost");
    vi.advanceTimersByTime(1_000);
    expect(opened.length).toBe(2);
    opened[1]?.refuse();
    vi.advanceTimersByTime(1_999);
    expect(opened.length).toBe(2);
    vi.advanceTimersByTime(1);
    expect(opened.length).toBe(3);
    opened[2]?.say("run", "{}");
    expect([said, live.at(-1)]).toEqual([["run {}"], "live"]);
    opened[2]?.refuse();
    vi.advanceTimersByTime(1_000);
    expect(opened.length).toBe(4);
  });

  it("connects anew when nothing comes any more", () => {
    opened[0]?.say("ping", "{}");
    vi.advanceTimersByTime(29_000);
    opened[0]?.say("ping", "{}");
    vi.advanceTimersByTime(29_999);
    expect(opened.length).toBe(1);
    vi.advanceTimersByTime(1_001);
    expect(opened.length).toBe(2);
  });

  it("leaves to the browser what it mends itself, and is over when it is ended", () => {
    opened[0]?.onerror?.(new Event("error"));
    expect([live.at(-1), opened.length]).toEqual(["lost", 1]);
    end();
    vi.advanceTimersByTime(100_000);
    expect(opened.length).toBe(1);
  });
});
