// The scroll position of a view, kept by what is on screen: heights above it may differ when the view is shown again.

/** @typedef {{ y: number, anchor: string, offset: number }} Position */

/** Frames in which a restored position is corrected while heights settle. */
const SETTLE = 12;
/** Milliseconds to wait for the anchor, which may have to be read from the service. */
const PATIENCE = 4_000;
const HANDS_ON = ["wheel", "touchstart", "keydown", "pointerdown"];

/** The number of the latest restoration; earlier ones stop. */
let latest = 0;

/** @returns {Position} */
export function readPosition() {
  for (const element of document.querySelectorAll("[data-anchor]")) {
    const { top, bottom } = element.getBoundingClientRect();
    if (bottom > 60) {
      return { y: scrollY, anchor: element.getAttribute("data-anchor") ?? "", offset: top };
    }
  }
  return { y: scrollY, anchor: "", offset: 0 };
}

/**
 * Scrolls to a position as soon as its anchor is there.
 * @param {Position | undefined} position
 */
export function restorePosition(position) {
  const number = (latest += 1);
  if (!position || position.y === 0) {
    scrollTo(0, 0);
    return;
  }
  const stop = () => {
    if (number === latest) latest += 1;
  };
  for (const kind of HANDS_ON) addEventListener(kind, stop, { once: true, passive: true });
  const deadline = performance.now() + PATIENCE;
  let settled = 0;
  const step = () => {
    if (number !== latest) return;
    if (apply(position)) settled += 1;
    if (settled < SETTLE && performance.now() < deadline) requestAnimationFrame(step);
    else for (const kind of HANDS_ON) removeEventListener(kind, stop);
  };
  requestAnimationFrame(step);
}

/**
 * @param {Position} position
 * @returns {boolean} Whether the anchor exists.
 */
function apply({ y, anchor, offset }) {
  const element = anchor ? document.querySelector(`[data-anchor="${CSS.escape(anchor)}"]`) : null;
  if (!element) {
    if (document.documentElement.scrollHeight >= y + innerHeight) scrollTo(0, y);
    return anchor === "" && scrollY === y;
  }
  const delta = element.getBoundingClientRect().top - offset;
  if (Math.abs(delta) >= 1) scrollBy(0, delta);
  return true;
}
