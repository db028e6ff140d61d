// Photos and videos of a conversation, one at a time: leaf through them, zoom, turn, download.
import { $, $$, body, fragment, http, pane, t, toast } from "./ui.js";
import { jump } from "./travel.js";

const MOST = 5;
let root = null, dialog = null, stage = null, opener = null, shown = null;
let scale = 1, turn = 0, x = 0, y = 0, pinch = 0;
const fingers = new Map();

const pictures = () => $$("[data-pictures] li", dialog);
const list = () => $("[data-pictures]", dialog);

function place() {
  const media = stage.firstElementChild;
  if (!media) return;
  if (scale === 1) [x, y] = [0, 0];
  media.style.transform = `translate(${x}px, ${y}px) scale(${scale}) rotate(${turn}deg)`;
  stage.classList.toggle("large", scale > 1);
  $('[data-viewer="out"]', dialog).disabled = scale <= 1;
  $('[data-viewer="in"]', dialog).disabled = scale >= MOST;
}

function zoom(by) {
  scale = Math.min(MOST, Math.max(1, scale * by));
  if (scale < 1.05) scale = 1;
  place();
}

function show(picture) {
  shown = picture;
  [scale, turn, x, y] = [1, 0, 0, 0];
  const { url, kind, name, author, time, caption } = picture.dataset, film = kind === "video";
  const media = document.createElement(film ? "video" : "img");
  media.src = url;
  if (film) Object.assign(media, { controls: true, autoplay: true, playsInline: true });
  else Object.assign(media, { alt: caption || name || t("photo"), draggable: false });
  stage.replaceChildren(media);
  $(".viewer-zoom", dialog).hidden = film;
  $("[data-viewer-author]", dialog).textContent = author;
  $("[data-viewer-time]", dialog).textContent = time;
  const line = $("[data-viewer-caption]", dialog);
  line.textContent = caption;
  line.hidden = !caption;
  $("[data-viewer-file]", dialog).href = `${url}?download=1`;
  const all = pictures(), at = all.indexOf(picture);
  $('[data-viewer="previous"]', dialog).disabled = !at && !list().dataset.before;
  $('[data-viewer="next"]', dialog).disabled = at === all.length - 1 && !list().dataset.after;
  $("[data-viewer-status]", dialog).textContent = [author, time, caption].filter(Boolean).join(", ");
  place();
}

/** Fetches more pictures before the first or after the last. */
async function more(end) {
  const strip = list(), from = strip.dataset[end];
  if (!from) return;
  const got = fragment(await (await http(`${root.dataset.urlMedia}?${end}=${from}`)).text()).firstElementChild;
  strip.dataset[end] = got.dataset[end];
  if (end === "before") strip.prepend(...got.children);
  else strip.append(...got.children);
}

async function step(by) {
  const next = () => pictures()[pictures().indexOf(shown) + by];
  try {
    if (!next()) await more(by < 0 ? "before" : "after");
  } catch {
    toast(t("not_loaded"), "danger");
  }
  if (dialog && next()) show(next());
}

const deeds = {
  in: () => zoom(1.5),
  out: () => zoom(1 / 1.5),
  turn: () => { turn = (turn + 90) % 360; place(); },
  previous: () => step(-1),
  next: () => step(1),
  close: () => dialog.close(),
  show: () => { const id = shown.dataset.m; opener = null; dialog.close(); jump(id); },
};
const KEYS = { ArrowLeft: "previous", ArrowRight: "next", "+": "in", "-": "out", r: "turn" };

function onKey(event) {
  const deed = !event.ctrlKey && !event.metaKey && !event.altKey && event.target.localName !== "video" && KEYS[event.key];
  if (!deed) return;
  event.preventDefault();
  event.stopPropagation();
  deeds[deed]();
}

function onPointer(event) {
  if (shown?.dataset.kind === "video") return;
  const before = fingers.get(event.pointerId);
  if (event.type === "pointerdown") { fingers.set(event.pointerId, event); stage.setPointerCapture(event.pointerId); pinch = 0; return; }
  if (event.type !== "pointermove") { fingers.delete(event.pointerId); pinch = 0; return; }
  if (!before) return;
  fingers.set(event.pointerId, event);
  if (fingers.size === 2) {
    const [one, other] = [...fingers.values()], apart = Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    if (pinch) zoom(apart / pinch);
    pinch = apart;
  } else if (scale > 1) {
    x += event.clientX - before.clientX;
    y += event.clientY - before.clientY;
    place();
  }
}

function bind() {
  dialog.addEventListener("click", (event) => {
    const deed = event.target.closest("[data-viewer]")?.dataset.viewer;
    if (deed) deeds[deed]();
    else if (event.target === stage) dialog.close();
  });
  dialog.addEventListener("keydown", onKey);
  dialog.addEventListener("close", () => {
    dialog.remove();
    dialog = shown = null;
    fingers.clear();
    if (opener?.isConnected) opener.focus({ preventScroll: true });
  });
  stage.addEventListener("wheel", (event) => { event.preventDefault(); zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2); }, { passive: false });
  stage.addEventListener("dblclick", () => { if (scale > 1) { scale = 1; place(); } else zoom(2.5); });
  for (const type of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) stage.addEventListener(type, onPointer);
}

/** Opens at the picture a link names: `data-picture` of a bubble, `data-file` of the panel. */
export async function open(link, thread) {
  root = thread || $(".thread", pane);
  if (dialog || !root) return;
  try {
    const made = fragment(await (await http(`${root.dataset.urlMedia}?around=${link.dataset.picture || link.dataset.file}`)).text()).firstElementChild;
    if (dialog) return;
    dialog = made;
  } catch {
    toast(t("not_loaded"), "danger");
    return;
  }
  opener = link;
  stage = $("[data-stage]", dialog);
  body.append(dialog);
  bind();
  dialog.showModal();
  show(pictures().find((picture) => picture.dataset.file === dialog.dataset.at));
  stage.focus();
}
