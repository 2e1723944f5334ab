// Profiles by handle, and following.
import { signal } from "@preact/signals";
import * as client from "../api/client.js";
import { Problem, explain } from "../api/problem.js";
import { session } from "../api/session.js";
import { onForget } from "../memory.js";
import { announce, notify } from "../ui/notices.js";
import { outdateHome } from "./home.js";

/** @import { Profile } from "../../types/model.d.ts" */
/** @typedef {{ profile: Profile | null, error: unknown }} ProfileState */

/** @type {Map<string, import("@preact/signals").Signal<ProfileState>>} */
const profiles = new Map();
/** @type {Set<string>} Handles of follows that are being sent. */
const running = new Set();

onForget(() => profiles.clear());

/** @param {string} handle */
export function profileSignal(handle) {
  const held = profiles.get(handle) ?? signal(/** @type {ProfileState} */ ({ profile: null, error: null }));
  profiles.set(handle, held);
  return held;
}

/**
 * Reads a profile again; what is held stays visible meanwhile.
 * @param {string} handle
 */
export async function loadProfile(handle) {
  const held = profileSignal(handle);
  try {
    const isMe = handle === session.peek()?.handle;
    held.value = { profile: await client.profile(isMe ? "me" : `@${handle}`), error: null };
  } catch (error) {
    const isGone = error instanceof Problem && error.status === 404;
    held.value = { profile: isGone ? null : held.value.profile, error };
  }
}

/** @param {Profile} profile */
export function keepProfile(profile) {
  profileSignal(profile.handle).value = { profile, error: null };
}

/**
 * Follows or unfollows, on screen at once.
 * @param {string} handle
 */
export async function toggleFollow(handle) {
  const held = profileSignal(handle);
  const before = held.value.profile;
  if (!before || running.has(handle)) return;
  running.add(handle);
  const follows = !before.followed_by_me;
  show(handle, follows);
  try {
    await (follows ? client.follow(before.user_id) : client.unfollow(before.user_id));
    outdateHome();
    announce(follows ? `You follow ${before.display_name}` : `You no longer follow ${before.display_name}`);
  } catch (error) {
    show(handle, !follows);
    notify({ text: `${follows ? "Following" : "Unfollowing"} failed. ${explain(error)}`, tone: "bad" });
  } finally {
    running.delete(handle);
  }
}

/** @param {string} handle @param {boolean} follows */
function show(handle, follows) {
  const held = profileSignal(handle);
  const profile = held.value.profile;
  if (!profile) return;
  const followers_count = Math.max(0, profile.followers_count + (follows ? 1 : -1));
  held.value = { profile: { ...profile, followed_by_me: follows, followers_count }, error: null };
}
