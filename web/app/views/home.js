// The caller's feed.
import { useEffect } from "preact/hooks";
import { enterHome, fresh, hasMoreFresh, home, showFresh } from "../data/home.js";
import { publish } from "../data/outbox.js";
import { html } from "../html.js";
import { remembered } from "../memory.js";
import { Avatar } from "../ui/avatar.js";
import { Composer } from "../ui/composer.js";
import { Icon, Mark } from "../ui/icons.js";
import { OutgoingPosts } from "../ui/outgoing.js";
import { PostFeed } from "../ui/post-list.js";
import { Finder } from "../ui/shell.js";
import { plural } from "../ui/text.js";
import { Head } from "../ui/view.js";

/** @param {{ place: import("../router.js").Place }} props */
export function Home({ place }) {
  // Restores the feed of before a reload, unless it is held.
  remembered(place.key, "home", () => home);
  useEffect(() => {
    if (place.arrival === "push" || !home.isLoaded.peek()) enterHome();
  }, [place]);
  return html`
    <${Head} title="Home" name="Home"><div class="head-finder"><${Finder} /></div><//>
    <section class="compose-inline" aria-label="Write a post">
      <${Composer} name="inline" label="What’s happening?" button="Post" withPictures onSubmit=${publish} />
    </section>
    <${FreshPill} />
    <${OutgoingPosts} />
    <${PostFeed} list=${home} label="Home" empty=${html`<${Beginning} />`} />
  `;
}

/** The button that shows what has arrived; nothing moves until it is pressed. */
function FreshPill() {
  const count = fresh.value.length;
  if (count === 0) return null;
  const authors = new Map(fresh.value.map((post) => [post.author.user_id, post.author]));
  const show = () => {
    showFresh();
    scrollTo(0, 0);
    /** @type {HTMLElement | null} */ (document.querySelector("article[data-post]"))?.focus({ preventScroll: true });
  };
  return html`
    <div class="pill-place">
      <button class="pill" onClick=${show}>
        <${Icon} name="up" />
        <span class="faces">
          ${[...authors.values()].slice(0, 3).map((author) => html`<${Avatar} key=${author.user_id} user=${author} size="s" />`)}
        </span>
        ${count}${hasMoreFresh.value ? "+" : ""} new ${plural(count, "post", "posts")}
      </button>
    </div>
  `;
}

function Beginning() {
  return html`
    <${Mark} />
    <h2>It’s quiet here, for now</h2>
    <p>Write your first post, or follow someone: their posts appear here as they are written.</p>
    <${Finder} />
  `;
}
