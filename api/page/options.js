// Fields for inputs that the page knows nothing of but their description by the service.

import { make } from "./shared/elements.js";

const TEXTS = new Set(["string"]);

/** A field for an input: `{ name, element, value }`; `value()` is undefined where nothing was chosen. */
export function fieldOf(name, { title, description, schema }) {
  const { control, value } = controlOf(schema, `option-${name}`);
  const help = description ? make("small", { id: `help-${name}` }, description) : null;
  if (help) control.setAttribute("aria-describedby", help.id);
  const words = title ?? name;
  const label =
    control.type === "checkbox" ? make("label", { class: "tick" }, control, ` ${words}`) : make("label", {}, words, control);
  return { name, element: make("div", { class: "option" }, label, help), value };
}

function controlOf(schema, id) {
  if (schema.enum) {
    const usual = make("option", { value: "" }, schema.default === undefined ? "as usual" : `${schema.default} (as usual)`);
    const others = schema.enum.filter((word) => word !== schema.default).map((word) => make("option", { value: word }, word));
    const control = make("select", { id }, usual, ...others);
    return { control, value: () => control.value || undefined };
  }
  if (schema.type === "boolean") {
    const control = make("input", { id, type: "checkbox" });
    return { control, value: () => control.checked || undefined };
  }
  const placeholder = schema.default === undefined ? null : String(schema.default);
  if (schema.type === "number" || schema.type === "integer") {
    const step = schema.type === "integer" ? 1 : "any";
    const control = make("input", { id, type: "number", min: schema.minimum, max: schema.maximum, step, placeholder });
    return { control, value: () => (control.value === "" ? undefined : Number(control.value)) };
  }
  const kinds = [schema, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].map((part) => part.type).filter(Boolean);
  const example = schema.example === undefined ? null : String(schema.example);
  const control = make("input", { id, type: "text", spellcheck: "false", autocomplete: "off", placeholder: placeholder ?? example });
  return { control, value: () => written(control.value.trim(), kinds, schema) };
}

/** What was written, as the input's kind: JSON, numbers and words with commas, or the text itself. */
function written(text, kinds, schema) {
  if (!text) return undefined;
  if (/^[[{]/.test(text)) return parsed(text);
  if (kinds.includes("array")) {
    const parts = text.split(",").map((part) => part.trim()).filter(Boolean);
    const plain = TEXTS.has(schema.items?.type);
    if (schema.items?.type === "array") return [parts.map(Number)]; // one pair for all
    return plain ? parts : parts.map(Number);
  }
  return kinds.includes("number") && !Number.isNaN(Number(text)) ? Number(text) : text;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text; // the service says what is wrong with it
  }
}
