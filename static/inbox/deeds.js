// What one does with a bubble: react, quote, copy, cancel, its menu; loaded at the first click on one.
import { $, $$, emit, http, lazy, pane, Refused, t, toast } from "./ui.js";
import * as outbox from "./outbox.js";
import { article, current, keepUnread, merge } from "./thread.js";
import { discard } from "./local.js";
import { attached } from "./press.js";
import { jump } from "./travel.js";
import { words } from "./bubbles.js";

const bar = document.getElementById("react-bar"), menu = document.getElementById("bubble-menu");
let root = null, chosen = "", opener = null;

async function post(url, form) {
  const here = root;
  try {
    const html = await (await http(url, { form })).text();
    if (here.isConnected) merge(html);
    return true;
  } catch (error) {
    toast((error instanceof Refused && error.reason) || t("not_done"), "danger");
    return false;
  }
}

const react = (id, emoji) => post(root.dataset.urlReact, { message: id, emoji });
const author = (bubble) => $(".who", bubble)?.textContent.trim() || root.dataset.name;

/** Opens a popover at a button, inside the window. */
function popUp(popover, button) {
  popover.showPopover();
  const at = button.getBoundingClientRect(), box = popover.getBoundingClientRect(), room = at.top - box.height - 6;
  popover.style.left = `${Math.max(8, Math.min(at.left + at.width / 2 - box.width / 2, innerWidth - box.width - 8))}px`;
  popover.style.top = `${Math.max(8, room > 0 ? room : Math.min(at.bottom + 6, innerHeight - box.height - 8))}px`;
  $("button:not([hidden])", popover).focus();
}

function openReactions(bubble, button) {
  chosen = bubble.id.slice(2);
  opener = button;
  popUp(bar, button);
}

function openMenu(bubble, button) {
  chosen = bubble.id.slice(2);
  opener = button;
  const isNote = bubble.classList.contains("note"), shown = {
    reply: !isNote, react: !isNote, copy: Boolean($("[data-txt], .summary", bubble)), unread: bubble.classList.contains("in"),
  };
  for (const item of $$("[data-do]", menu)) item.hidden = shown[item.dataset.do] === false;
  popUp(menu, button);
}

/** Puts a text on the clipboard, and says whether that worked. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // no secure context: the old way
    const box = document.createElement("textarea");
    box.value = text;
    ($("dialog[open]") || document.body).append(box);
    box.select();
    const copied = document.execCommand("copy");
    box.remove();
    if (!copied) { toast(t("not_done"), "danger"); return; }
  }
  toast(t("copied"));
}

const quote = (bubble) => emit("quote", { id: bubble.id.slice(2), author: author(bubble), text: words(bubble).slice(0, 140) });

async function markUnread(id) {
  const here = root;
  try {
    await http(here.dataset.urlRead.replace(/read\/$/, "unread/"), { form: { message: id } });
    if (here.isConnected) keepUnread();
    emit("row", Number(here.dataset.c));
    toast(t("marked_unread"));
  } catch (error) {
    toast((error instanceof Refused && error.reason) || t("not_done"), "danger");
  }
}

/** Runs an item of the bubble's menu. */
async function run(name) {
  const bubble = article(chosen);
  if (!bubble) return;
  if (name === "reply") quote(bubble);
  else if (name === "react") openReactions(bubble, opener);
  else if (name === "copy") copy($("[data-txt], .summary", bubble).innerText.trim());
  else if (name === "link") copy(new URL(`${root.dataset.url}?at=${chosen}`, location.href).href);
  else if (name === "note") emit("edit", { mode: "note", c: current(), text: `> ${author(bubble)}: ${words(bubble).slice(0, 140).replaceAll("\n", " ")}\n`, attachments: [] });
  else if (name === "unread") markUnread(chosen);
  else if (name === "info") (await lazy("info")).open(bubble.dataset.urlInfo, opener);
}

export async function act(pressed, thread) {
  root = thread;
  const button = attached(pressed);
  const bubble = button.closest(".msg"), id = bubble?.id.slice(2), name = button.dataset.act;
  if (name === "view") (await lazy("viewer")).open(button, root);
  else if (name === "find") (await lazy("finder")).open(root);
  else if (name === "play") lazy("player").then((player) => player.toggle(attached(button).closest("[data-player]")));
  else if (name === "speed") (await lazy("player")).faster(1);
  else if (name === "menu") openMenu(bubble, button);
  else if (name === "react") openReactions(bubble, button);
  else if (name === "reaction") react(id, button.getAttribute("aria-pressed") === "true" ? "" : button.dataset.emoji);
  else if (name === "reply") quote(bubble);
  else if (name === "jump") jump(button.hash.slice(3));
  else if (name === "copy") copy(button.dataset.text);
  else if (name === "template") $('[data-testid="template"]', pane)?.click();
  else if (name === "retry" || name === "cancel" || name === "media-retry") {
    button.disabled = true;
    if (!(await post(button.dataset.url, {}))) button.disabled = false;
  } else if (name === "local-retry") outbox.retry(id);
  else if (name === "local-edit") { emit("edit", outbox.find(id)); discard(id); }
  else if (name === "local-delete") discard(id);
}

/** Arrow keys in a popover of buttons; Tab leaves it. */
function onKey(event) {
  const items = $$("button:not([hidden])", event.currentTarget), at = items.indexOf(document.activeElement);
  const next = { ArrowDown: at + 1, ArrowRight: at + 1, ArrowUp: at - 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
  if (event.key === "Tab") event.currentTarget.hidePopover();
  if (next === undefined) return;
  event.preventDefault();
  items.at(next % items.length).focus();
}

for (const popover of [bar, menu]) {
  popover.addEventListener("keydown", onKey);
  popover.addEventListener("toggle", (event) => { if (event.newState === "closed" && document.activeElement === document.body) opener?.focus({ preventScroll: true }); });
}
menu.addEventListener("click", (event) => {
  const item = event.target.closest("[data-do]");
  if (!item) return;
  menu.hidePopover();
  run(item.dataset.do);
});
bar.addEventListener("click", async (event) => {
  const emoji = event.target.closest("[data-emoji]"), id = chosen;
  if (emoji) { bar.hidePopover(); react(id, emoji.dataset.emoji); }
  else if (event.target.closest("[data-more-emoji]")) { bar.hidePopover(); (await lazy("emoji")).open(opener, (found) => react(id, found)); }
});
