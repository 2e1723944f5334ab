// A path that leads nowhere.
import { html } from "../html.js";
import { Mark } from "../ui/icons.js";
import { Head } from "../ui/view.js";

export function Missing() {
  return html`
    <${Head} title="Nothing here" name="Not found" back />
    <div class="empty">
      <${Mark} />
      <h2>This page doesn’t exist</h2>
      <p>The address may be mistyped, or what was here has been deleted.</p>
      <a class="button button-main" href="/">Go home</a>
    </div>
  `;
}
