// The keys of the inbox, as the table in the help says. Never with Alt or AltGr; single ones never while typing or in a dialog.
import { $, $$, emit, lazy, pane, preferences } from "./ui.js";
import { links, neighbour } from "./list.js";

const help = $("#help"), SEQUENCE = 1500;
const runs = Object.fromEntries($$("[data-key]", help).map((row) => [row.dataset.key, row.dataset.run]));
let prefixed = 0;

const functions = {
  assignToMe,
  go: (query) => lazy("filters").then(() => emit("go", query)),
  help: () => help.showModal(),
  panel: () => $("[data-panel-toggle]")?.click(),
  search: () => $('[data-testid="search"]').focus(),
  settings: async () => (await lazy("settings")).open(),
  viewAs: async (user) => (await lazy("settings")).viewAs(user),
};

const target = (spec) => spec.split("|").map((id) => $(`[data-testid="${id}"]`)).find((found) => found?.checkVisibility() || found?.closest(".head-menu"));

/** Whether this page can do it now. */
export const can = (spec) => /^(do|key):/.test(spec) || Boolean(target(spec));

/** Does what a line of the table says: presses a button, calls a function here, or says `key:<name>` on the bus. */
export function run(spec) {
  const [kind, name, ...rest] = spec.split(":");
  if (kind === "do") functions[name]?.(rest.join(":"));
  else if (kind === "key") emit(spec);
  else press(target(spec));
}

function press(found) {
  if (found?.localName !== "select") { found?.click(); return; }
  found.focus();
  try { found.showPicker(); } catch { /* only after a key or a click; the focus is there */ }
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

const isField = (element) => Boolean(element?.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]"));

function escape(event) {
  if (event.defaultPrevented || $("dialog[open]") || $(":popover-open")) return;
  const active = document.activeElement;
  const quote = $("[data-quote]:not([hidden]) [data-quote-clear]", pane);
  if (isField(active)) {
    if (quote && pane.contains(active)) quote.click();
    else if (pane.contains(active)) $("[data-log]", pane)?.focus({ preventScroll: true });
    else active.blur();
  } else {
    ($(".row-link[aria-current]") || links().find((link) => link.tabIndex === 0) || $("#list")).focus();
  }
  event.preventDefault();
}

function onKey(event) {
  const { key } = event;
  if (event.isComposing || event.altKey || event.getModifierState?.("AltGraph")) return;
  if (key === "Escape") { escape(event); return; }
  if (event.ctrlKey || event.metaKey) {
    if (key.toLowerCase() !== "k" || event.shiftKey || $("dialog[open]:not(#palette)")) return;
    event.preventDefault();
    lazy("palette").then((palette) => palette.toggle());
    return;
  }
  if (isField(event.target) || $("dialog[open], :popover-open")) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[key];
  if (step && event.target.closest?.(".rows")) { event.preventDefault(); move(step); return; }
  if (preferences.single_keys !== false && key.length === 1 && single(event)) event.preventDefault();
}

/** Does what the single key means; says whether it means anything. */
function single(event) {
  const lower = event.key.toLowerCase(), sequel = Date.now() - prefixed < SEQUENCE;
  prefixed = 0;
  if (lower === "j" || lower === "k") {
    const step = lower === "j" ? 1 : -1;
    if (event.shiftKey) emit("key:extend", step);
    else move(step);
    return true;
  }
  if (event.repeat) return false;
  if (lower === "g" && !event.shiftKey) { prefixed = Date.now(); return true; }
  if (lower === "o" && !event.shiftKey) { document.activeElement?.closest?.(".row-link")?.click(); return true; }
  const spec = sequel ? runs[`g${lower}`] : runs[event.shiftKey || !/[A-Z]/.test(event.key) ? event.key : lower];
  if (spec && can(spec)) run(spec);
  return Boolean(spec);
}

export function start() {
  document.addEventListener("keydown", onKey);
  const box = $("[data-single-keys]", help);
  help.addEventListener("beforetoggle", () => { box.checked = preferences.single_keys !== false; });
  box.addEventListener("change", async () => {
    preferences.single_keys = box.checked;
    (await lazy("settings")).save({ single_keys: box.checked ? "1" : "" });
  });
}
