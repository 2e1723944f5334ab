// The tokens of this browser, shared by its tabs through localStorage.
//
// A refresh token can be spent once. All tabs refresh under one Web Lock and read the newest tokens from storage first,
// so a tab that wakes up with old ones adopts what another tab received instead of spending them again.
import { signal } from "@preact/signals";
import { load, save } from "../storage.js";
import { reportFailure, reportResponse } from "./connection.js";
import { Problem, SignedOut, Unreachable } from "./problem.js";

/** @import { Session, SessionResponse, Tokens } from "../../types/model.d.ts" */

const KEY = "tweeter.session";
const LOCK = "tweeter.refresh";
/** Access tokens are renewed this many milliseconds before they expire. */
const MARGIN = 30_000;
const TIMEOUT = 15_000;

/** @type {import("@preact/signals").Signal<Session | null>} The session of this tab; null when logged out. */
export const session = signal(load(localStorage, KEY));
/** The reason of the last log-out that the user did not ask for. */
export const farewell = signal("");

addEventListener("storage", (event) => {
  if (event.key === KEY || event.key === null) session.value = load(localStorage, KEY);
});

/** @param {SessionResponse} response */
export function begin(response) {
  farewell.value = "";
  store({ ...tokensOf(response), user_id: response.user.user_id, handle: response.user.handle });
}

/**
 * Forgets the tokens in all tabs.
 * @param {string} [reason] Shown on the log-in page.
 */
export function end(reason = "") {
  farewell.value = reason;
  store(null);
}

/** An access token that is valid now. Throws `SignedOut`, `Unreachable` or `Problem`. */
export async function accessToken() {
  const current = session.value;
  if (!current) throw new SignedOut();
  return current.expires_at - MARGIN > Date.now() ? current.access_token : renew(current.access_token);
}

/**
 * An access token other than `stale`.
 * @param {string} stale
 * @returns {Promise<string>}
 */
export function renew(stale) {
  return alone(async () => {
    const newest = /** @type {Session | null} */ (load(localStorage, KEY)) ?? session.value;
    if (!newest) throw new SignedOut();
    if (newest.access_token !== stale && newest.expires_at - MARGIN > Date.now()) {
      session.value = newest;
      return newest.access_token;
    }
    const response = await sendRefresh(newest.refresh_token);
    if (response.status === 401 || response.status === 422) {
      end("Your session has ended. Log in again.");
      throw new SignedOut();
    }
    if (!response.ok) throw await Problem.of(response);
    const renewed = { ...newest, ...tokensOf(/** @type {Tokens} */ (await response.json())) };
    store(renewed);
    return renewed.access_token;
  });
}

/** @param {string} refresh_token */
async function sendRefresh(refresh_token) {
  try {
    const response = await fetch("/v1/auth/refresh", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ refresh_token }),
      signal: AbortSignal.timeout(TIMEOUT),
    });
    reportResponse();
    return response;
  } catch {
    reportFailure();
    throw new Unreachable();
  }
}

/** @param {Tokens} tokens */
function tokensOf({ access_token, refresh_token, expires_in }) {
  return { access_token, refresh_token, expires_at: Date.now() + expires_in * 1_000 };
}

/** @param {Session | null} value */
function store(value) {
  save(localStorage, KEY, value);
  session.value = value;
}

/** @type {Promise<unknown>} */
let queue = Promise.resolve();

/**
 * Runs one refresh at a time: across tabs where the browser has locks (secure origins), else in this tab.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
function alone(work) {
  if (navigator.locks) return /** @type {Promise<T>} */ (navigator.locks.request(LOCK, work));
  const result = queue.then(work, work);
  queue = result.catch(() => undefined);
  return result;
}
