// Voice messages and audio: one sound at a time, its speed remembered, the next voice message by itself.
import { $, pane, recall, remember, t, toast } from "./ui.js";
import { clock } from "./plain.js";

const sound = new Audio();
const SPEEDS = [1, 1.5, 2];
let speed = SPEEDS.find((one) => String(one) === recall("voice-speed")) || 1;
let player = null, from = 0;

const source = (element) => element.dataset.alt && !sound.canPlayType(element.dataset.mime) ? element.dataset.alt : element.dataset.src;
const lasts = () => (Number.isFinite(sound.duration) ? sound.duration : 0);

function show() {
  if (!player) return;
  const bar = $("[data-seek]", player), at = sound.currentTime, whole = lasts() || Number(bar.max);
  if (lasts()) bar.max = lasts();
  bar.value = at;
  bar.setAttribute("aria-valuetext", clock(at));
  player.style.setProperty("--at", `${(100 * at) / whole}%`);
  const time = $("[data-time]", player);
  time.dataset.whole ||= lasts() ? clock(lasts()) : "";
  time.textContent = sound.paused && !at ? time.dataset.whole : clock(at);
  $(".play", player).setAttribute("aria-pressed", String(!sound.paused));
}

function showSpeed() {
  $('[data-act="speed"]', player).textContent = `${speed}×`;
}

/** Makes this player's sound the one that is heard. */
function take(element) {
  if (player === element) return;
  const other = player?.dataset.src !== element.dataset.src; // else the same one, drawn anew
  if (other) sound.pause();
  if (player) { show(); delete player.dataset.on; }
  player = element;
  player.dataset.on = "";
  showSpeed();
  if (!other) { show(); return; }
  from = Number($("[data-seek]", player).value);
  sound.src = source(player);
  sound.playbackRate = sound.defaultPlaybackRate = speed;
}

async function play() {
  try {
    await sound.play();
  } catch (error) {
    if (error.name !== "AbortError") toast(t("no_sound"), "danger");
  }
}

export function toggle(element) {
  const again = player?.dataset.src === element.dataset.src;
  take(element);
  if (again && !sound.paused) sound.pause();
  else play();
}

export function seek(bar) {
  const element = bar.closest("[data-player]");
  const wanted = Number(bar.value);
  if (player !== element) take(element);
  if (sound.readyState) sound.currentTime = Math.min(wanted, lasts() || wanted);
  else { from = wanted; sound.load(); }
  element.style.setProperty("--at", `${(100 * wanted) / bar.max}%`);
}

export function faster(step) {
  speed = SPEEDS[(SPEEDS.indexOf(speed) + step + SPEEDS.length) % SPEEDS.length];
  sound.playbackRate = sound.defaultPlaybackRate = speed;
  remember("voice-speed", speed === 1 ? "" : String(speed));
  showSpeed();
}

/** The voice message right after this one, if there is one. */
function next() {
  const bubble = player?.closest(".msg");
  let after = bubble?.nextElementSibling;
  while (after && !after.classList.contains("msg")) after = after.nextElementSibling;
  return bubble?.classList.contains("k-voice") && after?.classList.contains("k-voice") ? $("[data-player]", after) : null;
}

for (const type of ["timeupdate", "play", "pause", "durationchange"]) sound.addEventListener(type, show);
sound.addEventListener("loadedmetadata", () => { if (from) { sound.currentTime = Math.min(from, lasts() || from); from = 0; } });
sound.addEventListener("ended", () => {
  const following = next();
  sound.currentTime = 0;
  show();
  if (following) toggle(following);
});
pane.addEventListener("keydown", (event) => {
  if (!event.target.closest("[data-player]") || event.ctrlKey || event.metaKey || event.altKey) return;
  const step = { ">": 1, "<": -1, ":": 1, ";": -1 }[event.key];
  if (step && event.shiftKey) { event.preventDefault(); faster(step); }
});
