// Views that are loaded when they are first shown, or in an idle moment before.
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { explain, Unreachable } from "../api/problem.js";
import { html } from "../html.js";

/** @type {(() => Promise<unknown>)[]} */
const loads = [];

/**
 * A component that is loaded on demand.
 * @param {() => Promise<any>} load
 * @returns {(props: any) => any}
 */
export function lazy(load) {
  /** @type {any} */
  let component = null;
  const loadOnce = async () => (component ??= await load());
  loads.push(loadOnce);
  return function Lazy(props) {
    const state = useSignal(component ? "loaded" : "loading");
    const start = () => {
      state.value = "loading";
      loadOnce().then(
        () => (state.value = "loaded"),
        () => (state.value = "failed"),
      );
    };
    useEffect(() => {
      if (state.value === "loading") start();
    }, []);
    if (state.value === "loaded") return html`<${component} ...${props} />`;
    if (state.value === "loading") return null;
    return html`
      <div class="list-end" role="alert">
        <p>${explain(new Unreachable())}</p>
        <button class="button" onClick=${start}>Try again</button>
      </div>
    `;
  };
}

/** Loads all views while nothing else happens, so that they open at once. */
export function loadIdly() {
  const idle = globalThis.requestIdleCallback ?? ((/** @type {() => void} */ run) => setTimeout(run, 1_500));
  idle(() => {
    for (const load of loads) load().catch(() => undefined);
  });
}
