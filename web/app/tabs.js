// Messages between the tabs of one browser.

/** @typedef {{ kind: "live", name: string, data: any } | { kind: "read", upTo: string }} Message */

const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("tweeter");

/**
 * Sends to the other tabs.
 * @param {Message} message
 */
export function broadcast(message) {
  channel?.postMessage(message);
}

/** @param {(message: Message) => void} listener */
export function onBroadcast(listener) {
  channel?.addEventListener("message", (event) => listener(event.data));
}
