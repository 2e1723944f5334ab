// Writes types/api.d.ts from docs/openapi.json. `--check` fails if the file is stale.
import { readFileSync, writeFileSync } from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";

const document = new URL("../../docs/openapi.json", import.meta.url);
const target = new URL("../types/api.d.ts", import.meta.url);

const types = `// Generated from docs/openapi.json by tools/api-types.mjs. Do not edit.\n${astToString(await openapiTS(document))}`;
if (!process.argv.includes("--check")) {
  writeFileSync(target, types);
} else if (readFileSync(target, "utf8") !== types) {
  console.error("error: web/types/api.d.ts is stale; run `npm run types` in web/");
  process.exit(1);
}
