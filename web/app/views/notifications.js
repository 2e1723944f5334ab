// The acts of others that concern the caller.
import { useEffect } from "preact/hooks";
import { inbox, markShown, unread } from "../data/inbox.js";
import { loadPost, postSignal } from "../data/posts.js";
import { html } from "../html.js";
import { Avatar } from "../ui/avatar.js";
import { Icon } from "../ui/icons.js";
import { ListEnd } from "../ui/post-list.js";
import { Time } from "../ui/time.js";
import { Head } from "../ui/view.js";

/** @import { Notice, User } from "../../types/model.d.ts" */
/** @typedef {{ notice: Notice, actors: User[], isUnread: boolean }} Group Likes of one post, or follows, of one day. */

/** @param {{ place: import("../router.js").Place }} props */
export function Notifications({ place }) {
  useEffect(() => {
    inbox.reload();
  }, [place]);
  useEffect(() => {
    const mark = () => document.visibilityState === "visible" && inbox.isLoaded.peek() && markShown();
    mark();
    document.addEventListener("visibilitychange", mark);
    return () => document.removeEventListener("visibilitychange", mark);
  }, [inbox.items.value, unread.value]);
  return html`
    <${Head} title="Notifications" name="Notifications" />
    <ul class="rows" aria-label="Notifications">
      ${grouped(inbox.items.value).map((group) => html`<${Row} key=${group.notice.notification_id} group=${group} />`)}
    </ul>
    <${ListEnd} list=${inbox} empty=${html`<h2>Nothing yet</h2><p>Likes, comments and new followers appear here.</p>`} />
  `;
}

/** @param {Notice[]} notices @returns {Group[]} */
function grouped(notices) {
  /** @type {Map<string, Group>} */
  const groups = new Map();
  for (const notice of notices) {
    const day = notice.created_at.slice(0, 10);
    const key = notice.kind === "comment" ? notice.notification_id : [notice.kind, notice.post_id, notice.read, day].join();
    const group = groups.get(key);
    if (group) group.actors.push(notice.actor);
    else groups.set(key, { notice, actors: [notice.actor], isUnread: !notice.read });
  }
  return [...groups.values()];
}

/** @type {Record<Notice["kind"], { icon: string, text: string }>} */
const KINDS = {
  like: { icon: "heart", text: "liked your post" },
  comment: { icon: "comment", text: "commented on your post" },
  follow: { icon: "user", text: "followed you" },
};

/** @param {{ group: Group }} props */
function Row({ group: { notice, actors, isUnread } }) {
  const kind = KINDS[notice.kind];
  // A later version of the service may have kinds that this client does not know.
  if (!kind || !actors[0]) return null;
  const href = notice.post_id ? `/posts/${notice.post_id}` : `/@${actors[0].handle}`;
  return html`
    <li>
      <a class="row notice-row notice-${notice.kind}" href=${href} data-anchor=${notice.notification_id}>
        <span class="notice-icon"><${Icon} name=${kind.icon} filled=${notice.kind === "like"} /></span>
        <span class="row-main">
          <span class="faces">${actors.slice(0, 6).map((actor) => html`<${Avatar} key=${actor.user_id} user=${actor} size="s" />`)}</span>
          <span><b><bdi>${actors[0].display_name}</bdi></b>${others(actors.length - 1)} ${kind.text}</span>
          ${notice.post_id && html`<${Excerpt} id=${notice.post_id} />`}
        </span>
        <span class="row-end">
          ${isUnread && html`<span class="dot"><span class="hidden">Unread</span></span>`}
          <${Time} at=${notice.created_at} />
        </span>
      </a>
    </li>
  `;
}

/** @param {number} count */
function others(count) {
  if (count === 0) return "";
  return count === 1 ? " and 1 other" : ` and ${count} others`;
}

/** @param {{ id: string }} props */
function Excerpt({ id }) {
  const post = postSignal(id).value;
  useEffect(() => {
    loadPost(id).catch(() => {
      // The post is gone; the row says what happened without it.
    });
  }, [id]);
  return html`<span class="excerpt" dir="auto">${post ? post.text : "\u00a0"}</span>`;
}
