// Everything that the service has about the caller, as a file.
import { useSignal } from "@preact/signals";
import * as client from "../api/client.js";
import { explain } from "../api/problem.js";
import { session } from "../api/session.js";
import { html } from "../html.js";

export function ExportData() {
  const count = useSignal(0);
  const state = useSignal(/** @type {"idle" | "running" | "done"} */ ("idle"));
  const error = useSignal("");
  const run = async () => {
    if (state.value === "running") return;
    state.value = "running";
    error.value = "";
    count.value = 0;
    try {
      const records = [];
      for (let cursor = /** @type {string | null} */ (null), isFirst = true; isFirst || cursor; isFirst = false) {
        const page = await client.exported(cursor);
        records.push(...page.items);
        count.value = records.length;
        cursor = page.next_cursor;
      }
      download(JSON.stringify(records, null, 2));
      state.value = "done";
    } catch (failure) {
      error.value = explain(failure);
      state.value = "idle";
    }
  };
  return html`
    <p>Your profile, posts, comments, likes, follows, notifications and sessions, as one JSON file.</p>
    <div class="form-foot">
      <button class="button button-main" aria-disabled=${state.value === "running"} onClick=${run}>Download</button>
      <span role="status" class="hint">
        ${state.value === "running" && `${count.value} records so far…`}
        ${state.value === "done" && `${count.value} records downloaded.`}
      </span>
    </div>
    ${error.value && html`<p class="form-error" role="alert">${error.value}</p>`}
  `;
}

/** @param {string} text */
function download(text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = `tweeter-${session.peek()?.handle}.json`;
  link.click();
  URL.revokeObjectURL(link.href);
}
