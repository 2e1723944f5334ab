// Follow and unfollow.
import { profileSignal, toggleFollow } from "../data/people.js";
import { html } from "../html.js";

/** @param {{ handle: string }} props */
export function FollowButton({ handle }) {
  const { profile } = profileSignal(handle).value;
  if (!profile || profile.followed_by_me === undefined) return null;
  const follows = profile.followed_by_me;
  return html`
    <button
      class="button ${follows ? "follow-on" : "button-main"}"
      aria-label=${follows ? `Following ${profile.display_name}. Unfollow` : `Follow ${profile.display_name}`}
      onClick=${() => toggleFollow(handle)}
    >
      ${follows ? html`<span class="follow-is">Following</span><span class="follow-end">Unfollow</span>` : "Follow"}
    </button>
  `;
}
