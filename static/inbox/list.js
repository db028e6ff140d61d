// The list of conversations: rows that update in place, a pill for what would move, views, search, endless scroll.
import { $, $$, data, emit, fragment, http, me, on, SessionLost, t, tick, toast } from "./ui.js";
import { Pull } from "./bus.js";

const MOST = 400;
const rows = $("[data-rows]"), region = $("#list"), scroller = $("[data-list-body]"), pill = $("[data-pill]");
const filters = $("[data-filters]");
const held = new Map();
const away = new Set();
let pointerInside = false, moved = false, open = 0, loading = null, watcher = null;

const pull = new Pull(fetchRows, 400);
const idOf = (row) => Number(row.id.slice(4));
const sortOf = (row) => Number(row.dataset.sort);
const frozen = () => pointerInside || region.contains(document.activeElement) && document.activeElement !== region;
export const links = () => $$(".row-link", rows);

async function fetchRows(ids, signal) {
  const query = data.query;
  const html = await (await http(`${data.urlRows}?ids=${ids.join(",")}&${query}`, { signal })).text();
  if (query === data.query) merge(fragment(html));
  counts();
}

/** Puts server rows into the list: known ones in place, new and moved ones now or behind the pill. */
function merge(content) {
  const freeze = frozen();
  for (const row of $$("li[id^=row-]", content)) {
    const old = document.getElementById(row.id);
    held.delete(row.id);
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
  const focused = old.contains(document.activeElement);
  old.replaceWith(row);
  if (focused) $(".row-link", row)?.focus({ preventScroll: true });
  if (inOrder(row)) return;
  if (freeze) moved = true;
  else place(row);
}

function inOrder(row) {
  const above = row.previousElementSibling, below = row.nextElementSibling;
  return (!above?.dataset.sort || sortOf(above) >= sortOf(row)) && (!below?.dataset.sort || sortOf(below) <= sortOf(row));
}

function inLoadedRange(row) {
  const last = $$(".row", rows).at(-1);
  return !$(".sentinel", rows) || !last || sortOf(row) >= sortOf(last);
}

function place(row) {
  const next = $$(".row", rows).find((other) => other !== row && sortOf(other) < sortOf(row));
  rows.insertBefore(row, next || $(".sentinel", rows));
}

/** Applies what waited behind the pill. */
function settle() {
  if (!moved && !held.size) return;
  for (const row of held.values()) rows.append(row);
  held.clear();
  moved = false;
  $$("[data-leaving]", rows).forEach((row) => row.remove());
  const sorted = $$(".row", rows).sort((a, b) => sortOf(b) - sortOf(a) || idOf(b) - idOf(a));
  const focus = rows.contains(document.activeElement) ? document.activeElement : null;
  sorted.forEach((row, index) => { if (rows.children[index] !== row) rows.insertBefore(row, rows.children[index]); });
  focus?.focus({ preventScroll: true });
  afterChange();
}

function afterChange() {
  pill.hidden = !held.size && !moved;
  pill.textContent = held.size ? t("new_conversations", { n: held.size }) : t("new_order");
  mark(open);
  tick(rows);
  watch();
  title();
}

/** Marks the open conversation and keeps one single tab stop in the list. */
export function mark(id) {
  open = id;
  const all = links();
  const current = all.find((link) => Number(link.dataset.open) === id);
  const stop = all.find((link) => link === document.activeElement) || current || all[0];
  for (const link of all) {
    link.toggleAttribute("aria-current", link === current);
    if (link === current) link.setAttribute("aria-current", "true");
    link.tabIndex = link === stop ? 0 : -1;
  }
}

function title() {
  const ids = new Set($$(".row.unread", rows).map(idOf).concat(...away));
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
      for (const part of $$(".count, .fence", fresh)) {
        const old = document.getElementById(part.id);
        if (!old?.isEqualNode(part)) old?.replaceWith(part);
      }
    } catch { /* the next hint asks again */ }
  }, 2000);
}

function belongs(hint) {
  if (document.getElementById(`row-${hint.c}`) || data.q) return true;
  if (data.view === "mine" && "assignee" in hint && hint.assignee !== me) return false;
  if (data.view === "unassigned" && hint.assignee) return false;
  return data.status === "all" || !hint.status || hint.status === data.status;
}

function hinted(hint) {
  if (document.hidden && hint.t === "message.created" && hint.dir === "in" && (hint.assignee === me || !hint.assignee)) {
    away.add(hint.c);
    title();
  }
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
  loading = new AbortController();
  try {
    const url = `${data.urlList}?${query}&cursor=${encodeURIComponent(sentinel.dataset.next)}`;
    const content = fragment(await (await http(url, { signal: loading.signal })).text());
    if (query !== data.query) return;
    for (const row of $$(".row", content)) if (document.getElementById(row.id)) row.remove();
    sentinel.replaceWith(content);
    loading = null;
    afterChange();
  } catch (error) {
    if (error.name !== "AbortError" && !(error instanceof SessionLost)) setTimeout(watch, 5000);
  } finally {
    loading = null;
  }
}

/** A view query in its one spelling: "view=mine&status=open&q=…". */
export function spell(query) {
  const given = new URLSearchParams(query), q = given.get("q");
  return new URLSearchParams({ view: given.get("view") || "mine", status: given.get("status") || "open", ...(q && { q }) }).toString();
}

/** Loads the list anew for a view query. */
export async function show(query, quiet = false) {
  const wanted = new URLSearchParams(query);
  Object.assign(data, { query, view: wanted.get("view"), status: wanted.get("status"), q: wanted.get("q") || "" });
  for (const link of $$("[data-view-key]")) {
    if (link.dataset.viewKey === data.view) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  filters.elements.view.value = data.view;
  filters.elements.status.value = data.status;
  if (filters.elements.q !== document.activeElement) filters.elements.q.value = data.q;
  pull.clear();
  loading?.abort();
  loading = new AbortController();
  const control = loading;
  if (!quiet) region.setAttribute("aria-busy", "true");
  try {
    const html = await (await http(`${data.urlList}?${query}`, { signal: control.signal })).text();
    const top = scroller.scrollTop;
    held.clear();
    moved = false;
    rows.innerHTML = html;
    scroller.scrollTop = quiet ? top : 0;
    afterChange();
  } catch (error) {
    if (error.name !== "AbortError" && !quiet) toast(t("not_loaded"), "danger");
  } finally {
    if (loading === control) { loading = null; region.removeAttribute("aria-busy"); }
  }
}

const currentQuery = () => spell(new FormData(filters));

function choose(query) {
  if (query === data.query) return;
  show(query);
  emit("query", query);
}

/** The row link `step` places from the focused or open one. */
export function neighbour(step) {
  const all = links();
  const here = all.findIndex((link) => link === document.activeElement || link.contains(document.activeElement));
  const from = here >= 0 ? here : all.findIndex((link) => Number(link.dataset.open) === open);
  return from < 0 ? all[0] : all[Math.min(all.length - 1, Math.max(0, from + step))];
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
  rows.addEventListener("click", (event) => { if (event.target.closest("[data-more]")) more(); });
  $(".views").addEventListener("click", (event) => {
    const link = event.target.closest("[data-view-key]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    filters.elements.view.value = link.dataset.viewKey;
    choose(currentQuery());
  });
  let typing = 0;
  filters.addEventListener("submit", (event) => { event.preventDefault(); choose(currentQuery()); });
  filters.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(() => choose(currentQuery()), 300); });
  for (const type of ["message.created", "message.status", "conversation.created", "conversation.updated"]) on(type, hinted);
  on("conversation.removed", (hint) => { document.getElementById(`row-${hint.c}`)?.remove(); afterChange(); counts(); });
  on("read", (hint) => { if (hint.user === me && document.getElementById(`row-${hint.c}`)) pull.add(hint.c); });
  on("row", (id) => { if (document.getElementById(`row-${id}`)) pull.add(id); });
  on("fence", counts);
  on("resync", () => { if (!document.hidden) { show(data.query, true); counts(); } });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { away.clear(); title(); } });
  setInterval(() => { if (!document.hidden) tick(); }, 5000);
  afterChange();
}
