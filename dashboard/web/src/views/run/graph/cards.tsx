import { Handle, type Node, type NodeProps, Position, type ReactFlowState, useStore } from "@xyflow/react";
import { memo } from "react";
import { Icon, kindIcon, PhaseIcon } from "../../../components/Icon";
import { Progress } from "../../../components/Progress";
import { elapsed, formatDuration } from "../../../lib/duration";
import { useNow } from "../../../lib/hooks";
import { baseName } from "../../../lib/paths";
import type { TreeNode } from "../../../lib/tree";

export type CardData = { tree: TreeNode; match: boolean; focus: boolean; dim: boolean; toggle: (path: string) => void };
export type CardNode = Node<CardData, "card" | "frame">;

export const CARD = { width: 220, height: 84 };

/** So far off that words cannot be read: thousands of cards are drawn as mere plates. */
const isFar = (state: ReactFlowState): boolean => state.transform[2] < 0.22;

/** A node, or a container that is closed. */
export const NodeCard = memo(function NodeCard({ data, selected }: NodeProps<CardNode>) {
  const { tree } = data;
  const far = useStore(isFar);
  if (far) {
    return (
      <div className={`${cardClass(data, selected)} far`}>
        <Handle type="target" position={Position.Left} isConnectable={false} />
        <Handle type="source" position={Position.Right} isConnectable={false} />
      </div>
    );
  }
  return (
    <div className={cardClass(data, selected)}>
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <Title data={data} open={false} />
      <div className="card-line">
        <span>{tree.phase}</span>
        <Clock tree={tree} />
      </div>
      <div className="card-line quiet">
        <Bottom tree={tree} />
      </div>
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </div>
  );
});

/** A container that is open: a frame around what it holds. */
export const FrameCard = memo(function FrameCard({ data, selected }: NodeProps<CardNode>) {
  return (
    <div className={`${cardClass(data, selected)} frame`}>
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <Title data={data} open />
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </div>
  );
});

function cardClass({ tree, match, focus, dim }: CardData, selected: boolean | undefined): string {
  return ["card", `phase-${tree.phase.toLowerCase()}`, match ? "match" : "", dim ? "dim" : "", focus ? "focus" : "", selected ? "selected" : ""].filter(Boolean).join(" ");
}

/** How long a node took; it ticks only while the node runs. */
function Clock({ tree }: { tree: TreeNode }) {
  const now = useNow(tree.started_at !== null && tree.finished_at === null ? 1000 : 3_600_000);
  return <span className="num quiet">{formatDuration(elapsed(tree.started_at, tree.finished_at, now))}</span>;
}

function Title({ data, open }: { data: CardData; open: boolean }) {
  const { tree, toggle } = data;
  const name = baseName(tree.path);
  return (
    <div className="card-title">
      <PhaseIcon phase={tree.phase} size={18} />
      <strong className="cut" title={tree.path}>
        {name}
      </strong>
      {open ? <span className="quiet">{tree.phase}</span> : null}
      <span className="grow" />
      <Icon name={kindIcon(tree.node?.kind ?? "", tree.children.length > 0)} size={14} />
      {tree.children.length > 0 ? (
        <button
          type="button"
          className="button ghost small nodrag"
          aria-expanded={open}
          aria-label={`${open ? "Close" : "Open"} ${name}`}
          onClick={(event) => {
            event.stopPropagation();
            toggle(tree.path);
          }}
        >
          <Icon name={open ? "minus" : "plus"} size={14} />
        </button>
      ) : null}
    </div>
  );
}

/** The one thing that helps most: why it failed or waits, how far its map is, what it holds. */
function Bottom({ tree }: { tree: TreeNode }) {
  const node = tree.node;
  if (node?.error) return <span className="bad cut">{`${node.error.type}: ${node.error.message.slice(0, 120)}`}</span>;
  if (node && node.total !== null) {
    const done = (node.succeeded ?? 0) + (node.failed ?? 0) + (node.cached ?? 0);
    return <Progress done={done} total={node.total} failed={node.failed ?? 0} phase={node.phase} />;
  }
  if (node?.message) return <span className="cut">{node.message.slice(0, 120)}</span>;
  if (tree.children.length > 0) {
    const failed = tree.counts.Failed ?? 0;
    return (
      <span className="cut">
        {tree.size} within{failed > 0 ? <span className="bad">, {failed} failed</span> : null}
      </span>
    );
  }
  if (node && node.attempt > 1) return <span>attempt {node.attempt}</span>;
  return <span className="cut">{node?.kind === "task" ? "" : node?.kind}</span>;
}
