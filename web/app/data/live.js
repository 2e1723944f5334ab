// Live events: one stream for all tabs of a browser, or polling where the service has no streams.
//
// A browser opens at most six HTTP/1.1 connections to a host, and the service allows eight streams per account. So the
// tabs elect one by a Web Lock; it reads the stream and passes the events on.
import { effect } from "@preact/signals";
import { onReconnect } from "../api/connection.js";
import { accessToken, session } from "../api/session.js";
import { broadcast, onBroadcast } from "../tabs.js";
import { readEvents } from "./sse.js";

/** @typedef {(data: any) => void} Listener */

const LOCK = "tweeter.events";
const POLL = 20_000;
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;
/** The service sends a heartbeat every 15 s. */
const SILENCE = 40_000;

/** @type {Map<string, Set<Listener>>} */
const listeners = new Map();

/**
 * Calls `listener` for each event of this name: `hello` (lists may have changed unseen), `feed`, `notification`.
 * @param {"hello" | "feed" | "notification"} name
 * @param {Listener} listener
 */
export function onLive(name, listener) {
  const all = listeners.get(name) ?? new Set();
  all.add(listener);
  listeners.set(name, all);
}

/** @param {string} name @param {any} data */
function emit(name, data) {
  for (const listener of listeners.get(name) ?? []) listener(data);
}

/** Listens for as long as a user is logged in. */
export function startLive() {
  onBroadcast((message) => message.kind === "live" && emit(message.name, message.data));
  onReconnect(() => session.value && emit("hello", {}));
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible" && session.value) emit("hello", {});
  });
  /** @type {string | undefined} */
  let user;
  /** @type {AbortController | undefined} */
  let running;
  effect(() => {
    if (session.value?.user_id === user) return;
    running?.abort();
    user = session.value?.user_id;
    if (user === undefined) return;
    running = new AbortController();
    lead(running.signal);
  });
}

/** @param {AbortSignal} stop */
async function lead(stop) {
  try {
    if (navigator.locks) await navigator.locks.request(LOCK, { signal: stop }, () => listen(stop));
    else await listen(stop);
  } catch {
    // The user logged out while another tab was leading.
  }
}

/** @param {AbortSignal} stop */
async function listen(stop) {
  let pause = FIRST_PAUSE;
  while (!stop.aborted) {
    const outcome = await stream(stop, () => (pause = FIRST_PAUSE));
    if (outcome === "unsupported") return poll(stop);
    if (outcome === "broken") {
      await sleep(pause * (0.5 + Math.random()), stop);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
  }
}

/**
 * Reads one stream to its end.
 * @param {AbortSignal} stop
 * @param {() => void} opened
 * @returns {Promise<"ended" | "broken" | "unsupported">}
 */
async function stream(stop, opened) {
  const silent = new AbortController();
  let watchdog = setTimeout(() => silent.abort(), SILENCE);
  let isOpen = false;
  try {
    const response = await fetch("/v1/events", {
      headers: { authorization: `Bearer ${await accessToken()}`, accept: "text/event-stream" },
      signal: AbortSignal.any([stop, silent.signal]),
    });
    if (response.status === 501 || response.status === 404) return "unsupported";
    if (!response.ok || !response.body) return "broken";
    for await (const event of readEvents(response.body)) {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => silent.abort(), SILENCE);
      if (!event) continue;
      if (event.name === "hello") {
        isOpen = true;
        opened();
      }
      emit(event.name, event.data);
      broadcast({ kind: "live", name: event.name, data: event.data });
    }
    return isOpen ? "ended" : "broken";
  } catch {
    return "broken";
  } finally {
    clearTimeout(watchdog);
  }
}

/** @param {AbortSignal} stop */
async function poll(stop) {
  while (!stop.aborted) {
    emit("hello", {});
    broadcast({ kind: "live", name: "hello", data: {} });
    await sleep(POLL, stop);
  }
}

/** @param {number} milliseconds @param {AbortSignal} stop */
function sleep(milliseconds, stop) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    stop.addEventListener("abort", () => (clearTimeout(timer), resolve(undefined)), { once: true });
  });
}
