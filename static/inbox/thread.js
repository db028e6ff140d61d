// The open conversation: merge by id, status ticks, scroll that never jumps, older pages, read marks, bubble actions.
import { $, $$, alarm, announce, clone, dayLabel, emit, fragment, http, localTime, on, pane, Refused, replaceById, learnClock, t, tick, toast } from "./ui.js";
import { Pull } from "./bus.js";
import * as outbox from "./outbox.js";

const RANK = { pending: 1, unknown: 1, sent: 2, delivered: 3, read: 4, played: 5 };
const PENDING = new Set(["queued", "claimed", "sending", "accepted"]);
const ASK = new Set(["queued", "failed", "unknown", "cancelled"]);
const NEAR = 100, GROUP = 300, PAGES = 20;

let root = null, log = null, items = null;
let stuck = true, height = 0, unseen = 0, older = false, follow = null, reactTo = "", unsaid = [], sayTimer = 0, readTimer = 0, stateTimer = 0;

const pull = new Pull(fetchMessages, 120);
export const current = () => (root ? Number(root.dataset.c) : 0);
export const article = (id) => document.getElementById(`m-${id}`);
const bubbles = () => $$(".msg", items);

const distance = () => log.scrollHeight - log.scrollTop - log.clientHeight;
function toBottom() {
  log.scrollTop = height = log.scrollHeight;
  unseen = 0;
}

/** Every change of the log goes through here: a reader at the end stays there, a reader further up sees nothing move. */
function mutate(change) {
  const top = log.getBoundingClientRect().top;
  const anchor = stuck ? null : [...items.children].find((child) => child.getBoundingClientRect().bottom > top);
  const before = anchor?.getBoundingClientRect().top;
  const id = anchor?.id;
  change();
  const still = anchor?.isConnected ? anchor : id && document.getElementById(id);
  if (stuck) toBottom();
  else if (still) log.scrollTop += still.getBoundingClientRect().top - before;
  showBottom();
}

function showBottom() {
  const button = $("[data-bottom]", root), count = $("[data-bottom-count]", root);
  button.hidden = distance() <= NEAR;
  count.hidden = !unseen;
  count.textContent = unseen;
}

function onScroll() {
  if (!stuck || log.scrollHeight === height) stuck = distance() <= NEAR; // what grew by itself is followed, not left
  height = log.scrollHeight;
  if (stuck && unseen) { unseen = 0; markRead(); }
  showBottom();
  if (log.scrollTop < 400) loadOlder();
}

const key = (element) => element.dataset.sort.split(".").map(Number);
function isAfter(one, other) {
  const [ms, id] = key(one), [otherMs, otherId] = key(other);
  return ms > otherMs || (ms === otherMs && id > otherId);
}
const sorted = (element, step) => {
  let found = element[step];
  while (found && !found.dataset.sort) found = found[step];
  return found;
};

function place(element) {
  let before = items.lastElementChild;
  while (before && (!before.dataset.sort || isAfter(before, element))) before = before.previousElementSibling;
  if (before) before.after(element);
  else items.prepend(element);
  dayAbove(element);
  const below = sorted(element, "nextElementSibling");
  if (below) dayAbove(below);
}

/** Keeps exactly one day chip between messages of different days. */
function dayAbove(element) {
  const above = sorted(element, "previousElementSibling");
  const chips = [];
  for (let other = element.previousElementSibling; other && other !== above; other = other.previousElementSibling) {
    if (other.dataset.dayChip) chips.push(other);
  }
  const needed = above?.dataset.day !== element.dataset.day;
  const kept = needed && chips.find((chip) => chip.dataset.dayChip === element.dataset.day);
  chips.forEach((chip) => { if (chip !== kept) chip.remove(); });
  if (!needed || kept) return;
  const chip = clone("tpl-day");
  chip.dataset.dayChip = element.dataset.day;
  chip.firstElementChild.textContent = dayLabel(element.dataset.day, true);
  element.before(chip);
}

function regroup() {
  let before = null;
  for (const child of items.children) {
    if (child.classList.contains("msg")) {
      const joined = before && before.className.split(" ")[1] === child.className.split(" ")[1]
        && before.dataset.author === child.dataset.author && child.dataset.at - before.dataset.at < GROUP;
      child.classList.toggle("cont", Boolean(joined));
      before = child;
    } else {
      before = null;
    }
  }
}

/** Upserts the messages and system lines of a server fragment; returns the articles that are new. */
export function merge(html) {
  const fresh = [];
  if (!root) return fresh;
  mutate(() => {
    for (const element of [...fragment(html).children]) {
      if (!element.id || !element.dataset.sort) continue;
      const old = document.getElementById(element.id);
      if (!old) { place(element); fresh.push(element); }
      else if (items.contains(old)) replace(old, element);
    }
    regroup();
  });
  return fresh.filter((element) => element.classList.contains("msg"));
}

function replace(old, element) {
  if (Number(element.dataset.v) < Number(old.dataset.v)) return;
  const playing = $$("audio, video", old).find((player) => !player.paused);
  if (playing) {
    playing.addEventListener("pause", () => pull.add(element.id.slice(2)), { once: true });
    return;
  }
  const shown = old.dataset.st;
  const focused = old.contains(document.activeElement);
  for (const media of $$("img[src], audio[src], video[src]", old)) {
    $$(media.localName, element).find((other) => other.getAttribute("src") === media.getAttribute("src"))?.replaceWith(media);
  }
  old.replaceWith(element);
  climb(element, shown);
  if (focused) element.focus({ preventScroll: true });
  const above = sorted(element, "previousElementSibling"), below = sorted(element, "nextElementSibling");
  if ((above && isAfter(above, element)) || (below && isAfter(element, below))) place(element);
}

/** Raises the tick of a bubble; never lowers it. */
function climb(element, status) {
  const now = element.dataset.st;
  if (!(RANK[status] > RANK[now])) return;
  const mark = $(`[data-tick="${status}"]`, document.getElementById("tpl-ticks").content);
  if (!mark) return;
  element.dataset.st = status;
  $(".tick", element)?.replaceWith(mark.cloneNode(true));
}

async function fetchMessages(ids, signal) {
  const url = root.dataset.urlMessages;
  const html = await (await http(`${url}?ids=${ids.join(",")}`, { signal })).text();
  if (root?.dataset.urlMessages === url) arrived(merge(html));
}

function arrived(fresh) {
  const inbound = fresh.filter((element) => element.classList.contains("in"));
  if (!inbound.length) return;
  if (stuck) markRead();
  else { unseen += inbound.length; showBottom(); }
  unsaid.push(...inbound);
  sayTimer ||= setTimeout(say, 400);
  refreshState();
}

function say() {
  sayTimer = 0;
  const list = unsaid.splice(0);
  if (!root || !list.length) return;
  const one = list[0];
  const name = $(".who", one)?.textContent.trim() || root.dataset.name;
  const text = ($("[data-txt], .summary, .file strong, .card-box strong", one)?.textContent || t("attachment")).trim().slice(0, 200);
  announce(list.length === 1 ? t("says", { name, text }) : t("new_from", { name: root.dataset.name, n: list.length }));
}

/** Pulls what stands after the last message: system lines have no hint of their own. */
async function fetchLines() {
  const here = root, last = bubbles().filter((element) => !element.dataset.local).at(-1);
  if (!last || document.hidden) return;
  try {
    const html = await (await http(`${here.dataset.urlMessages}?after=${encodeURIComponent(last.dataset.sort)}`)).text();
    if (root === here) arrived(merge(html));
  } catch { /* shown at the next opening */ }
}

async function loadOlder() {
  const cursor = log?.dataset.before;
  if (!cursor || older) return;
  older = true;
  const here = root;
  try {
    const html = await (await http(`${here.dataset.urlMessages}?before=${encodeURIComponent(cursor)}`)).text();
    if (root !== here) return;
    const got = merge(html);
    log.dataset.before = got.length ? bubbles()[0].dataset.sort : "";
  } catch { /* the next scroll asks again */ } finally { older = false; }
  if (root === here && log.scrollTop < 400) loadOlder();
}

/** After a gap: pages from a safe point to the end, then what may have changed among the older ones. */
export async function resync() {
  if (!root) return;
  const here = root;
  const known = bubbles().filter((element) => !element.dataset.local);
  let cursor = known.at(-30)?.dataset.sort || known[0]?.dataset.sort || "0.0";
  const seen = new Set();
  try {
    for (let page = 0; page < PAGES; page += 1) {
      const html = await (await http(`${here.dataset.urlMessages}?after=${encodeURIComponent(cursor)}`)).text();
      if (root !== here) return;
      const found = [...fragment(html).children].filter((element) => element.classList.contains("msg") && !seen.has(element.id));
      found.forEach((element) => seen.add(element.id));
      arrived(merge(html));
      if (!found.length) break;
      cursor = found.at(-1).dataset.sort;
    }
    known.slice(-100).filter((element) => !seen.has(element.id)).forEach((element) => pull.add(element.id.slice(2)));
  } catch { /* the live connection asks for another resync when it is back */ }
  refreshState();
}

export function refreshState(wait = 100) {
  stateTimer ||= setTimeout(async () => {
    stateTimer = 0;
    const here = root;
    if (!here || document.hidden) return;
    try {
      const [header, strip] = await Promise.all([http(here.dataset.urlHeader), http(here.dataset.urlComposer)].map(async (answer) => (await answer).text()));
      if (root !== here) return;
      const old = $(".thread-head", here);
      const fresh = fragment(header).querySelector(".thread-head");
      if (!old.contains(document.activeElement) && Number(fresh.dataset.version) >= Number(old.dataset.version)) { old.replaceWith(fresh); emit("swapped", fresh); }
      learnClock(replaceById(strip, ".strip"));
      emit("window");
      tick(here);
    } catch (error) { // asked again by the next hint
      if (error.status === 404 && root === here) emit("conversation.removed", { c: current() });
    }
  }, wait);
}

function markRead() {
  if (readTimer || !root || document.hidden) return;
  const here = root;
  readTimer = setTimeout(() => {
    readTimer = 0;
    if (root === here && !document.hidden) http(here.dataset.urlRead, { form: {} }).then(() => emit("row", current())).catch(() => {});
  }, 300);
}

export function showLocal(entry) {
  if (!root || entry.c !== current()) return;
  const known = article(entry.client_id);
  if (known && !known.dataset.local) { outbox.remove(entry.client_id); return; }
  const bubble = known || clone("tpl-pending");
  bubble.id = `m-${entry.client_id}`;
  const last = bubbles().at(-1);
  Object.assign(bubble.dataset, { local: "1", at: Math.floor(entry.created / 1000), author: "local", st: entry.state });
  bubble.dataset.day = localTime(entry.created).slice(0, 10);
  bubble.dataset.sort ||= `${Math.max(entry.created, last ? key(last)[0] : 0)}.9999999999`;
  if (entry.mode === "note") bubble.classList.replace("out", "note");
  $("[data-who]", bubble).textContent = entry.mode === "note" ? t("your_note") : "";
  $("[data-txt]", bubble).textContent = entry.text;
  $("time", bubble).textContent = localTime(entry.created).slice(12, 17);
  const quoted = $(".quoted", bubble), failed = entry.state === "failed";
  quoted.hidden = !entry.quote;
  if (entry.quote) [quoted.children[0].textContent, quoted.children[1].textContent] = [entry.quote.author, entry.quote.text];
  $("[data-files]", bubble).replaceChildren(...entry.attachments.map((file) => {
    const line = clone("tpl-file");
    $("strong", line).textContent = file.name;
    return line;
  }));
  $(".tick", bubble).replaceWith($(`[data-tick="${entry.state}"]`, document.getElementById("tpl-ticks").content).cloneNode(true));
  $("[data-trouble]", bubble).hidden = !failed;
  $('[data-act="local-edit"]', bubble).hidden = entry.attachments.length;
  $("[data-reason]", bubble).textContent = entry.reason || "";
  if (failed) alarm(entry.reason);
  mutate(() => { if (!known) place(bubble); regroup(); });
}

export function stickToBottom() {
  stuck = true;
  if (log) toBottom();
}

async function post(url, form) {
  const here = root;
  try {
    const html = await (await http(url, { form })).text();
    if (root === here) merge(html);
  } catch (error) {
    toast((error instanceof Refused && error.reason) || t("not_done"), "danger");
  }
}

const react = (id, emoji) => post(root.dataset.urlReact, { message: id, emoji });

function openReactions(button, id) {
  const bar = document.getElementById("react-bar");
  reactTo = id;
  bar.showPopover();
  const at = button.getBoundingClientRect(), box = bar.getBoundingClientRect();
  bar.style.left = `${Math.max(8, Math.min(at.left - box.width / 2, innerWidth - box.width - 8))}px`;
  bar.style.top = `${at.top - box.height - 6 > 0 ? at.top - box.height - 6 : at.bottom + 6}px`;
  bar.firstElementChild.focus();
}

function removeLocal(id) {
  outbox.remove(id);
  mutate(() => { article(id)?.remove(); regroup(); });
}

function act(button, event) {
  const bubble = button.closest(".msg"), id = bubble.id.slice(2);
  const name = button.dataset.act;
  if (name === "retry" || name === "cancel") post(button.dataset.url, {});
  else if (name === "react") openReactions(button, id);
  else if (name === "reaction") react(id, button.getAttribute("aria-pressed") === "true" ? "" : button.dataset.emoji);
  else if (name === "reply") emit("quote", { id, author: $(".who", bubble)?.textContent.trim() || root.dataset.name, text: ($("[data-txt], .summary, .file strong, .card-box strong", bubble)?.textContent || t("attachment")).trim().slice(0, 140) });
  else if (name === "local-retry") outbox.retry(id);
  else if (name === "local-delete") removeLocal(id);
  else if (name === "local-edit") { emit("edit", outbox.find(id)); removeLocal(id); }
  else if (name === "jump") {
    event.preventDefault();
    const target = document.getElementById(button.hash.slice(1));
    if (!target) { toast(t("further_up")); return; }
    target.scrollIntoView({ block: "center" });
    target.focus({ preventScroll: true });
    target.classList.add("flash");
    setTimeout(() => target.classList.remove("flash"), 1600);
  }
}

/** Takes over the thread that now stands in the pane, or none. */
export function mount() {
  pull.clear();
  follow?.disconnect();
  clearTimeout(readTimer);
  [unsaid, unseen, readTimer] = [[], 0, 0];
  root = $(".thread", pane);
  if (!root) { log = items = null; return; }
  log = $("[data-log]", root);
  items = $("[data-items]", root);
  learnClock($(".strip", root));
  tick(root);
  regroup();
  log.addEventListener("scroll", onScroll, { passive: true });
  const line = $("[data-unread-line]", items);
  stuck = !line;
  log.scrollTop = line ? line.offsetTop - 48 : log.scrollHeight;
  stuck = distance() <= NEAR;
  outbox.pendingOf(current()).forEach(showLocal);
  follow = new ResizeObserver(() => { if (stuck) toBottom(); showBottom(); });
  follow.observe(items);
  follow.observe(log);
  markRead();
}

function hinted(hint) {
  if (hint.c !== current()) return;
  const bubble = article(hint.m);
  if (hint.t === "message.created") { if (!bubble?.dataset.mid) pull.add(hint.m); if (hint.dir === "in") refreshState(); }
  else if (!bubble) { if (pull.flying.has(hint.m)) pull.add(hint.m); } // what is on its way may be older than this
  else if (hint.t === "message.updated") { if (!(Number(bubble.dataset.v) >= hint.ver)) pull.add(hint.m); }
  else {
    if (ASK.has(hint.s) || !RANK[bubble.dataset.st]) pull.add(hint.m);
    else if (!PENDING.has(hint.s)) climb(bubble, hint.s);
    if (hint.s === "queued" || $('.strip[data-state="circuit"]', root)) refreshState(); // the number may have stopped, or work again
  }
}

export function start() {
  for (const type of ["message.created", "message.updated", "message.status"]) on(type, hinted);
  on("conversation.updated", (hint) => {
    if (hint.c !== current()) return;
    refreshState();
    if (hint.what?.some((part) => part !== "window")) fetchLines();
  });
  on("resync", () => { if (!document.hidden) resync(); });
  on("outbox-sent", ({ entry, html }) => {
    if (entry.c !== current()) return;
    if (html) merge(html);
    else pull.add(entry.client_id);
  });
  on("outbox-changed", showLocal);
  on("outbox-restored", () => { if (root) outbox.pendingOf(current()).forEach(showLocal); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden && stuck) markRead(); });
  pane.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act]");
    if (button) act(button, event);
    else if (event.target.closest("[data-bottom]")) { stickToBottom(); markRead(); showBottom(); log.focus({ preventScroll: true }); }
  });
  const bar = document.getElementById("react-bar");
  bar.addEventListener("click", (event) => {
    const emoji = event.target.closest("[data-emoji]");
    if (!emoji) return;
    bar.hidePopover();
    react(reactTo, emoji.dataset.emoji);
  });
}
