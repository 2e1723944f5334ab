// A modal window: the browser's own dialog, which keeps the focus inside and closes on Escape.
import { useLayoutEffect, useRef } from "preact/hooks";
import { html } from "../html.js";
import { Icon } from "./icons.js";

/** @param {{ title: string, onClose: () => void, children: any, wide?: boolean }} props */
export function Dialog({ title, onClose, children, wide = false }) {
  /** @type {{ current: HTMLDialogElement | null }} */
  const dialog = useRef(null);
  useLayoutEffect(() => {
    const opener = document.activeElement;
    dialog.current?.showModal();
    return () => opener instanceof HTMLElement && opener.focus();
  }, []);
  const onClick = (/** @type {MouseEvent} */ event) => {
    if (event.target === dialog.current) onClose();
  };
  const onCancel = (/** @type {Event} */ event) => {
    event.preventDefault();
    onClose();
  };
  return html`
    <dialog
      ref=${dialog}
      class="dialog ${wide ? "dialog-wide" : ""}"
      aria-label=${title}
      onClick=${onClick}
      onCancel=${onCancel}
    >
      <div class="dialog-head">
        <h2>${title}</h2>
        <button class="icon-button" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button>
      </div>
      <div class="dialog-body">${children}</div>
    </dialog>
  `;
}
