import { Background, BackgroundVariant, Controls, type Edge, MiniMap, ReactFlow, ReactFlowProvider, useReactFlow } from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { useEffect, useMemo, useRef } from "react";
import { Loading } from "../../../components/States";
import type { VisibleGraph } from "../../../lib/graph";
import { useDark, useNow } from "../../../lib/hooks";
import { setQuery } from "../../../lib/location";
import { phaseColor } from "../../../lib/phases";
import type { Tree } from "../../../lib/tree";
import { GroupCard, NodeCard } from "./cards";
import type { CardNode } from "./cards";
import { useLayout } from "./useLayout";

const TYPES = { card: NodeCard, group: GroupCard };

interface Props {
  tree: Tree;
  drawn: VisibleGraph;
  open: ReadonlySet<string>;
  toggle: (path: string) => void;
  matches: readonly string[];
  focus: string | null;
  selected: string;
}

export function Canvas(props: Props) {
  return (
    <ReactFlowProvider>
      <Flow {...props} />
    </ReactFlowProvider>
  );
}

function Flow({ tree, drawn, open, toggle, matches, focus, selected }: Props) {
  const boxes = useLayout(tree, drawn);
  const dark = useDark();
  const now = Math.floor(useNow(1000));
  const flow = useReactFlow();
  const target = focus ?? selected;
  const fitted = useRef(false);

  const found = useMemo(() => new Set(matches), [matches]);
  const nodes = useMemo(
    () =>
      drawn.paths.flatMap((path): CardNode[] => {
        const box = boxes?.get(path);
        const node = tree.nodes.get(path);
        if (!box || !node) return [];
        const isOpen = node.children.length > 0 && open.has(path);
        return [
          {
            id: path,
            type: isOpen ? "group" : "card",
            position: { x: box.x, y: box.y },
            ...(node.parent === null ? {} : { parentId: node.parent }),
            width: box.width,
            height: box.height,
            zIndex: 0,
            selected: path === selected,
            ariaLabel: `${path}, ${node.phase}`,
            data: { tree: node, now: node.finished_at === null && node.started_at !== null ? now : 0, match: found.has(path), focus: path === focus, toggle },
          },
        ];
      }),
    [boxes, drawn, tree, open, selected, found, focus, toggle, now],
  );
  const edges = useMemo(
    () => drawn.edges.map((edge): Edge => ({ id: `${edge.from}\n${edge.to}`, source: edge.from, target: edge.to, type: "default", focusable: false })),
    [drawn.edges],
  );

  useEffect(() => {
    if (!boxes || boxes.size === 0) return;
    if (target !== "" && boxes.has(target)) {
      window.requestAnimationFrame(() => void flow.fitView({ nodes: [{ id: target }], maxZoom: Math.max(0.9, Math.min(1.2, flow.getZoom())), duration: fitted.current ? 250 : 0 }));
      fitted.current = true;
    } else if (!fitted.current) {
      fitted.current = true;
      window.requestAnimationFrame(() => void flow.fitView({ maxZoom: 1.1, padding: 0.1 }));
    }
  }, [boxes, target, flow]);

  if (!boxes) return <Loading what="the layout" />;
  return (
    <div className="canvas">
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={TYPES}
        colorMode={dark ? "dark" : "light"}
        onlyRenderVisibleElements
        nodesDraggable={false}
        nodesConnectable={false}
        elementsSelectable
        minZoom={0.02}
        maxZoom={2}
        fitView
        fitViewOptions={{ maxZoom: 1.1, padding: 0.1 }}
        onNodeClick={(_event, node) => setQuery({ node: node.id, item: "" }, { replace: false })}
        onPaneClick={() => setQuery({ node: "", item: "" })}
        aria-label="Graph of the run; the Nodes tab has the same as a table"
      >
        <Background variant={BackgroundVariant.Dots} gap={20} size={1} />
        <Controls showInteractive={false} />
        <MiniMap pannable zoomable nodeColor={(node) => `var(${phaseColor((node as CardNode).data.tree.phase)})`} nodeStrokeWidth={0} ariaLabel="Small map of the graph" />
      </ReactFlow>
    </div>
  );
}
