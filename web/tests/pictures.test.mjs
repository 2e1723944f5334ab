// Pictures, against a service that has them: the media routes are played by the test where the binary lacks them.
import assert from "node:assert/strict";
import test from "node:test";
import { stage, until } from "./support/stage.mjs";

const on = stage();
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfz0AEYBxVSF+FABJADveWkH6oAAAAAElFTkSuQmCC",
  "base64",
);
const MEDIA = {
  content_type: "image/jpeg",
  width: 1200,
  height: 800,
  blurhash: "LEHV6nWB2yk8pyo0adR*.7kCMdnj",
  description: "A heron on one leg",
};

/** Plays the media routes. */
async function playMedia(/** @type {import("playwright-core").Page} */ page, /** @type {string} */ base) {
  const seen = { created: /** @type {any[]} */ ([]), uploads: 0, polls: 0, published: /** @type {any} */ (null) };
  await page.route("**/v1/media", (route) => {
    const body = route.request().postDataJSON();
    if (!body.bytes) return route.fulfill({ status: 422, contentType: "application/problem+json", body: "{}" });
    seen.created.push(body);
    const media_id = `00000000-0000-7000-8000-00000000000${seen.created.length}`;
    const upload = { method: "PUT", url: `${base}/uploads/${media_id}`, headers: { "content-type": body.content_type }, expires_at: "" };
    return route.fulfill({ status: 201, json: { media_id, upload } });
  });
  await page.route("**/uploads/*", (route) => {
    seen.uploads += 1;
    return route.fulfill({ status: 200, body: "" });
  });
  await page.route("**/v1/media/*", (route) => {
    if (route.request().method() === "PATCH") return route.fulfill({ json: route.request().postDataJSON() });
    seen.polls += 1;
    return route.fulfill({ json: { state: seen.polls < 3 ? "processing" : "ready" } });
  });
  await page.route("**/media/picture/*", (route) => route.fulfill({ contentType: "image/png", body: PNG }));
  return seen;
}

test("pictures are uploaded, described and published", async () => {
  const alice = await on.person("alice");
  const page = await (await on.context(alice)).newPage();
  const seen = await playMedia(page, on.base);
  await page.route("**/v1/posts", (route) => {
    seen.published = route.request().postDataJSON();
    return route.fulfill({ status: 500, contentType: "application/problem+json", body: "{}" });
  });
  await page.goto("/");
  await page.getByLabel("What’s happening?").focus();
  const input = page.locator("input[type=file]");
  await input.waitFor({ state: "attached" });
  await input.setInputFiles([
    { name: "heron.png", mimeType: "image/png", buffer: PNG },
    { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("no") },
  ]);
  await page.getByText("Pictures are JPEG, PNG or WebP files.").waitFor();
  await page.getByLabel("Description of picture 1").fill("A heron");
  await page.getByLabel("Description of picture 1").blur();
  const post = page.getByRole("button", { name: "Post", exact: true });
  await until(async () => (await post.getAttribute("aria-disabled")) === "false", "the picture is ready");
  await post.click();
  await until(() => seen.published, "the post is sent");
  assert.deepEqual(seen.published.media_ids, ["00000000-0000-7000-8000-000000000001"]);
  assert.deepEqual(seen.created, [{ content_type: "image/png", bytes: PNG.length }]);
  assert.equal(seen.uploads, 1);
});

test("pictures have sizes, descriptions and a large view", async () => {
  const alice = await on.person("alice");
  await alice.post("with pictures");
  const page = await (await on.context(alice)).newPage();
  await playMedia(page, on.base);
  const urls = Object.fromEntries(["original", "medium", "thumbnail"].map((size) => [size, `${on.base.replace("127.0.0.1", "localhost")}/media/picture/${size}.jpg`]));
  await page.route("**/v1/feed*", async (route) => {
    const answer = await (await route.fetch()).json();
    for (const post of answer.items) post.media = [1, 2].map((number) => ({ ...MEDIA, media_id: `m${number}`, urls }));
    return route.fulfill({ json: answer });
  });
  await page.goto("/");
  const pictures = page.getByRole("button", { name: "Enlarge: A heron on one leg" });
  await pictures.first().waitFor();
  assert.equal(await pictures.count(), 2);
  const image = pictures.first().locator("img");
  assert.equal(await image.getAttribute("alt"), "A heron on one leg");
  assert.equal(
    await image.getAttribute("srcset"),
    "/media/picture/thumbnail.jpg 150w, /media/picture/medium.jpg 640w, /media/picture/original.jpg 1200w",
  );
  await pictures.first().click();
  await page.getByRole("dialog").getByText("A heron on one leg").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
});

test("a service without pictures offers none", async () => {
  const page = await (await on.context(await on.person("alice"))).newPage();
  await page.route("**/v1/media", (route) =>
    route.fulfill({ status: 404, contentType: "application/problem+json", body: '{"type":"/problems/no-such-route"}' }),
  );
  await page.goto("/");
  const [answer] = await Promise.all([page.waitForResponse("**/v1/media"), page.getByLabel("What’s happening?").focus()]);
  assert.equal(answer.status(), 404);
  assert.equal(await page.locator("input[type=file]").count(), 0);
});
