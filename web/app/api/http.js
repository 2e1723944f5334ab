// One request: token, timeout, retries, errors.
import { reportFailure, reportResponse, watchSlowness } from "./connection.js";
import { Problem, SignedOut, Unreachable } from "./problem.js";
import { accessToken, end, renew } from "./session.js";

/**
 * @typedef {object} Options
 * @property {unknown} [body] Sent as JSON.
 * @property {string} [key] The Idempotency-Key, which makes a POST repeatable.
 * @property {boolean} [isPublic] No token is sent.
 * @property {boolean} [keepalive] The request outlives the page.
 * @property {number} [tries] Attempts in total; by default 4 for repeatable requests.
 */

/** Milliseconds until a request counts as failed: as long as the service may take, and the way there and back. */
const TIMEOUT = 20_000;
/** A longer `Retry-After`, in seconds, is for the user to decide. */
const PATIENCE = 10;

/**
 * Sends a request and decodes the answer; `undefined` for a 204. Repeats what may be repeated after a 503 or a failure of
 * the network. Throws `Problem`, `Unreachable` or `SignedOut`.
 * @param {string} method
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<any>}
 */
export async function request(method, path, options = {}) {
  const isRepeatable = method !== "POST" || options.key !== undefined;
  const tries = options.tries ?? (isRepeatable ? 4 : 1);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await authorised(method, path, options);
    } catch (error) {
      const pause = pauseAfter(error, attempt);
      if (pause === null || attempt >= tries) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

/**
 * Milliseconds to wait before the next attempt; null if another attempt is pointless.
 * @param {unknown} error
 * @param {number} attempt
 */
function pauseAfter(error, attempt) {
  const backoff = 400 * 2 ** (attempt - 1) * (0.5 + Math.random());
  if (error instanceof Unreachable) return navigator.onLine ? backoff : null;
  if (!(error instanceof Problem) || error.status !== 503) return null;
  const seconds = error.retryAfter ?? 1;
  return seconds <= PATIENCE ? Math.max(seconds * 1_000, backoff) : null;
}

/**
 * @param {string} method
 * @param {string} path
 * @param {Options} options
 */
async function authorised(method, path, options) {
  if (options.isPublic) return decode(await send(method, path, options, null));
  const token = await accessToken();
  let response = await send(method, path, options, token);
  if (response.status === 401) {
    // The token was revoked, or the clocks differ.
    response = await send(method, path, options, await renew(token));
    if (response.status === 401) {
      end("Your session has ended. Log in again.");
      throw new SignedOut();
    }
  }
  return decode(response);
}

/**
 * @param {string} method
 * @param {string} path
 * @param {Options} options
 * @param {string | null} token
 */
async function send(method, path, { body, key, keepalive = false }, token) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (token) headers.authorization = `Bearer ${token}`;
  if (key) headers["idempotency-key"] = key;
  if (body !== undefined) headers["content-type"] = "application/json";
  const endWatch = watchSlowness();
  try {
    const response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      keepalive,
      signal: AbortSignal.timeout(TIMEOUT),
    });
    reportResponse();
    return response;
  } catch {
    reportFailure();
    throw new Unreachable();
  } finally {
    endWatch();
  }
}

/** @param {Response} response */
async function decode(response) {
  if (!response.ok) throw await Problem.of(response);
  if (response.status === 204) return undefined;
  const text = await response.text();
  return text === "" ? undefined : JSON.parse(text);
}
