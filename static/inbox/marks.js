// What a row shows instead of its last message: a message that was not sent, a draft kept on this device, a teammate who is typing.
import { $, me, on, t } from "./ui.js";
import { paint } from "./list.js";
import * as outbox from "./outbox.js";

const TYPING = 7000;
const typists = new Map(), timers = new Map(), drafts = new Map();

/** Writes the mark of a row. */
export function decorate(row, id, open) {
  const typist = typists.get(id), { reply, note } = drafts.get(id) || {}, draft = id !== open && (reply || note), mark = $("[data-alt]", row);
  const unsent = outbox.pendingOf(id).some((entry) => entry.state === "failed") && t("row_unsent");
  const text = typist || unsent || (draft ? t("row_draft", { text: draft.slice(0, 120) }) : "");
  if (mark.textContent !== text) mark.textContent = text;
  mark.classList.toggle("draft", !typist);
}

function forget(id) {
  clearTimeout(timers.get(id));
  typists.delete(id);
  paint();
}

on("typing", ({ c, user, name, mode, on: is }) => {
  if (user === me) return;
  forget(c);
  if (!is) return;
  typists.set(c, t(mode === "note" ? "row_noting" : "row_typing", { name }));
  timers.set(c, setTimeout(() => forget(c), TYPING));
  paint();
});
const note = (c, mode, text) => drafts.set(c, { ...drafts.get(c), [mode]: text.trim() });
on("draft", ({ c, mode, text }) => { note(c, mode, text); paint(); });
for (const type of ["unsent", "outbox-restored"]) on(type, () => paint());

try {
  for (const [key, text] of Object.entries(localStorage)) {
    const [, user, c, mode] = key.match(/^draft:(\d+):(\d+):(\w+)$/) || [];
    if (Number(user) === me && text.trim()) note(Number(c), mode, text);
  }
} catch { /* storage is forbidden: no drafts */ }
