// The pictures chosen for a post, with progress and descriptions.
import { html } from "../html.js";
import { Icon } from "./icons.js";

/** Characters of a description (API: Media). */
const LONGEST = 1500;

/** @param {{ pictures: ReturnType<typeof import("../data/picked.js").usePictures> }} props */
export function PictureStrip({ pictures }) {
  return html`
    <ul class="strip" aria-label="Pictures of this post">
      ${pictures.picked.map(
        ({ id, preview, progress, state, description, reason }, index) => html`
          <li key=${id} class="strip-item strip-${state}">
            <img src=${preview} alt="" />
            ${state === "uploading" &&
            html`<progress value=${progress} max="1" aria-label="Upload of picture ${index + 1}"></progress>`}
            ${state === "failed" && html`<p class="error" role="alert">${reason}</p>`}
            <button class="icon-button strip-remove" type="button" aria-label="Remove picture ${index + 1}" onClick=${() => pictures.remove(id)}>
              <${Icon} name="close" />
            </button>
            <input
              aria-label="Description of picture ${index + 1}"
              placeholder="Describe it"
              maxlength=${LONGEST}
              value=${description}
              onChange=${(/** @type {any} */ event) => pictures.describe(id, event.currentTarget.value)}
            />
          </li>
        `,
      )}
    </ul>
  `;
}
