// The clerk's page: lists the templates of every account and takes decisions on them.

import { call, make, say, sentence } from "./api.js";

const at = (id) => document.getElementById(id);
// which decisions there are for a template in each status; the simulator has the last word
const ALLOWED = { PENDING: ["approve", "reject"], APPROVED: ["pause", "disable", "reject", "quality", "category"],
  PAUSED: ["approve", "disable", "quality"], REJECTED: ["approve"], DISABLED: ["approve"] };
let print = "";

function told(key) {
  try { return say(key); } catch { return key.replace(/^\w+?_/, ""); }
}

async function decide(template, wanted) {
  try {
    await call(`templates/${template.id}`, wanted);
    at("problem").hidden = true;
  } catch (error) {
    at("problem").textContent = sentence(error);
    at("problem").hidden = false;
  }
  await show();
}

function button(template, decision) {
  const node = make("button", { type: "button", class: decision === "approve" ? "primary" : null, "data-testid": `decide-${decision}` }, say(`decide_${decision}`));
  node.addEventListener("click", () => decide(template, { decision }));
  return node;
}

// A decision that needs a word more: choose it, then press.
function pair(template, decision, name, options, chosen, prefix) {
  const words = say(`decide_${decision}`);
  const select = make("select", { "aria-label": `${words}: ${template.name}`, "data-testid": `choose-${decision}` },
    ...options.map((option) => make("option", { value: option, selected: option === chosen }, told(`${prefix}_${option}`))));
  const node = make("button", { type: "button", "data-testid": `decide-${decision}` }, words);
  node.addEventListener("click", () => decide(template, { decision, [name]: select.value }));
  return make("span", { class: "pair" }, select, node);
}

function decision(template, name, lists) {
  if (name === "reject") return pair(template, name, "reason", lists.reasons, null, "reason");
  if (name === "quality") return pair(template, name, "score", lists.scores, template.quality_score.score, "score");
  if (name === "category") return pair(template, name, "category", lists.categories, template.category, "category");
  return button(template, name);
}

function card(template, lists) {
  const parts = Object.fromEntries(template.components.map((part) => [part.type, part]));
  const buttons = (parts.BUTTONS?.buttons ?? []).map((item) => `[${item.text ?? item.type}]`).join(" ");
  const quality = template.quality_score.score;
  return make("li", { class: "card template", "data-testid": "template", "data-status": template.status, "data-name": template.name },
    make("header", {}, make("h3", {}, template.name), make("span", { class: "small" }, template.language),
      make("span", { class: `chip is-${template.status.toLowerCase()}`, "data-testid": "status" }, told(`status_${template.status}`)),
      make("span", { class: "small" }, told(`category_${template.category}`)),
      quality === "UNKNOWN" ? null : make("span", { class: "small", "data-testid": "quality" }, `${say("quality")}: ${told(`score_${quality}`)}`)),
    template.rejected_reason && template.rejected_reason !== "NONE" ? make("p", { class: "small", "data-testid": "reason" }, told(`reason_${template.rejected_reason}`)) : null,
    make("div", { class: "body", lang: template.language.replace("_", "-") }, parts.HEADER?.text ? make("strong", {}, parts.HEADER.text) : null, parts.BODY?.text ?? "",
      parts.FOOTER?.text ? make("span", { class: "small" }, parts.FOOTER.text) : null, buttons ? make("span", { class: "small" }, buttons) : null),
    make("div", { class: "decisions" }, ...(ALLOWED[template.status] ?? []).map((name) => decision(template, name, lists))));
}

async function show() {
  const lists = await call("templates"), now = JSON.stringify(lists);
  if (now === print || document.activeElement?.tagName === "SELECT") return;
  print = now;
  const focused = document.activeElement?.closest("[data-name]")?.dataset.name;
  at("accounts").replaceChildren(...lists.accounts.map(({ waba_id, name, templates }) => make("section", { class: "account" },
    make("h2", {}, `${name} · ${waba_id}`), make("ul", { class: "templates" }, ...templates.map((template) => card(template, lists))))));
  if (!lists.accounts.length) at("accounts").replaceChildren(make("p", {}, say("no_number")));
  if (focused) at("accounts").querySelector(`[data-name="${CSS.escape(focused)}"] button`)?.focus();
}

async function poll() {
  try {
    if (!document.hidden) await show();
  } catch (error) {
    at("problem").textContent = sentence(error);
    at("problem").hidden = false;
  }
  setTimeout(poll, 2000);
}
poll();
