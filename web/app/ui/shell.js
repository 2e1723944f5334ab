// The frame of a view: navigation, the column beside it, the state of the connection.
import { useSignal } from "@preact/signals";
import { connection } from "../api/connection.js";
import { session } from "../api/session.js";
import { unread } from "../data/inbox.js";
import { profileSignal } from "../data/people.js";
import { html } from "../html.js";
import { navigate, place } from "../router.js";
import { Avatar } from "./avatar.js";
import { composing } from "./compose-dialog.js";
import { Icon, Mark } from "./icons.js";
import { helping } from "./shortcuts.js";
import { compact, plural } from "./text.js";

export function Navigation() {
  const me = profileSignal(session.value?.handle ?? "").value.profile;
  const mine = `/@${session.value?.handle}`;
  const count = unread.value;
  return html`
    <nav class="nav" aria-label="Main">
      <a class="brand" href="/" aria-label="Tweeter, home"><${Mark} /><span class="brand-name">Tweeter</span></a>
      <${NavLink} href="/" icon="home" label="Home" />
      <${NavLink} href="/notifications" icon="bell" label="Notifications" count=${count} />
      <${NavLink} href=${mine} icon="user" label="Profile" />
      <${NavLink} href="/settings" icon="gear" label="Settings" />
      <button class="button button-main nav-compose" aria-label="New post" onClick=${() => (composing.value = true)}>
        <${Icon} name="pen" /><span>New post</span>
      </button>
      ${me &&
      html`
        <a class="nav-me" href=${mine} tabindex="-1" aria-hidden="true">
          <${Avatar} user=${me} size="s" />
          <span class="nav-me-names"><b><bdi>${me.display_name}</bdi></b><span>@${me.handle}</span></span>
        </a>
      `}
    </nav>
  `;
}

/** @param {{ href: string, icon: string, label: string, count?: number }} props */
function NavLink({ href, icon, label, count = 0 }) {
  const { path } = place.value;
  const isCurrent = path === href || (href === "/settings" && path.startsWith("/settings/"));
  return html`
    <a class="nav-link" href=${href} aria-current=${isCurrent ? "page" : null}>
      <span class="nav-icon">
        <${Icon} name=${icon} />
        ${count > 0 && html`<span class="badge" aria-hidden="true">${count > 99 ? "99+" : count}</span>`}
      </span>
      <span class="nav-label">${label}</span>
      ${count > 0 && html`<span class="hidden">${count} unread</span>`}
    </a>
  `;
}

export function Aside() {
  const me = profileSignal(session.value?.handle ?? "").value.profile;
  return html`
    <aside class="aside" aria-label="More">
      <${Finder} />
      ${me &&
      html`
        <section class="card" aria-label="You">
          <div class="card-cover tint-cover"></div>
          <a class="card-me" href="/@${me.handle}"><${Avatar} user=${me} size="l" /><b><bdi>${me.display_name}</bdi></b></a>
          <div class="card-counts">
            <${Count} href="/@${me.handle}" count=${me.posts_count} label=${plural(me.posts_count, "post", "posts")} />
            <${Count} href="/@${me.handle}/followers" count=${me.followers_count} label=${plural(me.followers_count, "follower", "followers")} />
            <${Count} href="/@${me.handle}/following" count=${me.following_count} label="following" />
          </div>
        </section>
      `}
      <p class="aside-foot">
        <button class="text-button" onClick=${() => (helping.value = true)}>Keyboard shortcuts <kbd>?</kbd></button>
      </p>
    </aside>
  `;
}

/** @param {{ href: string, count: number, label: string }} props */
export function Count({ href, count, label }) {
  return html`<a class="count" href=${href}><b>${compact(count)}</b> ${label}</a>`;
}

/** Goes to a person by handle. */
export function Finder() {
  const error = useSignal("");
  const onSubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const field = /** @type {any} */ (event.currentTarget).elements.handle;
    const handle = field.value.trim().replace(/^@/, "").toLowerCase();
    if (!/^[a-z0-9_]{3,30}$/.test(handle)) {
      error.value = "A handle has 3 to 30 letters, digits or _.";
      return;
    }
    error.value = "";
    field.value = "";
    navigate(`/@${handle}`);
  };
  return html`
    <form class="finder" role="search" onSubmit=${onSubmit}>
      <${Icon} name="search" />
      <input name="handle" class="finder-field" aria-label="Find someone by handle" placeholder="Find someone: @handle" autocomplete="off" autocapitalize="none" spellcheck="false" />
      ${error.value && html`<p class="error" role="alert">${error.value}</p>`}
    </form>
  `;
}

/** @type {Record<string, string>} */
const STATES = {
  slow: "The network is slow. Tweeter is still trying.",
  offline: "You’re offline, or Tweeter can’t be reached. Trying again…",
};

export function ConnectionBar() {
  const text = STATES[connection.value];
  return html`<div class="connection" role="status">${text && html`<p class="connection-${connection.value}">${text}</p>`}</div>`;
}
