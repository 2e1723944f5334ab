// Posts on their way to the service. They are stored until confirmed, and sent with the same Idempotency-Key each time,
// so that a reload, a retry or a second tab never publishes one twice.
import { effect, signal } from "@preact/signals";
import * as client from "../api/client.js";
import { onReconnect } from "../api/connection.js";
import { Problem, SignedOut, Unreachable, explain } from "../api/problem.js";
import { session } from "../api/session.js";
import { randomKey } from "../ids.js";
import { load, save } from "../storage.js";
import { announce } from "../ui/notices.js";
import { home } from "./home.js";
import { keepPost } from "./posts.js";

/** @import { Outgoing, Post } from "../../types/model.d.ts" */

/** A service that is too busy for the request's own retries gets another try after this many milliseconds. */
const LATER = 15_000;

/** @type {import("@preact/signals").Signal<Outgoing[]>} Newest first. */
export const outbox = signal([]);
/** @type {Set<(post: Post) => void>} */
const published = new Set();
/** @type {Set<string>} Keys of requests that this tab is waiting for. */
const running = new Set();

/** @param {string | undefined} user */
const storageKey = (user) => `tweeter.outbox.${user}`;

/** @param {(post: Post) => void} listener */
export function onPublished(listener) {
  published.add(listener);
  return () => published.delete(listener);
}

/**
 * Publishes a post: shown at once, sent as soon as possible.
 * @param {string} text
 * @param {Outgoing["media"]} media
 */
export function publish(text, media) {
  /** @type {Outgoing} */
  const outgoing = { key: randomKey(), text, media, created_at: new Date().toISOString(), state: "sending" };
  set([outgoing, ...outbox.peek()]);
  send(outgoing.key);
}

/** @param {string} key */
export function retry(key) {
  change(key, { state: "sending" });
  send(key);
}

/** @param {string} key */
export function discard(key) {
  set(outbox.peek().filter((outgoing) => outgoing.key !== key));
}

/** @param {string} key */
async function send(key) {
  const outgoing = outbox.peek().find((candidate) => candidate.key === key);
  if (!outgoing || running.has(key)) return;
  running.add(key);
  try {
    const media_ids = outgoing.media.map((picture) => picture.media_id);
    const post = await client.publish(key, { text: outgoing.text, ...(media_ids.length > 0 && { media_ids }) });
    arrive(key, post);
  } catch (error) {
    explainFailure(key, error);
  } finally {
    running.delete(key);
  }
}

/** @param {string} key @param {Post} post */
function arrive(key, post) {
  keepPost(post);
  home.prepend([post]);
  for (const listener of published) listener(post);
  discard(key);
  announce("Your post is published");
}

/** @param {string} key @param {unknown} error */
function explainFailure(key, error) {
  if (error instanceof SignedOut) return;
  const reason = explain(error);
  if (error instanceof Unreachable) {
    change(key, { state: "waiting", reason: "It will be sent when you’re back online." });
  } else if (error instanceof Problem && (error.status === 429 || error.status === 503)) {
    const pause = error.retryAfter === null ? LATER : error.retryAfter * 1_000;
    change(key, { state: "waiting", reason, retry_at: Date.now() + pause });
    setTimeout(() => retry(key), pause);
  } else {
    change(key, { state: "failed", reason });
  }
  announce(`Your post is not published yet. ${reason}`);
}

/** @param {string} key @param {Partial<Outgoing>} changes */
function change(key, changes) {
  set(
    outbox.peek().map((outgoing) => {
      if (outgoing.key !== key) return outgoing;
      const { reason: _reason, retry_at: _retryAt, ...rest } = outgoing;
      return { ...rest, ...changes };
    }),
  );
}

/** @param {Outgoing[]} value */
function set(value) {
  outbox.value = value;
  save(localStorage, storageKey(session.peek()?.user_id), value.length > 0 ? value : null);
}

/** Sends what an earlier page left behind, and what could not be sent offline. */
export function startOutbox() {
  effect(() => {
    const user = session.value?.user_id;
    outbox.value = user ? (load(localStorage, storageKey(user)) ?? []) : [];
    if (user) sendAll();
  });
  onReconnect(sendAll);
}

function sendAll() {
  for (const { key, state } of outbox.peek()) if (state !== "failed") retry(key);
}
