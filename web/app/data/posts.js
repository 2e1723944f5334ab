// Posts by id: every list shows the same signal, so that a like is seen wherever the post is.
import { signal } from "@preact/signals";
import * as client from "../api/client.js";
import { explain, Problem } from "../api/problem.js";
import { onForget } from "../memory.js";
import { announce, notify } from "../ui/notices.js";
import { PagedList } from "./list.js";

/** @import { Page, Post } from "../../types/model.d.ts" */
/** @typedef {import("@preact/signals").Signal<Post | null>} PostSignal Null for a post that is gone. */
/** @typedef {{ wanted: boolean, sent: boolean, until: number, running: boolean }} LikeState */

/** Milliseconds for which the service's counts may lag behind an own act. */
const COUNT_LAG = 6_000;

/** @type {Map<string, PostSignal>} */
const posts = new Map();
/** @type {Set<string>} Posts deleted here, which pages may still have for a while. */
const gone = new Set();
/** @type {Map<string, LikeState>} */
const likes = new Map();

/**
 * Stores what the service says of a post; an own like that is newer stays.
 * @param {Post} post
 * @returns {PostSignal}
 */
export function keepPost(post) {
  if (gone.has(post.post_id)) return postSignal(post.post_id);
  const held = posts.get(post.post_id);
  const like = likes.get(post.post_id);
  const local = held?.peek();
  const isLocal = like && local && (like.running || like.until > Date.now());
  const merged = isLocal ? { ...post, liked_by_me: local.liked_by_me, likes_count: local.likes_count } : post;
  if (!held) {
    const created = signal(/** @type {Post | null} */ (merged));
    posts.set(post.post_id, created);
    return created;
  }
  held.value = merged;
  return held;
}

// Likes are the viewer's own.
onForget(() => {
  posts.clear();
  likes.clear();
  gone.clear();
});

/** @param {string} id */
export function postSignal(id) {
  const held = posts.get(id) ?? signal(/** @type {Post | null} */ (null));
  posts.set(id, held);
  return held;
}

/**
 * Reads a post unless it is held.
 * @param {string} id
 */
export async function loadPost(id) {
  return posts.get(id)?.peek() ? postSignal(id) : keepPost(await client.post(id));
}

/** @param {string} id @param {Partial<Post>} changes */
export function changePost(id, changes) {
  const held = posts.get(id);
  if (held?.value) held.value = { ...held.value, ...changes };
}

/** @param {string} id @param {number} difference */
export function countComment(id, difference) {
  const post = posts.get(id)?.peek();
  if (post) changePost(id, { comments_count: Math.max(0, post.comments_count + difference) });
}

/**
 * Hides a post everywhere.
 * @param {string} id
 */
export function dropPost(id) {
  gone.add(id);
  const held = posts.get(id);
  if (held) held.value = null;
}

/**
 * Shows a post again whose deletion was undone or refused.
 * @param {Post} post
 */
export function revivePost(post) {
  gone.delete(post.post_id);
  keepPost(post);
}

/**
 * A list of posts whose snapshot has what is known now.
 * @extends {PagedList<Post>}
 */
export class PostList extends PagedList {
  /** @param {(cursor: string | null) => Promise<Page<Post>>} read */
  constructor(read) {
    super(
      async (/** @type {string | null} */ cursor) => {
        const page = await read(cursor);
        page.items.forEach(keepPost);
        return page;
      },
      (/** @type {Post} */ post) => post.post_id,
    );
  }

  /** @override @param {Post[]} items */
  prepend(items) {
    super.prepend(items);
    // An own post may be newer than others' posts that are not shown yet.
    this.items.value = this.items.value.toSorted((a, b) => (a.post_id < b.post_id ? 1 : -1));
  }

  /** @override */
  snapshot() {
    const snapshot = super.snapshot();
    return snapshot && { ...snapshot, items: snapshot.items.map((post) => postSignal(post.post_id).peek() ?? post) };
  }

  /** @override @param {{ items: Post[], cursor: string | null } | null} snapshot */
  restore(snapshot) {
    snapshot?.items.forEach(keepPost);
    return super.restore(snapshot);
  }
}

/**
 * Likes or unlikes at once on screen; the service hears the last wish, one request at a time.
 * @param {string} id
 */
export async function toggleLike(id) {
  const post = posts.get(id)?.peek();
  if (!post) return;
  const state = likes.get(id) ?? { wanted: post.liked_by_me, sent: post.liked_by_me, until: 0, running: false };
  likes.set(id, state);
  state.wanted = !post.liked_by_me;
  showLike(id, state.wanted);
  announce(state.wanted ? "Liked" : "Like removed");
  if (state.running) return;
  state.running = true;
  try {
    while (state.sent !== state.wanted) {
      const wish = state.wanted;
      await client.setLike(id, wish);
      state.sent = wish;
    }
  } catch (error) {
    state.wanted = state.sent;
    showLike(id, state.sent);
    if (error instanceof Problem && error.status === 404) dropPost(id);
    notify({ text: `The like was not saved. ${explain(error)}`, tone: "bad" });
  } finally {
    state.running = false;
    state.until = Date.now() + COUNT_LAG;
  }
}

/** @param {string} id @param {boolean} liked */
function showLike(id, liked) {
  const post = posts.get(id)?.peek();
  if (!post || post.liked_by_me === liked) return;
  changePost(id, { liked_by_me: liked, likes_count: Math.max(0, post.likes_count + (liked ? 1 : -1)) });
}
