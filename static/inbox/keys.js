// Single-key shortcuts and their help. Never with Alt, Ctrl or AltGr; never while typing or in a dialog.
import { $, pane, recall, remember } from "./ui.js";
import { neighbour } from "./list.js";

const help = $("#help");
const off = () => recall("single-keys") === "off";

const actions = {
  j: () => move(1),
  k: () => move(-1),
  o: () => document.activeElement?.closest?.(".row-link")?.click(),
  r: () => press('[data-testid="reply-tab"]'),
  n: () => press('[data-testid="note-tab"]'),
  e: () => press('.thread-head [name="status"]'),
  i: assignToMe,
  "/": () => $('[data-testid="search"]')?.focus(),
  "?": () => help.showModal(),
};

function press(selector) {
  $(selector, pane)?.click();
}

function move(step) {
  const link = neighbour(step);
  link?.focus();
  link?.scrollIntoView({ block: "nearest" });
}

function assignToMe() {
  const select = $('select[name="assignee"]', pane);
  if (!select || select.value === "me") return;
  select.value = "me";
  select.dispatchEvent(new Event("change", { bubbles: true }));
}

const isField = (element) => Boolean(element?.closest?.("input, textarea, select, [contenteditable]"));

function escape(event) {
  if ($("dialog[open]") || $(":popover-open")) return;
  const active = document.activeElement;
  const quote = $("[data-quote]:not([hidden]) [data-quote-clear]", pane);
  if (isField(active)) {
    if (quote && pane.contains(active)) quote.click();
    else if (pane.contains(active)) $("[data-log]", pane)?.focus({ preventScroll: true });
    else active.blur();
  } else {
    $(`.row-link[aria-current]`)?.focus();
  }
  event.preventDefault();
}

function onKey(event) {
  if (event.isComposing) return;
  if (event.key === "Escape") { escape(event); return; }
  if (event.ctrlKey || event.altKey || event.metaKey || event.getModifierState?.("AltGraph")) return;
  if (isField(event.target) || $("dialog[open]")) return;
  const inList = event.target.closest?.(".rows");
  if (inList && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    event.preventDefault();
    move(event.key === "ArrowDown" ? 1 : -1);
    return;
  }
  const action = !off() && actions[event.key.length === 1 ? event.key.toLowerCase() : ""];
  if (!action || (event.repeat && !"jk".includes(event.key.toLowerCase()))) return;
  if (event.shiftKey && event.key !== "/" && event.key !== "?") return;
  event.preventDefault();
  action();
}

export function start() {
  document.addEventListener("keydown", onKey);
  $("[data-help]")?.addEventListener("click", () => help.showModal());
  const single = $("[data-single-keys]");
  single.checked = !off();
  single.addEventListener("change", () => remember("single-keys", single.checked ? "" : "off"));
}
