// Whether the service can be reached, as seen by all requests of this tab.
import { signal } from "@preact/signals";

/** @type {import("@preact/signals").Signal<"online" | "slow" | "offline">} */
export const connection = signal(navigator.onLine ? "online" : "offline");

/** A request is called slow after this many milliseconds. */
const SLOW = 4_000;
const FIRST_PROBE = 1_000;
const LONGEST_PAUSE = 20_000;

/** @type {Set<() => void>} */
const listeners = new Set();
let probePause = FIRST_PROBE;
let probing = false;
let slowRequests = 0;

/**
 * Calls `listener` whenever the service can be reached again.
 * @param {() => void} listener
 */
export function onReconnect(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/**
 * Watches the duration of a request; the result ends the watch.
 */
export function watchSlowness() {
  let counted = false;
  const timer = setTimeout(() => {
    counted = true;
    slowRequests += 1;
    if (connection.value === "online") connection.value = "slow";
  }, SLOW);
  return () => {
    clearTimeout(timer);
    if (counted) slowRequests -= 1;
    if (slowRequests === 0 && connection.value === "slow") connection.value = "online";
  };
}

/** Reports a response, whatever its status. */
export function reportResponse() {
  if (connection.value === "offline") {
    connection.value = "online";
    for (const listener of listeners) listener();
  }
  probePause = FIRST_PROBE;
}

/** Reports that no response came; probes until one does. */
export function reportFailure() {
  connection.value = "offline";
  probeLater();
}

function probeLater() {
  if (probing) return;
  probing = true;
  setTimeout(probe, probePause * (0.75 + Math.random() / 2));
  probePause = Math.min(probePause * 2, LONGEST_PAUSE);
}

async function probe() {
  probing = false;
  try {
    await fetch("/healthz", { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(8_000) });
    reportResponse();
  } catch {
    reportFailure();
  }
}

addEventListener("offline", reportFailure);
addEventListener("online", () => {
  probePause = FIRST_PROBE;
  probe();
});
