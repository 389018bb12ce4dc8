import { useMemo } from "react";
import { useDocument } from "../../../api/queries";
import type { RunDetail } from "../../../api/types";
import { Copy } from "../../../components/Copy";
import { Lines } from "../../../components/Lines";
import { SearchField } from "../../../components/SearchField";
import { Empty, ErrorState, Loading } from "../../../components/States";
import { useMatches } from "../../../components/useMatches";
import { useQueryValue } from "../../../lib/location";
import { toYaml } from "../../../lib/yaml";

/** The document that the run carries out, as YAML. */
export default function DocumentTab({ run }: { run: RunDetail }) {
  const document = useDocument(run.run_id);
  const [text, setText] = useQueryValue("q");
  const yaml = useMemo(() => (document.data?.document ? toYaml(document.data.document) : ""), [document.data]);
  const lines = useMemo(() => yaml.split("\n"), [yaml]);
  const matches = useMatches(lines, text);
  if (document.isPending) return <Loading what="the document" />;
  if (document.isError) return <ErrorState error={document.error} retry={() => void document.refetch()} />;
  if (yaml === "") {
    return (
      <Empty title="No document">
        <p>None was recorded for this run. `flowctl compile` writes a workflow's document.</p>
      </Empty>
    );
  }
  return (
    <div className="fill">
      <div className="toolbar">
        <SearchField label="Search the document" value={text} change={setText} hint={matches.hint} onEnter={matches.step} />
        <Copy text={yaml} what="the document" />
      </div>
      <Lines lines={lines} wanted={text} current={matches.line} label="Document" />
    </div>
  );
}
