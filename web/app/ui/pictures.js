// The pictures of a post: a grid, and one large.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { html } from "../html.js";
import { onThisOrigin } from "../loopback.js";
import { Dialog } from "./dialog.js";

/** @import { Media } from "../../types/model.d.ts" */
/** @typedef {Required<Media>} Picture */

/** Pixels a side of the service's three sizes (API: Media). */
const SIZES = { thumbnail: 150, medium: 640, original: 2048 };

/** @param {{ media: Media[] }} props */
export function Pictures({ media }) {
  const opened = useSignal(/** @type {Picture | null} */ (null));
  const pictures = media.filter((item) => item.urls && item.width && item.height);
  if (pictures.length === 0) return null;
  return html`
    <div class="pictures pictures-${pictures.length}">
      ${pictures.map(
        (picture) => html`
          <button
            key=${picture.media_id}
            class="picture"
            aria-label=${picture.description ? `Enlarge: ${picture.description}` : "Enlarge picture"}
            onClick=${() => (opened.value = /** @type {Picture} */ (picture))}
          >
            <${LazyPicture} picture=${picture} isAlone=${pictures.length === 1} />
          </button>
        `,
      )}
    </div>
    ${opened.value &&
    html`
      <${Dialog} title="Picture" wide onClose=${() => (opened.value = null)}>
        <img class="picture-large" src=${onThisOrigin(opened.value.urls.original)} alt=${opened.value.description} />
        ${opened.value.description && html`<p class="picture-text" dir="auto">${opened.value.description}</p>`}
      <//>
    `}
  `;
}

/** @param {{ picture: Picture, isAlone: boolean }} props */
function LazyPicture({ picture, isAlone }) {
  const isShown = useSignal(false);
  const { urls, width, height, description, blurhash } = picture;
  const ratio = Math.min(Math.max(width / height, 0.75), 2);
  return html`
    <${Placeholder} hash=${blurhash} isHidden=${isShown.value} />
    <img
      src=${onThisOrigin(urls.medium)}
      srcset=${srcset(picture)}
      sizes=${isAlone ? "(max-width: 640px) 90vw, 540px" : "(max-width: 640px) 45vw, 270px"}
      style=${isAlone ? { aspectRatio: String(ratio) } : {}}
      width=${width}
      height=${height}
      alt=${description}
      loading="lazy"
      decoding="async"
      onLoad=${() => (isShown.value = true)}
    />
  `;
}

/** @param {Picture} picture */
function srcset({ urls, width, height }) {
  const longest = Math.max(width, height);
  const widths = Object.entries(SIZES).map(([name, side]) => {
    const pixels = Math.round(width * Math.min(1, side / longest));
    return `${onThisOrigin(urls[/** @type {keyof typeof SIZES} */ (name)])} ${pixels}w`;
  });
  return widths.join(", ");
}

/** @param {{ hash: string, isHidden: boolean }} props */
function Placeholder({ hash, isHidden }) {
  /** @type {{ current: HTMLCanvasElement | null }} */
  const canvas = useRef(null);
  useEffect(() => {
    const target = canvas.current;
    if (!target || isHidden) return;
    import("./blurhash.js").then(({ draw }) => draw(target, hash));
  }, [hash]);
  return isHidden ? null : html`<canvas ref=${canvas} class="placeholder" width="32" height="32"></canvas>`;
}
