// Errors of requests, and the words for them.

/** A response other than 2xx: a problem document (RFC 9457), or whatever a proxy sent instead. */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {{ type?: string, title?: string, detail?: string, errors?: { field: string, message: string }[] }} body
   * @param {number | null} retryAfter Seconds.
   */
  constructor(status, body, retryAfter) {
    super(body.detail ?? body.title ?? `HTTP ${status}`);
    this.status = status;
    this.slug = (body.type ?? "").replace("/problems/", "");
    this.retryAfter = retryAfter;
    /** @type {Record<string, string>} Messages by field. */
    this.fields = Object.fromEntries((body.errors ?? []).map(({ field, message }) => [field, message]));
  }

  /** @param {Response} response */
  static async of(response) {
    const body = await response.json().catch(() => ({}));
    const seconds = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
    return new Problem(response.status, body, Number.isNaN(seconds) ? null : seconds);
  }
}

/** No response: the network failed, or the service took too long. */
export class Unreachable extends Error {}

/** The session has ended; the user must log in again. */
export class SignedOut extends Error {}

/**
 * A sentence for a person.
 * @param {unknown} error
 */
export function explain(error) {
  if (error instanceof Unreachable) return "Tweeter can’t be reached. Check your connection.";
  if (error instanceof SignedOut) return "Your session has ended. Log in again.";
  if (!(error instanceof Problem)) return "Something went wrong here. Reload the page and try again.";
  if (error.status === 429) return `That was a lot at once. Try again in ${duration(error.retryAfter ?? 60)}.`;
  if (error.status === 503) return "Tweeter is very busy. Try again in a moment.";
  if (error.status >= 500) return "Tweeter had a problem with this. It has been logged.";
  if (error.slug === "wrong-password") return "This isn’t your password.";
  const fields = Object.entries(error.fields).map(([field, message]) => fieldSentence(field, message));
  return fields.length > 0 ? fields.join(" ") : error.message;
}

/** @type {Record<string, string>} */
const LABELS = { email: "E-mail", display_name: "Name", bio: "About you", current: "Current password", new: "New password" };

/**
 * @param {string} field
 * @param {string} message
 */
export function fieldSentence(field, message) {
  const label = LABELS[field] ?? field.charAt(0).toUpperCase() + field.slice(1).replaceAll("_", " ");
  return `${label} ${message}`.replace(/\.?$/, ".");
}

/** @param {number} seconds */
export function duration(seconds) {
  if (seconds < 90) return seconds === 1 ? "1 second" : `${seconds} seconds`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 90 ? `${minutes} minutes` : `${Math.ceil(minutes / 60)} hours`;
}
