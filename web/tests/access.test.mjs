// Keyboard, screen readers, small screens, both colour schemes.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import test from "node:test";
import { complaintsOf } from "./support/browser.mjs";
import { stage, until } from "./support/stage.mjs";

const on = stage();
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Alice with everything a view can show. */
async function settled() {
  const [alice, bob] = [await on.person("alice"), await on.person("bob")];
  await alice.follow(bob);
  await bob.follow(alice);
  await bob.post("مرحبا بالعالم\nwith @alice and https://example.org/a/very/long/path/that/goes/on/and/on/index.html");
  await bob.post("Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft".repeat(2));
  const post = await alice.post("😀 a post with a comment");
  await bob.call("PUT", `/v1/posts/${post.post_id}/like`);
  await bob.call("POST", `/v1/posts/${post.post_id}/comments`, { text: "a comment" });
  await until(async () => (await alice.call("GET", "/v1/notifications")).items.length === 3, "the notifications exist");
  const views = [
    ["/", "Home"],
    [`/posts/${post.post_id}`, "Post"],
    [`/@${bob.handle}`, "Bob"],
    [`/@${alice.handle}`, "Alice"],
    [`/@${alice.handle}/followers`, "Alice"],
    ["/notifications", "Notifications"],
    ["/settings", "Settings"],
    ["/settings/appearance", "Appearance"],
    ["/settings/password", "Password"],
    ["/settings/sessions", "Sessions"],
    ["/settings/data", "Your data"],
    ["/settings/delete", "Delete account"],
    ["/posts/00000000-0000-7000-8000-000000000000", "Post"],
    ["/@no_such_handle", "@no_such_handle"],
  ];
  return { alice, bob, post, views: /** @type {[string, string][]} */ (views) };
}

/** The findings of axe on the page as it is. */
async function violationsOf(/** @type {import("playwright-core").Page} */ page, /** @type {string} */ where) {
  // Animations change contrast while they run.
  await page.evaluate(() => Promise.allSettled(document.getAnimations().filter((animation) => animation.effect?.getTiming().iterations !== Infinity).map((animation) => animation.finished)));
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  return page.evaluate(async ({ runOnly, where }) => {
    const { violations: found } = await /** @type {any} */ (globalThis).axe.run({ runOnly });
    return found.map((/** @type {any} */ { id, nodes }) => `${where}: ${id}: ${nodes.map((/** @type {any} */ node) => node.html.slice(0, 160)).join(" | ")}`);
  }, { runOnly: tags, where });
}

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  test(`axe finds nothing on any view in ${colorScheme}`, async () => {
    const { alice, bob, views } = await settled();
    const context = await on.context(alice, { colorScheme, bypassCSP: true });
    await context.addInitScript(axe);
    const page = await context.newPage();
    const violations = [];
    for (const [path, heading] of views) {
      await page.goto(path);
      await page.getByRole("heading", { level: 1, name: heading }).waitFor();
      await until(async () => (await page.locator(".skeleton, .list-more").count()) === 0, `${path} is complete`);
      violations.push(...(await violationsOf(page, `${path} in ${colorScheme}`)));
    }
    await page.goto("/");
    await page.locator("article[data-post]").first().getByRole("button", { name: "More about this post" }).click();
    await bob.post("one more");
    await page.getByRole("button", { name: "1 new post" }).waitFor();
    violations.push(...(await violationsOf(page, `menu and pill in ${colorScheme}`)));
    await page.keyboard.press("Escape");
    for (const key of ["n", "?"]) {
      await page.keyboard.press(key);
      await page.getByRole("dialog").waitFor();
      violations.push(...(await violationsOf(page, `dialog of ${key} in ${colorScheme}`)));
      await page.keyboard.press("Escape");
    }
    assert.deepEqual(violations, []);
    await context.close();
  });

  test(`axe finds nothing for visitors in ${colorScheme}`, async () => {
    const context = await on.browser.newContext({ baseURL: on.base, colorScheme, bypassCSP: true });
    await context.addInitScript(axe);
    const page = await context.newPage();
    const violations = [];
    for (const path of ["/login", "/register"]) {
      await page.goto(path);
      await page.getByRole("heading", { level: 1 }).waitFor();
      violations.push(...(await violationsOf(page, `${path} in ${colorScheme}`)));
      await page.locator("form button[type=submit]").click();
      await page.getByRole("alert").first().waitFor();
      violations.push(...(await violationsOf(page, `${path} with errors in ${colorScheme}`)));
    }
    assert.deepEqual(violations, []);
    await context.close();
  });
}

test("no view is wider than its window or complains", async () => {
  const { alice, views } = await settled();
  const page = await (await on.context(alice, { viewport: { width: 320, height: 640 } })).newPage();
  const complaints = complaintsOf(page, /404 \(Not Found\)/);
  for (const [path, heading] of views) {
    await page.goto(path);
    await page.getByRole("heading", { level: 1, name: heading }).waitFor();
    await until(async () => (await page.locator(".skeleton, .list-more").count()) === 0, `${path} is complete`);
    // 640 pixels are a usual window at a zoom of 200%.
    for (const available of [640, 320]) {
      await page.setViewportSize({ width: available, height: 640 });
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= available, `${path} is ${width} of ${available} pixels wide`);
    }
  }
  assert.deepEqual(complaints, []);
});

test("the keyboard moves, likes, opens and returns", async () => {
  const { alice, bob } = await settled();
  await bob.post("newest of Bob");
  await until(async () => (await alice.call("GET", "/v1/feed")).items[0].text === "newest of Bob", "the post arrived");
  const page = await (await on.context(alice)).newPage();
  await page.goto("/");
  await page.getByText("newest of Bob").waitFor();
  const focused = () => page.evaluate(() => document.activeElement?.querySelector(".post-text")?.textContent ?? "");
  await page.keyboard.press("j");
  assert.equal(await focused(), "newest of Bob");
  await page.keyboard.press("l");
  await page.locator("article:focus [aria-pressed=true]").waitFor();
  await page.keyboard.press("j");
  assert.equal(await focused(), "😀 a post with a comment");
  await page.keyboard.press("k");
  assert.equal(await focused(), "newest of Bob");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Post" }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement?.tagName), "H1");
  await page.goBack();
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("n");
  await page.getByRole("dialog", { name: "New post" }).waitFor();
  await page.keyboard.type("typed at once");
  assert.equal(await page.getByRole("dialog").getByLabel("What’s happening?").inputValue(), "typed at once");
  await page.keyboard.press("Control+Enter");
  await page.getByRole("feed").getByText("typed at once").waitFor();
  await page.keyboard.press("g");
  await page.keyboard.press("n");
  await page.getByRole("heading", { level: 1, name: "Notifications" }).waitFor();
});

test("the feed has the roles that screen readers use", async () => {
  const { alice } = await settled();
  const page = await (await on.context(alice)).newPage();
  await page.goto("/");
  const feed = page.getByRole("feed", { name: "Home" });
  const articles = feed.getByRole("article");
  await articles.first().waitFor();
  const attributes = await articles.evaluateAll((all) =>
    all.map((article) => ({
      position: article.getAttribute("aria-posinset"),
      name: document.getElementById(article.getAttribute("aria-labelledby") ?? "")?.textContent,
    })),
  );
  assert.deepEqual(attributes.map(({ position }) => position), ["1", "2", "3"]);
  assert.deepEqual(attributes.map(({ name }) => name), ["Alice", "Bob", "Bob"]);
  assert.equal(await feed.getAttribute("aria-busy"), "false");
});

test("texts run in their own direction", async () => {
  const { alice } = await settled();
  const page = await (await on.context(alice)).newPage();
  await page.goto("/");
  const arabic = page.locator(".post-text", { hasText: "مرحبا" });
  assert.equal(await arabic.evaluate((element) => getComputedStyle(element).direction), "rtl");
});

test("the chosen colours are there before the first paint", async () => {
  const { alice } = await settled();
  const page = await (await on.context(alice, { colorScheme: "light" })).newPage();
  await page.goto("/settings/appearance");
  await page.getByLabel("Dark").check();
  await page.reload({ waitUntil: "commit" });
  await until(() => page.evaluate(() => getComputedStyle(document.body ?? document.documentElement).colorScheme === "dark"), "the page is dark");
});
