/** Paths of nodes: `a/b` is `b` within `a`; `train[2]/fit` is `fit` within the item or round `train[2]` of `train`. */

/** The path that contains this one, or null at the top. */
export function parentPath(path: string): string | null {
  if (path.endsWith("]")) {
    const open = path.lastIndexOf("[");
    if (open > 0 && open > path.lastIndexOf("/")) return path.slice(0, open);
  }
  const slash = path.lastIndexOf("/");
  return slash > 0 ? path.slice(0, slash) : null;
}

/** All paths that contain this one, the nearest first. */
export function ancestors(path: string): string[] {
  const found: string[] = [];
  for (let at = parentPath(path); at !== null; at = parentPath(at)) found.push(at);
  return found;
}

/** What a path is called within its parent: `fit`, or `[2]`. */
export function baseName(path: string): string {
  const parent = parentPath(path);
  if (parent === null) return path;
  return path.slice(path[parent.length] === "/" ? parent.length + 1 : parent.length);
}

/** How deep a path lies: 0 at the top. */
export function depth(path: string): number {
  return ancestors(path).length;
}
