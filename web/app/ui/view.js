// The head of every view: a heading, a title in the browser, the focus after a link was followed.
import { useEffect, useRef } from "preact/hooks";
import { unread } from "../data/inbox.js";
import { html } from "../html.js";
import { goBack, place } from "../router.js";
import { Icon } from "./icons.js";

/**
 * @param {{ title: any, name: string, back?: boolean, children?: any }} props `name` is the title in plain text.
 */
export function Head({ title, name, back = false, children }) {
  /** @type {{ current: HTMLElement | null }} */
  const heading = useRef(null);
  const count = unread.value;
  useEffect(() => {
    document.title = `${count > 0 ? `(${count}) ` : ""}${name} · Tweeter`;
  }, [name, count]);
  useEffect(() => {
    if (place.peek().arrival === "push") heading.current?.focus({ preventScroll: true });
  }, []);
  return html`
    <header class="head">
      ${back &&
      html`<button class="icon-button head-back" aria-label="Back" onClick=${goBack}><${Icon} name="back" /></button>`}
      <h1 ref=${heading} tabindex="-1">${title}</h1>
      ${children}
    </header>
  `;
}
