import type { Run, RunNode, RunPage } from "../api/types";

/** A page of runs with one of them as it is now; the page itself where it does not hold the run. */
export function mergeRun(page: RunPage, run: Run): RunPage {
  if (!page.items.some((item) => item.run_id === run.run_id)) return page;
  return { ...page, items: page.items.map((item) => (item.run_id === run.run_id ? { ...item, ...run } : item)) };
}

/** The nodes with those that changed, new ones last. */
export function mergeNodes(nodes: readonly RunNode[], changed: readonly RunNode[]): RunNode[] {
  const news = new Map(changed.map((node) => [node.path, node]));
  const merged = nodes.map((node) => {
    const fresh = news.get(node.path);
    news.delete(node.path);
    return fresh ?? node;
  });
  return [...merged, ...news.values()];
}
