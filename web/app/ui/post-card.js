// A post in a list.
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import * as client from "../api/client.js";
import { session } from "../api/session.js";
import { deleteLater } from "../data/deletions.js";
import { dropPost, postSignal, revivePost, toggleLike } from "../data/posts.js";
import { html } from "../html.js";
import { navigate } from "../router.js";
import { Avatar } from "./avatar.js";
import { Icon } from "./icons.js";
import { Menu } from "./menu.js";
import { notify } from "./notices.js";
import { Pictures } from "./pictures.js";
import { Text, compact, plural } from "./text.js";
import { Time } from "./time.js";
import { watchDistance } from "./distance.js";

/** @import { Post } from "../../types/model.d.ts" */

/**
 * A post that becomes one plain element while it is far from the screen: a feed of thousands stays light, and its text
 * can still be found.
 * @param {{ id: string, first: import("@preact/signals").Signal<number>, index: number }} props Its position in the feed is
 *   that of its chunk and its index there.
 */
export function FeedPost({ id, first, index }) {
  const post = postSignal(id).value;
  const farHeight = useSignal(0);
  /** @type {{ current: HTMLElement | null }} */
  const element = useRef(null);
  useEffect(() => {
    if (!element.current) return undefined;
    return watchDistance(element.current, (isNear, height) => (farHeight.value = isNear ? 0 : height));
  }, [post === null]);
  if (!post) return null;
  const isFar = farHeight.value > 0;
  return html`
    <article
      ref=${element}
      class="post ${isFar ? "post-far" : ""}"
      style=${{ height: isFar ? `${farHeight.value}px` : "" }}
      data-anchor=${id}
      data-post=${id}
      tabindex="0"
      aria-posinset=${isFar ? null : first.value + index}
      aria-setsize="-1"
      aria-labelledby=${isFar ? null : `by-${id}`}
      aria-describedby=${isFar ? null : `text-${id}`}
      onClick=${openOnClick}
      onKeyDown=${openOnEnter}
    >
      ${isFar ? `${post.author.display_name}: ${post.text}` : html`<${PostContent} post=${post} />`}
    </article>
  `;
}

/** @param {{ post: Post }} props */
function PostContent({ post }) {
  const { author, post_id: id } = post;
  return html`
    <a class="post-avatar" href="/@${author.handle}" tabindex="-1" aria-hidden="true"><${Avatar} user=${author} /></a>
    <div class="post-main">
      <div class="post-head">
        <a class="post-name" id="by-${id}" href="/@${author.handle}"><bdi>${author.display_name}</bdi></a>
        <span class="post-handle">@${author.handle}</span>
        <a class="post-time" href="/posts/${id}"><${Time} at=${post.created_at} /></a>
        <${PostMenu} post=${post} />
      </div>
      ${post.text && html`<p class="post-text" id="text-${id}" dir="auto"><${Text} text=${post.text} /></p>`}
      <${Pictures} media=${post.media} />
      <${PostActions} post=${post} />
    </div>
  `;
}

/** @param {{ post: Post }} props */
export function PostActions({ post }) {
  const { post_id: id, likes_count: likes, comments_count: comments, liked_by_me: isLiked } = post;
  return html`
    <div class="post-actions">
      <a
        class="action action-comment"
        href="/posts/${id}"
        aria-label=${`${comments} ${plural(comments, "comment", "comments")}`}
      >
        <${Icon} name="comment" /><span aria-hidden="true">${comments > 0 ? compact(comments) : ""}</span>
      </a>
      <button
        class="action action-like"
        aria-pressed=${isLiked}
        aria-label=${`Like, ${likes} ${plural(likes, "like", "likes")}`}
        data-like=${id}
        onClick=${() => toggleLike(id)}
      >
        <${Icon} name="heart" filled=${isLiked} /><span aria-hidden="true">${likes > 0 ? compact(likes) : ""}</span>
      </button>
    </div>
  `;
}

/** @param {{ post: Post, onDeleted?: () => void }} props */
export function PostMenu({ post, onDeleted }) {
  const commands = [{ label: "Copy link", icon: "link", run: () => copyLink(post.post_id) }];
  if (post.author.user_id === session.value?.user_id) {
    const run = () => {
      deletePost(post);
      onDeleted?.();
    };
    commands.push(/** @type {any} */ ({ label: "Delete post", icon: "trash", tone: "bad", run }));
  }
  return html`<${Menu} label="More about this post" commands=${commands} />`;
}

/** @param {Post} post */
function deletePost(post) {
  deleteLater({
    text: "Post deleted.",
    hide: () => dropPost(post.post_id),
    show: () => revivePost(post),
    send: (keepalive) => client.deletePost(post.post_id, keepalive),
  });
}

/** @param {string} id */
async function copyLink(id) {
  try {
    await navigator.clipboard.writeText(new URL(`/posts/${id}`, location.href).href);
    notify({ text: "Link copied." });
  } catch {
    notify({ text: "The browser did not allow copying. The link is in the post’s time.", tone: "bad" });
  }
}

/** @param {MouseEvent & { currentTarget: HTMLElement }} event */
function openOnClick(event) {
  const target = /** @type {Element} */ (event.target);
  if (target.closest("a, button, input, textarea, dialog, [role=menu]") || getSelection()?.toString()) return;
  if (event.defaultPrevented || event.button !== 0) return;
  open(event.currentTarget);
}

/** @param {KeyboardEvent & { currentTarget: HTMLElement }} event */
function openOnEnter(event) {
  if (event.key === "Enter" && event.target === event.currentTarget) open(event.currentTarget);
}

/** @param {HTMLElement} article */
function open(article) {
  navigate(`/posts/${article.dataset.post}`);
}
