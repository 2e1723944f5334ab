// The caller's feed, and what has arrived since it was read.
import { effect, signal } from "@preact/signals";
import * as client from "../api/client.js";
import { session } from "../api/session.js";
import { coalesced } from "../coalesce.js";
import { announce } from "../ui/notices.js";
import { PostList, keepPost } from "./posts.js";
import { onLive } from "./live.js";

/** @import { Page, Post } from "../../types/model.d.ts" */

/** The feed; the same in all entries of the history. */
export const home = new (class extends PostList {
  /** Nothing: what is new is offered, not shown. */
  async refresh() {}
})(client.feed);
/** @type {import("@preact/signals").Signal<Post[]>} New posts that the feed does not show yet, newest first. */
export const fresh = signal([]);
/** Whether the service has more new posts than one page. */
export const hasMoreFresh = signal(false);

/** @type {Page<Post> | null} The page that `fresh` is from. */
let newest = null;
let isStale = false;

/** Reads the first page to see what is new. A hidden tab does so when it is shown again. */
export const checkForNew = coalesced(async () => {
  if (home.isLoaded.peek() && document.visibilityState === "visible") offer(await client.feed(null));
});

/** @param {Page<Post>} page */
function offer(page) {
  page.items.forEach(keepPost);
  newest = page;
  const oldest = home.isComplete.peek() ? "" : (home.items.peek().at(-1)?.post_id ?? "");
  const added = page.items.filter((post) => post.post_id > oldest && !home.has(post.post_id));
  const own = added.filter((post) => post.author.user_id === session.peek()?.user_id);
  // An own post, from another tab or device, is no news.
  if (own.length > 0 && own.length === added.length) {
    home.prepend(own);
    fresh.value = [];
    return;
  }
  const known = fresh.peek().length;
  fresh.value = added;
  hasMoreFresh.value = added.length > 0 && added.length === page.items.length && page.next_cursor !== null;
  if (added.length > known) announce(`${added.length} new ${added.length === 1 ? "post" : "posts"}`);
}

/** Puts the new posts on top. */
export function showFresh() {
  if (newest && hasMoreFresh.peek()) home.replace(newest);
  else home.prepend(fresh.peek());
  fresh.value = [];
  hasMoreFresh.value = false;
}

/** The user came to the feed by a link: it begins with what is newest. */
export async function enterHome() {
  if (!home.isLoaded.peek() || isStale) {
    isStale = false;
    await home.reload();
  } else {
    showFresh();
    checkForNew();
  }
}

/** Makes the next visit read the feed again: the followed people have changed. */
export function outdateHome() {
  isStale = true;
}

export function startHome() {
  onLive("hello", checkForNew);
  onLive("feed", (event) => {
    if (event.reload || !home.has(event.post_id)) checkForNew();
  });
  let user = session.peek()?.user_id;
  effect(() => {
    if (session.value?.user_id === user) return;
    user = session.value?.user_id;
    home.clear();
    fresh.value = [];
  });
}
