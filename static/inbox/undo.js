// Taking back what was just sent: for some seconds the bubble's cancel button undoes, and the words return to the box.
import { $, emit, http, pane, Refused, t, toast } from "./ui.js";
import { drop } from "./thread.js";

const held = new Map();
let timer = 0;

/** `entry` stays with the server for `seconds`. */
export function hold(entry, seconds) {
  held.set(entry.client_id, { entry, until: Date.now() + seconds * 1000 });
  timer ||= setInterval(count, 250);
  count();
}

const buttonOf = (id) => $(`#m-${CSS.escape(id)} [data-act="cancel"]`, pane);

function count() {
  for (const [id, { until }] of held) {
    const left = Math.ceil((until - Date.now()) / 1000), button = buttonOf(id);
    if (left <= 0) held.delete(id);
    if (!button) continue;
    button.dataset.plain ||= button.lastChild.textContent;
    const words = left > 0 ? t("undo", { s: left }) : button.dataset.plain;
    if (button.lastChild.textContent !== words) button.lastChild.textContent = words;
  }
  if (!held.size) timer = clearInterval(timer) || 0;
}

async function undo(id, { entry }) {
  held.delete(id);
  try {
    await http(`${new URL(buttonOf(id).dataset.url, location.href).pathname.replace(/cancel\/$/, "")}undo/`, { form: {} });
    drop(id);
    emit("edit", entry);
    toast(t("undone"));
  } catch (error) {
    toast((error instanceof Refused && error.reason) || t("not_done"), "danger");
  }
}

pane.addEventListener("click", (event) => {
  const button = event.target.closest('[data-act="cancel"]'), id = button?.closest(".msg")?.id.slice(2), found = held.get(id);
  if (!found || found.until < Date.now()) return;
  event.stopPropagation();
  undo(id, found);
}, true);
