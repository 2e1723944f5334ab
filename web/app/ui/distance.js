// Tells elements when they come near the screen and when they leave it far behind.

/** A few screens ahead and behind. */
const MARGIN = "2500px 0px";

/** @typedef {(isNear: boolean, height: number) => void} DistanceListener */

/** @type {WeakMap<Element, DistanceListener>} */
const listeners = new WeakMap();

const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting, boundingClientRect } of entries) {
      listeners.get(target)?.(isIntersecting, boundingClientRect.height);
    }
  },
  { rootMargin: MARGIN },
);

/**
 * @param {Element} element
 * @param {DistanceListener} listener Receives the element's height, in pixels.
 * @returns {() => void} Ends the watch.
 */
export function watchDistance(element, listener) {
  listeners.set(element, listener);
  observer.observe(element);
  return () => observer.unobserve(element);
}
