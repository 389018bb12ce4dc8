/** Log text in lines that a screen can hold. */

export const LINE_LIMIT = 2000;

/** Lines read so far, and what has come of a line that is not complete. */
export interface LogLines {
  lines: readonly string[];
  rest: string;
}

export const NO_LINES: LogLines = { lines: [], rest: "" };

/** The lines with one more chunk of text. A carriage return within a line overwrites it, as on a terminal. */
export function appendText(log: LogLines, text: string): LogLines {
  if (text === "") return log;
  const parts = (log.rest + text).split("\n");
  const rest = parts.pop() ?? "";
  return { lines: parts.length === 0 ? log.lines : [...log.lines, ...parts.map(cleanLine)], rest };
}

/** All lines to show, the incomplete one last. */
export function shownLines(log: LogLines): readonly string[] {
  return log.rest === "" ? log.lines : [...log.lines, cleanLine(log.rest)];
}

// What terminals take as colour or movement; a page shows the text alone.
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\^_])/g;

/** A line as a terminal would leave it: without escape sequences, after its last carriage return. */
export function cleanLine(line: string): string {
  const plain = line.includes("\u001b") ? line.replace(ESCAPES, "") : line;
  if (!plain.includes("\r")) return plain;
  const parts = plain.split("\r").filter((part) => part !== "");
  return parts.at(-1) ?? "";
}

/** A line cut to the limit, and how many characters that leaves out. */
export function cutLine(line: string, limit = LINE_LIMIT): { text: string; more: number } {
  if (line.length <= limit) return { text: line, more: 0 };
  return { text: line.slice(0, limit), more: line.length - limit };
}

/** Where the line with this number is among those read, of which the first has the number `first`; null if it is not there. */
export function placeOf(line: number, first: number | null, count: number): number | null {
  if (first === null) return null;
  const place = line - first;
  return place >= 0 && place < count ? place : null;
}

/** How a search goes: `2 of 31`, with `…` while it goes on and `+` where it was given up at so many. */
export function searchHint(at: number, found: number, state: "going" | "complete" | "full"): string {
  if (found === 0) return state === "going" ? "searching…" : "none";
  return `${at + 1} of ${found}${{ going: "…", complete: "", full: "+" }[state]}`;
}

/** The numbers of the lines in which the text occurs, whatever its case. */
export function findLines(lines: readonly string[], text: string): number[] {
  if (text === "") return [];
  const wanted = text.toLowerCase();
  const found: number[] = [];
  lines.forEach((line, index) => {
    if (line.toLowerCase().includes(wanted)) found.push(index);
  });
  return found;
}

/** A text in pieces, those that match marked. */
export function markText(text: string, wanted: string): { text: string; match: boolean }[] {
  if (wanted === "") return [{ text, match: false }];
  const pieces: { text: string; match: boolean }[] = [];
  const lower = text.toLowerCase();
  const needle = wanted.toLowerCase();
  let at = 0;
  for (let hit = lower.indexOf(needle); hit >= 0; hit = lower.indexOf(needle, at)) {
    if (hit > at) pieces.push({ text: text.slice(at, hit), match: false });
    pieces.push({ text: text.slice(hit, hit + needle.length), match: true });
    at = hit + needle.length;
  }
  if (at < text.length) pieces.push({ text: text.slice(at), match: false });
  return pieces;
}

/** How a line reads: for its colour, which its words repeat. */
export function lineLevel(line: string): "error" | "warning" | "" {
  const head = line.slice(0, 200);
  if (/\b(ERROR|CRITICAL|FATAL|Traceback)\b|^\w*(Error|Exception): /.test(head)) return "error";
  return /\b(WARN|WARNING)\b/i.test(head) ? "warning" : "";
}
