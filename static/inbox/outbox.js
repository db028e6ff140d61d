// Messages on their way out: kept in IndexedDB, sent in order per conversation, repeated with the same client_id.
import { emit, http, me, on, SessionLost, t } from "./ui.js";

const DELAYS = [2000, 5000, 15000, 30000], GIVE_UP = 600000, DAY = 86400000;
const FINAL = new Set([400, 404, 409, 413, 422]);
const entries = new Map();
const saved = new Set();
const running = new Set();
const sleepers = new Set();
let last = 0;

const database = new Promise((resolve) => {
  try {
    const request = indexedDB.open("ventanilla-outbox", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("sends", { keyPath: "client_id" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => resolve(null);
  } catch {
    resolve(null);
  }
});

/** Runs one operation on the store; null where the browser has none or it fails. */
async function store(mode, operate) {
  const db = await database;
  if (!db) return null;
  return new Promise((resolve) => {
    try {
      const request = operate(db.transaction("sends", mode).objectStore("sends"));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => resolve(null);
    } catch {
      resolve(null);
    }
  });
}
const save = (entry) => store("readwrite", (sends) => sends.put(entry));

export const pendingOf = (c) => [...entries.values()].filter((entry) => entry.c === c).sort((a, b) => a.created - b.created);
export const find = (id) => entries.get(id);

/** Takes {client_id, c, mode, url, text, …} and sends it when its turn comes. */
export async function enqueue(entry) {
  last = Math.max(Date.now(), last + 1);
  Object.assign(entry, { user: me, created: last, started: Date.now(), tries: 0, state: "pending" });
  const kept = await save(entry);
  entries.set(entry.client_id, entry);
  if (kept) saved.add(entry.client_id);
  drain(entry.c);
}

export function remove(id) {
  entries.delete(id);
  return store("readwrite", (sends) => sends.delete(id));
}

export async function retry(id) {
  const entry = entries.get(id);
  if (!entry) return;
  if (entry.code === "collision") entry.force = "1"; // asked once, and they want it all the same
  Object.assign(entry, { state: "pending", started: Date.now(), tries: 0, reason: "", code: "" });
  await save(entry);
  emit("outbox-changed", entry);
  drain(entry.c);
}

async function drain(c) {
  if (running.has(c)) return;
  running.add(c);
  try {
    for (let entry = next(c); entry; entry = next(c)) {
      const wait = await attempt(entry);
      if (wait) await sleep(wait);
    }
  } finally {
    running.delete(c);
  }
}
const next = (c) => pendingOf(c).find((entry) => entry.state === "pending");

function sleep(ms) {
  return new Promise((resolve) => {
    const wake = () => { clearTimeout(timer); sleepers.delete(wake); resolve(); };
    const timer = setTimeout(wake, ms);
    sleepers.add(wake);
  });
}
const wakeAll = () => sleepers.forEach((wake) => wake());

/** One try. Returns how long to wait before the next one, 0 when this entry is settled. */
function attempt(entry) {
  const run = () => post(entry);
  return navigator.locks ? navigator.locks.request(`outbox-${entry.c}`, run) : run();
}

async function post(entry) {
  if (saved.has(entry.client_id) && (await store("readonly", (sends) => sends.get(entry.client_id))) === undefined) {
    entries.delete(entry.client_id);
    emit("outbox-sent", { entry, html: "" });
    return 0;
  }
  try {
    const form = { text: entry.text, client_id: entry.client_id, reply_to: entry.reply_to, seen: entry.seen, force: entry.force, place: entry.place, attachment: entry.attachments.map((file) => file.id) };
    const response = await http(entry.url, { form });
    const html = await response.text(), hold = Number(response.headers.get("X-Hold"));
    await remove(entry.client_id);
    emit("outbox-sent", { entry, html, hold });
    return 0;
  } catch (error) {
    if (error instanceof SessionLost) return DELAYS.at(-1);
    if (FINAL.has(error.status)) return fail(entry, error.code || String(error.status), error.reason || t(error.status === 404 ? "fail_not_yours" : "fail_refused"));
    if (Date.now() - entry.started > GIVE_UP) return fail(entry, "network", t("fail_network"));
    entry.tries += 1;
    return DELAYS[Math.min(entry.tries, DELAYS.length) - 1];
  }
}

async function fail(entry, code, reason) {
  Object.assign(entry, { state: "failed", code, reason });
  await save(entry);
  emit("outbox-changed", entry);
  return 0;
}

/** At page load: shows and sends what an earlier page left; what is older than a day waits for a decision. */
export async function start() {
  on("live", wakeAll);
  addEventListener("online", wakeAll);
  for (const entry of (await store("readonly", (sends) => sends.getAll())) || []) {
    if (entry.user !== me || entries.has(entry.client_id)) continue;
    if (Date.now() - entry.created > DAY) Object.assign(entry, { state: "failed", reason: t("fail_network") });
    entries.set(entry.client_id, entry);
    saved.add(entry.client_id);
    last = Math.max(last, entry.created);
  }
  emit("outbox-restored");
  new Set([...entries.values()].map((entry) => entry.c)).forEach(drain);
}
