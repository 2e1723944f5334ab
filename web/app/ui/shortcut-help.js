// The list of keys.
import { html } from "../html.js";
import { Dialog } from "./dialog.js";

/** @type {[string, string][]} */
const KEYS = [
  ["j", "Next post"],
  ["k", "Previous post"],
  ["Enter", "Open the post"],
  ["l", "Like the post"],
  ["n", "Write a new post"],
  [".", "Show new posts"],
  ["g h", "Go home"],
  ["g n", "Go to notifications"],
  ["g p", "Go to your profile"],
  ["/", "Find someone"],
  ["Ctrl Enter", "Publish what you wrote"],
  ["?", "This list"],
];

/** @param {{ onClose: () => void }} props */
export function ShortcutHelp({ onClose }) {
  return html`
    <${Dialog} title="Keyboard shortcuts" onClose=${onClose}>
      <dl class="keys">
        ${KEYS.map(
          ([keys, meaning]) => html`
            <div key=${keys}>
              <dt>${keys.split(" ").map((key) => html`<kbd>${key}</kbd> `)}</dt>
              <dd>${meaning}</dd>
            </div>
          `,
        )}
      </dl>
    <//>
  `;
}
