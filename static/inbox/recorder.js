// Voice messages: the microphone, a level while it runs, a listen before it leaves, and the way to the server.
import { $, on, t, toast } from "./ui.js";
import { deliver, here } from "./composer.js";
import { clock } from "./plain.js";
import { post } from "./uploads.js";

const TYPES = ["audio/ogg;codecs=opus", "audio/webm;codecs=opus", "audio/mp4"];
const LONGEST = 15 * 60 * 1000, BARS = 40, SVG = "http://www.w3.org/2000/svg";
let run = null;

/** Asks for the microphone and begins; the composer shows the recorder until it is sent or discarded. */
export async function start() {
  if (run) return;
  const mine = run = { box: here.box, c: here.root.dataset.c, mode: here.mode, chunks: [], started: 0, url: "" };
  try {
    mine.stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true } });
    if (run !== mine) { quiet(mine); return; }
    const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
    mine.recorder = new MediaRecorder(mine.stream, { mimeType, audioBitsPerSecond: 32000 });
    mine.stopped = new Promise((resolve) => { mine.recorder.onstop = resolve; });
    mine.recorder.ondataavailable = (event) => { if (event.data.size) mine.chunks.push(event.data); };
    mine.recorder.start(1000);
  } catch {
    quiet(mine);
    if (run !== mine) return;
    run = null;
    toast(t("no_microphone"), "danger");
    return;
  }
  mine.started = Date.now();
  show(mine);
}

function show(mine) {
  const place = $("[data-recorder]", mine.box);
  place.replaceChildren($('[data-tpl="recorder"]', mine.box).content.cloneNode(true));
  place.hidden = false;
  place.onclick = (event) => {
    const name = event.target.closest("[data-rec]")?.dataset.rec;
    if (name === "discard") discard();
    else if (name === "stop") stop(mine);
    else if (name === "send") send(mine);
  };
  place.onkeydown = (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    discard();
  };
  mine.box.classList.add("recording-now");
  level(mine, $("[data-rec-wave]", place));
  mine.timer = setInterval(() => {
    const ms = Date.now() - mine.started;
    $("[data-rec-time]", place).textContent = clock(ms / 1000);
    if (ms > LONGEST) stop(mine);
  }, 200);
  $('[data-rec="send"]', place).focus();
}

/** Draws how loud it is, four times a second. */
function level(mine, wave) {
  mine.audio = new AudioContext();
  const analyser = mine.audio.createAnalyser(), samples = new Uint8Array(analyser.fftSize);
  mine.audio.createMediaStreamSource(mine.stream).connect(analyser);
  const bars = Array.from({ length: BARS }, (_, index) => {
    const bar = document.createElementNS(SVG, "rect");
    for (const [name, value] of Object.entries({ x: index * 4, y: 11, width: 2, height: 2, rx: 1 })) bar.setAttribute(name, value);
    wave.append(bar);
    return bar;
  });
  const heights = Array(BARS).fill(2);
  mine.meter = setInterval(() => {
    analyser.getByteTimeDomainData(samples);
    heights.push(2 + Math.min(22, Math.max(...samples.map((one) => Math.abs(one - 128))) / 4));
    heights.shift();
    bars.forEach((bar, index) => { bar.setAttribute("height", heights[index]); bar.setAttribute("y", 12 - heights[index] / 2); });
  }, 120);
}

function quiet(mine) {
  clearInterval(mine.timer);
  clearInterval(mine.meter);
  mine.stream?.getTracks().forEach((track) => track.stop());
  if (mine.audio && mine.audio.state !== "closed") mine.audio.close();
}

async function finish(mine) {
  if (mine.recorder.state !== "inactive") mine.recorder.stop();
  await mine.stopped;
  quiet(mine);
  return new Blob(mine.chunks, { type: mine.recorder.mimeType });
}

async function stop(mine) {
  if (mine.url) return;
  mine.url = URL.createObjectURL(await finish(mine));
  const place = $("[data-recorder]", mine.box), player = $("[data-rec-play]", place);
  if (!player) return;
  Object.assign(player, { src: mine.url, hidden: false });
  for (const part of [$('[data-rec="stop"]', place), $("[data-rec-wave]", place), $(".rec-dot", place)]) part.remove();
}

async function send(mine) {
  const button = $('[data-rec="send"]', mine.box);
  button.disabled = true;
  try {
    const blob = await finish(mine), name = "voice";
    const file = await post(blob, name, { conversation: mine.c, voice: "1" });
    if (run !== mine || here.box !== mine.box) return;
    deliver({ mode: mine.mode, text: "", attachments: [{ id: file.id, name: t("voice"), kind: "voice" }] });
    leave(mine);
    here.text.focus();
  } catch (reason) {
    button.disabled = false;
    toast(typeof reason === "string" ? reason : t("record_failed"), "danger");
  }
}

function leave(mine) {
  run = null;
  quiet(mine);
  if (mine.url) URL.revokeObjectURL(mine.url);
  mine.box.classList.remove("recording-now");
  const place = $("[data-recorder]", mine.box);
  place.replaceChildren();
  place.hidden = true;
}

function discard() {
  const mine = run;
  if (!mine) return;
  if (mine.recorder && mine.recorder.state !== "inactive") mine.recorder.stop();
  leave(mine);
  if (here.box === mine.box) here.text.focus();
}

on("composer-left", discard);
