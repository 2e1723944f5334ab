// The keyboard: moving through posts, and the most frequent commands.
import { signal } from "@preact/signals";
import { showFresh } from "../data/home.js";
import { toggleLike } from "../data/posts.js";
import { session } from "../api/session.js";
import { navigate } from "../router.js";
import { composing } from "./compose-dialog.js";

export const helping = signal(false);

let isGoing = false;

export function startShortcuts() {
  document.addEventListener("keydown", (event) => {
    if (!session.peek() || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = /** @type {Element} */ (event.target);
    if (target.closest("input, textarea, select, dialog, [contenteditable]")) return;
    if (isGoing ? go(event.key) : run(event.key)) event.preventDefault();
  });
}

/** @param {string} key @returns {boolean} Whether the key has a meaning. */
function run(key) {
  if (key === "j" || key === "k") return move(key === "j" ? 1 : -1);
  if (key === "PageDown" || key === "PageUp") return isInFeed() && move(key === "PageDown" ? 1 : -1);
  if (key === "l") return like();
  if (key === "n") return (composing.value = true);
  if (key === "?") return (helping.value = true);
  if (key === "g") return (isGoing = true);
  if (key === "/") return focus(".finder-field");
  if (key === ".") {
    showFresh();
    scrollTo(0, 0);
    return true;
  }
  return false;
}

/** @param {string} key */
function go(key) {
  isGoing = false;
  /** @type {Record<string, string>} */
  const paths = { h: "/", n: "/notifications", p: `/@${session.peek()?.handle}`, s: "/settings" };
  const path = paths[key];
  if (!path) return false;
  navigate(path);
  return true;
}

const isInFeed = () => document.activeElement?.closest("article[data-post]") !== null;

/** @param {1 | -1} step */
function move(step) {
  const posts = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("article[data-post]")]);
  const current = document.activeElement?.closest("article[data-post]");
  const index = current ? posts.indexOf(/** @type {HTMLElement} */ (current)) + step : firstVisible(posts);
  const next = posts[index];
  if (!next) return false;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
  return true;
}

/** @param {HTMLElement[]} posts */
function firstVisible(posts) {
  return posts.findIndex((post) => post.getBoundingClientRect().top >= 0);
}

function like() {
  const post = /** @type {HTMLElement | null | undefined} */ (document.activeElement?.closest("[data-post]"));
  if (!post?.dataset.post) return false;
  toggleLike(post.dataset.post);
  return true;
}

/** @param {string} selector */
function focus(selector) {
  for (const element of document.querySelectorAll(selector)) {
    if (!(element instanceof HTMLElement) || !element.checkVisibility()) continue;
    element.focus();
    return true;
  }
  return false;
}
