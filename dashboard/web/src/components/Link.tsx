import type { AnchorHTMLAttributes, MouseEvent } from "react";
import { navigate } from "../lib/location";

/** A link within the page: a plain click goes there without loading anew, all other clicks are the browser's. */
export function Link({ href, onClick, ...rest }: AnchorHTMLAttributes<HTMLAnchorElement> & { href: string }) {
  const clicked = (event: MouseEvent<HTMLAnchorElement>): void => {
    onClick?.(event);
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(href);
  };
  return <a href={href} onClick={clicked} {...rest} />;
}
