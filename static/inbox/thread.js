// The open conversation: which part of it stands here, merge by id, scroll that never jumps, read marks, what was done to a bubble.
import { $, $$, alarm, announce, emit, fragment, http, lazy, on, pane, preferences, learnClock, t, tick } from "./ui.js";
import { climb, isAfter, place, RANK, regroup, replace, words } from "./bubbles.js";
import { Pull } from "./bus.js";
import * as outbox from "./outbox.js";

const PENDING = new Set(["queued", "claimed", "sending", "accepted"]);
const ASK = new Set(["queued", "failed", "unknown", "cancelled"]);
const NEAR = 100, AHEAD = 400;
const READ_AFTER = { open: 300, "3s": 3000 };

export let root = null, log = null, items = null;
let stuck = true, height = 0, unseen = 0, held = false, follow = null, readTimer = 0, stateTimer = 0;

export const pull = new Pull(fetchMessages, 120);
export const MOST = 300;
export const current = () => (root ? Number(root.dataset.c) : 0);
export const article = (id) => document.getElementById(`m-${id}`);
export const bubbles = () => $$(".msg", items);
export const isWhole = () => !log.dataset.after; // whether the newest message stands here

const distance = () => log.scrollHeight - log.scrollTop - log.clientHeight;
function toBottom() {
  log.scrollTop = height = log.scrollHeight;
  unseen = 0;
}

/** Every change of the log goes through here: a reader at the end stays there, a reader further up sees nothing move. */
export function mutate(change) {
  const top = log.getBoundingClientRect().top;
  const anchor = stuck ? null : [...items.children].find((child) => child.id && child.getBoundingClientRect().bottom > top);
  const before = anchor?.getBoundingClientRect().top;
  const id = anchor?.id;
  change();
  regroup(items);
  const still = anchor?.isConnected ? anchor : id && document.getElementById(id);
  if (stuck) toBottom();
  else if (still) log.scrollTop += still.getBoundingClientRect().top - before;
  showPlace();
}

/** The button to the end, and of the day chips that stick to the top only the last. */
function showPlace() {
  const button = $("[data-bottom]", root), count = $("[data-bottom-count]", root), top = log.getBoundingClientRect().top + 12;
  button.hidden = isWhole() && distance() <= NEAR;
  count.hidden = !unseen;
  count.textContent = unseen;
  const above = $$(".day", items).filter((chip) => chip.getBoundingClientRect().top <= top);
  $$(".day.past", items).concat(above).forEach((chip) => chip.classList.toggle("past", above.includes(chip) && chip !== above.at(-1)));
}

export function onScroll() {
  if (!log) return; // closed between the scroll and its news
  if (!stuck || log.scrollHeight === height) stuck = isWhole() && distance() <= NEAR; // what grew by itself is followed, not left
  height = log.scrollHeight;
  if (stuck && unseen) { unseen = 0; markRead(); }
  showPlace();
  const end = log.scrollTop < AHEAD ? "before" : "after";
  if (log.dataset[end] && Math.min(log.scrollTop, distance()) < AHEAD) travel("more", end);
}

/** Upserts the messages and system lines of a server fragment; returns the articles that are new. */
export function merge(html, end = "") {
  const fresh = [];
  if (!root) return fresh;
  mutate(() => {
    const last = !isWhole() && end !== "after" && bubbles().at(-1);
    for (const element of [...fragment(html).children]) {
      if (!element.id || !element.dataset.sort) continue;
      const old = document.getElementById(element.id);
      if (!old) {
        if (last && isAfter(element, last)) continue; // comes with its page
        place(items, element);
        fresh.push(element);
      } else if (items.contains(old)) replace(items, old, element, () => pull.add(element.id.slice(2)));
    }
  });
  if (bubbles().length > MOST) travel("trim", end || (stuck || distance() < log.scrollTop ? "" : "before"));
  return fresh.filter((element) => element.classList.contains("msg"));
}

async function fetchMessages(ids, signal) {
  const url = root.dataset.urlMessages;
  const html = await (await http(`${url}?ids=${ids.join(",")}`, { signal })).text();
  if (root?.dataset.urlMessages === url) arrived(merge(html));
}

export function arrived(fresh) {
  const inbound = fresh.filter((element) => element.classList.contains("in"));
  if (!inbound.length) return;
  if (stuck) markRead();
  else { unseen += inbound.length; showPlace(); }
  travel("say", inbound);
  refreshState();
}

export const setStuck = (value) => { stuck = value; };
const travel = async (deed, ...values) => (await lazy("travel"))[deed](...values);
export const resync = () => root && travel("resync");

export async function stickToBottom() {
  if (!log) return;
  if (!isWhole()) await travel("turnTo", "");
  stuck = true;
  toBottom();
  showPlace();
}

export function refreshState(wait = 100) {
  stateTimer ||= setTimeout(() => {
    stateTimer = 0;
    if (root && !document.hidden) travel("state");
  }, wait);
}

/** Read as this person wants it: when opened, after three seconds, or (`answered`) with their answer. */
function markRead(answered = false) {
  const wait = answered ? 0 : READ_AFTER[preferences.read_on ?? "open"];
  if (readTimer || wait === undefined || held || !root || document.hidden) return;
  const here = root;
  readTimer = setTimeout(() => {
    readTimer = 0;
    if (root === here && !held && !document.hidden) http(here.dataset.urlRead, { form: {} }).then(() => emit("row", current())).catch(() => {});
  }, wait);
}

/** Unread by the agent's own will: stays so until it is opened anew. */
export const keepUnread = () => { held = true; };

/** Shows an entry of the outbox, once it may stand here. */
export async function showLocal(entry) {
  (await lazy("local")).show(entry);
}

export function drop(id) {
  if (article(id)) mutate(() => article(id).remove());
}

/** Takes over the thread that now stands in the pane, or none. */
export function mount() {
  pull.clear();
  follow?.disconnect();
  clearTimeout(readTimer);
  [unseen, readTimer, held] = [0, 0, false];
  root = $(".thread", pane);
  if (!root) { log = items = null; return; }
  log = $("[data-log]", root);
  items = $("[data-items]", root);
  learnClock($(".strip", root));
  tick(root);
  regroup(items);
  log.addEventListener("scroll", onScroll, { passive: true });
  const line = $("[data-unread-line]", items), target = log.dataset.at && article(log.dataset.at);
  stuck = !line && isWhole();
  log.scrollTop = line ? line.offsetTop - 48 : log.scrollHeight;
  if (target) travel("jump", log.dataset.at);
  else stuck = isWhole() && distance() <= NEAR;
  outbox.pendingOf(current()).forEach(showLocal);
  follow = new ResizeObserver(() => { if (stuck) toBottom(); showPlace(); });
  follow.observe(items);
  follow.observe(log);
  markRead();
}

function hinted(hint) {
  if (hint.c !== current()) return;
  const bubble = article(hint.m);
  if (hint.t === "message.created") {
    if (hint.dir === "in") refreshState();
    if (bubble?.dataset.mid) return;
    if (isWhole()) pull.add(hint.m);
    else if (hint.dir === "in") { unseen += 1; showPlace(); announce(t("new_from", { name: root.dataset.name, n: 1 })); }
  } else if (!bubble) { if (pull.flying.has(hint.m)) pull.add(hint.m); } // what is on its way may be older than this
  else if (hint.t === "message.updated") { if (!(Number(bubble.dataset.v) >= hint.ver)) pull.add(hint.m); }
  else {
    if (hint.s === "failed" && bubble.dataset.st !== "failed") alarm(t("not_arrived", { text: words(bubble).slice(0, 100) }));
    if (ASK.has(hint.s) || !RANK[bubble.dataset.st]) pull.add(hint.m);
    else if (!PENDING.has(hint.s)) climb(bubble, hint.s);
    else $('[data-act="cancel"]', bubble)?.remove(); // too late for that
    if (hint.s === "queued" || $('.strip[data-state="circuit"]', root)) refreshState(); // the number may have stopped, or work again
  }
}

async function onClick(event) {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  const button = event.target.closest(".msg [data-act], [data-act=view], [data-act=find]");
  if (event.target.closest("[data-bottom]")) { await stickToBottom(); markRead(); log.focus({ preventScroll: true }); }
  if (event.target.closest('[data-testid="unread"]')) keepUnread();
  if (!button) return;
  event.preventDefault();
  (await lazy("deeds")).act(button, root);
}

export function start() {
  ["local", "travel"].forEach((name) => lazy(name).catch(() => {})); // at hand when the network is not
  for (const type of ["message.created", "message.updated", "message.status"]) on(type, hinted);
  on("message.removed", (hint) => { if (hint.c === current()) drop(hint.m); });
  on("conversation.updated", (hint) => {
    if (hint.c !== current()) return;
    refreshState();
    if (hint.what?.some((part) => part !== "window") && isWhole() && !document.hidden) travel("lines");
  });
  on("resync", () => { if (!document.hidden) resync(); });
  on("outbox-sent", ({ entry, html }) => {
    if (entry.c !== current()) return;
    if (html) merge(html);
    else pull.add(entry.client_id);
    if (entry.mode === "reply") markRead(true);
  });
  on("outbox-changed", showLocal);
  on("outbox-restored", () => { if (root) outbox.pendingOf(current()).forEach(showLocal); });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || !root) return;
    if (stuck) markRead();
    refreshState();
    if (isWhole()) travel("lines");
  });
  document.addEventListener("click", onClick);
}
