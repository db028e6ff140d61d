// Writing: reply or note, drafts, counter, quote, and handing messages to the outbox; what helps with it is in aids.js.
import { $, $$, announce, config, csrf, data, emit, isTouch, lazy, me, on, pane, preferences, recall, remember, serverNow, t, uuid } from "./ui.js";
import * as outbox from "./outbox.js";
import * as thread from "./thread.js";

const limits = { text: 4096, caption: 1024, note: 10000, ...config.limits };
const SAVE = 2000;
const viewing = "viewing" in data; // as somebody else: their drafts are shown, nothing is kept
export const VARIABLE = /\{\{\s*[a-z]+\.[\w-]+\s*\}\}/;

/** What the lazy parts of the composer work on: elements of the open thread, and the mode. */
export const here = { root: null, box: null, text: null, mode: "reply" };
let tray = null, quote = null, dirty = false, stored = {}, keepTimer = 0, saveTimer = 0;

export const canReply = () => $(".strip", here.box)?.dataset.canWrite === "1";
const current = () => Number(here.root.dataset.c);
export const keyOf = (c, kind) => `${me}:${c}:${kind}`;
const draftOf = (kind) => (viewing ? here.text.dataset[kind] : recall(`draft:${keyOf(current(), kind)}`));
const files = () => (here.mode === "reply" && tray?.ready()) || [];
export const captioned = (file) => ["image", "video", "document"].includes(file?.kind);
const most = () => (here.mode === "note" ? limits.note : captioned(files()[0]) ? limits.caption : limits.text);

export function mount() {
  keepDraft();
  saveDraft();
  emit("composer-left");
  const root = here.root = $(".thread", pane);
  quote = null;
  if (!root) { here.box = here.text = null; return; }
  const box = here.box = $("[data-composer]", root), text = here.text = $("textarea[data-text]", box);
  text.addEventListener("keydown", onKey);
  text.addEventListener("input", onInput);
  $("[data-write]", box).addEventListener("submit", (event) => { event.preventDefault(); send(); });
  $("[data-quote-clear]", box).addEventListener("click", () => { setQuote(null); text.focus(); });
  for (const kind of ["reply", "note"]) {
    stored[kind] = Boolean(text.dataset[kind]);
    if (Number(text.dataset[`${kind}At`]) > Number(recall(`draft-at:${keyOf(current(), kind)}`))) keep(current(), kind, text.dataset[kind], text.dataset[`${kind}At`]);
  }
  setMode(draftOf("note") && !draftOf("reply") ? "note" : "reply");
  if (tray) tray.mount(root, mayAttach);
  else lazy("aids").then((aids) => { if (!tray) (tray = aids.tray).mount(here.root, mayAttach); }).catch(() => {});
}

const mayAttach = () => here.mode === "reply" && canReply();

/** Switches between reply and note; each has its own draft. */
function setMode(kind) {
  const { box, text } = here;
  here.mode = kind;
  box.dataset.mode = kind;
  for (const tab of $$(".tab", box)) tab.setAttribute("aria-pressed", String(tab.dataset.modeTab === kind));
  text.placeholder = text.dataset[kind === "note" ? "placeholderNote" : "placeholderReply"];
  text.value = draftOf(kind);
  dirty = false;
  showError("");
  update();
}

export function switchTo(kind) {
  if (kind === here.mode) return;
  keepDraft();
  saveDraft();
  setMode(kind);
}

export function update() {
  const { box, text, mode } = here;
  if (!box) return;
  box.classList.toggle("shut", mode === "reply" && !canReply());
  box.classList.toggle("blank", !text.value.trim() && !files().length);
  const length = [...text.value].length, limit = most();
  const counter = $("[data-counter]", box), level = length > limit ? "over" : length < limit * 0.8 ? "" : "near";
  counter.textContent = `${length} / ${limit}`;
  if (level && level !== counter.dataset.level) announce(counter.textContent);
  counter.dataset.level = level;
  $("[data-send]", box).disabled = Boolean(tray?.busy());
  if (CSS.supports("field-sizing", "content")) return;
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight}px`;
}

function keepDraft() {
  clearTimeout(keepTimer);
  keepTimer = 0;
  if (here.text && dirty) keep(current(), here.mode, here.text.value);
}

export function keep(c, mode, text, at = String(Math.round(serverNow()))) {
  if (viewing) return;
  remember(`draft:${keyOf(c, mode)}`, text);
  remember(`draft-at:${keyOf(c, mode)}`, at);
  emit("draft", { c, mode, text });
}

/** The draft for the agent's other devices; a beacon also leaves from a page that closes. */
function saveDraft() {
  clearTimeout(saveTimer);
  if (!here.text || !dirty || viewing) return;
  dirty = false;
  const { mode, text } = here;
  if (!text.value && !stored[mode]) return;
  stored[mode] = Boolean(text.value);
  const form = new FormData();
  for (const [name, value] of Object.entries({ mode, text: text.value, at: recall(`draft-at:${keyOf(current(), mode)}`), csrfmiddlewaretoken: csrf() })) form.append(name, value);
  navigator.sendBeacon(here.box.dataset.urlDraft, form);
}

function onInput() {
  showError("");
  update();
  dirty = true;
  keepTimer ||= setTimeout(keepDraft, 300);
  clearTimeout(saveTimer);
  saveTimer = setTimeout(saveDraft, SAVE);
}

function onKey(event) {
  if (event.isComposing || event.keyCode === 229) return;
  const { text, root } = here, always = event.ctrlKey || event.metaKey;
  if (event.key === "ArrowUp" && !text.value && !event.shiftKey && !always) {
    const asked = $$('.msg.in [data-act="reply"]', root).at(-1);
    if (asked) { event.preventDefault(); asked.click(); }
  } else if (event.key === "Enter" && (always || !(event.shiftKey || event.altKey || isTouch() || preferences.send_with === "ctrl_enter"))) {
    event.preventDefault();
    if (send() && always && event.shiftKey) $('[data-testid="resolve"]', root)?.click();
  }
}

export function showError(words) {
  const line = $("[data-composer-error]", here.box);
  line.hidden = !words;
  line.textContent = words;
}

function setQuote(found) {
  quote = found;
  const bar = $("[data-quote]", here.box);
  bar.hidden = !quote;
  if (!quote) return;
  $("[data-quote-author]", bar).textContent = quote.author;
  $("[data-quote-text]", bar).textContent = quote.text;
}

/** What stands in the box as messages, one for each file; null, with the reason shown, if it cannot be sent. */
export function parts() {
  const { text, mode } = here, words = text.value.trim(), chosen = files(), blank = VARIABLE.exec(text.value);
  const reason = tray?.busy() ? t("wait_upload") : [...words].length > most() ? t("too_long", { most: most() }) : blank ? t("fill_variable", { variable: blank[0] }) : "";
  showError(reason);
  if (blank) { text.focus(); text.setSelectionRange(blank.index, blank.index + blank[0].length); }
  if (reason) return null;
  if (mode === "reply" && !canReply()) return update(), null;
  if (!words && !chosen.length) return text.focus(), null;
  const found = chosen.map((file) => ({ text: file.caption, attachments: [{ id: file.id, name: file.name, kind: file.kind }] }));
  if (words && captioned(chosen[0]) && !found[0].text) found[0].text = words;
  else if (words) found.push({ text: words, attachments: [] });
  if (quote && mode === "reply") Object.assign(found[0], { reply_to: quote.id, quote });
  return found;
}

/** The box is empty again: what stood in it is on its way. */
export function reset() {
  here.text.value = "";
  dirty = true;
  keepDraft();
  saveDraft();
  setQuote(null);
  if (here.mode === "reply") tray?.clear();
  update();
  here.text.focus();
}

/** Words (and a quote) come back to the box, behind what stands there. */
export function bringBack({ text, quote: found }) {
  if (text) {
    here.text.value = [here.text.value, text].filter(Boolean).join("\n");
    dirty = true;
    keepDraft();
  }
  if (found) setQuote(found);
  update();
  here.text.focus();
}

/** Shows a message and hands it to the outbox. */
export function deliver(part) {
  const { root } = here, { name, url: path } = root.dataset, mode = part.mode || here.mode, seen = $$(".msg[data-mid]", root).at(-1)?.dataset.sort || "0";
  const entry = { reply_to: "", quote: null, ...part, c: current(), name, path, mode, seen, url: mode === "note" ? root.dataset.urlNotes : root.dataset.urlMessages, client_id: uuid(), created: Date.now(), state: "pending" };
  thread.showLocal(entry);
  outbox.enqueue(entry);
}

function send() {
  const found = parts();
  if (!found) return false;
  thread.stickToBottom();
  found.forEach(deliver);
  reset();
  return true;
}

export function start() {
  pane.addEventListener("click", ({ target }) => {
    const tab = target.closest("[data-mode-tab]"), tool = target.closest("[data-tool], [data-mark], [data-dialog]");
    if (tool && !tray) lazy("aids").then(() => tool.click()); // pressed before the tools were there
    if (!tab) return;
    switchTo(tab.dataset.modeTab);
    if (here.mode === "note" || canReply()) here.text.focus();
  });
  on("tray", update);
  on("window", update);
  on("composer-error", (words) => { if (here.box) showError(words); });
  addEventListener("pagehide", () => { keepDraft(); saveDraft(); });
}
