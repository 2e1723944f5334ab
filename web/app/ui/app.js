// The page: navigation around one view.
import { useEffect, useRef } from "preact/hooks";
import { session } from "../api/session.js";
import { loadProfile } from "../data/people.js";
import { html } from "../html.js";
import { forget } from "../memory.js";
import { place } from "../router.js";
import { Home } from "../views/home.js";
import { ComposeDialog } from "./compose-dialog.js";
import { lazy, loadIdly } from "./lazy.js";
import { Notices } from "./notices.js";
import { Aside, ConnectionBar, Navigation } from "./shell.js";
import { helping } from "./shortcuts.js";

/** @type {Record<string, any>} */
const VIEWS = {
  home: Home,
  post: lazy(async () => (await import("../views/post.js")).PostPage),
  profile: lazy(async () => (await import("../views/profile.js")).ProfilePage),
  people: lazy(async () => (await import("../views/people.js")).People),
  notifications: lazy(async () => (await import("../views/notifications.js")).Notifications),
  settings: lazy(async () => (await import("../views/settings.js")).Settings),
  missing: lazy(async () => (await import("../views/missing.js")).Missing),
};
const ShortcutHelp = lazy(async () => (await import("./shortcut-help.js")).ShortcutHelp);
const Welcome = lazy(async () => (await import("../views/welcome.js")).Welcome);

export function App() {
  const user = session.value?.user_id;
  const handle = session.value?.handle;
  const previous = useRef(user);
  if (previous.current !== user) {
    previous.current = user;
    forget();
  }
  useEffect(() => {
    if (handle) loadProfile(handle);
  }, [user]);
  useEffect(loadIdly, []);
  if (!user) {
    return html`<${ConnectionBar} /><${Welcome} /><${Notices} />`;
  }
  // Pages for visitors lead a user who is logged in to the feed.
  const View = VIEWS[place.value.view] ?? Home;
  return html`
    <a class="skip" href="#main">Skip to the content</a>
    <${ConnectionBar} />
    <div class="shell">
      <${Navigation} />
      <main id="main" class="column" tabindex="-1">
        <${View} key=${`${user} ${place.value.key}`} place=${place.value} />
      </main>
      <${Aside} />
    </div>
    <${ComposeDialog} />
    ${helping.value && html`<${ShortcutHelp} onClose=${() => (helping.value = false)} />`}
    <${Notices} />
  `;
}
