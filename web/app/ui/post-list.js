// Lists that continue as they are scrolled.
import { useEffect, useRef } from "preact/hooks";
import { explain } from "../api/problem.js";
import { html } from "../html.js";
import { Mark } from "./icons.js";
import { FeedPost } from "./post-card.js";

/** The next page is read when the end is this near. */
const AHEAD = "1600px";

/**
 * A feed of posts (the ARIA pattern).
 * @param {{ list: import("../data/posts.js").PostList, label: string, empty: any }} props
 */
export function PostFeed({ list, label, empty }) {
  const items = list.items.value;
  return html`
    <div class="feed" role="feed" aria-label=${label} aria-busy=${list.phase.value === "loading"}>
      ${items.map((post, index) => html`<${FeedPost} key=${post.post_id} id=${post.post_id} position=${index + 1} />`)}
    </div>
    <${ListEnd} list=${list} empty=${empty} skeleton=${PostSkeleton} />
  `;
}

/**
 * What follows the items: the next page while it is read, an error with another try, or the end.
 * @param {{ list: import("../data/list.js").PagedList<any>, empty: any, skeleton?: any }} props
 */
export function ListEnd({ list, empty, skeleton: Skeleton = RowSkeleton }) {
  const { phase, isComplete, items, isLoaded } = list;
  /** @type {{ current: HTMLDivElement | null }} */
  const sentinel = useRef(null);
  useEffect(() => {
    const observer = new IntersectionObserver(
      ([entry]) => entry?.isIntersecting && list.phase.peek() === "idle" && list.more(),
      { rootMargin: AHEAD },
    );
    if (sentinel.current) observer.observe(sentinel.current);
    return () => observer.disconnect();
    // Observing again after each page reports whether the end is still near.
  }, [list, items.value.length, phase.value]);

  if (phase.value === "failed") {
    return html`
      <div class="list-end" role="alert">
        <p>${explain(list.error.value)}</p>
        <button class="button" onClick=${() => list.more()}>Try again</button>
      </div>
    `;
  }
  if (isComplete.value) {
    return items.value.length === 0 ? html`<div class="empty">${empty}</div>` : html`<div class="list-end list-done"><${Mark} /></div>`;
  }
  return html`
    <div ref=${sentinel} class="list-more" aria-hidden="true">
      ${Array.from({ length: isLoaded.value ? 2 : 6 }, (_, index) => html`<${Skeleton} key=${index} />`)}
    </div>
  `;
}

function PostSkeleton() {
  return html`
    <div class="post skeleton">
      <span class="avatar avatar-m bone"></span>
      <div class="post-main"><span class="bone bone-name"></span><span class="bone"></span><span class="bone bone-half"></span></div>
    </div>
  `;
}

export function RowSkeleton() {
  return html`
    <div class="row skeleton">
      <span class="avatar avatar-m bone"></span>
      <div class="row-main"><span class="bone bone-name"></span><span class="bone bone-half"></span></div>
    </div>
  `;
}
