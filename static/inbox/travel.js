// Where in a long conversation one stands: further pages, a message far away, what was missed, what need not stay; and
// what keys and fingers do there.
import { $, $$, announce, emit, fragment, http, lazy, learnClock, on, pane, replaceById, t, tick, toast } from "./ui.js";
import { dayAbove, regroup, words } from "./bubbles.js";
import * as outbox from "./outbox.js";
import { arrived, article, bubbles, current, isWhole, items, log, merge, MOST, mutate, onScroll, pull, refreshState, root, setStuck, showLocal } from "./thread.js";

const PAGES = 20;
let paging = null, turns = 0, unsaid = [], sayTimer = 0;
const stored = () => bubbles().filter((element) => !element.dataset.local);

/** A page of messages with its cursors; null if another thread, or another part of this one, stands here meanwhile. */
async function page(query) {
  const here = root, turn = turns;
  const response = await http(`${here.dataset.urlMessages}${query}`), html = await response.text();
  return root === here && turn === turns ? { html, before: response.headers.get("X-Before"), after: response.headers.get("X-After") } : null;
}

/** Pulls what stands after the last message: system lines have no hint of their own. */
export async function lines() {
  const last = stored().at(-1);
  if (!last) return;
  try {
    const got = await page(`?after=${last.dataset.sort}`);
    if (!got || !isWhole()) return;
    log.dataset.after = got.after;
    arrived(merge(got.html, got.after && "after"));
  } catch { /* shown at the next opening */ }
}

export async function more(end) {
  const cursor = log.dataset[end], mine = `${turns} ${current()}`;
  if (!cursor || paging === mine) return;
  paging = mine;
  try {
    const got = await page(`?${end}=${cursor}`);
    if (!got) return;
    log.dataset[end] = got[end];
    merge(got.html, end);
    if (end === "after" && isWhole()) lines(); // what was written while this page was on its way
  } catch { return; /* the next scroll asks again */ } finally { if (paging === mine) paging = null; }
  onScroll();
}

/** Keeps the page small: what stands far from the reader goes and comes back by scrolling. */
export function trim(end) {
  const all = bubbles(), extra = all.length - MOST;
  if (extra <= 0) return;
  mutate(() => {
    if (end === "before") {
      const last = all[MOST - 1];
      while (last.nextElementSibling) last.nextElementSibling.remove();
      log.dataset.after = last.dataset.sort;
    } else {
      const first = all[extra];
      while (first.previousElementSibling) first.previousElementSibling.remove();
      log.dataset.before = first.dataset.sort;
      dayAbove(first);
    }
  });
}

/** Shows another part of the conversation: that around a message, or its end. */
export async function turnTo(query) {
  turns += 1;
  try {
    const got = await page(query);
    if (!got) return false;
    pull.clear();
    items.replaceChildren(fragment(got.html));
    Object.assign(log.dataset, { before: got.before, after: got.after });
    setStuck(false);
    regroup(items);
    tick(root);
    if (isWhole()) { outbox.pendingOf(current()).forEach(showLocal); lines(); }
    return true;
  } catch (error) {
    toast(t(error.status === 404 ? "not_here" : "not_loaded"), error.status === 404 ? "" : "danger");
    return false;
  }
}

/** Brings a message into view, from the server if need be; says whether it could. */
export async function jump(id) {
  if (!article(id) && !(await turnTo(`?around=${id}`))) return false;
  const target = article(id);
  if (!target) return false;
  setStuck(false);
  target.scrollIntoView({ block: "center" });
  target.focus({ preventScroll: true });
  target.classList.add("flash");
  setTimeout(() => target.classList.remove("flash"), 1600);
  onScroll();
  return true;
}

/** After a gap: pages from a safe point to the end, then what may have changed among the older ones. */
export async function resync() {
  const known = stored(), seen = new Set();
  let got = null, cursor = known.at(-30)?.dataset.sort || known[0]?.dataset.sort || "0.0";
  try {
    for (let number = 0; number < PAGES && isWhole(); number += 1) {
      got = await page(`?after=${cursor}`);
      if (!got) return;
      const found = $$(".msg", fragment(got.html)).filter((element) => !seen.has(element.id));
      found.forEach((element) => seen.add(element.id));
      arrived(merge(got.html));
      if (!found.length || !got.after) break;
      cursor = found.at(-1).dataset.sort;
    }
    if (got?.after && isWhole()) { log.dataset.after = got.after; setStuck(false); } // too much at once: the rest comes by scrolling
    known.slice(-100).filter((element) => !seen.has(element.id)).forEach((element) => pull.add(element.id.slice(2)));
  } catch { /* the live connection asks for another resync when it is back */ }
  refreshState();
}

/** Head and window strip as they are now; a head in which somebody is choosing waits until they are done. */
export async function state() {
  const here = root;
  try {
    const [header, strip] = await Promise.all([http(here.dataset.urlHeader), http(here.dataset.urlComposer)].map(async (answer) => (await answer).text()));
    if (root !== here) return;
    const old = $(".thread-head", here), active = document.activeElement, fresh = $(".thread-head", fragment(header));
    if (old.contains(active) && (active.matches("select, input") || $(":popover-open", old))) old.addEventListener("focusout", () => refreshState(300), { once: true });
    else (await lazy("head")).swap(fresh);
    if (root !== here) return;
    const held = active.closest(".strip") && active.dataset.testid, shown = replaceById(strip, ".strip");
    learnClock(shown);
    if (held) ($(`[data-testid="${held}"]`, shown) || $("[data-text]", here)).focus({ preventScroll: true });
    emit("window");
    tick(here);
  } catch (error) { // asked again by the next hint
    if (error.status === 404 && root === here) emit("conversation.removed", { c: current() });
  }
}

/** Reads out what has just arrived, several at once as their number. */
export function say(fresh) {
  unsaid.push(...fresh);
  sayTimer ||= setTimeout(() => {
    const list = unsaid;
    [unsaid, sayTimer] = [[], 0];
    if (!root || !list.length) return;
    const name = $(".who", list[0])?.textContent.trim() || root.dataset.name;
    announce(list.length === 1 ? t("says", { name, text: words(list[0]).slice(0, 200) }) : t("new_from", { name: root.dataset.name, n: list.length }));
  }, 400);
}

/** Ctrl/⌘+F searches here, pressed again in the page; arrows go from bubble to bubble. */
async function onKey(event) {
  if (!root || event.defaultPrevented || event.altKey) return;
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "f") {
    if ($("dialog[open]") || event.target.closest?.("[data-finder]")) return;
    event.preventDefault();
    (await lazy("finder")).open(root);
  }
  const at = event.target.closest?.(".msg"), step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!step || (event.target !== log && event.target !== at)) return;
  event.preventDefault();
  const all = bubbles(), next = at ? all[all.indexOf(at) + step] : all.at(-1);
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
}

on("mounted", () => { unsaid = []; });
on("key:find", async () => { if (root) (await lazy("finder")).open(root); });
document.addEventListener("keydown", onKey);
pane.addEventListener("input", async (event) => { if (event.target.matches("[data-seek]")) (await lazy("player")).seek(event.target); });
pane.addEventListener("contextmenu", async (event) => {
  const button = event.pointerType === "touch" && event.target.closest(".msg")?.querySelector('[data-act="menu"]');
  if (!button) return;
  event.preventDefault();
  (await lazy("deeds")).act(button, root);
});
