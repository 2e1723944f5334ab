// Times as people say them.
import { signal } from "@preact/signals";
import { html } from "../html.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The time, to the half minute. */
const now = signal(Date.now());
setInterval(() => (now.value = Date.now()), MINUTE / 2);

const full = new Intl.DateTimeFormat(undefined, { dateStyle: "long", timeStyle: "short" });
const thisYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const otherYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const monthAndYear = new Intl.DateTimeFormat(undefined, { month: "long", year: "numeric" });

/** @param {Date} date */
function short(date) {
  const age = now.value - date.getTime();
  if (age < MINUTE) return "now";
  if (age < HOUR) return `${Math.floor(age / MINUTE)}m`;
  if (age < DAY) return `${Math.floor(age / HOUR)}h`;
  if (age < 7 * DAY) return `${Math.floor(age / DAY)}d`;
  return (date.getFullYear() === new Date().getFullYear() ? thisYear : otherYear).format(date);
}

/** @param {{ at: string, long?: boolean }} props */
export function Time({ at, long = false }) {
  const date = new Date(at);
  return html`<time datetime=${at} title=${full.format(date)}>${long ? full.format(date) : short(date)}</time>`;
}

/** @param {string} at */
export const month = (at) => monthAndYear.format(new Date(at));
/** @param {string} at */
export const fullTime = (at) => full.format(new Date(at));
