// Copies the libraries that the client loads from node_modules to app/vendor, and records versions, licences and hashes.
// `--check` compares instead: the files with their recorded hashes, and the hashes with the installed packages.
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const LIBRARIES = [
  { name: "preact", file: "dist/preact.mjs", as: "preact.js" },
  { name: "preact", file: "hooks/dist/hooks.mjs", as: "preact-hooks.js" },
  { name: "@preact/signals-core", file: "dist/signals-core.mjs", as: "signals-core.js" },
  { name: "@preact/signals", file: "dist/signals.mjs", as: "signals.js" },
  { name: "htm", file: "dist/htm.mjs", as: "htm.js" },
];
const root = fileURLToPath(new URL("..", import.meta.url));
const manifest = `${root}app/vendor/vendor.json`;

const sha256 = (/** @type {string} */ path) => createHash("sha256").update(readFileSync(path)).digest("hex");

const current = LIBRARIES.map(({ name, file, as }) => {
  const folder = `${root}node_modules/${name}`;
  const { version, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  return { file: as, package: name, version, source: file, license, sha256: sha256(`${folder}/${file}`) };
});

if (process.argv.includes("--check")) {
  const recorded = JSON.parse(readFileSync(manifest, "utf8"));
  if (JSON.stringify(recorded) !== JSON.stringify(current)) fail("vendor.json differs from the pinned packages");
  for (const { file, sha256: expected } of recorded) {
    if (sha256(`${root}app/vendor/${file}`) !== expected) fail(`${file} differs from its recorded hash`);
  }
  for (const name of new Set(recorded.map((/** @type {{package: string}} */ entry) => entry.package))) {
    if (!existsSync(licenceFile(name))) fail(`the licence of ${name} is missing`);
  }
} else {
  for (const { name, file, as } of LIBRARIES) {
    copyFileSync(`${root}node_modules/${name}/${file}`, `${root}app/vendor/${as}`);
    copyFileSync(`${root}node_modules/${name}/LICENSE`, licenceFile(name));
  }
  writeFileSync(manifest, `${JSON.stringify(current, null, 2)}\n`);
}

/** @param {string} name */
function licenceFile(name) {
  return `${root}app/vendor/LICENSE.${name.replace("@", "").replace("/", "-")}.txt`;
}

/** @param {string} reason */
function fail(reason) {
  console.error(`error: ${reason}; run \`npm run vendor\` in web/ and review the change`);
  process.exit(1);
}
