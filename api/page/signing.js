// Signing in, where the service wants a key: it is kept in a cookie that no script can read.

import { place } from "./service.js";
import { $, say } from "./shared/elements.js";

let waiting = null;

/** Ask for a key until one is taken; once, however many ask at the same time. */
export function signIn() {
  waiting ??= shown().finally(() => (waiting = null));
  return waiting;
}

function shown() {
  const [dialog, form, input] = [$("sign-in"), $("key-form"), $("key")];
  dialog.showModal();
  return new Promise((done) => {
    form.onsubmit = async (event) => {
      event.preventDefault();
      const refused = await show(input.value.trim());
      say($("key-refused"), refused);
      if (refused) return;
      input.value = "";
      dialog.close();
      $("sign-out").hidden = false;
      done();
    };
    dialog.oncancel = (event) => event.preventDefault(); // there is nothing to see without
  });
}

/** Show a key to the service: null where it is taken, else what it says. */
async function show(key) {
  try {
    const headers = { Authorization: `Bearer ${key}`, Accept: "application/json" };
    const answer = await fetch(place("session"), { method: "POST", headers });
    if (answer.ok) return null;
    return (await answer.json()).detail;
  } catch {
    return "The service does not answer, or this is no key.";
  }
}

/** A button that forgets the key. */
export function letSignOut() {
  $("sign-out").addEventListener("click", async () => {
    await fetch(place("session"), { method: "DELETE" }).catch(() => null);
    location.reload();
  });
}
