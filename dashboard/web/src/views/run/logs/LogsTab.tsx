import { useEffect, useMemo, useRef, useState } from "react";
import type { LogMatch, RunDetail, RunNode } from "../../../api/types";
import { Icon } from "../../../components/Icon";
import { Lines } from "../../../components/Lines";
import { LiveMark } from "../../../components/LiveMark";
import { SearchField } from "../../../components/SearchField";
import { Empty, ErrorState, Loading } from "../../../components/States";
import { formatCount } from "../../../lib/duration";
import { setQuery, useQueryString, useQueryValue } from "../../../lib/location";
import { placeOf, shownLines } from "../../../lib/logs";
import { type Log, useLog } from "./useLog";
import { useLogSearch } from "./useLogSearch";

/** What the run or one of its nodes wrote. */
export default function LogsTab({ run, nodes }: { run: RunDetail; nodes: readonly RunNode[] }) {
  const path = useQueryString().get("node") ?? "";
  return (
    <div className="fill">
      <LogView key={path} run={run} path={path} nodes={nodes} />
    </div>
  );
}

function LogView({ run, path, nodes }: { run: RunDetail; path: string; nodes: readonly RunNode[] }) {
  const [follow, setFollow] = useState(true);
  const [text, setText] = useQueryValue("q");
  const log = useLog(run.run_id, path, follow);
  const over = !log.growing;
  const lines = useMemo(() => shownLines(log.log), [log.log]);
  const search = useLogSearch(run.run_id, path, text, log.size);
  const current = useShown(search.shown, log, lines.length);
  const rest = log.size - log.next;
  const stick = follow && !over && text === "";

  return (
    <>
      <div className="toolbar">
        <SearchField label="Search the log" value={text} change={setText} hint={search.hint} onEnter={search.step} />
        {text === "" ? null : <Steps step={search.step} disabled={search.shown === null} />}
        <NodeChoice path={path} nodes={nodes} />
        {over ? null : (
          <button type="button" className="toggle" aria-pressed={follow} onClick={() => setFollow(!follow)}>
            <Icon name="down" size={14} /> Follow
          </button>
        )}
        {follow && !over ? <LiveMark live={log.live} /> : null}
        <span className="grow" />
        {log.from > 0 ? (
          <button type="button" className="button" onClick={log.restart}>
            From the start
          </button>
        ) : null}
        {rest > 0 && !log.busy ? (
          <>
            <button type="button" className="button" onClick={log.all}>
              Read all
            </button>
            <button type="button" className="button" onClick={log.tail}>
              The end
            </button>
          </>
        ) : null}
        <span className="quiet num">
          {log.busy ? "reading… " : ""}
          {formatCount(lines.length)} lines{rest > 0 ? `, ${formatCount(Math.ceil(rest / 1024))} KB not read` : ""}
        </span>
      </div>
      {log.from > 0 ? (
        <p className="note">
          The lines before byte {formatCount(log.from)} are not shown{log.first === null ? ": line numbers count from there" : ""}.
        </p>
      ) : null}
      {search.error === null ? null : (
        <p className="note bad" role="alert">
          The search has ended: {search.error instanceof Error ? search.error.message : String(search.error)}
        </p>
      )}
      {log.note !== "" && lines.length > 0 ? <p className="note">{log.note}</p> : null}
      {log.error !== null ? (
        <ErrorState error={log.error} retry={log.restart} />
      ) : lines.length > 0 ? (
        <Lines
          lines={lines}
          wanted={text}
          first={log.first ?? 0}
          current={current}
          label="Log"
          levels
          follow={stick}
          scrolled={(nearEnd, back) => {
            if (back && stick && !nearEnd) setFollow(false);
            if (nearEnd && rest > 0 && !log.busy) log.more();
          }}
        />
      ) : log.busy ? (
        <Loading what="the log" />
      ) : (
        <Empty title={over || log.note !== "" ? "Nothing was written" : "Nothing has been written yet"}>
          <p>{log.note || (over ? "What a task prints or logs would be here." : "What tasks print or log shows up here at once.")}</p>
        </Empty>
      )}
    </>
  );
}

/** Where a match is among the lines that were read; what is around it is read first where need be, once for each match. */
function useShown(match: LogMatch | null, { first, busy, around }: Log, count: number): number | null {
  const sought = useRef<LogMatch | null>(null);
  const place = match === null ? null : placeOf(match.line, first, count);
  useEffect(() => {
    if (busy || match === sought.current) return;
    sought.current = match;
    if (match !== null && place === null) around(match);
  }, [match, place, busy, around]);
  return place;
}

/** From match to match, for those who use no keys. */
function Steps({ step, disabled }: { step: (backwards: boolean) => void; disabled: boolean }) {
  return (
    <span className="row">
      {[true, false].map((backwards) => (
        <button
          key={String(backwards)}
          type="button"
          className="button ghost"
          disabled={disabled}
          aria-label={backwards ? "Previous match" : "Next match"}
          title={backwards ? "Previous match (N)" : "Next match (n)"}
          onClick={() => step(backwards)}
        >
          <Icon name={backwards ? "back" : "chevron"} />
        </button>
      ))}
    </span>
  );
}

/** Which node's log: by name, as there may be thousands. */
function NodeChoice({ path, nodes }: { path: string; nodes: readonly RunNode[] }) {
  const [text, setText] = useState(path);
  const choose = (value: string): void => {
    setText(value);
    if (value === "" || nodes.some((node) => node.path === value)) setQuery({ node: value });
  };
  return (
    <>
      <input
        className="field mono"
        list="log-nodes"
        aria-label="Node whose log is shown; empty for the run's"
        placeholder="all nodes"
        value={text}
        onChange={(event) => choose(event.target.value)}
      />
      <datalist id="log-nodes">
        {nodes.slice(0, 500).map((node) => (
          <option key={node.path} value={node.path} />
        ))}
      </datalist>
    </>
  );
}
