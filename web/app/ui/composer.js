// Writing a post or a comment.
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { profileSignal } from "../data/people.js";
import { uploadsAvailable, usePictures } from "../data/picked.js";
import { session } from "../api/session.js";
import { explain } from "../api/problem.js";
import { html } from "../html.js";
import { load, save } from "../storage.js";
import { Avatar } from "./avatar.js";
import { Counter, LIMIT } from "./counter.js";
import { Icon } from "./icons.js";
import { lazy } from "./lazy.js";
import { characters } from "./text.js";

/** @import { Outgoing } from "../../types/model.d.ts" */

const PictureStrip = lazy(async () => (await import("./picture-strip.js")).PictureStrip);

/**
 * @typedef {object} ComposerProps
 * @property {string} name Identifies the field and its draft.
 * @property {string} label
 * @property {string} button
 * @property {boolean} [withPictures]
 * @property {boolean} [autofocus] In a dialog, which gives the focus when it opens.
 * @property {(text: string, media: Outgoing["media"]) => void | Promise<void>} onSubmit A rejection keeps the text.
 */

/** @param {ComposerProps} props */
export function Composer({ name, label, button, withPictures = false, autofocus = false, onSubmit }) {
  const draftKey = `tweeter.draft.${session.value?.user_id}.${name}`;
  const text = useSignal(/** @type {string} */ (load(localStorage, draftKey) ?? ""));
  const error = useSignal("");
  const isBusy = useRef(false);
  /** @type {{ current: HTMLTextAreaElement | null }} */
  const field = useRef(null);
  const pictures = usePictures();
  const me = profileSignal(session.value?.handle ?? "").value.profile;
  const left = LIMIT - characters(text.value);
  const hasContent = text.value.trim() !== "" || pictures.ready.length > 0;
  const isReady = hasContent && left >= 0 && !pictures.isBusy;

  useEffect(() => fit(field.current), [text.value]);

  const write = (/** @type {string} */ value) => {
    text.value = value;
    save(localStorage, draftKey, value === "" ? null : value);
  };
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!isReady || isBusy.current) return;
    const written = text.value;
    isBusy.current = true;
    error.value = "";
    try {
      const sent = onSubmit(written, pictures.ready);
      if (sent instanceof Promise) await sent;
      // Text typed meanwhile stays.
      write(text.value.startsWith(written) ? text.value.slice(written.length) : text.value);
      pictures.clear();
    } catch (failure) {
      error.value = explain(failure);
    } finally {
      isBusy.current = false;
    }
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
  };
  const drops = withPictures && uploadsAvailable.value === "yes" ? pictures.drops : {};

  return html`
    <form class="composer" onSubmit=${submit} ...${drops}>
      ${me && html`<${Avatar} user=${me} />`}
      <div class="composer-main">
        <label class="hidden" for="composer-${name}">${label}</label>
        <textarea
          id="composer-${name}"
          ref=${field}
          rows="1"
          autofocus=${autofocus}
          dir="auto"
          placeholder=${label}
          value=${text.value}
          aria-describedby="count-${name}"
          aria-invalid=${left < 0}
          onInput=${(/** @type {any} */ event) => write(event.currentTarget.value)}
          onKeyDown=${onKeyDown}
          onFocus=${withPictures ? pictures.probe : null}
        ></textarea>
        ${pictures.picked.length > 0 && html`<${PictureStrip} pictures=${pictures} />`}
        ${error.value && html`<p class="form-error" role="alert">${error.value}</p>`}
        <div class="composer-foot">
          ${withPictures &&
          uploadsAvailable.value === "yes" &&
          html`
            <label class="icon-button" title="Add pictures">
              <${Icon} name="image" /><span class="hidden">Add pictures</span>
              <input class="hidden" type="file" accept="image/jpeg,image/png,image/webp" multiple onChange=${pictures.pick} />
            </label>
          `}
          <span class="composer-space"></span>
          <${Counter} id="count-${name}" left=${left} />
          <button class="button button-main" type="submit" aria-disabled=${!isReady}>${button}</button>
        </div>
      </div>
    </form>
  `;
}

/**
 * Makes the field as high as its text, where CSS cannot.
 * @param {HTMLTextAreaElement | null} field
 */
function fit(field) {
  if (!field || CSS.supports("field-sizing", "content")) return;
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
}
