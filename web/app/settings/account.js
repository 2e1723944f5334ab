// The password, and the end of the account.
import * as client from "../api/client.js";
import { end, session } from "../api/session.js";
import { html } from "../html.js";
import { navigate } from "../router.js";
import { Field, FormError, Submit, useForm } from "../ui/form.js";
import { notify } from "../ui/notices.js";

export function ChangePassword() {
  const handle = session.value?.handle ?? "";
  const { state, onSubmit } = useForm(async ({ current = "", new: next = "" }) => {
    await client.changePassword({ current, new: next });
    // The service has revoked every refresh token of the account.
    end("");
    navigate("/login");
    notify({ text: "Password changed. Log in with the new one." });
  });
  return html`
    <form class="form" onSubmit=${onSubmit} novalidate>
      <p>Changing the password logs you out everywhere.</p>
      <input class="hidden" name="username" value=${handle} autocomplete="username" readonly tabindex="-1" aria-hidden="true" />
      <${Field} state=${state} name="current" label="Current password" type="password" autocomplete="current-password" />
      <${Field} state=${state} name="new" label="New password" type="password" autocomplete="new-password" hint="At least 8 characters." />
      <${FormError} state=${state} />
      <div class="form-foot"><${Submit} state=${state}>Change password<//></div>
    </form>
  `;
}

export function DeleteAccount() {
  const { state, onSubmit } = useForm(async ({ password = "" }) => {
    await client.deleteAccount(password);
    end("Your account is deleted.");
    navigate("/login");
  });
  return html`
    <form class="form" onSubmit=${onSubmit} novalidate>
      <p>
        Your posts, comments, likes and follows disappear within seconds and are erased for good. This can’t be undone. Your
        handle stays reserved for 90 days.
      </p>
      <${Field} state=${state} name="password" label="Password, to confirm" type="password" autocomplete="current-password" />
      <${FormError} state=${state} />
      <div class="form-foot"><${Submit} state=${state} tone="bad">Delete my account<//></div>
    </form>
  `;
}
