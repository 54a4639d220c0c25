// Parts of the page that several panels are made of.

export const $ = (id) => document.getElementById(id);

/** An element with attributes and what it holds; texts are texts, never markup. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** The head of a panel: its title, and a button that closes it. */
export function headOf(title, close) {
  const button = make("button", { type: "button", class: "close", "aria-label": "Close", onclick: close }, "×");
  return make("div", { class: "head" }, make("h2", {}, title), button);
}

/** A bar of a share 0..1, orange where it is of what speaks against. */
export function barOf(share, against = false) {
  const width = `width: ${(100 * Math.min(1, Math.max(0, share))).toFixed(1)}%`;
  const bar = make("i", { style: width, class: against ? "against" : "" });
  return make("td", { class: "bar", "aria-hidden": "true" }, bar);
}

/** A number as exact as a float32 is, without digits that say nothing. */
export function exact(value) {
  return Number.isNaN(value) ? "not looked at" : String(Number(value.toPrecision(7)));
}

/** A number with commas; toLocaleString takes longer to begin than the first heat may. */
export function counted(number) {
  const [whole, ...part] = String(number).split(".");
  return [whole.replace(/\B(?=(\d{3})+(?!\d))/g, ","), ...part].join(".");
}

/** Square metres in words. */
export function areaOf(squareMetres) {
  if (squareMetres >= 1e5) return `${(squareMetres / 1e6).toPrecision(3)} km²`;
  return `${counted(Number(squareMetres.toPrecision(3)))} m²`;
}
