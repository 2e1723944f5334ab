// Editing one's own profile.
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import * as client from "../api/client.js";
import { keepProfile } from "../data/people.js";
import { probeUploads, uploadsAvailable } from "../data/picked.js";
import { explainUpload, uploadPicture } from "../data/uploads.js";
import { html } from "../html.js";
import { Avatar } from "./avatar.js";
import { Dialog } from "./dialog.js";
import { Field, FormError, Submit, useForm } from "./form.js";
import { notify } from "./notices.js";

/** @import { Profile } from "../../types/model.d.ts" */

/** @param {{ profile: Profile, onClose: () => void }} props */
export function EditProfile({ profile, onClose }) {
  const { state, onSubmit } = useForm(async ({ display_name = "", bio = "" }) => {
    keepProfile(await client.editProfile({ display_name, bio }));
    notify({ text: "Profile saved." });
    onClose();
  });
  return html`
    <${Dialog} title="Edit profile" onClose=${onClose}>
      <form class="form" onSubmit=${onSubmit} novalidate>
        <${AvatarField} profile=${profile} />
        <${Field} state=${state} name="display_name" label="Name" defaultValue=${profile.display_name} dir="auto" autocomplete="name" autofocus />
        <${Field} state=${state} name="bio" label="About you" rows="3" defaultValue=${profile.bio} dir="auto" hint="At most 160 characters." />
        <${FormError} state=${state} />
        <div class="form-foot"><${Submit} state=${state}>Save<//></div>
      </form>
    <//>
  `;
}

/**
 * The picture, which is saved as soon as it is uploaded.
 * @param {{ profile: Profile }} props
 */
function AvatarField({ profile }) {
  const progress = useSignal(/** @type {number | null} */ (null));
  useEffect(() => {
    probeUploads();
  }, []);
  if (uploadsAvailable.value !== "yes") return null;
  const onChange = async (/** @type {any} */ event) => {
    const [file] = event.currentTarget.files;
    if (!file || progress.value !== null) return;
    progress.value = 0;
    try {
      const avatar_media_id = await uploadPicture(file, (share) => (progress.value = share));
      keepProfile(await client.editProfile({ avatar_media_id }));
    } catch (error) {
      notify({ text: explainUpload(error), tone: "bad" });
    } finally {
      progress.value = null;
    }
  };
  return html`
    <div class="form-foot">
      <${Avatar} user=${profile} size="l" />
      <label class="button">
        ${progress.value === null ? "Change picture" : `${Math.round(progress.value * 100)}%`}
        <input class="hidden" type="file" accept="image/jpeg,image/png,image/webp" onChange=${onChange} />
      </label>
    </div>
  `;
}
