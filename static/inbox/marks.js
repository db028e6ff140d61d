// What a row shows instead of its last message: a draft kept on this device, a teammate who is typing.
import { $, me, on, t } from "./ui.js";
import { paint } from "./list.js";

const TYPING = 7000;
const typists = new Map(), timers = new Map(), drafts = new Map();

/** Writes the mark of a row. */
export function decorate(row, id, open) {
  const typist = typists.get(id), draft = id !== open && drafts.get(id), mark = $("[data-alt]", row);
  const text = typist || (draft ? t("row_draft", { text: draft.slice(0, 120) }) : "");
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
on("draft", ({ c, text }) => { drafts.set(c, text.trim()); paint(); });

try {
  for (const [key, text] of Object.entries(localStorage)) {
    const c = key.match(/^draft:(\d+):/)?.[1];
    if (c && text.trim()) drafts.set(Number(c), text.trim());
  }
} catch { /* storage is forbidden: no drafts */ }
