// Starts the client.
import { render } from "preact";
import { startHome } from "./data/home.js";
import { startInbox } from "./data/inbox.js";
import { startLive } from "./data/live.js";
import { startOutbox } from "./data/outbox.js";
import { html } from "./html.js";
import { startRouter } from "./router.js";
import { App } from "./ui/app.js";
import { startShortcuts } from "./ui/shortcuts.js";

startRouter();
startHome();
startInbox();
startOutbox();
startLive();
startShortcuts();
render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById("root")));

if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register("/sw.js").catch(() => {
    // Without it every visit loads the shell from the network.
  });
}
