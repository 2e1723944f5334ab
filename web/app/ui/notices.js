// Short messages at the edge of the screen, and announcements for screen readers.
import { signal } from "@preact/signals";
import { html } from "../html.js";

/**
 * @typedef {object} Notice
 * @property {string} text
 * @property {"plain" | "bad"} [tone]
 * @property {{ label: string, run: () => void }} [action]
 * @property {number} [milliseconds] How long it stays.
 */

const STAY = 6_000;

/** @type {import("@preact/signals").Signal<(Notice & { id: number })[]>} */
const notices = signal([]);
const announcement = signal("");
let lastId = 0;

/**
 * Shows a message.
 * @param {Notice} notice
 * @returns {() => void} Removes it.
 */
export function notify(notice) {
  const id = (lastId += 1);
  const remove = () => {
    notices.value = notices.value.filter((shown) => shown.id !== id);
  };
  notices.value = [...notices.value.slice(-2), { ...notice, id }];
  setTimeout(remove, notice.milliseconds ?? STAY);
  return remove;
}

/**
 * Says a text to screen readers.
 * @param {string} text
 */
export function announce(text) {
  // The same text twice is said twice only if it differs.
  announcement.value = announcement.value === text ? `${text}\u00a0` : text;
}

export function Notices() {
  return html`
    <div class="notices" role="status" aria-live="polite">
      ${notices.value.map(
        ({ id, text, tone = "plain", action }) => html`
          <div key=${id} class="notice notice-${tone}">
            <span>${text}</span>
            ${action && html`<button class="notice-action" onClick=${action.run}>${action.label}</button>`}
          </div>
        `,
      )}
    </div>
    <div class="hidden" role="status" aria-live="polite">${announcement}</div>
  `;
}
