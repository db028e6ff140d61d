// The live connection: one socket, its heartbeat and reconnects, resume by /inbox/sync/, and the pull queues.
import { config, data, emit, http, on, SessionLost, strip } from "./ui.js";

const PING = 25000, PONG = 10000, POLL = 10000, BANNER = 5000, KEEP = 1000;
const STOP = { 4401: "session", 4403: "access", 4409: "tabs", 4400: "tabs" };

let since = config.head || 0;
let head = since;
let socket = null, ready = false, stopped = false, tries = 0;
let retryTimer = 0, pingTimer = 0, pongTimer = 0, bannerTimer = 0, lagTimer = 0;
let syncing = false, again = false, hiddenAt = 0, reachable = true, owed = false;
const handled = new Set();

/** Hands a hint to whoever listens for its type, once per durable id. */
function handle(hint) {
  if (hint.id) {
    if (handled.has(hint.id)) return;
    handled.add(hint.id);
    if (handled.size > KEEP) handled.delete(handled.values().next().value);
  }
  emit(hint.t, hint);
}

/** Too much was missed: everybody fetches anew, as soon as somebody looks. */
function resync() {
  owed = document.hidden;
  if (!owed) emit("resync");
}

/** Pulls what was missed; `since` only ever becomes the head that the pull returned. */
export async function sync() {
  if (syncing) { again = true; return; }
  syncing = true;
  try {
    do {
      again = false;
      const answer = await (await http(`${data.urlSync}?since=${since}`)).json();
      since = answer.head;
      head = Math.max(head, since);
      if (answer.resync) resync();
      else answer.hints.forEach(handle);
      reachable = true;
    } while (again);
  } catch (error) {
    if (error instanceof SessionLost) return;
    reachable = Boolean(error.status);
    if (!ready) showBanner();
  } finally {
    syncing = false;
  }
}

function receive(event) {
  const frame = JSON.parse(event.data);
  if (frame.t === "ready") return becomeReady(frame);
  if (frame.t === "resync") {
    since = head = frame.head ?? since;
    return resync();
  }
  if (frame.t === "pong") {
    clearTimeout(pongTimer);
    head = Math.max(head, frame.head ?? 0);
    if (head > since && !lagTimer) lagTimer = setTimeout(() => { lagTimer = 0; if (head > since) sync(); }, 2000);
    return undefined;
  }
  return handle(frame);
}

function becomeReady(frame) {
  ready = true;
  tries = 0;
  head = Math.max(head, frame.head ?? 0);
  hideBanner();
  if (frame.head > since) sync();
  if (frame.rev && config.rev && frame.rev !== config.rev) strip("version", true);
  emit("live");
}

/** Says something on the socket, if it is open. */
export function send(frame) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
}
const hello = () => send({ v: 1, t: "hello", since });

function ping() {
  send({ v: 1, t: "ping" });
  clearTimeout(pongTimer);
  pongTimer = setTimeout(() => drop(), PONG);
}

/** Gives the socket up at once instead of waiting for a close that may never come. */
function drop() {
  const old = socket;
  socket = null;
  if (!old) return;
  old.onclose = old.onmessage = null;
  old.close(4000);
  lost(4000);
}

function connect() {
  clearTimeout(retryTimer);
  if (stopped || socket) return;
  const url = new URL(config.ws || "/ws/inbox/", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  socket = new WebSocket(url, "wcrm.v1");
  socket.onopen = () => { hello(); clearInterval(pingTimer); pingTimer = setInterval(ping, PING); };
  socket.onmessage = receive;
  socket.onclose = (event) => { socket = null; lost(event.code); };
}

function lost(code) {
  ready = false;
  clearInterval(pingTimer);
  clearTimeout(pongTimer);
  if (STOP[code]) {
    if (code === 4401) emit("session-lost");
    else strip(STOP[code], true);
    stopped = true;
    hideBanner(false);
    return;
  }
  armBanner();
  const spread = 0.7 + Math.random() * 0.6;
  const wait = code === 4429 ? 30000 : code === 4012 ? Math.random() * 5000 : Math.min(30000, 500 * 2 ** tries) * spread;
  tries += 1;
  retryTimer = setTimeout(connect, wait);
}

function armBanner() {
  bannerTimer ||= setTimeout(showBanner, BANNER);
}
function showBanner() {
  if (ready || stopped || !bannerTimer) return;
  const offline = !navigator.onLine || !reachable;
  strip("offline", offline);
  strip("slow", !offline);
  strip("back", false);
  bannerTimer = -1;
}
function hideBanner(celebrate = true) {
  const shown = bannerTimer === -1;
  clearTimeout(bannerTimer);
  bannerTimer = 0;
  strip("offline", false);
  strip("slow", false);
  if (!shown || !celebrate) return;
  strip("back", true);
  setTimeout(() => strip("back", false), 2000);
}

function visible() {
  if (document.hidden) { hiddenAt = Date.now(); return; }
  if (!ready) { tries = 0; connect(); }
  else if (Date.now() - hiddenAt > 60000) { hello(); ping(); }
  if (owed || pulls.reduce((sum, pull) => sum + pull.ids.size, 0) > 100) { pulls.forEach((pull) => pull.clear()); resync(); }
  else pulls.forEach((pull) => pull.schedule());
}

export function start() {
  on("session-lost", () => { stopped = true; hideBanner(false); strip("session", true); socket?.close(1000); });
  addEventListener("online", () => { tries = 0; reachable = true; connect(); if (ready) { hideBanner(); ping(); } });
  addEventListener("offline", () => { drop(); armBanner(); });
  document.addEventListener("visibilitychange", visible);
  setInterval(() => { if (!ready && !stopped) sync(); }, POLL);
  connect();
}

const pulls = [];

/** A queue of ids fetched together: first after 30 ms, then at most once per `gap` ms, 50 ids a time, never while hidden. */
export class Pull {
  constructor(run, gap) {
    Object.assign(this, { run, gap, ids: new Set(), flying: new Set(), last: 0, timer: 0, control: null });
    pulls.push(this);
  }

  add(id) {
    this.ids.add(id);
    this.schedule();
  }

  schedule(least = 30) {
    if (this.timer || this.control || !this.ids.size || document.hidden || stopped) return;
    this.timer = setTimeout(() => this.flush(), Math.max(least, this.last + this.gap - Date.now()));
  }

  async flush() {
    this.timer = 0;
    if (document.hidden) return;
    const batch = [...this.ids].slice(0, 50);
    batch.forEach((id) => this.ids.delete(id));
    this.flying = new Set(batch);
    this.last = Date.now();
    const control = this.control = new AbortController();
    let pause = 30;
    try {
      await this.run(batch, control.signal);
    } catch (error) {
      if (!control.signal.aborted && !(error.status < 500)) { batch.forEach((id) => this.ids.add(id)); pause = 2000; }
    }
    if (this.control === control) { this.control = null; this.flying.clear(); }
    this.schedule(pause);
  }

  clear() {
    this.ids.clear();
    clearTimeout(this.timer);
    this.timer = 0;
    this.control?.abort();
    this.control = null;
  }
}
