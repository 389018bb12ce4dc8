import { useErrors } from "../../../api/queries";
import type { ErrorGroup, RunDetail } from "../../../api/types";
import { Link } from "../../../components/Link";
import { Empty, ErrorState, Loading } from "../../../components/States";
import { Ago } from "../../../components/Time";
import { Traceback } from "../../../components/Traceback";
import { formatCount } from "../../../lib/duration";
import { useNow } from "../../../lib/hooks";
import { runPath } from "../../../lib/route";

/** What went wrong, grouped by likeness, the first cause first. */
export default function ErrorsTab({ run }: { run: RunDetail }) {
  const errors = useErrors(run.run_id);
  const now = useNow();
  if (errors.isPending) return <Loading what="errors" />;
  if (errors.isError) return <ErrorState error={errors.error} retry={() => void errors.refetch()} />;
  if (errors.data.groups.length === 0) {
    return (
      <Empty title="No errors">
        <p>{run.phase === "Succeeded" ? "The run succeeded." : "None was recorded so far."}</p>
      </Empty>
    );
  }
  return (
    <div className="scroll errors">
      {errors.data.groups.map((group, index) => (
        <Group key={group.signature} group={group} first={index === 0} run={run.run_id} now={now} />
      ))}
      {errors.data.left_out > 0 ? (
        <p className="quiet">
          {formatCount(errors.data.left_out)} more exceptions are of further kinds, which are not shown.
        </p>
      ) : null}
    </div>
  );
}

function Group({ group, first, run, now }: { group: ErrorGroup; first: boolean; run: string; now: number }) {
  const { example } = group;
  return (
    <article className="error-group">
      <header className="row">
        <h2 className="mono bad">{group.type}</h2>
        {group.error_class && group.error_class !== "Error" ? <span className="chip">{group.error_class}</span> : null}
        {first ? <span className="chip">first cause</span> : null}
        <span className="grow" />
        <span className="num">{group.count === 1 ? "once" : `${formatCount(group.count)} times`}</span>
        <span className="quiet">
          first <Ago at={group.first_at} now={now} />
        </span>
      </header>
      <p className="message">{group.message.slice(0, 4000)}</p>
      <p className="row wrap">
        <span className="quiet">at</span>
        {group.nodes.slice(0, 20).map((path) => (
          <Link key={path} className="chip mono" href={`${runPath(run, "errors")}?node=${encodeURIComponent(path)}`}>
            {path}
          </Link>
        ))}
        {group.nodes.length > 20 ? <span className="quiet">and {group.nodes.length - 20} more</span> : null}
      </p>
      {example ? (
        <details open={first}>
          <summary>
            Traceback of{" "}
            <span className="mono">
              {example.path}
              {example.index === null ? "" : `[${example.index}]`}
            </span>
            , attempt {example.attempt}
          </summary>
          <Traceback text={example.traceback} />
        </details>
      ) : null}
    </article>
  );
}
