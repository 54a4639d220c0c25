// A question before what cannot be taken back.

import { $ } from "./shared/elements.js";

/** Ask whether something is meant. */
export function sure(question, yes) {
  $("sure-text").textContent = question;
  $("sure-yes").textContent = yes;
  const dialog = $("sure");
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), { once: true });
  });
}
