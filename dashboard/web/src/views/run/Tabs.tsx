import type { KeyboardEvent } from "react";
import type { RunDetail } from "../../api/types";
import { Link } from "../../components/Link";
import { navigate, useQueryString } from "../../lib/location";
import { runPath, TABS, type Tab } from "../../lib/route";

const WORDS: Record<Tab, string> = {
  graph: "Graph",
  timeline: "Timeline",
  nodes: "Nodes",
  errors: "Errors",
  logs: "Logs",
  values: "Inputs & outputs",
  document: "Document",
};

export function Tabs({ run, tab }: { run: RunDetail; tab: Tab }) {
  const node = useQueryString().get("node");
  const address = (other: Tab): string => runPath(run.run_id, other) + (node ? `?node=${encodeURIComponent(node)}` : "");
  const moved = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const next = TABS[(TABS.indexOf(tab) + step + TABS.length) % TABS.length];
    if (step === 0 || next === undefined) return;
    event.preventDefault();
    navigate(address(next));
    document.getElementById(`tab-${next}`)?.focus();
  };
  return (
    <div className="tabs" role="tablist" aria-label="Run" onKeyDown={moved}>
      {TABS.map((other) => (
        <Link key={other} id={`tab-${other}`} role="tab" aria-selected={other === tab} aria-controls="tab" tabIndex={other === tab ? 0 : -1} href={address(other)}>
          {WORDS[other]}
          {other === "errors" && (run.error || run.failed_items > 0) ? <span className="mark">{run.failed_items || 1}</span> : null}
        </Link>
      ))}
    </div>
  );
}
