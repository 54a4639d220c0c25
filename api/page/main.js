// The page of the service: the list of jobs with the form for a new one, or one job.

import { $, say } from "./elements.js";
import { showJob } from "./job.js";
import { showJobs, watchVisibility } from "./jobs.js";
import { root } from "./service.js";
import { startForm } from "./submit.js";

const trouble = (text) => say($("trouble"), text);

$("theme").addEventListener("click", () => {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  for (const page of [document, ...[...document.querySelectorAll("iframe")].map((frame) => frame.contentDocument)]) {
    if (page) page.documentElement.dataset.theme = theme;
  }
  try {
    localStorage.setItem("geogaze-theme", theme);
  } catch {
    // A browser that keeps nothing: it holds for this page.
  }
});

const job = location.href.slice(root.href.length).match(/^jobs\/([^/?#]+)/)?.[1];
if (job) {
  showJob(decodeURIComponent(job), trouble);
} else {
  $("jobs").hidden = false;
  startForm();
  showJobs(trouble);
  watchVisibility(trouble);
}
