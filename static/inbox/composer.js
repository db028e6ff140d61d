// Writing: reply or note, drafts, counter, quote, the WhatsApp window, and handing messages to the outbox.
import { $, $$, config, duration, http, isTouch, localTime, on, pane, recall, remember, serverNow, t, uuid } from "./ui.js";
import * as outbox from "./outbox.js";
import * as thread from "./thread.js";
import * as uploads from "./uploads.js";

const limits = { text: 4096, caption: 1024, note: 10000, ...config.limits };
const TYPING = 20000;

let root = null, box = null, text = null;
let mode = "reply", quote = null, typedAt = 0, draftTimer = 0, askedAt = 0;

const strip = () => $(".strip", box);
const canReply = () => strip()?.dataset.canWrite === "1";
const draftKey = (kind = mode) => `draft:${root.dataset.c}:${kind}`;
const most = () => (mode === "note" ? limits.note : uploads.any() ? limits.caption : limits.text);

export function mount() {
  keepDraft();
  uploads.clear();
  root = $(".thread", pane);
  quote = null;
  if (!root) { box = text = null; return; }
  box = $("[data-composer]", root);
  text = $("[data-text]", box);
  uploads.mount(root, () => mode === "reply" && canReply());
  text.addEventListener("keydown", onKey);
  text.addEventListener("input", onInput);
  $("[data-write]", box).addEventListener("submit", (event) => { event.preventDefault(); send(); });
  $("[data-quote-clear]", box).addEventListener("click", () => { setQuote(null); text.focus(); });
  setMode(recall(draftKey("note")) && !recall(draftKey("reply")) ? "note" : "reply");
}

/** Switches between reply and note; each has its own draft. */
function setMode(kind) {
  mode = kind;
  box.dataset.mode = kind;
  for (const tab of $$(".tab", box)) tab.setAttribute("aria-pressed", String(tab.dataset.modeTab === kind));
  text.placeholder = text.dataset[kind === "note" ? "placeholderNote" : "placeholderReply"];
  text.value = recall(draftKey());
  showError("");
  update();
}

function update() {
  if (!box) return;
  box.classList.toggle("shut", mode === "reply" && !canReply());
  const length = [...text.value].length, limit = most();
  const counter = $("[data-counter]", box);
  counter.hidden = length < limit * 0.8;
  counter.textContent = `${length} / ${limit}`;
  counter.classList.toggle("over", length > limit);
  $("[data-send]", box).disabled = uploads.busy();
  if (!CSS.supports("field-sizing", "content")) {
    text.style.height = "auto";
    text.style.height = `${text.scrollHeight}px`;
  }
}

function keepDraft() {
  clearTimeout(draftTimer);
  draftTimer = 0;
  if (text) remember(draftKey(), text.value);
}

function onInput() {
  showError("");
  update();
  draftTimer ||= setTimeout(keepDraft, 300);
  if (mode !== "reply" || !text.value.trim() || Date.now() - typedAt < TYPING) return;
  typedAt = Date.now();
  http(root.dataset.urlTyping, { form: {} }).catch(() => {});
}

function onKey(event) {
  if (event.key !== "Enter" || event.isComposing || event.keyCode === 229) return;
  const always = event.ctrlKey || event.metaKey;
  if (!always && (event.shiftKey || event.altKey || isTouch())) return;
  event.preventDefault();
  send();
}

function showError(words) {
  const line = $("[data-composer-error]", box);
  line.hidden = !words;
  line.textContent = words;
}

function setQuote(found) {
  quote = found;
  const bar = $("[data-quote]", box);
  bar.hidden = !quote;
  if (!quote) return;
  $("[data-quote-author]", bar).textContent = quote.author;
  $("[data-quote-text]", bar).textContent = quote.text;
}

function send() {
  const words = text.value.trim(), files = mode === "reply" ? uploads.ready() : [];
  if (uploads.busy()) return showError(t("wait_upload"));
  if (!words && !files.length) return text.focus();
  if (mode === "reply" && !canReply()) return update();
  if ([...words].length > most()) return showError(t("too_long", { most: most() }));
  const base = { c: thread.current(), mode, url: mode === "note" ? root.dataset.urlNotes : root.dataset.urlMessages };
  const parts = files.length ? files.map((file) => [{ id: file.id, name: file.name, kind: file.kind }]) : [[]];
  thread.stickToBottom();
  parts.forEach((attachments, index) => {
    const first = index === 0;
    const entry = { ...base, client_id: uuid(), text: first ? words : "", attachments, reply_to: first && quote ? quote.id : "", quote: first && mode === "reply" ? quote : null, created: Date.now() + index, state: "pending" };
    thread.showLocal(entry);
    outbox.enqueue(entry);
  });
  text.value = "";
  keepDraft();
  setQuote(null);
  if (mode === "reply") uploads.clear();
  update();
  text.focus();
  return undefined;
}

/** Follows the window second by second; when it runs out the server says what is allowed now. */
function watchWindow() {
  const line = box && !document.hidden && strip();
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

export function start() {
  pane.addEventListener("click", (event) => {
    const tab = event.target.closest("[data-mode-tab]");
    if (!tab) return;
    if (tab.dataset.modeTab !== mode) { keepDraft(); setMode(tab.dataset.modeTab); }
    if (mode === "note" || canReply()) text.focus();
  });
  on("tray", update);
  on("window", update);
  on("composer-error", (words) => { if (box) showError(words); });
  on("quote", (found) => {
    if (mode !== "reply") { keepDraft(); setMode("reply"); }
    if (!canReply()) return;
    setQuote(found);
    text.focus();
  });
  on("edit", (entry) => {
    if (!entry || !box) return;
    keepDraft();
    setMode(entry.mode);
    text.value = [text.value, entry.text].filter(Boolean).join("\n");
    keepDraft();
    update();
    text.focus();
  });
  on("outbox-changed", (entry) => {
    if (entry.c !== thread.current() || entry.code !== "window_closed") return;
    thread.refreshState(0);
  });
  addEventListener("pagehide", keepDraft);
  setInterval(watchWindow, 1000);
}
