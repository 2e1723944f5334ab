// Deletions that can be undone: hidden at once, sent when the time to undo has passed or the page is left.
import { notify } from "../ui/notices.js";
import { explain } from "../api/problem.js";

/** Milliseconds to undo. */
const GRACE = 5_000;

/** @type {Set<(keepalive: boolean) => void>} */
const pending = new Set();

/**
 * @param {object} deletion
 * @param {string} deletion.text What happened, such as "Post deleted".
 * @param {() => void} deletion.hide
 * @param {() => void} deletion.show Undoes `hide`.
 * @param {(keepalive: boolean) => Promise<void>} deletion.send
 */
export function deleteLater({ text, hide, show, send }) {
  hide();
  const finish = (/** @type {boolean} */ keepalive) => {
    if (!pending.delete(finish)) return;
    clearTimeout(timer);
    remove();
    send(keepalive).catch((error) => {
      show();
      notify({ text: `It was not deleted. ${explain(error)}`, tone: "bad" });
    });
  };
  const undo = () => {
    if (!pending.delete(finish)) return;
    clearTimeout(timer);
    remove();
    show();
  };
  const timer = setTimeout(() => finish(false), GRACE);
  const remove = notify({ text, action: { label: "Undo", run: undo }, milliseconds: GRACE });
  pending.add(finish);
}

addEventListener("pagehide", () => {
  for (const finish of [...pending]) finish(true);
});
