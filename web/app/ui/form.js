// Fields whose errors stand beside them.
import { useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { Problem, explain, fieldSentence } from "../api/problem.js";
import { html } from "../html.js";

/**
 * @typedef {object} FormState
 * @property {boolean} isBusy
 * @property {string} error About the form as a whole.
 * @property {Record<string, string>} fields Sentences by field.
 */

/**
 * The state of a form and its submit handler. A second submit while one is being sent does nothing.
 * @param {(values: Record<string, string>) => Promise<void>} send
 * @returns {{ state: FormState, onSubmit: (event: Event) => Promise<void> }}
 */
export function useForm(send) {
  const state = useSignal(/** @type {FormState} */ ({ isBusy: false, error: "", fields: {} }));
  const isBusy = useRef(false);
  const onSubmit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (isBusy.current) return;
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const values = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]));
    isBusy.current = true;
    state.value = { isBusy: true, error: "", fields: {} };
    try {
      await send(values);
      state.value = { isBusy: false, error: "", fields: {} };
    } catch (error) {
      state.value = { isBusy: false, ...messages(error, form) };
      const first = Object.keys(state.value.fields)[0];
      const field = first ? form.elements.namedItem(first) : null;
      if (field instanceof HTMLElement) field.focus();
    } finally {
      isBusy.current = false;
    }
  };
  return { state: state.value, onSubmit };
}

/**
 * Errors of fields that the form has, and everything else as one text.
 * @param {unknown} error
 * @param {HTMLFormElement} form
 */
function messages(error, form) {
  /** @type {Record<string, string>} */
  const fields = {};
  const rest = [];
  for (const [field, message] of Object.entries(error instanceof Problem ? error.fields : {})) {
    if (form.elements.namedItem(field)) fields[field] = fieldSentence(field, message);
    else rest.push(fieldSentence(field, message));
  }
  const isAtFields = Object.keys(fields).length > 0 && rest.length === 0;
  return { fields, error: isAtFields ? "" : rest.join(" ") || explain(error) };
}

/**
 * @param {{ state: FormState, name: string, label: string, hint?: string, rows?: number } & Record<string, any>} props
 */
export function Field({ state, name, label, hint, rows, ...attributes }) {
  const error = state.fields[name];
  const described = [hint && `${name}-hint`, error && `${name}-error`].filter(Boolean).join(" ");
  const shared = { id: `${name}-field`, name, "aria-invalid": Boolean(error), "aria-describedby": described || null };
  return html`
    <div class="field ${error ? "field-bad" : ""}">
      <label for="${name}-field">${label}</label>
      ${rows
        ? html`<textarea ...${shared} rows=${rows} ...${attributes}></textarea>`
        : html`<input ...${shared} ...${attributes} />`}
      ${hint && html`<p class="hint" id="${name}-hint">${hint}</p>`}
      ${error && html`<p class="error" id="${name}-error" role="alert">${error}</p>`}
    </div>
  `;
}

/** @param {{ state: FormState }} props */
export function FormError({ state }) {
  return state.error ? html`<p class="form-error" role="alert">${state.error}</p>` : null;
}

/** @param {{ state: FormState, children: any, tone?: "bad" }} props */
export function Submit({ state, children, tone }) {
  return html`
    <button class="button ${tone === "bad" ? "button-bad" : "button-main"}" type="submit" aria-disabled=${state.isBusy}>
      ${state.isBusy ? "One moment…" : children}
    </button>
  `;
}
