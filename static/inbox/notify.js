// Telling an agent who looks elsewhere: the dot on the tab, a sound, a notification of the device; of all tabs one leads.
import { $, data, emit, http, me, on, pane, preferences, recall, remember, uuid } from "./ui.js";

const LEASE = 4000, QUIET = 3000, ANSWER = 120, START = 5000;
const channel = "BroadcastChannel" in window ? new BroadcastChannel("inbox") : null;
const icon = $('link[rel="icon"]'), plain = icon.href, tab = uuid();
let leads = false, heardAt = 0, watched = new Set(), sound = null, ready = null;

/** One tab leads: by a lock where there are locks (https, localhost), else by a lease that it renews. */
function elect() {
  if (navigator.locks) {
    navigator.locks.request("inbox-leader", () => { leads = true; return new Promise(() => {}); });
    return;
  }
  const renew = () => {
    const [owner, until] = recall("leader").split(" ");
    leads = owner === tab || !(Number(until) > Date.now());
    if (leads) remember("leader", `${tab} ${Date.now() + LEASE}`);
  };
  renew();
  setInterval(renew, LEASE / 2);
  addEventListener("pagehide", () => { if (leads) remember("leader", ""); });
}

const openHere = () => (document.hidden ? "" : $(".thread", pane)?.dataset.c || "list");

/** What the visible tabs of this browser show, asked anew each time. */
async function looks() {
  watched = new Set([openHere()].filter(Boolean));
  channel?.postMessage({ ask: true });
  if (channel) await new Promise((done) => { setTimeout(done, ANSWER); });
  return watched;
}

const resting = () => preferences.dnd_until && new Date(preferences.dnd_until) > new Date();

function matters(hint) {
  if (preferences.notify === "off" || resting()) return false;
  if (hint.t === "mention") return true;
  return hint.dir === "in" && (preferences.notify === "all" || hint.assignee === me);
}

async function tell(hint) {
  if (!leads || !matters(hint)) return;
  const shown = await looks();
  if (shown.has(String(hint.c))) return;
  if (preferences.sound && Date.now() - heardAt > QUIET) { heardAt = Date.now(); ring(); }
  if (!shown.size && window.Notification?.permission === "granted") await notify(hint);
}

/** Two soft notes; silent until the page was clicked once, as browsers want it. */
function ring() {
  try {
    sound ??= new AudioContext();
    if (sound.state === "suspended") sound.resume();
    [[660, 0], [880, 0.12]].forEach(([pitch, after]) => {
      const tone = sound.createOscillator(), volume = sound.createGain(), at = sound.currentTime + after;
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.12, at);
      volume.gain.exponentialRampToValueAtTime(0.001, at + 0.35);
      tone.connect(volume).connect(sound.destination);
      tone.start(at);
      tone.stop(at + 0.4);
    });
    document.documentElement.dataset.rang = Number(document.documentElement.dataset.rang || 0) + 1;
  } catch { /* no sound on this device */ }
}

async function notify(hint) {
  const url = data.urlAlert.replace("/0/", `/${hint.c}/`) + (hint.t === "mention" ? "?mention" : "");
  try {
    const { title, body, url: path } = await (await http(url)).json();
    const options = { body, tag: `c${hint.c}`, renotify: true, icon: icon.dataset.big, data: { path } };
    const worker = await Promise.race([ready, new Promise((done) => { setTimeout(done, START); })]);
    if (worker) { await worker.showNotification(title, options); return; }
    const shown = new Notification(title, options);
    shown.onclick = () => { window.focus(); emit("open", path); shown.close(); };
  } catch { /* the conversation is no longer theirs, or the device refused: the title says it */ }
}

/** The favicon has a dot while the title counts something. */
function dot() {
  const href = document.title.startsWith("(") ? icon.dataset.unread : plain;
  if (icon.href !== href) icon.href = href;
}

export function start() {
  elect();
  for (const type of ["message.created", "mention"]) on(type, tell);
  if (channel) channel.onmessage = ({ data: said }) => {
    if (said.ask && openHere()) channel.postMessage({ shows: openHere() });
    if (said.shows) watched.add(said.shows);
  };
  new MutationObserver(dot).observe($("title"), { childList: true });
  dot();
  ready = navigator.serviceWorker?.register("/sw.js").then(() => navigator.serviceWorker.ready, () => null); // once it is active
  navigator.serviceWorker?.addEventListener("message", ({ data: said }) => { if (said.path) emit("open", said.path); });
}
