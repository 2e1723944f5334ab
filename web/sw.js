// Keeps the shell (page, modules, styles) for slow networks and offline starts. It never touches the API or pictures.

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
/** The folder has the version in its name, so each release has its own cache. */
const APP = "/app/";
/** With `--web DIR` there is no version: everything comes from the network. */
const IS_VERSIONED = APP.startsWith("/app-");
const CACHE = `shell:${APP}`;
const PAGE = "/";

worker.addEventListener("install", (event) => {
  event.waitUntil(keepShell().then(() => worker.skipWaiting()));
});

worker.addEventListener("activate", (event) => {
  event.waitUntil(dropOldCaches().then(() => worker.clients.claim()));
});

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (request.mode === "navigate") event.respondWith(pageFromNetwork(request));
  else if (IS_VERSIONED && pathname.startsWith(APP)) event.respondWith(fromCache(request));
});

/** Keeps the page and all that it names. */
async function keepShell() {
  const cache = await caches.open(CACHE);
  const page = await fetch(PAGE);
  const named = (await page.clone().text()).matchAll(/(?:href|src)="([^"]+)"/g);
  await cache.put(PAGE, page);
  // `addAll` refuses a path that is named twice.
  const paths = new Set(Array.from(named, ([, path = ""]) => path));
  if (IS_VERSIONED) await cache.addAll([...paths].filter((path) => path.startsWith(APP)));
}

async function dropOldCaches() {
  for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
}

/**
 * The page as the service has it now; the kept one if the service cannot be reached.
 * @param {Request} request
 */
async function pageFromNetwork(request) {
  try {
    const response = await fetch(request);
    return response.status >= 500 ? ((await caches.match(PAGE)) ?? response) : response;
  } catch {
    return (await caches.match(PAGE)) ?? Response.error();
  }
}

/** @param {Request} request */
async function fromCache(request) {
  const kept = await caches.match(request);
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) (await caches.open(CACHE)).put(request, response.clone());
  return response;
}
