// Emoji: a panel with groups, search in the reader's language and those used lately; for messages and for reactions.
import { $, $$, recall, remember, t } from "./ui.js";
import { here } from "./composer.js";
import { fold } from "./plain.js";

const LATELY = "emoji-lately", MOST = 24;
const GROUPS = [0, 1, 3, 4, 5, 6, 7, 8, 9], SIGNS = ["😀", "👋", "🐵", "🍇", "🌍", "🎃", "👓", "🏧", "🏁", "🕘"];
let panel = null, known = null, choose = null;

const lately = () => recall(LATELY).split(" ").filter(Boolean);

/** Opens the panel beside `anchor`; `chosen` is called with the emoji. */
export async function open(anchor, chosen) {
  choose = chosen;
  panel ||= build();
  known ||= (await (await fetch(here.box.dataset.urlEmoji)).json()).map(([emoji, name, tags, group]) => ({ emoji, name, group, words: fold(`${name} ${tags}`) }));
  $("input", panel).value = "";
  show(lately().length ? -1 : 0);
  panel.showPopover();
  const at = anchor.getBoundingClientRect(), box = panel.getBoundingClientRect();
  panel.style.left = `${Math.max(8, Math.min(at.left, innerWidth - box.width - 8))}px`;
  panel.style.top = `${at.top - box.height - 6 > 8 ? at.top - box.height - 6 : Math.max(8, Math.min(at.bottom + 6, innerHeight - box.height - 8))}px`;
  $("input", panel).focus();
}

function element(tag, attributes, parent) {
  const made = Object.assign(document.createElement(tag), attributes);
  parent?.append(made);
  return made;
}

function build() {
  const words = t("emoji_groups").split("|"), made = element("div", { className: "emoji-panel", popover: "auto" }, document.body);
  made.setAttribute("role", "dialog");
  made.setAttribute("aria-label", "Emoji");
  made.dataset.testid = "emoji-panel";
  const search = element("input", { type: "search", placeholder: t("emoji_search"), ariaLabel: t("emoji_search") }, made);
  search.dataset.testid = "emoji-search";
  const tabs = element("div", { className: "emoji-tabs", role: "group" }, made);
  [...SIGNS.keys()].forEach((index) => {
    const tab = element("button", { type: "button", textContent: SIGNS[index], title: words[index], ariaLabel: words[index] }, tabs);
    tab.dataset.group = index === GROUPS.length ? -1 : GROUPS[index];
  });
  tabs.prepend(tabs.lastChild);
  element("div", { className: "emoji-grid", role: "group", ariaLabel: "Emoji" }, made).dataset.testid = "emoji-grid";
  search.addEventListener("input", () => (search.value.trim() ? fill(find(search.value)) : show(0)));
  made.addEventListener("click", onClick);
  made.addEventListener("keydown", onKey);
  return made;
}

function find(text) {
  const wanted = fold(text).split(/\s+/).filter(Boolean);
  return known.filter((one) => wanted.every((word) => one.words.includes(word))).slice(0, 120);
}

function show(group) {
  for (const tab of $$("[data-group]", panel)) tab.setAttribute("aria-pressed", String(Number(tab.dataset.group) === group));
  const used = lately();
  fill(group < 0 ? used.map((emoji) => known.find((one) => one.emoji === emoji)).filter(Boolean) : known.filter((one) => one.group === group));
}

function fill(found) {
  const grid = $(".emoji-grid", panel);
  grid.replaceChildren(...found.map(({ emoji, name }, index) => element("button", { type: "button", textContent: emoji, title: name, ariaLabel: name, tabIndex: index ? -1 : 0 })));
  if (!found.length) element("p", { className: "muted", textContent: t("emoji_none") }, grid);
  grid.scrollTop = 0;
}

function onClick(event) {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.group) { $("input", panel).value = ""; show(Number(button.dataset.group)); return; }
  const emoji = button.textContent;
  remember(LATELY, [emoji, ...lately().filter((other) => other !== emoji)].slice(0, MOST).join(" "));
  panel.hidePopover();
  choose(emoji);
}

function onKey(event) {
  const all = $$(".emoji-grid button", panel), at = all.indexOf(document.activeElement);
  const row = Math.max(1, all.findIndex((one) => one.offsetTop > all[0].offsetTop)) || 8;
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: row, ArrowUp: -row }[event.key];
  if (at < 0 && event.target.type === "search" && (event.key === "ArrowDown" || event.key === "Enter")) {
    event.preventDefault();
    if (event.key === "Enter") all[0]?.click();
    else all[0]?.focus();
  } else if (at >= 0 && step) {
    event.preventDefault();
    (all[at + step] || $("input", panel)).focus();
  }
}
