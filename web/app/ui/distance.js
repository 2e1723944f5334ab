// Reports to elements when they come near the screen and when they leave it far behind, a few in each frame, so that no frame is
// late however fast the user scrolls.

/** A few screens ahead and behind. */
const MARGIN = "2500px 0px";
/** Elements that change in one frame. */
const PER_FRAME = 10;

/** @typedef {(isNear: boolean, height: number) => void} DistanceListener */

/** @type {WeakMap<Element, DistanceListener>} */
const listeners = new WeakMap();
/** @type {WeakSet<Element>} Elements last reported as far. */
const far = new WeakSet();
/** @type {Map<Element, { isNear: boolean, height: number }>} */
const waiting = new Map();
let isScheduled = false;

const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting, boundingClientRect } of entries) {
      waiting.delete(target);
      if (far.has(target) === isIntersecting) waiting.set(target, { isNear: isIntersecting, height: boundingClientRect.height });
    }
    schedule();
  },
  { rootMargin: MARGIN },
);

function schedule() {
  if (isScheduled || waiting.size === 0) return;
  isScheduled = true;
  requestAnimationFrame(tellSome);
}

/** Reports elements that come near first, and the latest of them first: they are closest to the screen. */
function tellSome() {
  isScheduled = false;
  const ordered = [...waiting].reverse().sort(([, a], [, b]) => Number(b.isNear) - Number(a.isNear));
  for (const [target, { isNear, height }] of ordered.slice(0, PER_FRAME)) {
    waiting.delete(target);
    if (isNear) far.delete(target);
    else far.add(target);
    listeners.get(target)?.(isNear, height);
  }
  schedule();
}

/**
 * @param {Element} element
 * @param {DistanceListener} listener Receives the element's height, in pixels.
 * @returns {() => void} Ends the watch.
 */
export function watchDistance(element, listener) {
  listeners.set(element, listener);
  observer.observe(element);
  return () => {
    observer.unobserve(element);
    waiting.delete(element);
  };
}
