import { useInfiniteQuery } from "@tanstack/react-query";
import { api } from "../../../api/client";
import type { RunDetail } from "../../../api/types";
import { setQuery } from "../../../lib/location";

const PAGE = 50;

/** The items that failed, as a table: what the grid shows, for keyboards and screen readers. */
export function FailedItems({ run, path, count }: { run: RunDetail; path: string; count: number }) {
  const items = useInfiniteQuery({
    queryKey: ["run", run.run_id, "failed-items", path, count],
    queryFn: ({ pageParam }) => api.items(run.run_id, path, "Failed", pageParam, PAGE),
    initialPageParam: 0,
    getNextPageParam: (page, pages) => (page.items.length < PAGE ? undefined : pages.length * PAGE),
  });
  const shown = items.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <details className="branch" open={count <= PAGE}>
      <summary>Failed items: {count}</summary>
      <table className="plain">
        <thead>
          <tr>
            <th scope="col">Item</th>
            <th scope="col">Attempt</th>
            <th scope="col">Error</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((item) => (
            <tr key={item.index}>
              <td>
                <button type="button" className="button ghost small num" onClick={() => setQuery({ item: String(item.index) })}>
                  {item.index}
                </button>
              </td>
              <td className="num">{item.attempt}</td>
              <td>{item.error ? `${item.error.type}: ${item.error.message.slice(0, 160)}` : ""}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {items.hasNextPage ? (
        <button type="button" className="button small" onClick={() => void items.fetchNextPage()}>
          Show more
        </button>
      ) : null}
    </details>
  );
}
