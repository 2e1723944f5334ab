// One post with its comments.
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import * as client from "../api/client.js";
import { Problem, explain } from "../api/problem.js";
import { session } from "../api/session.js";
import { deleteLater } from "../data/deletions.js";
import { PagedList } from "../data/list.js";
import { countComment, keepPost, postSignal } from "../data/posts.js";
import { html } from "../html.js";
import { remembered } from "../memory.js";
import { goBack } from "../router.js";
import { Avatar } from "../ui/avatar.js";
import { Composer } from "../ui/composer.js";
import { Menu } from "../ui/menu.js";
import { announce } from "../ui/notices.js";
import { Pictures } from "../ui/pictures.js";
import { PostActions, PostMenu } from "../ui/post-card.js";
import { ListEnd } from "../ui/post-list.js";
import { Text, plural } from "../ui/text.js";
import { Time } from "../ui/time.js";
import { Head } from "../ui/view.js";

/** @import { Comment, Post } from "../../types/model.d.ts" */

/** @param {{ place: import("../router.js").Place }} props */
export function PostPage({ place }) {
  const id = place.params.id ?? "";
  const post = postSignal(id).value;
  const error = useSignal(/** @type {unknown} */ (null));
  const load = async () => {
    error.value = null;
    try {
      keepPost(await client.post(id));
    } catch (failure) {
      error.value = failure;
    }
  };
  useEffect(() => {
    load();
  }, [id]);

  if (!post) return html`<${Head} title="Post" name="Post" back /><${Absent} error=${error.value} again=${load} />`;
  return html`
    <${Head} title="Post" name=${`${post.author.display_name}: ${post.text.slice(0, 60)}`} back />
    <${MainPost} post=${post} />
    <${Comments} post=${post} place=${place} />
  `;
}

/** @param {{ error: unknown, again: () => void }} props */
function Absent({ error, again }) {
  if (!error) return html`<div class="list-more"></div>`;
  if (error instanceof Problem && error.status === 404) {
    return html`<div class="empty"><h2>This post is gone</h2><p>It was deleted, or never existed.</p></div>`;
  }
  return html`
    <div class="list-end" role="alert">
      <p>${explain(error)}</p>
      <button class="button" onClick=${again}>Try again</button>
    </div>
  `;
}

/** @param {{ post: Post }} props */
function MainPost({ post }) {
  const { author, post_id: id } = post;
  return html`
    <article class="post-large" data-post=${id} data-anchor=${id} tabindex="0" aria-labelledby="by-${id}">
      <div class="post-large-head">
        <a href="/@${author.handle}" tabindex="-1" aria-hidden="true"><${Avatar} user=${author} /></a>
        <div class="names">
          <a class="post-name" id="by-${id}" href="/@${author.handle}"><bdi>${author.display_name}</bdi></a>
          <span class="post-handle">@${author.handle}</span>
        </div>
        <${PostMenu} post=${post} onDeleted=${goBack} />
      </div>
      ${post.text && html`<p class="post-text" dir="auto"><${Text} text=${post.text} /></p>`}
      <${Pictures} media=${post.media} />
      <p class="post-when"><${Time} at=${post.created_at} long /></p>
      <${PostActions} post=${post} />
    </article>
  `;
}

/** @param {{ post: Post, place: import("../router.js").Place }} props */
function Comments({ post, place }) {
  const id = post.post_id;
  /** @type {PagedList<Comment>} */
  const list = remembered(place.key, "comments", () => commentsOf(id));
  const hidden = useSignal(/** @type {string[]} */ ([]));
  const send = async (/** @type {string} */ text) => {
    const comment = await client.comment(id, text);
    list.prepend([comment]);
    countComment(id, 1);
    announce("Your comment is published");
  };
  const remove = (/** @type {Comment} */ comment) =>
    deleteLater({
      text: "Comment deleted.",
      hide: () => {
        hidden.value = [...hidden.value, comment.comment_id];
        countComment(id, -1);
      },
      show: () => {
        hidden.value = hidden.value.filter((other) => other !== comment.comment_id);
        countComment(id, 1);
      },
      send: (keepalive) => client.deleteComment(id, comment.comment_id, keepalive),
    });
  const shown = list.items.value.filter((comment) => !hidden.value.includes(comment.comment_id));
  return html`
    <section class="comments" aria-label="Comments">
      <${Composer} name="comment-${id}" label="Write a comment" button="Comment" onSubmit=${send} />
      <h2 class="hidden">${post.comments_count} ${plural(post.comments_count, "comment", "comments")}</h2>
      ${shown.map(
        (comment) => html`<${CommentRow} key=${comment.comment_id} comment=${comment} post=${post} remove=${remove} />`,
      )}
      <${ListEnd} list=${list} empty=${html`<p>No comments yet.</p>`} />
    </section>
  `;
}

/** @param {string} id */
function commentsOf(id) {
  return new PagedList(
    (cursor) => client.comments(id, cursor),
    (/** @type {Comment} */ comment) => comment.comment_id,
  );
}

/** @param {{ comment: Comment, post: Post, remove: (comment: Comment) => void }} props */
function CommentRow({ comment, post, remove }) {
  const { author, comment_id: id } = comment;
  const me = session.value?.user_id;
  const isDeletable = author.user_id === me || post.author.user_id === me;
  const commands = [{ label: "Delete comment", icon: "trash", tone: /** @type {const} */ ("bad"), run: () => remove(comment) }];
  return html`
    <article class="post comment" data-anchor=${id} aria-labelledby="by-${id}" aria-describedby="text-${id}">
      <a class="post-avatar" href="/@${author.handle}" tabindex="-1" aria-hidden="true"><${Avatar} user=${author} size="s" /></a>
      <div class="post-main">
        <div class="post-head">
          <a class="post-name" id="by-${id}" href="/@${author.handle}"><bdi>${author.display_name}</bdi></a>
          <span class="post-handle">@${author.handle}</span>
          <span class="post-time"><${Time} at=${comment.created_at} /></span>
          ${isDeletable && html`<${Menu} label="More about this comment" commands=${commands} />`}
        </div>
        <p class="post-text" id="text-${id}" dir="auto"><${Text} text=${comment.text} /></p>
      </div>
    </article>
  `;
}
