// For visitors: what this is, logging in, registering.
import { useEffect } from "preact/hooks";
import * as client from "../api/client.js";
import { begin, farewell } from "../api/session.js";
import { html } from "../html.js";
import { navigate, place } from "../router.js";
import { Field, FormError, Submit, useForm } from "../ui/form.js";
import { Mark } from "../ui/icons.js";

export function Welcome() {
  const isRegistering = place.value.view === "register";
  useEffect(() => {
    document.title = `${isRegistering ? "Register" : "Log in"} · Tweeter`;
  }, [isRegistering]);
  return html`
    <div class="welcome">
      <header class="welcome-hero">
        <p class="welcome-brand"><${Mark} /> Tweeter</p>
        <p class="welcome-line">Short posts from people you choose. <em>In order.</em></p>
        <p class="welcome-more">No ranking, nothing from strangers, nothing twice: a feed that shows what was written, and then ends.</p>
      </header>
      <main class="welcome-panel" id="main">
        ${farewell.value && html`<p class="form-error" role="alert">${farewell.value}</p>`}
        ${isRegistering ? html`<${Register} />` : html`<${LogIn} />`}
      </main>
    </div>
  `;
}

/** Opens the feed, or the page that asked for the log-in. */
function enter() {
  if (["login", "register"].includes(place.peek().view)) navigate("/", { replace: true });
}

function LogIn() {
  const { state, onSubmit } = useForm(async ({ who = "", password = "" }) => {
    const name = who.trim();
    const body = name.includes("@", 1) ? { email: name, password } : { handle: name.replace(/^@/, ""), password };
    begin(await client.logIn(body));
    enter();
  });
  return html`
    <form class="form" onSubmit=${onSubmit} novalidate key="login">
      <h1>Log in</h1>
      <${Field} state=${state} name="who" label="Handle or e-mail" autocomplete="username" autocapitalize="none" spellcheck="false" />
      <${Field} state=${state} name="password" label="Password" type="password" autocomplete="current-password" />
      <${FormError} state=${state} />
      <${Submit} state=${state}>Log in<//>
      <p class="form-other">New here? <a href="/register">Create an account</a></p>
    </form>
  `;
}

function Register() {
  const { state, onSubmit } = useForm(async ({ handle = "", email = "", password = "", display_name = "" }) => {
    const name = display_name.trim() === "" ? {} : { display_name };
    begin(await client.register({ handle: handle.trim().replace(/^@/, ""), email, password, ...name }));
    enter();
  });
  return html`
    <form class="form" onSubmit=${onSubmit} novalidate key="register">
      <h1>Create your account</h1>
      <${Field} state=${state} name="handle" label="Handle" hint="3 to 30 letters, digits or _. This is how people find you." autocomplete="username" autocapitalize="none" spellcheck="false" />
      <${Field} state=${state} name="display_name" label="Name (optional)" autocomplete="name" dir="auto" />
      <${Field} state=${state} name="email" label="E-mail" type="email" autocomplete="email" />
      <${Field} state=${state} name="password" label="Password" type="password" hint="At least 8 characters." autocomplete="new-password" />
      <${FormError} state=${state} />
      <${Submit} state=${state}>Create account<//>
      <p class="form-other">Already registered? <a href="/login">Log in</a></p>
    </form>
  `;
}
