// Writing: reply or note, drafts, counter, quote, the WhatsApp window, and handing messages to the outbox.
import { $, $$, config, csrf, duration, emit, http, isTouch, lazy, localTime, on, pane, preferences, recall, remember, serverNow, t, uuid } from "./ui.js";
import { send as tell } from "./bus.js";
import * as outbox from "./outbox.js";
import * as thread from "./thread.js";

const limits = { text: 4096, caption: 1024, note: 10000, ...config.limits };
const RECEIPT = 20000, TELL = 3000, TYPING = 6000, SAVE = 2000;
const VARIABLE = /\{\{\s*[a-z]+\.[\w-]+\s*\}\}/;
const TOKEN = /(^|\s)[/@][^\s/@]*( [^\s/@]*)?$/;

/** What the lazy parts of the composer work on: elements of the open thread, and the mode. */
export const here = { root: null, box: null, text: null, mode: "reply" };
let tray = null, suggest = null, quote = null;
let dirty = false, stored = {}, keepTimer = 0, saveTimer = 0, typedAt = 0, toldAt = 0, askedAt = 0;
const typers = new Map();

const strip = () => $(".strip", here.box);
const canReply = () => strip()?.dataset.canWrite === "1";
const draftKey = (kind = here.mode) => `draft:${here.root.dataset.c}:${kind}`;
const timeKey = (kind) => `draft-at:${here.root.dataset.c}:${kind}`;
const files = () => (here.mode === "reply" && tray?.ready()) || [];
const captioned = (file) => ["image", "video", "document"].includes(file?.kind);
const most = () => (here.mode === "note" ? limits.note : captioned(files()[0]) ? limits.caption : limits.text);

export function mount() {
  keepDraft();
  saveDraft();
  emit("composer-left");
  const root = here.root = $(".thread", pane);
  quote = null;
  typers.clear();
  if (!root) { here.box = here.text = null; return; }
  const box = here.box = $("[data-composer]", root), text = here.text = $("[data-text]", box);
  text.addEventListener("keydown", onKey);
  text.addEventListener("input", onInput);
  text.addEventListener("blur", () => { tellTyping(false); suggest?.close(); });
  $("[data-write]", box).addEventListener("submit", (event) => { event.preventDefault(); send(); });
  $("[data-quote-clear]", box).addEventListener("click", () => { setQuote(null); text.focus(); });
  for (const kind of ["reply", "note"]) {
    stored[kind] = Boolean(text.dataset[kind]);
    if (Number(text.dataset[`${kind}At`]) <= Number(recall(timeKey(kind)))) continue;
    remember(draftKey(kind), text.dataset[kind]);
    remember(timeKey(kind), text.dataset[`${kind}At`]);
  }
  setMode(recall(draftKey("note")) && !recall(draftKey("reply")) ? "note" : "reply");
  tray?.mount(root, mayAttach);
}

const mayAttach = () => here.mode === "reply" && canReply();

/** Switches between reply and note; each has its own draft. */
function setMode(kind) {
  const { box, text } = here;
  here.mode = kind;
  box.dataset.mode = kind;
  for (const tab of $$(".tab", box)) tab.setAttribute("aria-pressed", String(tab.dataset.modeTab === kind));
  text.placeholder = text.dataset[kind === "note" ? "placeholderNote" : "placeholderReply"];
  text.value = recall(draftKey());
  dirty = false;
  showError("");
  update();
}

function switchTo(kind) {
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
  const counter = $("[data-counter]", box);
  counter.hidden = length < limit * 0.8;
  counter.textContent = `${length} / ${limit}`;
  counter.classList.toggle("over", length > limit);
  $("[data-send]", box).disabled = Boolean(tray?.busy());
  if (CSS.supports("field-sizing", "content")) return;
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight}px`;
}

function keepDraft() {
  clearTimeout(keepTimer);
  keepTimer = 0;
  if (!here.text || !dirty) return;
  remember(draftKey(), here.text.value);
  remember(timeKey(here.mode), String(Math.round(serverNow())));
  emit("draft", { c: thread.current(), text: here.text.value });
}

/** The draft for the agent's other devices; a beacon also leaves from a page that closes. */
function saveDraft() {
  clearTimeout(saveTimer);
  if (!here.text || !dirty) return;
  dirty = false;
  const { mode, text } = here;
  if (!text.value && !stored[mode]) return;
  stored[mode] = Boolean(text.value);
  const form = new FormData();
  for (const [name, value] of Object.entries({ mode, text: text.value, at: recall(timeKey(mode)), csrfmiddlewaretoken: csrf() })) form.append(name, value);
  navigator.sendBeacon(here.box.dataset.urlDraft, form);
}

async function onInput() {
  const { text, mode, root } = here;
  showError("");
  update();
  dirty = true;
  keepTimer ||= setTimeout(keepDraft, 300);
  clearTimeout(saveTimer);
  saveTimer = setTimeout(saveDraft, SAVE);
  if (suggest || TOKEN.test(text.value.slice(0, text.selectionStart))) (suggest ||= await lazy("suggest")).look();
  tellTyping(Boolean(text.value.trim()));
  if (mode !== "reply" || !text.value.trim() || Date.now() - typedAt < RECEIPT) return;
  typedAt = Date.now();
  http(root.dataset.urlTyping, { form: {} }).catch(() => {});
}

/** Colleagues see who writes what kind of message here, while it lasts. */
function tellTyping(typing) {
  if (typing ? Date.now() - toldAt < TELL : !toldAt) return;
  toldAt = typing ? Date.now() : 0;
  tell({ v: 1, t: "typing", c: thread.current(), mode: here.mode, on: typing });
}

function showTyping() {
  const line = here.box && $("[data-typing]", here.box);
  if (!line) return;
  for (const [user, one] of typers) if (one.until < Date.now()) typers.delete(user);
  const [one] = typers.values();
  const words = !one ? "" : typers.size > 1 ? t("several_typing") : t(one.mode === "note" ? "is_typing_note" : "is_typing", one);
  if (line.textContent !== words) line.textContent = words;
}

function onKey(event) {
  if (event.isComposing || event.keyCode === 229 || suggest?.onKey(event)) return;
  const { text, root } = here, always = event.ctrlKey || event.metaKey;
  const sign = always && !event.shiftKey && !event.altKey && { b: "*", i: "_" }[event.key.toLowerCase()];
  if (sign) {
    event.preventDefault();
    mark(sign);
  } else if (event.key === "ArrowUp" && !text.value && !event.shiftKey && !always) {
    const asked = $$('.msg.in [data-act="reply"]', root).at(-1);
    if (asked) { event.preventDefault(); asked.click(); }
  } else if (event.key === "Enter" && (always || !(event.shiftKey || event.altKey || isTouch() || preferences.send_with === "ctrl_enter"))) {
    event.preventDefault();
    if (send() && always && event.shiftKey) $('[data-testid="resolve"]', root)?.click();
  }
}

/** Puts words in place of a stretch of the text (else of the selection) as if they were typed. */
export function insert(words, start = here.text.selectionStart, end = here.text.selectionEnd) {
  const { text } = here;
  text.focus();
  text.setSelectionRange(start, end);
  if (!document.execCommand("insertText", false, words)) {
    text.setRangeText(words, start, end, "end");
    text.dispatchEvent(new Event("input"));
  }
}

/** Puts WhatsApp's marks around the selection, or takes them away. */
function mark(sign) {
  const { text } = here, start = text.selectionStart, words = text.value.slice(start, text.selectionEnd);
  const marked = words.length > 2 * sign.length && words.startsWith(sign) && words.endsWith(sign);
  insert(marked ? words.slice(sign.length, -sign.length) : sign + words + sign);
  if (marked) text.setSelectionRange(start, start + words.length - 2 * sign.length);
  else text.setSelectionRange(start + sign.length, start + sign.length + words.length);
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
  tellTyping(false);
  update();
  here.text.focus();
}

/** Shows a message and hands it to the outbox. */
export function deliver(part) {
  const { root, mode } = here, seen = $$(".msg[data-mid]", root).at(-1)?.dataset.sort || "0";
  const entry = { reply_to: "", quote: null, ...part, c: thread.current(), mode, seen, url: mode === "note" ? root.dataset.urlNotes : root.dataset.urlMessages, client_id: uuid(), created: Date.now(), state: "pending" };
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

/** Brings back what was written: of a failed message, or of one that was undone. */
function restore(entry) {
  if (!entry || !here.box || entry.c !== thread.current()) return;
  keepDraft();
  setMode(entry.mode);
  here.text.value = [here.text.value, entry.text].filter(Boolean).join("\n");
  if (entry.quote) setQuote(entry.quote);
  if (entry.attachments.length) tray?.restore(entry.attachments);
  dirty = true;
  keepDraft();
  update();
  here.text.focus();
}

/** Follows the window second by second; when it runs out the server says what is allowed now. */
function watch() {
  showTyping();
  const line = here.box && !document.hidden && strip();
  if (!line?.dataset.expires || line.dataset.canWrite !== "1") return;
  const left = line.dataset.expires * 1000 - serverNow();
  if (left <= -1000) {
    if (Date.now() - askedAt > 5000) { askedAt = Date.now(); thread.refreshState(0); }
    return;
  }
  if (line.dataset.state !== "open" && line.dataset.state !== "closing") return;
  line.dataset.state = left < 7200000 ? "closing" : "open";
  const at = localTime(line.dataset.expires * 1000).slice(12, 17), words = $("[data-strip-text]", line);
  const fresh = t(`window_${line.dataset.state}`, { time: duration(left), at });
  if (words.textContent !== fresh) words.textContent = fresh;
}

const tools = {
  emoji: async (button) => (await lazy("emoji")).open(button, (emoji) => insert(emoji)),
  canned: () => { const { text } = here; insert(/(^|\s)$/.test(text.value.slice(0, text.selectionStart)) ? "/" : " /"); },
  later: async () => (await lazy("schedule")).open(),
  record: async () => (await lazy("recorder")).start(),
  format: (button) => {
    const bar = $("[data-format-bar]", here.box);
    bar.hidden = !bar.hidden;
    button.setAttribute("aria-expanded", String(!bar.hidden));
  },
};

async function onClick(event) {
  const find = (name) => event.target.closest(`[data-${name}]`);
  const tab = find("mode-tab"), tool = find("tool"), sign = find("mark"), dialog = find("dialog"), item = find("planned-edit") || find("planned-cancel");
  if (tab) {
    switchTo(tab.dataset.modeTab);
    if (here.mode === "note" || canReply()) here.text.focus();
  } else if (tool) tools[tool.dataset.tool](tool);
  else if (sign) mark(sign.dataset.mark);
  else if (dialog) $(`dialog[data-name="${dialog.dataset.dialog}"]`, here.box)?.showModal();
  else if (item) (await lazy("schedule")).act(item);
}

export function start() {
  pane.addEventListener("click", onClick);
  on("tray", update);
  on("window", update);
  on("composer-error", (words) => { if (here.box) showError(words); });
  on("quote", (found) => {
    switchTo("reply");
    if (!canReply()) return;
    setQuote(found);
    here.text.focus();
  });
  on("edit", restore);
  on("outbox-sent", async ({ entry, hold }) => { if (hold) (await lazy("undo")).hold(entry, hold); });
  on("outbox-changed", (entry) => {
    if (entry.c !== thread.current()) return;
    if (entry.code === "window_closed") thread.refreshState(0);
    const bubble = thread.article(entry.client_id), again = bubble && $('[data-act="local-retry"]', bubble);
    if (again && entry.code === "collision") again.lastChild.textContent = t("send_anyway");
  });
  on("typing", ({ c, user, on: typing, ...one }) => {
    if (c !== thread.current()) return;
    if (typing) typers.set(user, { ...one, until: Date.now() + TYPING });
    else typers.delete(user);
    showTyping();
  });
  on("conversation.updated", async (hint) => { if (hint.c === thread.current() && hint.what?.includes("scheduled")) (await lazy("schedule")).refresh(); });
  on("message.removed", (hint) => { if (hint.c === thread.current()) thread.article(hint.m)?.remove(); });
  addEventListener("pagehide", () => { keepDraft(); saveDraft(); });
  setInterval(watch, 1000);
  lazy("uploads").then((loaded) => { tray = loaded; if (here.root) tray.mount(here.root, mayAttach); }).catch(() => {});
}
