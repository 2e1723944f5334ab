// Pictures: announced to the service, uploaded to its storage, then processed.
import * as client from "../api/client.js";
import { explain } from "../api/problem.js";
import { onThisOrigin } from "../loopback.js";

/** @import { MediaUpload } from "../../types/model.d.ts" */

/** Limit of the API's Media section. */
const MAX_BYTES = 10 * 1024 * 1024;
const FIRST_LOOK = 300;
const LONGEST_PAUSE = 3_000;

/** A picture that cannot be posted, with the reason. */
class Refused extends Error {}

/** @param {unknown} error */
export const explainUpload = (error) => (error instanceof Refused ? error.message : explain(error));

/**
 * Uploads a picture and waits until it can be used.
 * @param {File} file
 * @param {(share: number) => void} report Progress of the upload, 0 to 1.
 * @returns {Promise<string>} Its media id.
 */
export async function uploadPicture(file, report) {
  if (file.size > MAX_BYTES) throw new Refused("Larger than 10 MB.");
  const { media_id, upload } = await client.createMedia({ content_type: file.type, bytes: file.size });
  await put(file, upload, report);
  for (let pause = FIRST_LOOK; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE)) {
    const { state, reason } = await client.media(media_id);
    if (state === "ready") return media_id;
    if (state === "rejected") throw new Refused(reason ?? "Not a picture that can be shown.");
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/**
 * Sends the file to storage; only XMLHttpRequest reports progress.
 * @param {File} file
 * @param {MediaUpload["upload"]} target
 * @param {(share: number) => void} report
 * @returns {Promise<void>}
 */
function put(file, target, report) {
  return new Promise((resolve, reject) => {
    const transfer = new XMLHttpRequest();
    transfer.open(target.method, onThisOrigin(target.url));
    for (const [name, value] of Object.entries(target.headers)) {
      if (name.toLowerCase() !== "content-length") transfer.setRequestHeader(name, value);
    }
    transfer.upload.onprogress = ({ loaded, total }) => report(loaded / total);
    transfer.onload = () =>
      transfer.status < 300 ? resolve() : reject(new Refused("The upload was refused. Try again."));
    transfer.onerror = () => reject(new Refused("The upload broke off. Try again."));
    transfer.send(file);
  });
}
