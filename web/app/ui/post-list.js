// Lists that continue as they are scrolled.
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { explain } from "../api/problem.js";
import { html } from "../html.js";
import { Chunks } from "./chunks.js";
import { Mark } from "./icons.js";
import { FeedPost } from "./post-card.js";

/** The next page is read when the end is this near. */
const AHEAD = "1600px";

/**
 * A feed of posts (the ARIA pattern).
 * @param {{ list: import("../data/posts.js").PostList, label: string, empty: any }} props
 */
export function PostFeed({ list, label, empty }) {
  /** @type {{ current: Chunks | null }} */
  const held = useRef(null);
  held.current ??= new Chunks();
  const chunks = held.current.group(list.items.value.map((post) => post.post_id));
  return html`
    <div class="feed" role="feed" aria-label=${label} aria-busy=${list.phase.value === "loading"}>
      ${chunks.map(({ key, ids, start }) => html`<${Chunk} key=${key} ids=${ids} start=${start} />`)}
    </div>
    <${ListEnd} list=${list} empty=${empty} skeleton=${PostSkeleton} />
  `;
}

/**
 * Some posts in a row; rendered again only if they or their place change.
 * @param {{ ids: string[], start: number }} props
 */
function Chunk({ ids, start }) {
  const first = useSignal(start);
  first.value = start;
  return ids.map((id, index) => html`<${FeedPost} key=${id} id=${id} first=${first} index=${index} />`);
}

/**
 * The end of a list: the next page while it is read, an error with another try, or nothing more.
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
    <div key=${items.value.length} ref=${sentinel} class="list-more" aria-hidden="true">
      ${Array.from({ length: isLoaded.value ? 3 : 6 }, (_, index) => html`<${Skeleton} key=${index} />`)}
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
