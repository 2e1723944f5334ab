// Light or dark.
import { useSignal } from "@preact/signals";
import { html } from "../html.js";
import { load, save } from "../storage.js";

/** Also read by theme.js, before the first paint. */
const KEY = "tweeter.theme";
const CHOICES = [
  ["system", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
];

export function Appearance() {
  const theme = useSignal(/** @type {string} */ (load(localStorage, KEY) ?? "system"));
  const choose = (/** @type {string} */ value) => {
    theme.value = value;
    save(localStorage, KEY, value === "system" ? null : value);
    if (value === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = value;
  };
  return html`
    <fieldset class="choices">
      <legend>Colours</legend>
      ${CHOICES.map(
        ([value = "", label]) => html`
          <label class="choice" key=${value}>
            <input type="radio" name="theme" checked=${theme.value === value} onChange=${() => choose(value)} />
            <span class="swatch swatch-${value}" aria-hidden="true"></span>${label}
          </label>
        `,
      )}
    </fieldset>
  `;
}
