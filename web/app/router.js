// Paths to views, in the browser's history.
import { signal } from "@preact/signals";
import { randomKey } from "./ids.js";
import { readPosition, restorePosition } from "./scroll.js";
import { forget, keepAcrossReload } from "./memory.js";

/**
 * @typedef {object} Place
 * @property {string} view
 * @property {Record<string, string>} params
 * @property {string} path
 * @property {string} key Identifies the entry of the history.
 * @property {"load" | "push" | "pop"} arrival How the user came here.
 */

/** @type {[RegExp, string, string[]][]} Pattern, view, names of its groups. */
const ROUTES = [
  [/^\/$/, "home", []],
  [/^\/login$/, "login", []],
  [/^\/register$/, "register", []],
  [/^\/notifications$/, "notifications", []],
  [/^\/settings(?:\/([a-z]+))?$/, "settings", ["part"]],
  [/^\/posts\/([0-9a-f-]{36})$/, "post", ["id"]],
  [/^\/@([a-z0-9_]{3,30})$/, "profile", ["handle"]],
  [/^\/@([a-z0-9_]{3,30})\/(followers|following)$/, "people", ["handle", "list"]],
];
const POSITIONS = "tweeter.positions";
/** Positions kept across a reload. */
const MAX_POSITIONS = 50;

/** @type {Map<string, import("./scroll.js").Position>} */
const positions = new Map(readStored());
export const place = signal(placeOf(location.pathname, historyKey(), "load"));

/**
 * @param {string} pathname
 * @param {string} key
 * @param {Place["arrival"]} arrival
 * @returns {Place}
 */
function placeOf(pathname, key, arrival) {
  const path = decodeURIComponent(pathname).toLowerCase();
  for (const [pattern, view, names] of ROUTES) {
    const match = pattern.exec(path);
    if (match) {
      const params = Object.fromEntries(names.map((name, index) => [name, match[index + 1] ?? ""]));
      return { view, params, path, key, arrival };
    }
  }
  return { view: "missing", params: {}, path, key, arrival };
}

/** The key of the current entry; assigns one to an entry that has none. */
function historyKey() {
  if (typeof history.state?.key === "string") return /** @type {string} */ (history.state.key);
  const key = randomKey();
  history.replaceState({ key }, "");
  return key;
}

/**
 * Goes to a path of the client.
 * @param {string} path
 * @param {{ replace?: boolean }} [options]
 */
export function navigate(path, { replace = false } = {}) {
  rememberPosition();
  const key = randomKey();
  history[replace ? "replaceState" : "pushState"]({ key, inside: true }, "", path);
  place.value = placeOf(new URL(path, location.href).pathname, key, "push");
  scrollTo(0, 0);
}

/** Goes back, or home if the user came from elsewhere. */
export function goBack() {
  if (history.state?.inside) history.back();
  else navigate("/");
}

export function startRouter() {
  history.scrollRestoration = "manual";
  addEventListener("popstate", () => {
    rememberPosition();
    place.value = placeOf(location.pathname, historyKey(), "pop");
    restorePosition(positions.get(place.value.key));
  });
  addEventListener("pagehide", () => {
    rememberPosition();
    sessionStorage.setItem(POSITIONS, JSON.stringify([...positions].slice(-MAX_POSITIONS)));
    keepAcrossReload();
  });
  document.addEventListener("click", followLink);
  const [entry] = performance.getEntriesByType("navigation");
  const isReturn = entry instanceof PerformanceNavigationTiming && entry.type !== "navigate";
  if (isReturn) restorePosition(positions.get(place.value.key));
  else forget();
}

function rememberPosition() {
  positions.delete(place.value.key);
  positions.set(place.value.key, readPosition());
}

function readStored() {
  try {
    return JSON.parse(sessionStorage.getItem(POSITIONS) ?? "[]");
  } catch {
    return [];
  }
}

/**
 * Handles plain clicks on links to the client's own views.
 * @param {MouseEvent} event
 */
function followLink(event) {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
  if (!(link instanceof HTMLAnchorElement) || link.origin !== location.origin || link.target || link.download) return;
  if (placeOf(link.pathname, "", "push").view === "missing") return;
  event.preventDefault();
  if (link.pathname === location.pathname) refresh();
  else navigate(link.pathname);
}

/** A click on the link of the current view: to the top, with what is new. */
function refresh() {
  scrollTo({ top: 0, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  place.value = { ...place.value, arrival: "push" };
}
