// The list: rows that update in place, a pill for what would move, selection, endless scroll. More: filters.js, marks.js, bulk.js.
import { $, $$, data, fragment, http, lazy, me, on, SessionLost, t, tick } from "./ui.js";
import { Pull } from "./bus.js";

const MOST = 400;
const ORDER = ["view", "status", "q", "assignee", "team", "inbox", "segment", "tag", "unread", "waiting", "window", "priority", "since", "until", "sort"];
export const STATUS = { snoozed: "snoozed", resolved: "resolved", mentions: "all" }; // what a view shows if nothing is said; "open" in others
const rows = $("[data-rows]"), region = $("#list"), scroller = $("[data-list-body]"), pill = $("[data-pill]");
const held = new Map(), heard = new Set(), picked = new Set();
let pointerInside = false, moved = false, open = 0, loading = null, watcher = null, decorate = null;

export const pull = new Pull(fetchRows, 400);
export const idOf = (row) => Number(row.id.slice(4));
const rowOf = (id) => document.getElementById(`row-${id}`);
const rank = (row) => row.dataset.sort.split(" ").map(Number);
/** Above 0 where the first of two rows stands further up. */
function compare(one, other) {
  const [place, tie] = rank(one), [otherPlace, otherTie] = rank(other);
  return place - otherPlace || tie - otherTie;
}
const all = () => $$(".row", rows);
const frozen = () => pointerInside || region.contains(document.activeElement) && document.activeElement !== region;
export const focused = () => document.activeElement.closest(".row");
export const links = () => $$(".row-link", rows);

async function fetchRows(ids, signal) {
  const query = data.query;
  const html = await (await http(`${data.urlRows}?ids=${ids.join(",")}&${query}`, { signal })).text();
  if (query === data.query) merge(fragment(html));
  counts();
}

/** These rows as they are now, in their places at once: what the agent did to them is no surprise. */
export async function renew(ids) {
  for (let at = 0; at < ids.length; at += 50) await fetchRows(ids.slice(at, at + 50));
  settle();
}

/** Puts server rows into the list: known ones in place, new and moved ones now or behind the pill. */
export function merge(content) {
  const freeze = frozen();
  for (const row of $$("li[id^=row-]", content)) {
    const old = document.getElementById(row.id);
    held.delete(row.id);
    if (!row.classList.contains("unread")) heard.delete(idOf(row));
    if ("gone" in row.dataset) {
      if (old && freeze) { old.dataset.leaving = ""; moved = true; }
      else old?.remove();
    } else if (old) {
      update(old, row, freeze);
    } else if (inLoadedRange(row)) {
      if (freeze) held.set(row.id, row);
      else place(row);
    }
  }
  afterChange();
}

function update(old, row, freeze) {
  if (Number(row.dataset.version) < Number(old.dataset.version)) return;
  const focus = old === focused() && focusOf(old);
  old.replaceWith(row);
  if (focus) $(focus, row).focus({ preventScroll: true });
  if (inOrder(row)) return;
  if (freeze) moved = true;
  else place(row);
}

const focusOf = (row) => (row.contains(document.activeElement.closest("[data-pick]")) ? "[data-pick]" : ".row-link");

function inOrder(row) {
  const above = row.previousElementSibling, below = row.nextElementSibling;
  return (!above?.dataset.sort || compare(above, row) > 0) && (!below?.dataset.sort || compare(row, below) > 0);
}

function inLoadedRange(row) {
  const last = all().at(-1);
  return !$(".sentinel", rows) || !last || compare(row, last) > 0;
}

function place(row) {
  const next = all().find((other) => other !== row && compare(row, other) > 0);
  rows.insertBefore(row, next || $(".sentinel", rows));
}

/** Applies what waited behind the pill. */
function settle() {
  if (!moved && !held.size) return;
  for (const row of held.values()) rows.append(row);
  held.clear();
  moved = false;
  $$("[data-leaving]", rows).forEach((row) => row.remove());
  const sorted = all().sort((a, b) => compare(b, a));
  const focus = rows.contains(document.activeElement) ? document.activeElement : null;
  sorted.forEach((row, index) => { if (rows.children[index] !== row) rows.insertBefore(row, rows.children[index]); });
  focus?.focus({ preventScroll: true });
  afterChange();
}

/** Other rows in place of all; the focus stays where it can. */
export function refill(content) {
  const row = focused(), focus = row && focusOf(row);
  held.clear();
  moved = false;
  rows.replaceChildren(content);
  if (row) ($(focus, rowOf(idOf(row)) || rows) || region).focus({ preventScroll: true });
  afterChange();
}

function afterChange() {
  pill.hidden = !held.size && !moved;
  pill.textContent = held.size ? t("new_conversations", { n: held.size }) : t("new_order");
  for (const id of picked) if (!rowOf(id)) picked.delete(id);
  paint();
  mark(open);
  tick(rows);
  watch();
  title();
}

/** What only this browser knows of its rows: which are selected, a draft, a teammate who types. */
export function paint() {
  for (const row of all()) {
    $("[data-pick]", row).checked = picked.has(idOf(row));
    decorate?.(row, idOf(row), open);
  }
  if (region.classList.toggle("picking", picked.size > 0) || !$("[data-bulk]").hidden) lazy("bulk").then((bulk) => bulk.refresh());
}

/** The selected conversations. */
export const selected = () => [...picked];

/** Selects conversations, or takes them out of the selection. */
export function select(ids, is = true) {
  for (const id of ids) {
    if (is) picked.add(id);
    else picked.delete(id);
  }
  paint();
}

/** Marks the open conversation and keeps one single tab stop in the list. */
export function mark(id) {
  open = id;
  const found = links();
  const current = found.find((link) => Number(link.dataset.open) === id);
  const stop = found.find((link) => link === document.activeElement) || current || found[0];
  for (const link of found) {
    link.toggleAttribute("aria-current", link === current);
    if (link === current) link.setAttribute("aria-current", "true");
    link.tabIndex = link === stop ? 0 : -1;
  }
}

/** In front of the title: how many are unread, of those on show and of those one heard of since. */
function title() {
  const ids = new Set($$(".row.unread", rows).map(idOf).concat(...heard));
  document.title = document.title.replace(/^\(\d+\) /, "").replace(/^/, ids.size ? `(${ids.size}) ` : "");
}

export function setTitle(name) {
  document.title = [name, t("inbox"), "Ventanilla"].filter(Boolean).join(" · ");
  title();
}

let countTimer = 0;
function counts() {
  countTimer ||= setTimeout(async () => {
    countTimer = 0;
    try {
      const fresh = fragment(await (await http(data.urlCounts)).text());
      for (const { dataset, textContent } of $$(".count", fresh)) {
        for (const old of $$(`[data-count="${dataset.count}"]`)) if (old.textContent !== textContent) old.textContent = textContent;
      }
      const part = $(".fence", fresh), old = part && document.getElementById(part.id);
      if (!old?.isEqualNode(part)) old?.replaceWith(part);
    } catch { /* the next hint asks again */ }
  }, 2000);
}

function belongs(hint) {
  if (rowOf(hint.c) || data.q) return true;
  if (data.view === "mine" && "assignee" in hint && hint.assignee !== me) return false;
  if (data.view === "unassigned" && hint.assignee) return false;
  return data.status === "all" || !hint.status || hint.status === data.status;
}

function hinted(hint) {
  if (hint.t === "message.created" && hint.dir === "in" && (hint.assignee === me || !hint.assignee) && (document.hidden || hint.c !== open)) {
    heard.add(hint.c);
    title();
  }
  if (hint.assignee && hint.assignee !== me) heard.delete(hint.c);
  if (belongs(hint)) pull.add(hint.c);
  else counts();
}

function watch() {
  watcher?.disconnect();
  const sentinel = $(".sentinel", rows);
  if (!sentinel) return;
  if (links().length >= MOST) { sentinel.textContent = t("list_full"); return; }
  watcher = new IntersectionObserver((seen) => { if (seen.some((entry) => entry.isIntersecting)) more(); }, { root: scroller, rootMargin: "400px" });
  watcher.observe(sentinel);
}

async function more() {
  const sentinel = $(".sentinel", rows);
  if (!sentinel || loading) return;
  watcher?.disconnect();
  const query = data.query;
  try {
    const content = await fetchPage(`&cursor=${encodeURIComponent(sentinel.dataset.next)}`);
    if (!content || query !== data.query) return;
    for (const row of $$(".row", content)) if (document.getElementById(row.id)) row.remove();
    sentinel.replaceWith(content);
    afterChange();
  } catch (error) {
    if (!(error instanceof SessionLost)) setTimeout(watch, 5000);
  }
}

/** A page of the query of now; nothing if another one was asked for meanwhile. */
export async function fetchPage(cursor = "") {
  loading?.abort();
  const control = loading = new AbortController();
  try {
    return fragment(await (await http(`${data.urlList}?${data.query}${cursor}`, { signal: control.signal })).text());
  } catch (error) {
    if (control.signal.aborted) return null;
    throw error;
  } finally {
    if (loading === control) { loading = null; region.removeAttribute("aria-busy"); }
  }
}

/** A view query in its one spelling: "view=mine&q=…". */
export function spell(query) {
  const given = new URLSearchParams(query), clean = new URLSearchParams();
  for (const name of ORDER) {
    const value = given.getAll(name).join(",").split(name === "q" ? "\0" : ",").filter(Boolean).sort((a, b) => a - b).join() || (name === "view" ? "mine" : "");
    if (value && (name !== "status" || value !== (STATUS[clean.get("view")] || "open"))) clean.set(name, value);
  }
  return clean.toString().replaceAll("%2C", ",");
}

/** Loads the list anew for a view query, to where it stood; false if it could not be. */
export const show = async (query, top) => (await lazy("filters")).show(query, top);

/** The row link `step` places from the focused or open one. */
export function neighbour(step) {
  const found = links();
  const row = focused(), here = row ? found.indexOf($(".row-link", row)) : -1;
  const from = here >= 0 ? here : found.findIndex((link) => Number(link.dataset.open) === open);
  return from < 0 ? found[0] : found[Math.min(found.length - 1, Math.max(0, from + step))];
}

function clicked(event) {
  const row = event.target.closest(".row"), pick = event.target.closest("[data-pick]"), { shiftKey } = event;
  const tool = event.target.closest("[data-view-query], [data-toggle], [data-clear-filters], [data-open-filters], [data-save-view], [data-rename-view], [data-delete-view]");
  if (event.target.closest("[data-more]")) more();
  else if (pick || (row && shiftKey && picked.size)) {
    if (!pick) event.preventDefault();
    lazy("bulk").then((bulk) => bulk.pick(idOf(row), shiftKey));
  } else if (tool && !event.ctrlKey && !event.metaKey && !shiftKey) {
    event.preventDefault();
    lazy("filters").then((tools) => tools.clicked(tool));
  }
}

export function start(openId) {
  open = openId;
  data.query = spell(data.query);
  region.addEventListener("pointerenter", (event) => { pointerInside = event.pointerType === "mouse"; });
  region.addEventListener("pointerleave", () => { pointerInside = false; if (!frozen()) settle(); });
  region.addEventListener("focusout", () => setTimeout(() => { if (!frozen()) settle(); }));
  rows.addEventListener("focusin", (event) => {
    const link = event.target.closest(".row-link");
    if (link) for (const other of links()) other.tabIndex = other === link ? 0 : -1;
  });
  pill.addEventListener("click", () => { settle(); scroller.scrollTop = 0; links()[0]?.focus({ preventScroll: true }); });
  region.addEventListener("click", clicked);
  region.addEventListener("keydown", (event) => {
    if (event.key === "a" && (event.ctrlKey || event.metaKey) && focused()) { event.preventDefault(); lazy("bulk").then((bulk) => bulk.all()); }
  });
  for (const type of ["message.created", "message.updated", "message.status", "conversation.created", "conversation.updated", "mention"]) on(type, hinted);
  on("conversation.removed", (hint) => { heard.delete(hint.c); rowOf(hint.c)?.remove(); afterChange(); counts(); });
  on("read", (hint) => {
    if (hint.user !== me) return;
    heard.delete(hint.c);
    title();
    if (rowOf(hint.c)) pull.add(hint.c);
  });
  on("row", (id) => { if (rowOf(id)) pull.add(id); });
  on("fence", counts);
  on("key:select", () => lazy("bulk").then((bulk) => bulk.toggle()));
  on("key:extend", (step) => lazy("bulk").then((bulk) => bulk.extend(step)));
  on("resync", () => { lazy("filters").then((tools) => tools.resync()); counts(); });
  setInterval(() => { if (!document.hidden) tick(); }, 5000);
  setInterval(() => { if (!document.hidden) counts(); }, 60000); // what only time changes
  lazy("filters").then((tools) => tools.start());
  lazy("marks").then((marks) => { decorate = marks.decorate; paint(); });
  afterChange();
}
