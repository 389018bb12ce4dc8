/** Which view an address shows. */
export type Route =
  | { view: "runs" }
  | { view: "run"; id: string; tab: Tab }
  | { view: "compare" }
  | { view: "templates"; template: string }
  | { view: "unknown" };

export const TABS = ["graph", "timeline", "nodes", "errors", "logs", "values", "document"] as const;
export type Tab = (typeof TABS)[number];

export function parseRoute(pathname: string): Route {
  const parts = pathname.split("/").filter(Boolean);
  if (parts.length === 0) return { view: "runs" };
  if (parts[0] === "compare" && parts.length === 1) return { view: "compare" };
  if (parts[0] === "templates" && (parts.length === 1 || parts.length === 3)) {
    return { view: "templates", template: parts.slice(1).map(decode).join("/") };
  }
  if (parts[0] === "runs" && parts[1] !== undefined && parts.length <= 3) {
    const tab = parts[2] ?? "graph";
    if ((TABS as readonly string[]).includes(tab)) return { view: "run", id: decode(parts[1]), tab: tab as Tab };
  }
  return { view: "unknown" };
}

export function runPath(id: string, tab: Tab = "graph"): string {
  return `/runs/${encodeURIComponent(id)}${tab === "graph" ? "" : `/${tab}`}`;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
