import { useCallback, useEffect, useMemo, useState } from "react";
import type { Graph } from "../../../api/types";
import { Icon } from "../../../components/Icon";
import { SearchField } from "../../../components/SearchField";
import { Empty } from "../../../components/States";
import { searchPaths, visibleGraph } from "../../../lib/graph";
import { useShortcuts } from "../../../lib/keyboard";
import { setQuery, useQueryString, useQueryValue } from "../../../lib/location";
import { buildTree, initiallyOpen, reveal } from "../../../lib/tree";
import { Canvas } from "./Canvas";

/** The graph of a run: containers open and close, a search goes from match to match. */
export default function GraphTab({ graph }: { graph: Graph }) {
  const tree = useMemo(() => buildTree(graph.nodes), [graph.nodes]);
  const [open, setOpen] = useState<ReadonlySet<string>>(() => initiallyOpen(tree));
  const [text, setText] = useQueryValue("q");
  const [at, setAt] = useState(0);
  const selected = useQueryString().get("node") ?? "";

  const matches = useMemo(() => searchPaths(tree.nodes.keys(), text), [tree, text]);
  const focus = matches[at % Math.max(1, matches.length)] ?? null;
  useEffect(() => setAt(0), [text]);
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
  const step = (by: number): void => setAt((old) => (old + by + matches.length) % Math.max(1, matches.length));
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
          hint={text === "" ? undefined : matches.length === 0 ? "none" : `${(at % matches.length) + 1} of ${matches.length}`}
        />
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
      <Canvas tree={tree} drawn={drawn} open={open} toggle={toggle} matches={matches} focus={focus} selected={selected} />
    </div>
  );
}
