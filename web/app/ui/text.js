// Text as people wrote it, with addresses and handles as links.
import { html } from "../html.js";

const LINKS = /(https?:\/\/[^\s<>"]+[^\s<>"'.,:;!?)\]])|(?<![\p{L}\p{N}_@/.])@([a-z0-9_]{3,30})(?![a-z0-9_])/giu;

/** @param {{ text: string }} props */
export function Text({ text }) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(LINKS)) {
    const [whole, address, handle] = match;
    parts.push(text.slice(end, match.index));
    parts.push(
      address
        ? html`<a href=${address} target="_blank" rel="noopener noreferrer nofollow ugc">${shown(address)}</a>`
        : html`<a href="/@${handle?.toLowerCase()}">${whole}</a>`,
    );
    end = match.index + whole.length;
  }
  parts.push(text.slice(end));
  return parts;
}

/** @param {string} address */
function shown(address) {
  const plain = address.replace(/^https?:\/\/(www\.)?/, "").replace(/\/$/, "");
  return plain.length > 42 ? `${plain.slice(0, 40)}…` : plain;
}

/**
 * The length as the service counts it: Unicode scalar values, with CR LF as LF.
 * @param {string} text
 */
export function characters(text) {
  return [...text.replaceAll("\r\n", "\n")].length;
}

/** @param {number} count */
export const compact = (count) =>
  new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 }).format(count);

/** @param {number} count @param {string} one @param {string} many */
export const plural = (count, one, many) => (count === 1 ? one : many);
