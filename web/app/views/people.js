// The followers of a user, or the followed users.
import { useEffect } from "preact/hooks";
import * as client from "../api/client.js";
import { PagedList } from "../data/list.js";
import { loadProfile, profileSignal } from "../data/people.js";
import { html } from "../html.js";
import { remembered } from "../memory.js";
import { Avatar } from "../ui/avatar.js";
import { ListEnd } from "../ui/post-list.js";
import { Head } from "../ui/view.js";
import { NoProfile } from "./profile.js";

/** @import { Follow, User } from "../../types/model.d.ts" */

/** @param {{ place: import("../router.js").Place }} props */
export function People({ place }) {
  const { handle = "", list = "" } = place.params;
  const kind = list === "followers" ? "followers" : "following";
  const { profile, error } = profileSignal(handle).value;
  useEffect(() => {
    if (!profile) loadProfile(handle);
  }, [handle]);
  if (!profile) {
    return html`<${Head} title="@${handle}" name="@${handle}" back /><${NoProfile} handle=${handle} error=${error} />`;
  }
  const name = `${kind === "followers" ? "Followers" : "Followed"} · @${handle}`;
  return html`
    <${Head} title=${html`<bdi>${profile.display_name}</bdi>`} name=${name} back />
    <nav class="tabs" aria-label="Lists">
      <a href="/@${handle}/followers" aria-current=${kind === "followers" ? "page" : null}>Followers</a>
      <a href="/@${handle}/following" aria-current=${kind === "following" ? "page" : null}>Following</a>
    </nav>
    <${PeopleList} user=${profile.user_id} kind=${kind} place=${place} />
  `;
}

/** @param {{ user: string, kind: "followers" | "following", place: import("../router.js").Place }} props */
function PeopleList({ user, kind, place }) {
  const list = remembered(place.key, kind, () => peopleOf(user, kind));
  const empty = kind === "followers" ? "No followers yet." : "Follows no one yet.";
  return html`
    <ul class="rows" aria-label=${kind === "followers" ? "Followers" : "Following"}>
      ${list.items.value.map((follow) => html`<${Person} key=${follow.user.user_id} user=${follow.user} />`)}
    </ul>
    <${ListEnd} list=${list} empty=${html`<p>${empty}</p>`} />
  `;
}

/** @param {string} user @param {"followers" | "following"} kind */
function peopleOf(user, kind) {
  return new PagedList(
    (cursor) => client.people(user, kind, cursor),
    (/** @type {Follow} */ follow) => follow.user.user_id,
  );
}

/** @param {{ user: User }} props */
function Person({ user }) {
  return html`
    <li>
      <a class="row" href="/@${user.handle}" data-anchor=${user.user_id}>
        <${Avatar} user=${user} />
        <span class="row-main"><b><bdi>${user.display_name}</bdi></b><span class="post-handle">@${user.handle}</span></span>
      </a>
    </li>
  `;
}
