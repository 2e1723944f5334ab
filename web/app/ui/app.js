// The page: navigation around one view.
import { useEffect } from "preact/hooks";
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
import { ShortcutHelp } from "./shortcuts.js";

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
const Welcome = lazy(async () => (await import("../views/welcome.js")).Welcome);

export function App() {
  const user = session.value?.user_id;
  const handle = session.value?.handle;
  useEffect(() => {
    if (handle) loadProfile(handle);
    else forget();
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
        <${View} key=${place.value.key} place=${place.value} />
      </main>
      <${Aside} />
    </div>
    <${ComposeDialog} />
    <${ShortcutHelp} />
    <${Notices} />
  `;
}
