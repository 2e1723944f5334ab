// A person: who they are, and their posts.
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import * as client from "../api/client.js";
import { Problem, explain } from "../api/problem.js";
import { session } from "../api/session.js";
import { onPublished } from "../data/outbox.js";
import { loadProfile, profileSignal } from "../data/people.js";
import { PostList } from "../data/posts.js";
import { html } from "../html.js";
import { remembered } from "../memory.js";
import { Avatar, tintOf } from "../ui/avatar.js";
import { EditProfile } from "../ui/edit-profile.js";
import { FollowButton } from "../ui/follow-button.js";
import { PostFeed } from "../ui/post-list.js";
import { Count } from "../ui/shell.js";
import { Text, plural } from "../ui/text.js";
import { month } from "../ui/time.js";
import { Head } from "../ui/view.js";

/** @import { Profile } from "../../types/model.d.ts" */

/** @param {{ place: import("../router.js").Place }} props */
export function ProfilePage({ place }) {
  const handle = place.params.handle ?? "";
  const { profile, error } = profileSignal(handle).value;
  useEffect(() => {
    loadProfile(handle);
  }, [place]);
  if (!profile) {
    return html`<${Head} title="@${handle}" name="@${handle}" back /><${NoProfile} handle=${handle} error=${error} />`;
  }
  return html`
    <${Head} title=${html`<bdi>${profile.display_name}</bdi>`} name="${profile.display_name} (@${handle})" back />
    <${Card} profile=${profile} />
    <${Story} profile=${profile} place=${place} />
  `;
}

/** @param {{ handle: string, error: unknown }} props */
export function NoProfile({ handle, error }) {
  if (!error) return html`<div class="cover bone"></div>`;
  if (error instanceof Problem && error.status === 404) {
    return html`<div class="empty"><h2>There is no @${handle}</h2><p>Check the spelling of the handle.</p></div>`;
  }
  return html`
    <div class="list-end" role="alert">
      <p>${explain(error)}</p>
      <button class="button" onClick=${() => loadProfile(handle)}>Try again</button>
    </div>
  `;
}

/** @param {{ profile: Profile }} props */
function Card({ profile }) {
  const isEditing = useSignal(false);
  const { handle } = profile;
  const isMe = profile.user_id === session.value?.user_id;
  return html`
    <section class="profile" aria-label="About">
      <div class="cover tint-${tintOf(handle)}"></div>
      <div class="profile-top">
        <${Avatar} user=${profile} size="xl" />
        ${isMe
          ? html`<button class="button" onClick=${() => (isEditing.value = true)}>Edit profile</button>`
          : html`<${FollowButton} handle=${handle} />`}
      </div>
      <p class="profile-name"><bdi>${profile.display_name}</bdi></p>
      <p class="profile-handle">
        @${handle} ${profile.follows_me && html`<span class="chip">Follows you</span>`}
      </p>
      ${profile.bio && html`<p class="profile-bio" dir="auto"><${Text} text=${profile.bio} /></p>`}
      <p class="profile-since">Here since ${month(profile.created_at)}</p>
      <p class="counts">
        <${Count} href="/@${handle}/following" count=${profile.following_count} label="following" />
        <${Count} href="/@${handle}/followers" count=${profile.followers_count} label=${plural(profile.followers_count, "follower", "followers")} />
        <span class="count"><b>${profile.posts_count}</b> ${plural(profile.posts_count, "post", "posts")}</span>
      </p>
    </section>
    ${isEditing.value && html`<${EditProfile} profile=${profile} onClose=${() => (isEditing.value = false)} />`}
  `;
}

/** @param {{ profile: Profile, place: import("../router.js").Place }} props */
function Story({ profile, place }) {
  const { user_id: user } = profile;
  const list = remembered(place.key, "story", () => new PostList((cursor) => client.story(user, cursor)));
  useEffect(
    () =>
      onPublished((post) => {
        if (post.author.user_id === user && list.isLoaded.peek()) list.prepend([post]);
      }),
    [list],
  );
  const name = profile.display_name;
  return html`<${PostFeed} list=${list} label="Posts by ${name}" empty=${html`<p>No posts yet.</p>`} />`;
}
