// A button that opens a short list of commands.
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { html } from "../html.js";
import { Icon } from "./icons.js";

/** @typedef {{ label: string, icon: string, tone?: "bad", run: () => void }} Command */

/** @param {{ label: string, commands: Command[] }} props */
export function Menu({ label, commands }) {
  const isOpen = useSignal(false);
  /** @type {{ current: HTMLDivElement | null }} */
  const root = useRef(null);

  const close = () => {
    isOpen.value = false;
    root.current?.querySelector("button")?.focus();
  };
  useEffect(() => {
    if (!isOpen.value) return undefined;
    /** @type {HTMLElement | null | undefined} */ (root.current?.querySelector("[role=menuitem]"))?.focus();
    const closeOutside = (/** @type {Event} */ event) => {
      if (!root.current?.contains(/** @type {Node} */ (event.target))) isOpen.value = false;
    };
    addEventListener("pointerdown", closeOutside);
    addEventListener("focusin", closeOutside);
    return () => {
      removeEventListener("pointerdown", closeOutside);
      removeEventListener("focusin", closeOutside);
    };
  }, [isOpen.value]);

  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (!isOpen.value) return;
    const items = /** @type {HTMLElement[]} */ ([...(root.current?.querySelectorAll("[role=menuitem]") ?? [])]);
    const index = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (event.key === "Escape") close();
    else if (event.key === "ArrowDown") items[(index + 1) % items.length]?.focus();
    else if (event.key === "ArrowUp") items.at(index - 1)?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return html`
    <div class="menu" ref=${root} onKeyDown=${onKeyDown}>
      <button
        class="icon-button"
        aria-haspopup="menu"
        aria-expanded=${isOpen.value}
        aria-label=${label}
        onClick=${() => (isOpen.value = !isOpen.value)}
      >
        <${Icon} name="more" />
      </button>
      ${isOpen.value &&
      html`
        <div class="menu-list" role="menu" aria-label=${label}>
          ${commands.map(
            (command) => html`
              <button
                key=${command.label}
                role="menuitem"
                tabindex="-1"
                class="menu-item ${command.tone === "bad" ? "menu-item-bad" : ""}"
                onClick=${() => (close(), command.run())}
              >
                <${Icon} name=${command.icon} />${command.label}
              </button>
            `,
          )}
        </div>
      `}
    </div>
  `;
}
