// The lists that views hold, by entry of the history, so that going back shows them as they were left.
import { load, save } from "./storage.js";

/** @typedef {{ snapshot(): unknown, restore(snapshot: any): boolean, refresh(): Promise<void> }} Keepable */

const STORED = "tweeter.lists";
const MAX_ENTRIES = 12;
/** Entries whose lists survive a reload; about 100 kB each after hundreds of posts. */
const MAX_STORED = 4;

/** @type {Set<() => void>} */
const forgetters = new Set();
/** @type {Map<string, Map<string, Keepable>>} */
const held = new Map();
/** @type {Record<string, Record<string, unknown>>} */
let stored = load(sessionStorage, STORED) ?? {};

/**
 * The list of this name for this entry of the history: the one held, or the one from before a reload, or a new one.
 * @template {Keepable} T
 * @param {string} key The key of the history's entry.
 * @param {string} name
 * @param {() => T} create
 * @returns {T}
 */
export function remembered(key, name, create) {
  const lists = held.get(key) ?? new Map();
  held.delete(key);
  held.set(key, lists);
  for (const oldest of held.keys()) {
    if (held.size <= MAX_ENTRIES) break;
    held.delete(oldest);
  }
  if (!lists.has(name)) {
    const list = create();
    if (list.restore(stored[key]?.[name] ?? null)) list.refresh();
    lists.set(name, list);
  }
  return lists.get(name);
}

/** Stores the newest lists for the page that is loaded next. */
export function keepAcrossReload() {
  const newest = [...held].slice(-MAX_STORED);
  const snapshots = newest.map(([key, lists]) => {
    const named = [...lists].map(([name, list]) => [name, list.snapshot()]);
    return [key, Object.fromEntries(named)];
  });
  save(sessionStorage, STORED, Object.fromEntries(snapshots));
}

/**
 * Registers more to forget with the lists.
 * @param {() => void} forgetter
 */
export function onForget(forgetter) {
  forgetters.add(forgetter);
}

/** Forgets everything: the user has changed, or the page was opened and not reloaded. */
export function forget() {
  for (const forgetter of forgetters) forgetter();
  held.clear();
  stored = {};
  save(sessionStorage, STORED, null);
}
