// Posts that the service has not confirmed.
import { session } from "../api/session.js";
import { discard, outbox, retry } from "../data/outbox.js";
import { profileSignal } from "../data/people.js";
import { html } from "../html.js";
import { Avatar } from "./avatar.js";
import { Icon } from "./icons.js";

/** @import { Outgoing } from "../../types/model.d.ts" */

export function OutgoingPosts() {
  return outbox.value.map((outgoing) => html`<${OutgoingPost} key=${outgoing.key} outgoing=${outgoing} />`);
}

/** @param {{ outgoing: Outgoing }} props */
function OutgoingPost({ outgoing }) {
  const { key, text, media, state, reason } = outgoing;
  const me = profileSignal(session.value?.handle ?? "").value.profile;
  return html`
    <article class="post outgoing outgoing-${state}" aria-label="A post of yours that is not published yet">
      ${me && html`<${Avatar} user=${me} />`}
      <div class="post-main">
        ${me && html`<div class="post-head"><span class="post-name"><bdi>${me.display_name}</bdi></span></div>`}
        <p class="post-text" dir="auto">${text}</p>
        ${media.length > 0 && html`<p class="hint">With ${media.length === 1 ? "a picture" : `${media.length} pictures`}</p>`}
        <div class="outgoing-state">
          <${Icon} name=${state === "failed" ? "alert" : "wait"} />
          <span>${state === "sending" ? "Publishing…" : `Not published yet. ${reason ?? ""}`}</span>
          ${state !== "sending" &&
          html`
            <button class="text-button" onClick=${() => retry(key)}>Try now</button>
            <button class="text-button" onClick=${() => discard(key)}>Discard</button>
          `}
        </div>
      </div>
    </article>
  `;
}
