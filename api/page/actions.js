// What can be done with a job: cancel or remove it, go on with it.

import { ENDED } from "./following.js";
import { ask } from "./service.js";
import { make } from "./shared/elements.js";
import { sure } from "./sure.js";

const WORDS = {
  cancel: ["Cancel", "Cancel this job? What it has done so far is removed.", "Cancel the job"],
  remove: ["Remove", "Remove this job's products? They cannot be brought back.", "Remove them"],
};

/** Buttons for a job in its state; `changed` is told its new status, `trouble` what went wrong. */
export function buttonsFor(status, changed, trouble) {
  const path = `jobs/${status.jobID}`;
  const attempt = (method, where) => ask(where, { method }).then(changed, (refused) => trouble(refused.message));
  const button = (word, act) => make("button", { type: "button", onclick: act }, word);
  const end = ([word, question, yes]) =>
    button(word, async () => (await sure(question, yes)) && attempt("DELETE", path));
  const buttons = [];
  if (status.status === "failed") buttons.push(button("Retry", () => attempt("POST", `${path}/retry`)));
  if (status.status !== "dismissed") buttons.push(end(ENDED.has(status.status) ? WORDS.remove : WORDS.cancel));
  return buttons;
}
