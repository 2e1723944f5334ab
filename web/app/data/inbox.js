// Notifications, and the number of unread ones in every tab.
import { effect, signal } from "@preact/signals";
import * as client from "../api/client.js";
import { session } from "../api/session.js";
import { coalesced } from "../coalesce.js";
import { broadcast, onBroadcast } from "../tabs.js";
import { PagedList } from "./list.js";
import { onLive } from "./live.js";

/** @import { Notice } from "../../types/model.d.ts" */

/** Unread notifications; the service's number, but 0 from the moment they are shown. */
export const unread = signal(0);
/** Milliseconds for which the service's number may still have what was marked as read. */
const COUNT_LAG = 6_000;

/** @type {PagedList<Notice>} */
export const inbox = new PagedList(
  async (cursor) => {
    const page = await client.notifications(cursor);
    if (cursor === null) count(page.unread_count, page.items);
    return page;
  },
  (notice) => notice.notification_id,
);

/** The newest notification that was shown here or in another tab. */
let readUpTo = "";
let readAt = 0;

/** @param {number} counted @param {Notice[]} items */
function count(counted, items) {
  const unseen = items.filter((notice) => !notice.read && notice.notification_id > readUpTo).length;
  // The service counts with a lag: soon after reading only what is on the page is certain.
  unread.value = Date.now() - readAt < COUNT_LAG ? unseen : counted;
}

/** Reads the first page: for the badge, and for what is new in the list. */
export const checkInbox = coalesced(async () => {
  const page = await client.notifications(null);
  count(page.unread_count, page.items);
  const newest = inbox.items.peek()[0]?.notification_id ?? "";
  if (inbox.isLoaded.peek()) inbox.prepend(page.items.filter((notice) => notice.notification_id > newest));
});

/**
 * Marks everything shown as read, here and in the other tabs.
 */
export async function markShown() {
  const newest = inbox.items.peek()[0];
  if (!newest || (unread.peek() === 0 && newest.notification_id <= readUpTo)) return;
  const upTo = newest.notification_id;
  clear(upTo);
  broadcast({ kind: "read", upTo });
  try {
    await client.markRead(upTo);
  } catch {
    // The badge is right again after the next visit.
  }
}

/** @param {string} upTo */
function clear(upTo) {
  if (upTo > readUpTo) readUpTo = upTo;
  readAt = Date.now();
  unread.value = 0;
}

export function startInbox() {
  onLive("hello", checkInbox);
  onLive("notification", checkInbox);
  onBroadcast((message) => message.kind === "read" && clear(message.upTo));
  /** @type {string | undefined} */
  let user;
  effect(() => {
    if (session.value?.user_id === user) return;
    user = session.value?.user_id;
    inbox.clear();
    unread.value = 0;
    readUpTo = "";
    if (user) checkInbox();
  });
}
