// The form for a new job: what it would take is told before it starts.

import { areaAsked, chooseArea, showFootprint } from "./area.js";
import { fieldOf } from "./options.js";
import { ask, newKey, place, post } from "./service.js";
import { $, make, say } from "./shared/elements.js";
import { takeFiles } from "./upload.js";
import { bytesOf, countOf, durationOf } from "./words.js";

const PROCESS = "processes/explain";
const OWN = new Set(["scene", "model", "classes", "aoi"]); // inputs with fields of their own
const SHOWN_LATER = ["classes", "aoi"]; // inputs that change nothing of where the scene lies
const MANY = 12; // classes from which on one may search

let options = [];
let models = new Map();

/** Fill the form, and let it work. */
export async function startForm() {
  const form = $("submit");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    quote();
  });
  const elsewhere = (event) => !event.target.closest("#area"); // which says itself when it has changed
  form.addEventListener("input", (event) => elsewhere(event) && forget()); // what was told holds for what was asked alone
  form.addEventListener("change", (event) => {
    if (elsewhere(event)) forget();
    findScene();
  });
  chooseArea(() => {
    const told = !$("quote").hidden;
    forget();
    if (told) quote(false); // it follows what is drawn
  });
  for (const choice of form.elements.which) choice.addEventListener("change", showClasses);
  $("model").addEventListener("change", showClasses);
  $("filter").addEventListener("input", showFound);
  takeFiles(
    (scene) => {
      $("scene").value = [...scenes(), scene].join("\n");
      forget();
      findScene();
      $("ask").focus();
    },
    (text) => say($("refused"), text),
  );
  if (matchMedia("(min-width: 901px)").matches) $("new").open = true;
  try {
    const [known, process] = await Promise.all([ask("models"), ask(PROCESS)]);
    fill(known.models, process.inputs);
  } catch (refused) {
    say($("refused"), refused.message);
  }
  $("ask").disabled = false; // not before the model that is usual is known
}

function fill(known, inputs) {
  models = new Map(known.map((model) => [model.name, model]));
  $("models").replaceChildren(...known.map((model) => make("option", { value: model.name })));
  $("model").value ||= inputs.model.schema.default ?? "";
  options = Object.entries(inputs)
    .filter(([name]) => !OWN.has(name))
    .map(([name, described]) => fieldOf(name, described));
  $("options").replaceChildren(...options.map((option) => option.element));
  showClasses();
}

function showClasses() {
  const some = $("submit").elements.which.value === "some";
  $("some").hidden = !some;
  const classes = models.get($("model").value)?.classes ?? [];
  const shown = $("classes");
  if (shown.dataset.model === $("model").value) return;
  shown.dataset.model = $("model").value;
  shown.replaceChildren(
    ...classes.map((name) => make("label", {}, make("input", { type: "checkbox", value: name }), ` ${name}`)),
  );
  shown.hidden = !classes.length;
  $("filter-row").hidden = classes.length < MANY;
  $("filter").value = "";
}

function showFound() {
  const wanted = $("filter").value.toLowerCase();
  for (const label of $("classes").children) label.hidden = !label.textContent.toLowerCase().includes(wanted);
}

/** The lines that name scenes. */
function scenes() {
  return $("scene").value.split("\n").map((line) => line.trim()).filter(Boolean);
}

function inputs() {
  const named = scenes();
  const asked = { scene: named.length === 1 ? named[0] : named, model: $("model").value.trim() };
  const which = $("submit").elements.which.value;
  asked.classes = which === "some" ? chosen() : which;
  const area = areaAsked();
  if (area !== undefined) asked.aoi = area;
  for (const option of options) {
    const value = option.value();
    if (value !== undefined) asked[option.name] = value;
  }
  return asked;
}

function chosen() {
  const ticked = [...$("classes").querySelectorAll(":checked")].map((box) => box.value);
  const others = $("others").value.split(",").map((name) => name.trim()).filter(Boolean);
  return [...ticked, ...others];
}

let asking = 0; // counts what was asked: an answer to an earlier form is no answer to this

function forget() {
  asking += 1;
  $("quote").hidden = true;
  $("quote").replaceChildren();
  say($("refused"), null);
}

let found = ""; // inputs whose scene the area's map shows

/** Show where the scene lies, once it is another than before. */
async function findScene() {
  const asked = inputs();
  for (const name of SHOWN_LATER) delete asked[name];
  const wanted = scenes().length ? JSON.stringify(asked) : "";
  if (wanted === found) return;
  found = wanted;
  $("area").hidden = !wanted;
  if (!wanted) return showFootprint(null, null);
  say($("area-said"), "Looking where it lies …");
  const told = await post(`${PROCESS}/quote`, { inputs: asked }).catch((refused) => ({ why: refused.message }));
  if (wanted === found) showFootprint(told.footprint, told.why ?? "It lies where longitude and latitude do not tell.");
}

/** Tell what it takes, and offer to start it; `leads` says whether the keyboard's focus goes there. */
async function quote(leads = true) {
  forget();
  const number = asking;
  const asked = inputs();
  const key = newKey(); // pressed twice, or sent again, it is one job
  await busy($("ask"), async () => {
    const told = await post(`${PROCESS}/quote`, { inputs: asked });
    if (number !== asking) return;
    const start = make("button", { type: "button", class: "first" }, "Start");
    start.addEventListener("click", () =>
      busy(start, async () => {
        const status = await post(`${PROCESS}/execution`, { inputs: asked }, { "Idempotency-Key": key });
        location.assign(place(`jobs/${status.jobID}`));
      }),
    );
    $("quote").replaceChildren(...linesOf(told), make("p", { class: "buttons" }, start));
    $("quote").hidden = false;
    if (leads) start.focus();
  });
}

function linesOf(told) {
  const facts = [
    ["Tiles", told.tiles.toLocaleString("en")],
    ["Layers", `${countOf(told.layers, "layer")} of ${told.cols.toLocaleString("en")} × ${told.rows.toLocaleString("en")} cells`],
    ["A cell", `${Number(told.cellMetres.toPrecision(3))} m`],
    ["Products", `up to ${bytesOf(told.productsBytes)}`],
    ["Disk meanwhile", `up to ${bytesOf(told.diskBytes)}`],
    ["Memory", `up to ${bytesOf(told.memoryBytes)}`],
    ["Time", told.seconds === undefined ? "not known before a job like it has run" : `about ${durationOf(told.seconds)}`],
  ];
  if (told.bill?.cost !== undefined) {
    facts.push(["Cost", `about ${Number(told.bill.cost.toPrecision(3))} ${told.bill.currency}`]);
  }
  const list = make("dl", {}, ...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  return [make("h2", {}, "What it takes"), list, ...(told.warnings ?? []).map((text) => make("p", { class: "warning" }, text))];
}

/** Do something that a button asked for; what is refused is told below the form. */
async function busy(button, act) {
  button.setAttribute("aria-busy", "true");
  try {
    await act();
  } catch (refused) {
    say($("refused"), refused.message);
  } finally {
    button.setAttribute("aria-busy", "false");
  }
}
