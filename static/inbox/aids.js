// What helps while one writes, loaded right after the page: tools, marks, suggestions, who types, the window's countdown,
// and what comes back to the box.
import { $, duration, emit, http, lazy, localTime, on, pane, recall, remember, serverNow, t } from "./ui.js";
import * as thread from "./thread.js";
import { bringBack, canReply, here, keep, keyOf, switchTo } from "./composer.js";
import * as tray from "./uploads.js";
import { hold as keepBack } from "./undo.js";

const RECEIPT = 20000, TYPING = 6000, MONTH = 30 * 86400000;
const TOKEN = /(^|\s)[/@][^\s/@]*( [^\s/@]*)?$/;
const typers = new Map();
let suggest = null, typedAt = 0, askedAt = 0;

export { tray };

const before = () => here.text.value.slice(0, here.text.selectionStart);

async function onInput({ target }) {
  const { text, mode, root } = here;
  if (target !== text) return;
  if (mode === "reply" && text.value.trim() && Date.now() - typedAt > RECEIPT) {
    typedAt = Date.now();
    http(root.dataset.urlTyping, { form: {} }).catch(() => {});
  }
  if (suggest || TOKEN.test(before())) (suggest ||= await lazy("suggest")).look();
}

function onKey(event) {
  if (event.target !== here.text || event.isComposing) return;
  const sign = (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && { b: "*", i: "_" }[event.key.toLowerCase()];
  if (sign) mark(sign);
  else if (!suggest && event.key === "Enter" && !event.shiftKey && TOKEN.test(before())) lazy("suggest").then((module) => (suggest = module).look(true));
  else if (!suggest?.onKey(event)) return;
  event.preventDefault();
  event.stopPropagation();
}

/** Colleagues who write here just now; `presence.js` tells them of us. */
function showTyping() {
  const line = here.box && $("[data-typing]", here.box);
  if (!line) return;
  for (const [user, one] of typers) if (one.until < Date.now()) typers.delete(user);
  const [one] = typers.values();
  const words = !one ? "" : typers.size > 1 ? t("several_typing") : t(one.mode === "note" ? "is_typing_note" : "is_typing", one);
  if (line.textContent !== words) line.textContent = words;
}

/** Puts words in place of a stretch of the text (else of the selection) as if they were typed. */
export function insert(words, start = here.text.selectionStart, end = here.text.selectionEnd) {
  const { text } = here;
  text.focus();
  text.setSelectionRange(start, end);
  if (!document.execCommand("insertText", false, words)) {
    text.setRangeText(words, start, end, "end");
    text.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

/** Puts WhatsApp's marks around the selection, or takes them away. */
function mark(sign) {
  const { text } = here, start = text.selectionStart, words = text.value.slice(start, text.selectionEnd);
  const marked = words.length > 2 * sign.length && words.startsWith(sign) && words.endsWith(sign);
  insert(marked ? words.slice(sign.length, -sign.length) : sign + words + sign);
  const from = start + (marked ? 0 : sign.length);
  text.setSelectionRange(from, from + words.length - (marked ? 2 * sign.length : 0));
}

/** Follows the window second by second; when it runs out the server says what is allowed now. */
function watch() {
  showTyping();
  const line = here.box && !document.hidden && $(".strip", here.box);
  if (!line?.dataset?.expires || line.dataset.canWrite !== "1") return;
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
  canned: () => insert(/(^|\s)$/.test(before()) ? "/" : " /"),
  later: async () => (await lazy("schedule")).open(),
  place: async (_button, before) => (await lazy("place")).open(before),
  record: async () => (await lazy("recorder")).start(),
  format: (button) => {
    const bar = $("[data-format-bar]", here.box);
    bar.hidden = !bar.hidden;
    button.setAttribute("aria-expanded", String(!bar.hidden));
  },
};

async function onClick({ target }) {
  const find = (name) => target.closest(`[data-${name}]`), menu = find("more-tools"), input = here.box && $("[data-file]", here.box);
  if (menu?.matches(":popover-open") && target.closest("button, input")) menu.hidePopover();
  if (input && (find("photo") || find("attach"))) input.accept = find("photo") ? "image/*,video/*" : "";
  if (find("photo")) input.click();
  const tool = find("tool"), sign = find("mark"), dialog = find("dialog"), item = find("planned-edit") || find("planned-cancel");
  if (tool) tools[tool.dataset.tool](tool);
  else if (sign) mark(sign.dataset.mark);
  else if (dialog) $(`dialog[data-name="${dialog.dataset.dialog}"]`, here.box)?.showModal();
  else if (item) (await lazy("schedule")).act(item);
}

/** Words for the box of a conversation that is not open, behind what waits there. */
const stash = ({ c, mode, text }) => keep(c, mode, [recall(`draft:${keyOf(c, mode)}`), text].filter(Boolean).join("\n"));

/** Brings back what was written: of a failed message, or of one that was undone. */
function restore(entry) {
  if (!entry) return;
  if (entry.attachments.length) tray.restore(entry.attachments, entry.c);
  const said = { ...entry, text: entry.shown || entry.text };
  if (entry.c !== thread.current()) { stash(said); return; }
  switchTo(entry.mode);
  if (entry.place && canReply()) tools.place(null, JSON.parse(entry.place));
  else bringBack(said);
}

pane.addEventListener("input", onInput);
pane.addEventListener("keydown", onKey, true);
pane.addEventListener("click", onClick);
pane.addEventListener("focusout", (event) => { if (event.target === here.text) suggest?.close(); });
on("composer-left", () => { typers.clear(); typedAt = 0; });
on("edit", restore);
on("quote", (found) => {
  switchTo("reply");
  if (canReply()) bringBack({ text: "", quote: found });
});
on("outbox-sent", ({ entry, hold }) => { if (hold) keepBack(entry, hold); });
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
on("message.created", (hint) => {
  if (hint.c !== thread.current() || hint.dir === "in") return;
  typers.clear(); // who wrote has sent
  showTyping();
});
on("conversation.updated", async (hint) => { if (hint.c === thread.current() && hint.what?.includes("scheduled")) (await lazy("schedule")).refresh(); });

/** A keyboard on the screen that covers the page instead of making it smaller (iOS): the page ends above it. */
function fit() {
  const { height, scale } = visualViewport, isCovered = document.documentElement.clientHeight - height * scale > 120;
  document.body.style.blockSize = isCovered ? `${height}px` : "";
  if (isCovered) scrollTo(0, 0);
}

/** When a draft was emptied is remembered for a month, so that no older one comes back. */
function tidy() {
  for (const [key, at] of Object.entries(localStorage)) {
    const part = key.match(/^draft-at(:\d+:\d+:\w+)$/)?.[1];
    if (part && at < Date.now() - MONTH && !localStorage[`draft${part}`]) remember(key, "");
    else if (/^draft(-at)?:\d+:[a-z]+$/.test(key)) remember(key, ""); // kept before drafts said whose they are
  }
}

setInterval(watch, 1000);
visualViewport?.addEventListener("resize", fit);
try { tidy(); } catch { /* storage is forbidden: nothing to tidy */ }
emit("tray");
