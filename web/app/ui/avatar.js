// A user's picture, or initials on a colour of their own.
import { html } from "../html.js";
import { onThisOrigin } from "../loopback.js";

/** @import { User } from "../../types/model.d.ts" */

/** Tints in tokens.css. */
const TINTS = 8;

/** @param {string} text */
export function tintOf(text) {
  let hash = 7;
  for (const character of text) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 9_973;
  return hash % TINTS;
}

/** @param {string} name */
function initials(name) {
  const words = name.trim().split(/\s+/).filter((word) => /\p{L}|\p{N}/u.test(word));
  const letters = words.map((word) => [...word].find((character) => /\p{L}|\p{N}/u.test(character)) ?? "");
  const chosen = letters.length > 1 ? [letters[0], letters.at(-1)] : letters;
  return chosen.join("").toLocaleUpperCase() || "·";
}

/** @param {{ user: User, size?: "s" | "m" | "l" | "xl" }} props */
export function Avatar({ user, size = "m" }) {
  if (user.avatar_url) {
    return html`<img class="avatar avatar-${size}" src=${onThisOrigin(user.avatar_url)} alt="" width="48" height="48" loading="lazy" />`;
  }
  return html`
    <span class="avatar avatar-${size} tint-${tintOf(user.handle)}" aria-hidden="true">${initials(user.display_name)}</span>
  `;
}
