// Settings: appearance, password, sessions, export, deletion.
import { html } from "../html.js";
import { Icon } from "../ui/icons.js";
import { Head } from "../ui/view.js";
import { Appearance } from "../settings/appearance.js";
import { ChangePassword, DeleteAccount } from "../settings/account.js";
import { ExportData } from "../settings/export.js";
import { LogOut, Sessions } from "../settings/sessions.js";

/** @type {{ part: string, label: string, icon: string, view: any }[]} */
const PARTS = [
  { part: "appearance", label: "Appearance", icon: "contrast", view: Appearance },
  { part: "password", label: "Password", icon: "key", view: ChangePassword },
  { part: "sessions", label: "Sessions", icon: "screen", view: Sessions },
  { part: "data", label: "Your data", icon: "download", view: ExportData },
  { part: "delete", label: "Delete account", icon: "trash", view: DeleteAccount },
];

/** @param {{ place: import("../router.js").Place }} props */
export function Settings({ place }) {
  const current = PARTS.find(({ part }) => part === place.params.part);
  if (!current) {
    return html`
      <${Head} title="Settings" name="Settings" />
      <ul class="rows">
        ${PARTS.map(
          ({ part, label, icon }) => html`
            <li key=${part}>
              <a class="row row-plain" href="/settings/${part}"><${Icon} name=${icon} /><span class="row-main">${label}</span></a>
            </li>
          `,
        )}
      </ul>
      <div class="panel"><${LogOut} /></div>
    `;
  }
  return html`
    <${Head} title=${current.label} name=${current.label} back />
    <div class="panel"><${current.view} /></div>
  `;
}
