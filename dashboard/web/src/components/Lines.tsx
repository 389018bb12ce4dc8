import { useVirtualizer } from "@tanstack/react-virtual";
import { type UIEvent, useEffect, useRef, useState } from "react";
import { cutLine, LINE_LIMIT, lineLevel, markText } from "../lib/logs";

interface Props {
  lines: readonly string[];
  /** The number of the first, from 0. */
  first?: number;
  /** What to mark. */
  wanted: string;
  /** The line to show. */
  current: number | null;
  label: string;
  /** Whether the last line stays on the screen. */
  follow?: boolean;
  /** Told when one scrolls: whether the end is near. */
  scrolled?: (nearEnd: boolean, byHand: boolean) => void;
  levels?: boolean;
}

/** Lines of text, numbered; only those on the screen are made. */
export function Lines({ lines, first = 0, wanted, current, label, follow = false, scrolled, levels = false }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const lastTop = useRef(0);
  const virtual = useVirtualizer({ count: lines.length, getScrollElement: () => scroller.current, estimateSize: () => 20, overscan: 40 });

  useEffect(() => {
    if (current !== null) virtual.scrollToIndex(current, { align: "center" });
  }, [current, virtual]);
  useEffect(() => {
    if (follow && lines.length > 0) virtual.scrollToIndex(lines.length - 1, { align: "end" });
  }, [follow, lines.length, virtual]);

  const onScroll = (event: UIEvent<HTMLDivElement>): void => {
    const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
    const back = scrollTop < lastTop.current - 4;
    lastTop.current = scrollTop;
    scrolled?.(scrollHeight - scrollTop - clientHeight < 600, back);
  };
  return (
    <div className="lines" ref={scroller} tabIndex={0} role="log" aria-live="off" aria-label={label} onScroll={onScroll}>
      <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {virtual.getVirtualItems().map((row) => {
          const line = lines[row.index] ?? "";
          return (
            <div
              key={row.index}
              ref={virtual.measureElement}
              data-index={row.index}
              className={`line${row.index === current ? " current" : ""}${levels ? ` ${lineLevel(line)}` : ""}`}
              style={{ transform: `translateY(${row.start}px)` }}
            >
              <span className="line-number num" aria-hidden="true">
                {first + row.index + 1}
              </span>
              <Line text={line} wanted={wanted} />
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Line({ text, wanted }: { text: string; wanted: string }) {
  const [limit, setLimit] = useState(LINE_LIMIT);
  const cut = cutLine(text, limit);
  return (
    <span className="line-text">
      {markText(cut.text, wanted).map((piece, index) => (piece.match ? <mark key={index}>{piece.text}</mark> : piece.text))}
      {cut.more > 0 ? (
        <button type="button" className="button small" onClick={() => setLimit(limit + 10 * LINE_LIMIT)}>
          show more ({cut.more} characters left)
        </button>
      ) : null}
    </span>
  );
}
