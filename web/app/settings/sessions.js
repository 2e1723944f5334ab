// Where the account is logged in.
import { useEffect, useRef } from "preact/hooks";
import * as client from "../api/client.js";
import { explain } from "../api/problem.js";
import { end } from "../api/session.js";
import { PagedList } from "../data/list.js";
import { html } from "../html.js";
import { navigate } from "../router.js";
import { Icon } from "../ui/icons.js";
import { notify } from "../ui/notices.js";
import { ListEnd } from "../ui/post-list.js";
import { Time } from "../ui/time.js";

/** @import { SessionEntry } from "../../types/model.d.ts" */

export function Sessions() {
  /** @type {{ current: PagedList<SessionEntry> }} */
  const held = useRef(new PagedList(client.sessions, (entry) => entry.session_id));
  const list = held.current;
  useEffect(() => () => list.clear(), []);
  const close = async (/** @type {string} */ id) => {
    try {
      await client.endSession(id);
      list.remove(id);
      notify({ text: "Session ended." });
    } catch (error) {
      notify({ text: explain(error), tone: "bad" });
    }
  };
  return html`
    <p>A session that you end stops working within 15 minutes.</p>
    <ul class="rows rows-boxed" aria-label="Sessions">
      ${list.items.value.map(
        (entry) => html`
          <li key=${entry.session_id} class="row row-plain">
            <span class="row-main">
              <b>${device(entry.user_agent)} ${entry.current && html`<span class="chip">This one</span>`}</b>
              <span class="hint">Last used <${Time} at=${entry.last_used_at} long /></span>
            </span>
            ${!entry.current &&
            html`<button class="button" aria-label="End ${device(entry.user_agent)}" onClick=${() => close(entry.session_id)}>End</button>`}
          </li>
        `,
      )}
    </ul>
    <${ListEnd} list=${list} empty=${html`<p>No sessions.</p>`} />
  `;
}

/** @param {string | null} agent */
function device(agent) {
  if (!agent) return "Unknown client";
  const browser = /(Firefox|Edg|OPR|Chrome|Safari)\//.exec(agent)?.[1];
  const system = /(Windows|Android|iPhone|iPad|Mac OS X|Linux)/.exec(agent)?.[1];
  const names = /** @type {Record<string, string>} */ ({ Edg: "Edge", OPR: "Opera" });
  return browser && system ? `${names[browser] ?? browser} on ${system.replace("Mac OS X", "macOS")}` : agent.slice(0, 60);
}

export function LogOut() {
  const logOut = async () => {
    try {
      await client.logOut();
    } catch {
      // Logged out here all the same; the tokens expire by themselves.
    }
    end();
    navigate("/login");
  };
  return html`<button class="button" onClick=${logOut}><${Icon} name="door" />Log out</button>`;
}
