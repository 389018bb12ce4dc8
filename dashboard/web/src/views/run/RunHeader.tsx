import type { Live } from "../../api/stream";
import type { RunDetail } from "../../api/types";
import { Copy } from "../../components/Copy";
import { PhaseBadge } from "../../components/Icon";
import { Link } from "../../components/Link";
import { LiveMark } from "../../components/LiveMark";
import { Progress } from "../../components/Progress";
import { Ago, Took } from "../../components/Time";
import { useNow } from "../../lib/hooks";
import { runPath } from "../../lib/route";
import { Actions } from "./Actions";

export function RunHeader({ run, live }: { run: RunDetail; live: Live }) {
  const now = useNow();
  const where = [run.backend, run.namespace, run.project ?? "", run.user && run.host ? `${run.user}@${run.host}` : run.user].filter(Boolean);
  return (
    <header className="run-head">
      <div className="row">
        <h1 className="cut">{run.name || run.run_id}</h1>
        <PhaseBadge phase={run.phase} />
        <LiveMark live={live} />
        <span className="grow" />
        <Actions run={run} />
      </div>
      <div className="row facts">
        <span className="mono">
          {run.run_id} <Copy text={run.run_id} what="the run's id" />
        </span>
        <span>
          started <Ago at={run.started_at} now={now} />
        </span>
        <span>
          <span className="quiet">took</span> <Took started={run.started_at} finished={run.finished_at} now={now} />
        </span>
        <Progress done={run.progress_done} total={run.progress_total} failed={run.failed_items} phase={run.phase} />
        <span className="quiet">{where.join(" · ")}</span>
        {run.resumed_from ? (
          <span>
            goes on from <Link href={runPath(run.resumed_from)}>{run.resumed_from}</Link>
          </span>
        ) : null}
        {Object.entries(run.labels).map(([key, value]) => (
          <Link key={key} className="chip" href={`/?label=${encodeURIComponent(`${key}=${value}`)}`}>
            {key}={value}
          </Link>
        ))}
      </div>
      {run.error ? (
        <p className="banner">
          <strong>
            {run.error.node ? `${run.error.node}: ` : ""}
            {run.error.type}
          </strong>{" "}
          {run.error.message.slice(0, 600)}
        </p>
      ) : run.message ? (
        <p className="quiet">{run.message.slice(0, 600)}</p>
      ) : null}
    </header>
  );
}
