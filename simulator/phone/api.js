// What every part of the simulator's pages needs: words, elements without markup, and requests.

export const words = JSON.parse(document.getElementById("words").textContent);
export const language = document.documentElement.lang;
const root = document.querySelector('script[type="module"]').getAttribute("src").startsWith("../") ? "../" : "";

export function say(key, values = {}) {
  return words[key].replace(/{(\w+)}/g, (whole, name) => values[name] ?? whole);
}

export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export function icon(name, label = null) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", `icon is-${name}`);
  if (label) { svg.setAttribute("role", "img"); svg.setAttribute("aria-label", label); }
  else svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

// A request to the control API; a refusal is thrown as an Error with the simulator's sentence, a lost network as a TypeError.
export async function call(path, body) {
  const form = body instanceof FormData;
  const answer = await fetch(`${root}api/${path}`, {
    method: body === undefined ? "GET" : "POST",
    body: body === undefined ? undefined : form ? body : JSON.stringify(body),
    headers: body === undefined || form ? {} : { "Content-Type": "application/json" },
  });
  const told = await answer.json();
  if (!answer.ok && answer.status !== 502) throw new Error(told.error);
  return told;
}

export function sentence(error) {
  return error instanceof TypeError ? say("error_network") : error.message;
}

export function format(options) {
  return new Intl.DateTimeFormat(language, options);
}
