import { lazy, Suspense } from "react";
import { useLiveRun, useNodes, useRun } from "../../api/queries";
import type { Graph, RunDetail } from "../../api/types";
import { RunOfValues } from "../../components/Artifact";
import { ErrorState, Loading } from "../../components/States";
import { useTitle } from "../../lib/hooks";
import { useShortcuts } from "../../lib/keyboard";
import { navigate, setQuery, useQueryString } from "../../lib/location";
import { ended } from "../../lib/phases";
import { runPath, TABS, type Tab } from "../../lib/route";
import { NodePanel } from "./panel/NodePanel";
import { RunHeader } from "./RunHeader";
import { Tabs } from "./Tabs";

const GraphTab = lazy(() => import("./graph/GraphTab"));
const TimelineTab = lazy(() => import("./timeline/TimelineTab"));
const NodesTab = lazy(() => import("./nodes/NodesTab"));
const ErrorsTab = lazy(() => import("./errors/ErrorsTab"));
const LogsTab = lazy(() => import("./logs/LogsTab"));
const ValuesTab = lazy(() => import("./values/ValuesTab"));
const DocumentTab = lazy(() => import("./values/DocumentTab"));

/** One run: its head, a tab, and beside it the node that `?node=` names. */
export default function RunView({ id, tab }: { id: string; tab: Tab }) {
  const run = useRun(id);
  const nodes = useNodes(id);
  const live = useLiveRun(id, run.data !== undefined && ended(run.data.phase));
  const selected = useQueryString().get("node") ?? "";
  useTitle(run.data ? `${run.data.name} ${id}` : id);
  const shortcuts: Record<string, () => void> = {};
  TABS.forEach((name, index) => {
    shortcuts[String(index + 1)] = () => navigate(runPath(id, name));
  });
  useShortcuts({ ...shortcuts, Escape: () => setQuery({ node: "", item: "", panel: "" }) });

  if (run.isPending) return <Loading what="the run" />;
  if (run.isError) return <ErrorState error={run.error} retry={() => void run.refetch()} />;
  const node = nodes.data?.nodes.find((other) => other.path === selected);
  return (
    <RunOfValues value={id}>
    <div className="run">
      <RunHeader run={run.data} live={live} />
      <Tabs run={run.data} tab={tab} />
      <div className="run-body">
        <section className="tab" id="tab" role="tabpanel" aria-labelledby={`tab-${tab}`}>
          <Suspense fallback={<Loading what={tab} />}>
            {nodes.isPending ? (
              <Loading what="nodes" />
            ) : nodes.isError ? (
              <ErrorState error={nodes.error} retry={() => void nodes.refetch()} />
            ) : (
              <TabBody tab={tab} run={run.data} graph={nodes.data} />
            )}
          </Suspense>
        </section>
        {selected !== "" && tab !== "logs" && nodes.data ? <NodePanel key={selected} run={run.data} path={selected} node={node ?? null} graph={nodes.data} /> : null}
      </div>
    </div>
    </RunOfValues>
  );
}

function TabBody({ tab, run, graph }: { tab: Tab; run: RunDetail; graph: Graph }) {
  switch (tab) {
    case "graph":
      return <GraphTab graph={graph} />;
    case "timeline":
      return <TimelineTab run={run} nodes={graph.nodes} />;
    case "nodes":
      return <NodesTab nodes={graph.nodes} />;
    case "errors":
      return <ErrorsTab run={run} />;
    case "logs":
      return <LogsTab run={run} nodes={graph.nodes} />;
    case "values":
      return <ValuesTab run={run} />;
    case "document":
      return <DocumentTab run={run} />;
  }
}
