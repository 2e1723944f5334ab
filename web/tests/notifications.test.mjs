// Notifications, and the badge in every tab.
import assert from "node:assert/strict";
import test from "node:test";
import { stage, until } from "./support/stage.mjs";

const on = stage();

test("the badge appears live and clears in every tab", async () => {
  const [alice, bob] = [await on.person("alice"), await on.person("bob")];
  const post = await alice.post("worth a like");
  const context = await on.context(alice);
  const [first, second] = [await context.newPage(), await context.newPage()];
  await Promise.all([first.goto("/"), second.goto("/settings")]);
  await first.getByText("worth a like").waitFor();
  await bob.call("PUT", `/v1/posts/${post.post_id}/like`);
  await bob.call("POST", `/v1/posts/${post.post_id}/comments`, { text: "And a comment" });
  const badge = (/** @type {import("playwright-core").Page} */ page) => page.locator(".badge");
  await until(async () => (await badge(first).textContent({ timeout: 5_000 })) === "2", "the first tab shows 2");
  await badge(second).waitFor();
  assert.match(await first.title(), /^\(2\) /);

  await first.getByRole("link", { name: /^Notifications/ }).click();
  await first.getByText("Bob liked your post").waitFor();
  await first.getByText("Bob commented on your post").waitFor();
  await Promise.all([first, second].map((page) => badge(page).waitFor({ state: "detached" })));
  await until(async () => (await alice.call("GET", "/v1/notifications")).unread_count === 0, "the service knows");
  await first.reload();
  await first.getByText("Bob liked your post").waitFor();
  assert.equal(await badge(first).count(), 0);
});

test("a notification leads to its post", async () => {
  const [alice, bob] = [await on.person("alice"), await on.person("bob")];
  const post = await alice.post("the post in question");
  await bob.call("POST", `/v1/posts/${post.post_id}/comments`, { text: "a question" });
  const page = await (await on.context(alice)).newPage();
  await until(async () => (await alice.call("GET", "/v1/notifications")).items.length === 1, "the notification exists");
  await page.goto("/notifications");
  await page.getByText("Bob commented on your post").click();
  await page.getByText("a question").waitFor();
  assert.match(await page.title(), /the post in question/);
});

test("comments are written and removed by the author of the post", async () => {
  const [alice, bob] = [await on.person("alice"), await on.person("bob")];
  const post = await alice.post("discuss");
  const page = await (await on.context(bob)).newPage();
  await page.goto(`/posts/${post.post_id}`);
  await page.getByLabel("Write a comment").fill("first");
  await page.getByRole("button", { name: "Comment", exact: true }).click();
  await page.locator(".comment", { hasText: "first" }).waitFor();
  const own = await (await on.context(alice)).newPage();
  await own.goto(`/posts/${post.post_id}`);
  await own.getByRole("button", { name: "More about this comment" }).click();
  await own.getByRole("menuitem", { name: "Delete comment" }).click();
  await own.getByText("Comment deleted.").waitFor();
  await own.goto("/icon.svg");
  await until(async () => (await alice.call("GET", `/v1/posts/${post.post_id}/comments`)).items.length === 0, "it is gone");
});
