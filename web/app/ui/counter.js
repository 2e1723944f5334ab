// Characters left, as the service counts them.
import { html } from "../html.js";

/** Unicode scalar values in a post or comment (API: Conventions). */
export const LIMIT = 500;
/** The number is shown from here on. */
const NEAR = 60;
const CIRCUMFERENCE = 2 * Math.PI * 9;

/** @param {{ id: string, left: number }} props */
export function Counter({ id, left }) {
  const share = Math.min(1, (LIMIT - left) / LIMIT);
  const state = left < 0 ? "over" : left <= NEAR ? "near" : "plenty";
  return html`
    <span class="counter counter-${state}" title="${left} characters left">
      ${left <= NEAR && html`<span class="counter-number" aria-hidden="true">${left}</span>`}
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <circle class="counter-track" cx="12" cy="12" r="9" />
        <circle class="counter-fill" cx="12" cy="12" r="9" stroke-dasharray="${share * CIRCUMFERENCE} ${CIRCUMFERENCE}" />
      </svg>
      <span class="hidden" id=${id} aria-live=${left <= 20 ? "polite" : "off"}>
        ${left < 0 ? `${-left} too many` : `${left} characters left`}
      </span>
    </span>
  `;
}
