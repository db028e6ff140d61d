// Several conversations at once: choosing them, the bar of what can be done with them, doing it with progress, taking it back.
import { $, $$, announce, data, fragment, http, SessionLost, t, toast, why } from "./ui.js";
import { focused, idOf, links, neighbour, renew, select, selected } from "./list.js";

const region = $("#list"), bar = $("[data-bulk]"), rows = $("[data-rows]");
const AT_ONCE = 200, MOST = 5000, UNDO = 10000;
let last = 0, whole = null, asked = "", busy = false;

const ids = () => $$(".row", rows).map(idOf);
const has = (id) => selected().includes(id);

/** Selects or not, as its box says now; with Shift all from the last one on. */
export function pick(id, isRange) {
  const all = ids(), is = !has(id), from = all.indexOf(last), to = all.indexOf(id);
  if (isRange && from >= 0) select(all.slice(Math.min(from, to), Math.max(from, to) + 1));
  else select([id], is);
  last = id;
}

/** The focused or open conversation, by key. */
export function toggle() {
  const row = focused() || neighbour(0)?.closest(".row");
  if (row) pick(idOf(row), false);
}

/** Takes the focused one and its neighbour into the selection, and goes there. */
export function extend(step) {
  const row = focused(), link = neighbour(step);
  if (row) select([idOf(row)]);
  if (!link) return;
  last = idOf(link.closest(".row"));
  select([last]);
  link.focus();
  link.scrollIntoView({ block: "nearest" });
}

/** All rows that are loaded. */
export function all() {
  select(ids());
}

export function clear() {
  const back = bar.contains(document.activeElement);
  whole = null;
  select(selected(), false);
  if (back) (links().find((link) => link.tabIndex === 0) || region).focus();
}

/** The bar follows the selection. */
export async function refresh() {
  const count = selected().length;
  bar.hidden = !count;
  if (!count) { whole = null; asked = ""; return; }
  if (whole && count !== whole.loaded) whole = null;
  if (asked === data.query) { say(count); return; }
  asked = data.query;
  try {
    bar.replaceChildren(fragment(await (await http(`${region.dataset.urlBulk}?${data.query}`)).text()));
    say(selected().length);
  } catch (error) {
    asked = "";
    if (!(error instanceof SessionLost)) toast(t("not_loaded"), "danger");
  }
}

function say(count) {
  const word = $("[data-bulk-count]", bar), box = $(".bulk-bar", bar);
  if (!box) return;
  const total = Number(box.dataset.total), text = t("selected", { n: whole ? whole.total : count });
  if (word.textContent !== text) word.textContent = text;
  $("[data-bulk-all]", bar).hidden = Boolean(whole) || total <= count;
}

function takeWhole() {
  const { total, asOf } = $(".bulk-bar", bar).dataset;
  all();
  whole = { total: Number(total), asOf, loaded: selected().length };
  say(whole.loaded);
}

/** Posts the change in parts of 200; returns what became of all of them. */
async function carryOut(action, value, progress) {
  const told = { changed: 0, unchanged: 0, skipped: new Map(), undo: [], failed: false };
  const chosen = selected(), { query } = data, view = whole;
  let after = 0, done = 0;
  try {
    do {
      const which = view ? { query, as_of: view.asOf, after } : { ids: chosen.slice(done, done + AT_ONCE).join(",") };
      const answer = await (await http(region.dataset.urlBulk, { form: { action, value, ...which }, timeout: 60000 })).json();
      add(told, answer);
      done += AT_ONCE;
      after = view ? answer.next : done < chosen.length;
      if (after) progress(Math.min(done, view ? view.total : chosen.length), view ? view.total : chosen.length);
    } while (after && done < MOST);
  } catch (error) {
    told.failed = error instanceof SessionLost ? " " : why(error);
  }
  return told;
}

function add(told, answer) {
  told.changed += answer.changed;
  told.unchanged += answer.unchanged || 0;
  for (const [reason, count] of answer.skipped) told.skipped.set(reason, (told.skipped.get(reason) || 0) + count);
  if (answer.undo) told.undo.push(answer.undo);
}

const sentence = (told, word) => [
  told.changed || !told.skipped.size ? t(word, { n: told.changed }) : "",
  ...[...told.skipped].map(([reason, count]) => t("bulk_skipped", { n: count, reason })),
].filter(Boolean).join(" ");

async function change(action, value) {
  if (busy) return;
  busy = true;
  bar.setAttribute("aria-busy", "true");
  const touched = selected(), note = notice();
  const told = await carryOut(action, value, (done, total) => note.write(t("bulk_progress", { done, total })));
  busy = false;
  bar.removeAttribute("aria-busy");
  renew(touched).catch(() => {});
  if (told.failed) toast(told.failed, "danger");
  if (told.failed && !told.changed) { note.end(); return; }
  clear();
  note.write(sentence(told, "bulk_done"), told.undo.length ? () => takeBack(told.undo, touched) : null);
}

async function takeBack(tokens, touched) {
  const told = { changed: 0, unchanged: 0, skipped: new Map(), undo: [] };
  try {
    for (const undo of tokens.toReversed()) add(told, await (await http(region.dataset.urlUndo, { form: { undo }, timeout: 60000 })).json());
    notice().write(sentence(told, "bulk_undone"));
  } catch (error) {
    if (!(error instanceof SessionLost)) toast(why(error), "danger");
  }
  renew(touched).catch(() => {});
}

/** A notice that stays while the pointer or the focus is on it; with something to take back it has a button. */
function notice() {
  const item = document.createElement("p"), text = document.createElement("span");
  let timer = 0;
  item.className = "toast with-button-inside";
  item.dataset.testid = "bulk-toast";
  item.append(text);
  const end = () => item.remove();
  const wait = () => { clearTimeout(timer); if (!item.matches(":hover, :focus-within")) timer = setTimeout(end, UNDO); };
  for (const type of ["pointerenter", "focusin"]) item.addEventListener(type, () => clearTimeout(timer));
  for (const type of ["pointerleave", "focusout"]) item.addEventListener(type, () => setTimeout(wait));
  return {
    end,
    write(words, undo) {
      text.textContent = words;
      if (!item.isConnected) $("[data-notices]").append(item);
      wait();
      if (!undo) return;
      const button = document.createElement("button");
      Object.assign(button, { type: "button", className: "toast-button", textContent: t("bulk_undo") });
      button.dataset.testid = "bulk-undo";
      button.addEventListener("click", () => { end(); undo(); announce(t("bulk_undo")); });
      item.append(button);
    },
  };
}

bar.addEventListener("click", (event) => {
  const button = event.target.closest("[data-bulk-do]");
  if (button) {
    button.closest("[popover]")?.hidePopover();
    change(button.dataset.bulkDo, button.dataset.value);
  } else if (event.target.closest("[data-bulk-close]")) clear();
  else if (event.target.closest("[data-bulk-all]")) takeWhole();
});
bar.addEventListener("submit", (event) => {
  event.preventDefault();
  event.target.closest("[popover]").hidePopover();
  change("snooze", event.target.elements.value.value);
});
bar.addEventListener("beforetoggle", (event) => {
  const opener = $(`[popovertarget="${event.target.id}"]`, bar);
  if (event.newState !== "open" || !opener) return;
  const at = opener.getBoundingClientRect(), width = 260;
  event.target.style.left = `${Math.max(8, Math.min(at.left, innerWidth - width - 8))}px`;
  event.target.style.top = `${at.bottom + 4}px`;
}, true);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || bar.hidden || $("dialog[open]") || $(":popover-open") || !region.contains(document.activeElement)) return;
  event.preventDefault();
  clear();
}, true);
