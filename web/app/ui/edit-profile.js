// Editing one's own profile.
import * as client from "../api/client.js";
import { keepProfile } from "../data/people.js";
import { html } from "../html.js";
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
        <${Field} state=${state} name="display_name" label="Name" defaultValue=${profile.display_name} dir="auto" autocomplete="name" autofocus />
        <${Field} state=${state} name="bio" label="About you" rows="3" defaultValue=${profile.bio} dir="auto" hint="At most 160 characters." />
        <${FormError} state=${state} />
        <div class="form-foot"><${Submit} state=${state}>Save<//></div>
      </form>
    <//>
  `;
}
