import { Background, BackgroundVariant, Controls, type Edge, MiniMap, type NodeHandle, Position, ReactFlow, ReactFlowProvider, useReactFlow, useStore, useStoreApi } from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { useEffect, useMemo, useRef } from "react";
import type { Phase } from "../../../api/types";
import { Loading } from "../../../components/States";
import { isDimmed, type VisibleGraph } from "../../../lib/graph";
import { useDark } from "../../../lib/hooks";
import { setQuery } from "../../../lib/location";
import { phaseColor } from "../../../lib/phases";
import type { Tree } from "../../../lib/tree";
import { FrameCard, NodeCard } from "./cards";
import type { CardData, CardNode } from "./cards";
import type { Boxes } from "../../../lib/nestedLayout";
import type { Box } from "../../../lib/quickLayout";
import { useLayout } from "./useLayout";

const TYPES = { card: NodeCard, frame: FrameCard };

/** Nearer than this a card can be read. */
const READABLE = 0.42;

/** Above this all of them on the screen at once would be slow and too small: the small map shows the whole. */
const MANY = 1500;

interface Props {
  tree: Tree;
  drawn: VisibleGraph;
  open: ReadonlySet<string>;
  toggle: (path: string) => void;
  matches: readonly string[];
  focus: string | null;
  selected: string;
  /** Nodes in other phases are dimmed; none dim nothing. */
  phases: readonly Phase[];
}

export function Canvas(props: Props) {
  return (
    <ReactFlowProvider>
      <Flow {...props} />
    </ReactFlowProvider>
  );
}

function Flow({ tree, drawn, open, toggle, matches, focus, selected, phases }: Props) {
  const boxes = useLayout(tree, drawn);
  const dark = useDark();
  const flow = useReactFlow();
  const store = useStoreApi();
  // Beside a wide panel there is no room: to fit nothing into nothing gives no numbers.
  const visible = useStore((state) => state.width > 0 && state.height > 0);
  const target = focus ?? selected;
  const fitted = useRef<{ boxes: Boxes; open: ReadonlySet<string> } | null>(null);

  const found = useMemo(() => new Set(matches), [matches]);
  const nodes = useMemo(
    () =>
      drawn.paths.flatMap((path): CardNode[] => {
        const box = boxes?.get(path);
        const node = tree.nodes.get(path);
        if (!box || !node) return [];
        const dim = isDimmed(node, phases);
        const isOpen = node.children.length > 0 && open.has(path);
        return [
          {
            id: path,
            type: isOpen ? "frame" : "card",
            position: { x: box.x, y: box.y },
            ...(node.parent === null ? {} : { parentId: node.parent }),
            width: box.width,
            height: box.height,
            measured: { width: box.width, height: box.height },
            handles: handles(box),
            zIndex: 0,
            selected: path === selected,
            ariaLabel: `${path}, ${node.phase}${dim ? ", dimmed by the filter" : ""}`,
            data: { tree: node, match: found.has(path), focus: path === focus, dim, toggle },
          },
        ];
      }),
    [boxes, drawn, tree, open, selected, found, focus, phases, toggle],
  );
  const edges = useMemo(
    () => drawn.edges.map((edge): Edge => ({ id: `${edge.from}\n${edge.to}`, source: edge.from, target: edge.to, type: "default", focusable: false })),
    [drawn.edges],
  );

  useEffect(() => {
    if (!boxes || boxes.size === 0 || !visible) return;
    const first = fitted.current === null;
    const show = (id: string, duration: number): void => {
      void flow.fitView({ nodes: [{ id }], maxZoom: 0.9, duration });
    };
    const frame = window.requestAnimationFrame(() => {
      if (target !== "" && boxes.has(target)) show(target, first ? 0 : 250);
      else if (first || fitted.current?.boxes.size !== boxes.size) {
        // To fit a large graph first would draw all of it, too small to be read.
        const { width, height } = store.getState();
        const all = extent(boxes, tree);
        const unreadable = Math.min(width / all.width, height / all.height) < READABLE;
        const worth = unreadable ? worthALook(tree, drawn.paths) : undefined;
        if (worth === undefined) void flow.fitView({ maxZoom: 1.1, padding: 0.1 });
        else if (first || fitted.current?.open !== open) show(worth, 0);
      }
      fitted.current = { boxes, open };
    });
    return () => window.cancelAnimationFrame(frame);
    // The tree changes with every event; the view moves only with the layout, the target, and what is opened or closed.
  }, [boxes, target, flow, store, visible]);

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
        minZoom={drawn.paths.length > MANY ? 0.2 : 0.02}
        maxZoom={2}
        onNodeClick={(_event, node) => setQuery({ node: node.id, item: "" }, { replace: false })}
        onPaneClick={() => setQuery({ node: "", item: "" })}
        aria-label="Graph of the run; the Nodes tab has the same as a table"
      >
        <Background variant={BackgroundVariant.Dots} gap={20} size={1} />
        <Controls showInteractive={false} />
        <MiniMap pannable zoomable nodeColor={(node) => minimapColor((node as CardNode).data)} nodeStrokeWidth={0} ariaLabel="Small map of the graph" />
      </ReactFlow>
    </div>
  );
}

function minimapColor({ tree, dim }: CardData): string {
  return `var(${dim ? "--line" : phaseColor(tree.phase)})`;
}

/** What to show of a graph that is too large to be read at once: what failed, else what runs, else the beginning. */
function worthALook(tree: Tree, paths: readonly string[]): string | undefined {
  const first = (phase: string): string | undefined => paths.find((path) => tree.nodes.get(path)?.phase === phase);
  return first("Failed") ?? first("Lost") ?? first("Running") ?? first("Suspended") ?? paths[0];
}

function extent(boxes: Boxes, tree: Tree): { width: number; height: number } {
  const size = { width: 1, height: 1 };
  for (const root of tree.roots) {
    const box = boxes.get(root);
    if (!box) continue;
    size.width = Math.max(size.width, box.x + box.width);
    size.height = Math.max(size.height, box.y + box.height);
  }
  return size;
}

/** Where edges meet a card. Said beforehand, so that React Flow need not draw each card once to measure it. */
function handles({ width, height }: Box): NodeHandle[] {
  const size = { width: 1, height: 1, y: height / 2 };
  return [
    { type: "target", position: Position.Left, x: 0, ...size },
    { type: "source", position: Position.Right, x: width - 1, ...size },
  ];
}
