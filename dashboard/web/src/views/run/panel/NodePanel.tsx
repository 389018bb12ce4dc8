import { NODE_ITSELF, useAttempts, useExceptions } from "../../../api/queries";
import type { Graph, RunDetail, RunNode } from "../../../api/types";
import { Copy } from "../../../components/Copy";
import { Icon, PhaseBadge } from "../../../components/Icon";
import { Values } from "../../../components/JsonView";
import { Link } from "../../../components/Link";
import { ErrorState } from "../../../components/States";
import { Ago, Took } from "../../../components/Time";
import { Traceback } from "../../../components/Traceback";
import { unfinishedBefore } from "../../../lib/graph";
import { useNow } from "../../../lib/hooks";
import { setQuery, useQueryValue } from "../../../lib/location";
import { runPath } from "../../../lib/route";
import { Actions } from "../Actions";
import { MapItems } from "../heat/MapItems";

/** One node beside the tab: why it is as it is, its attempts, its values, its items. `node` is null for a mere container. */
export function NodePanel({ run, path, node, graph }: { run: RunDetail; path: string; node: RunNode | null; graph: Graph }) {
  const now = useNow();
  const [width, setWidth] = useQueryValue("panel");
  const wide = width === "wide";
  return (
    <aside className={wide ? "panel wide" : "panel"} aria-label={`Node ${path}`}>
      <header>
        <div className="row">
          <h2 className="mono">{path}</h2>
          <Copy text={path} what="the path" />
          <span className="grow" />
          <button type="button" className="button ghost" aria-pressed={wide} aria-label="Wide panel" title="Wide panel" onClick={() => setWidth(wide ? "" : "wide")}>
            <Icon name="fit" />
          </button>
          <button type="button" className="button ghost" aria-label="Close the panel" title="Close (Esc)" onClick={() => setQuery({ node: "", item: "", panel: "" })}>
            <Icon name="cross" />
          </button>
        </div>
        {node ? (
          <div className="row facts">
            <PhaseBadge phase={node.phase} />
            <span className="chip">{node.kind || "node"}</span>
            <Took started={node.started_at} finished={node.finished_at} now={now} />
            {node.started_at !== null ? (
              <span>
                started <Ago at={node.started_at} now={now} />
              </span>
            ) : null}
            <Link href={`${runPath(run.run_id, "logs")}?node=${encodeURIComponent(path)}`}>Logs</Link>
            <Actions run={run} node={path} subject={node.phase === "Suspended" ? "waiting" : "node"} />
          </div>
        ) : (
          <p className="quiet">A container: only what it holds is recorded.</p>
        )}
        {node?.ref ? <p className="quiet mono">{node.ref}</p> : null}
        {node?.message ? <p>{node.message}</p> : null}
        {node?.phase === "Pending" && node.message === "" ? <WaitsFor run={run} path={path} graph={graph} /> : null}
        {node && node.answer !== null ? <p>The condition is {node.answer ? "true" : "false"}.</p> : null}
      </header>
      {node?.error ? <Failure run={run} node={node} /> : null}
      {node && node.total !== null ? <MapItems run={run} path={path} /> : null}
      {node ? (
        <>
          <Attempts run={run} path={path} now={now} />
          <section>
            <h3>Inputs</h3>
            <Values values={node.inputs} empty="None recorded." />
          </section>
          <section>
            <h3>Outputs</h3>
            <Values values={node.outputs} empty={node.phase === "Succeeded" ? "None." : "None yet."} />
          </section>
        </>
      ) : null}
    </aside>
  );
}

/** The nodes that have to end first. */
function WaitsFor({ run, path, graph }: { run: RunDetail; path: string; graph: Graph }) {
  const names = unfinishedBefore(graph, path);
  if (names.length === 0) return null;
  return (
    <p>
      Waits for{" "}
      {names.slice(0, 20).map((name) => (
        <Link key={name} className="chip mono" href={`${runPath(run.run_id)}?node=${encodeURIComponent(name)}`}>
          {name}
        </Link>
      ))}
      {names.length > 20 ? ` and ${names.length - 20} more` : ""}
    </p>
  );
}

function Failure({ run, node }: { run: RunDetail; node: RunNode }) {
  const exceptions = useExceptions(run.run_id, node.path, NODE_ITSELF);
  const last = exceptions.data?.items.at(-1);
  return (
    <section>
      <h3>Error</h3>
      <p className="banner">
        <strong>{node.error?.type}</strong> {node.error?.message.slice(0, 4000)}
      </p>
      {node.error && node.error.node !== "" && node.error.node !== node.path ? (
        <p>
          It began in <Link href={`${runPath(run.run_id)}?node=${encodeURIComponent(node.error.node)}`}>{node.error.node}</Link>.
        </p>
      ) : null}
      {exceptions.isError ? <ErrorState error={exceptions.error} /> : last ? <Traceback text={last.traceback} /> : null}
    </section>
  );
}

function Attempts({ run, path, now }: { run: RunDetail; path: string; now: number }) {
  const attempts = useAttempts(run.run_id, path);
  const items = attempts.data?.items.filter((item) => item.path === path) ?? [];
  if (items.length === 0) return null;
  return (
    <section>
      <h3>Attempts</h3>
      <table className="plain">
        <thead>
          <tr>
            <th scope="col">No.</th>
            <th scope="col">Phase</th>
            <th scope="col">Took</th>
            <th scope="col">Error</th>
          </tr>
        </thead>
        <tbody>
          {items.map((item) => (
            <tr key={item.attempt}>
              <td className="num">{item.attempt}</td>
              <td>
                <PhaseBadge phase={item.phase} />
              </td>
              <td>
                <Took started={item.started_at} finished={item.finished_at} now={now} />
              </td>
              <td>{item.error ? `${item.error.type}: ${item.error.message.slice(0, 200)}` : ""}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
