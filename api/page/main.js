// The page of the service: the list of jobs with the form for a new one, or one job.

import { showJob } from "./job.js";
import { showJobs, watchVisibility } from "./jobs.js";
import { ask, root } from "./service.js";
import { $, say } from "./shared/elements.js";
import { letSignOut } from "./signing.js";
import { startForm } from "./submit.js";
import { showWorkers } from "./workers.js";

const trouble = (text) => say($("trouble"), text);

letSignOut();
const job = location.href.slice(root.href.length).match(/^jobs\/([^/?#]+)/)?.[1];
ask("session").then(
  (caller) => {
    $("sign-out").hidden = /^(anybody|gateway)$/.test(caller.name);
    if (!job && caller.scopes.includes("admin")) showWorkers(caller.tenant);
  },
  () => null, // what is wrong shows where something is asked for
);

if (job) {
  showJob(decodeURIComponent(job), trouble);
} else {
  $("jobs").hidden = false;
  startForm();
  showJobs(trouble);
  watchVisibility(trouble);
}
