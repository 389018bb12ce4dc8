import { useCallback, useEffect, useMemo, useState } from "react";
import type { Graph, Phase } from "../../../api/types";
import { Icon, PhaseIcon } from "../../../components/Icon";
import { SearchField } from "../../../components/SearchField";
import { Empty } from "../../../components/States";
import { pathsInPhases, phaseCounts, searchPaths, visibleGraph } from "../../../lib/graph";
import { useShortcuts } from "../../../lib/keyboard";
import { setQuery, useQueryString, useQueryValue } from "../../../lib/location";
import { parsePhases, toggled } from "../../../lib/phases";
import { buildTree, initiallyOpen, reveal, type Tree } from "../../../lib/tree";
import { Canvas } from "./Canvas";

/** The graph of a run: containers open and close, a search goes from match to match. */
export default function GraphTab({ graph }: { graph: Graph }) {
  const tree = useMemo(() => buildTree(graph.nodes), [graph.nodes]);
  const [open, setOpen] = useState<ReadonlySet<string>>(() => initiallyOpen(tree));
  const [text, setText] = useQueryValue("q");
  const [phaseText, setPhaseText] = useQueryValue("phase");
  const phases = useMemo(() => parsePhases(phaseText), [phaseText]);
  const selected = useQueryString().get("node") ?? "";
  const { matches, focus, hint, step } = useFound(tree, text, phases);
  useEffect(() => {
    const target = focus ?? (selected === "" ? null : selected);
    if (target !== null) setOpen((old) => (reveal(old, target).size === old.size ? old : reveal(old, target)));
  }, [focus, selected]);

  const toggle = useCallback((path: string) => {
    setOpen((old) => {
      const next = new Set(old);
      if (!next.delete(path)) next.add(path);
      return next;
    });
  }, []);
  const counts = useMemo(() => phaseCounts(tree), [tree]);
  const drawn = useMemo(() => visibleGraph(tree, graph.edges, open), [tree, graph.edges, open]);
  const walk = (by: number): void => {
    const index = drawn.paths.indexOf(selected) + by;
    setQuery({ node: drawn.paths[Math.min(Math.max(0, index), drawn.paths.length - 1)] ?? "" });
  };
  useShortcuts({ n: () => step(1), N: () => step(-1), j: () => walk(1), k: () => walk(-1) });

  if (graph.nodes.length === 0) {
    return (
      <Empty title="Nothing has started">
        <p>Nodes are drawn here as soon as the run records them.</p>
      </Empty>
    );
  }
  const containers = [...tree.nodes.values()].filter((node) => node.children.length > 0);
  return (
    <div className="graph">
      <div className="toolbar">
        <SearchField
          label="Find a node"
          value={text}
          change={setText}
          onEnter={(backwards) => step(backwards ? -1 : 1)}
          hint={hint}
        />
        <PhaseChoice counts={counts} phases={phases} change={(next) => setPhaseText(next.join(","))} />
        {containers.length > 0 ? (
          <>
            <button type="button" className="button" onClick={() => setOpen(new Set(containers.map((node) => node.path)))}>
              <Icon name="plus" size={14} /> Open all
            </button>
            <button type="button" className="button" onClick={() => setOpen(new Set())}>
              <Icon name="minus" size={14} /> Close all
            </button>
          </>
        ) : null}
        <span className="grow" />
        <span className="quiet">
          {drawn.paths.length} of {tree.nodes.size} nodes drawn
        </span>
      </div>
      <Canvas tree={tree} drawn={drawn} open={open} toggle={toggle} matches={matches} focus={focus} selected={selected} phases={phases} />
    </div>
  );
}

/** What a search and a filter by phase find, and the one of it that is looked at: a search shows its first at once. */
function useFound(tree: Tree, text: string, phases: readonly Phase[]) {
  const [at, setAt] = useState(-1);
  const matches = useMemo(
    () => (phases.length > 0 ? pathsInPhases(tree, phases, text) : searchPaths(tree.nodes.keys(), text)),
    [tree, phases, text],
  );
  useEffect(() => setAt(text === "" ? -1 : 0), [text, phases]);
  const index = at < 0 ? -1 : at % Math.max(1, matches.length);
  const step = (by: number): void => setAt((old) => (old < 0 && by > 0 ? 0 : (Math.max(0, old) + by + matches.length) % Math.max(1, matches.length)));
  const sought = text !== "" || phases.length > 0;
  const place = index < 0 ? "" : `${index + 1} of `;
  return { matches, focus: matches[index] ?? null, hint: !sought ? undefined : matches.length === 0 ? "none" : `${place}${matches.length}`, step };
}

/** The phases that nodes are in; those that are pressed stand out, the others are dimmed. */
function PhaseChoice({ counts, phases, change }: { counts: [Phase, number][]; phases: readonly Phase[]; change: (phases: Phase[]) => void }) {
  const missing = phases.filter((phase) => !counts.some(([known]) => known === phase)).map((phase): [Phase, number] => [phase, 0]);
  if (counts.length < 2 && phases.length === 0) return null;
  return (
    <div className="phases" role="group" aria-label="Phases that stand out">
      {[...counts, ...missing].map(([phase, count]) => (
        <button key={phase} type="button" className={`toggle phase-${phase.toLowerCase()}`} aria-pressed={phases.includes(phase)} onClick={() => change(toggled(phases, phase))}>
          <PhaseIcon phase={phase} size={14} />
          {phase} <span className="num">{count}</span>
        </button>
      ))}
    </div>
  );
}
