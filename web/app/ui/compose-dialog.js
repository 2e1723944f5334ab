// Writing a post from anywhere.
import { signal } from "@preact/signals";
import { publish } from "../data/outbox.js";
import { html } from "../html.js";
import { navigate, place } from "../router.js";
import { Composer } from "./composer.js";
import { Dialog } from "./dialog.js";

export const composing = signal(false);

export function ComposeDialog() {
  if (!composing.value) return null;
  const close = () => (composing.value = false);
  const onSubmit = (/** @type {string} */ text, /** @type {any} */ media) => {
    publish(text, media);
    close();
    if (place.peek().view !== "home") navigate("/");
    else scrollTo(0, 0);
  };
  return html`
    <${Dialog} title="New post" onClose=${close}>
      <${Composer} name="dialog" label="What’s happening?" button="Post" withPictures autofocus onSubmit=${onSubmit} />
    <//>
  `;
}
