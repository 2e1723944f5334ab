// Bad networks and a busy service: nothing lost, nothing twice, everything said.
import assert from "node:assert/strict";
import test from "node:test";
import { stage, texts, until } from "./support/stage.mjs";

const on = stage();
const PROBLEM = "application/problem+json";

async function writer() {
  const alice = await on.person("alice");
  const context = await on.context(alice);
  const page = await context.newPage();
  await page.goto("/");
  await page.getByRole("heading", { name: "It’s quiet here, for now" }).waitFor();
  return { alice, context, page, field: page.getByLabel("What’s happening?") };
}

const storyOf = async (/** @type {import("./support/service.mjs").Api} */ person) =>
  (await person.call("GET", "/v1/users/me/posts")).items.map((/** @type {any} */ post) => post.text);

test("a double submit publishes once", async () => {
  const { alice, page, field } = await writer();
  await field.fill("only once");
  await page.getByRole("button", { name: "Post", exact: true }).dblclick();
  await field.press("Control+Enter");
  await page.getByRole("feed").getByText("only once").waitFor();
  await until(async () => (await page.locator(".outgoing").count()) === 0, "nothing is being sent");
  assert.deepEqual(await storyOf(alice), ["only once"]);
});

test("a post written offline is sent once when back", async () => {
  const { alice, context, page, field } = await writer();
  await context.setOffline(true);
  await field.fill("from the tunnel");
  await page.getByRole("button", { name: "Post", exact: true }).click();
  await page.getByText("You’re offline, or Tweeter can’t be reached.").waitFor();
  await page.locator(".outgoing", { hasText: "from the tunnel" }).getByText("Not published yet").waitFor();
  await context.setOffline(false);
  await page.getByRole("feed").getByText("from the tunnel").waitFor();
  assert.deepEqual(await storyOf(alice), ["from the tunnel"]);
  assert.equal(await page.getByText("You’re offline").count(), 0);
});

test("a lost answer does not publish twice", async () => {
  const { alice, page, field } = await writer();
  /** @type {(string | undefined)[]} */
  const keys = [];
  await page.route("**/v1/posts", async (route) => {
    keys.push(route.request().headers()["idempotency-key"]);
    if (keys.length > 1) return route.continue();
    await route.fetch();
    return route.abort();
  });
  await field.fill("heard once");
  await page.getByRole("button", { name: "Post", exact: true }).click();
  await until(async () => keys.length > 1 && (await page.locator(".outgoing").count()) === 0, "the answer is heard");
  assert.equal(new Set(keys).size, 1);
  assert.ok(keys[0]);
  assert.deepEqual(await storyOf(alice), ["heard once"]);
});

test("a post survives a reload before it is sent", async () => {
  const { alice, page, field } = await writer();
  await page.route("**/v1/posts", () => {
    // Never answered.
  });
  await field.fill("written before the reload");
  await page.getByRole("button", { name: "Post", exact: true }).click();
  await page.locator(".outgoing").waitFor();
  await page.unroute("**/v1/posts");
  await page.reload();
  await page.getByRole("feed").getByText("written before the reload").waitFor();
  assert.deepEqual(await storyOf(alice), ["written before the reload"]);
});

test("a draft survives a reload", async () => {
  const { page, field } = await writer();
  await field.fill("half a thou");
  await page.reload();
  await until(async () => (await field.inputValue()) === "half a thou", "the draft is there");
});

test("a slow network is said, and it recovers", async () => {
  const { page } = await writer();
  /** @type {() => void} */
  let answer = () => undefined;
  const isAnswered = new Promise((resolve) => (answer = () => resolve(undefined)));
  await page.route("**/v1/users/*/posts*", async (route) => {
    await isAnswered;
    await route.continue();
  });
  await page.getByRole("link", { name: "Profile", exact: true }).click();
  await page.getByText("The network is slow.").waitFor();
  answer();
  await page.getByText("No posts yet.").waitFor();
  await page.getByText("The network is slow.").waitFor({ state: "detached" });
});

test("posts missed while offline are offered afterwards", async () => {
  const { alice, context, page } = await writer();
  const bob = await on.person("bob");
  await alice.follow(bob);
  await context.setOffline(true);
  await page.getByText("You’re offline").waitFor();
  await bob.post("missed");
  await context.setOffline(false);
  await page.getByRole("button", { name: "1 new post" }).click();
  await page.getByRole("feed").getByText("missed").waitFor();
});

test("a service without live events is polled", async () => {
  const [alice, bob] = [await on.person("alice"), await on.person("bob")];
  await alice.follow(bob);
  const page = await (await on.context(alice)).newPage();
  await page.route("**/v1/events", (route) => route.fulfill({ status: 501, contentType: PROBLEM, body: "{}" }));
  await page.clock.install();
  await page.goto("/");
  await page.getByRole("heading", { name: "It’s quiet here, for now" }).waitFor();
  await bob.post("polled for");
  await page.clock.fastForward(21_000);
  await page.getByRole("button", { name: "1 new post" }).waitFor();
});

test("the shell starts offline", async (t) => {
  if (process.env.TWEETER_WEB) return t.skip("a directory is served, which is never kept");
  const { context, page } = await writer();
  const isActive = () => page.evaluate(async () => Boolean((await navigator.serviceWorker.getRegistration())?.active));
  await until(isActive, "the service worker is active");
  await context.setOffline(true);
  await page.reload();
  await page.getByRole("heading", { level: 1, name: "Home" }).waitFor();
  await page.getByText("You’re offline").waitFor();
  await context.setOffline(false);
  await page.getByText("You’re offline").waitFor({ state: "detached" });
});

test("a 503 is retried without a word", async () => {
  const { page, alice } = await writer();
  let refused = 0;
  await page.route("**/v1/users/*/posts*", (route) => {
    if (refused === 2) return route.continue();
    refused += 1;
    return route.fulfill({ status: 503, contentType: PROBLEM, headers: { "retry-after": "0" }, body: "{}" });
  });
  await alice.post("still here");
  await page.getByRole("link", { name: "Profile", exact: true }).click();
  await page.getByText("still here").waitFor();
  assert.equal(refused, 2);
});

test("a 429 says when", async () => {
  const { page, field } = await writer();
  await page.route("**/v1/posts", (route) =>
    route.fulfill({ status: 429, contentType: PROBLEM, headers: { "retry-after": "120" }, body: "{}" }),
  );
  await field.fill("too fast");
  await page.getByRole("button", { name: "Post", exact: true }).click();
  await page.locator(".outgoing").getByText("Try again in 2 minutes.").waitFor();
});

test("a page that fails can be read again", async () => {
  const { page, alice } = await writer();
  await page.route("**/v1/users/*/followers*", (route) => route.fulfill({ status: 500, contentType: PROBLEM, body: "{}" }));
  await page.goto(`/@${alice.handle}/followers`);
  await page.getByText("Tweeter had a problem with this.").waitFor();
  await page.unroute("**/v1/users/*/followers*");
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByText("No followers yet.").waitFor();
});

test("a refused like is taken back", async () => {
  const { page, alice } = await writer();
  await alice.post("like me");
  await page.reload();
  const like = page.getByRole("button", { name: /^Like/ });
  await page.route("**/v1/posts/*/like", (route) => route.fulfill({ status: 500, contentType: PROBLEM, body: "{}" }));
  await like.click();
  await page.getByText("The like was not saved.").waitFor();
  assert.equal(await like.getAttribute("aria-pressed"), "false");
  await page.unroute("**/v1/posts/*/like");
  await like.click();
  await until(async () => {
    const post = (await alice.call("GET", "/v1/users/me/posts")).items[0];
    return post.liked_by_me;
  }, "the like is saved");
  assert.equal(await like.getAttribute("aria-pressed"), "true");
});

test("a deletion can be undone before it is sent", async () => {
  const { page, alice } = await writer();
  await alice.post("stays");
  await alice.post("goes");
  await page.reload();
  const remove = async (/** @type {string} */ text) => {
    await page.locator("article[data-post]", { hasText: text }).getByRole("button", { name: "More about this post" }).click();
    await page.getByRole("menuitem", { name: "Delete post" }).click();
  };
  await remove("stays");
  await until(async () => (await texts(page)).join() === "goes", "the post is hidden");
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByText("stays", { exact: true }).waitFor();
  await remove("goes");
  await until(async () => (await texts(page)).join() === "stays", "the post is hidden");
  // Leaving the page sends what could have been undone.
  await page.goto("/icon.svg");
  await until(async () => (await storyOf(alice)).join() === "stays", "the post is deleted");
});

test("the counter counts characters as the service does", async () => {
  const { page, alice, field } = await writer();
  const family = "👩‍👩‍👧‍👦";
  const text = family.repeat(71) + "abc";
  assert.equal([...text].length, 500);
  await field.fill(`${text}d`);
  await page.getByText("1 too many").waitFor({ state: "attached" });
  assert.equal(await page.getByRole("button", { name: "Post", exact: true }).getAttribute("aria-disabled"), "true");
  await field.fill(text);
  await page.getByRole("button", { name: "Post", exact: true }).click();
  await until(async () => (await storyOf(alice)).join() === text, "the post is accepted");
});
