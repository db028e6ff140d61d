// Bubbles of messages that wait on this device: drawn from the outbox until the server's own comes.
import { $, alarm, clone, emit, localTime, t, toast } from "./ui.js";
import { key, mark, place } from "./bubbles.js";
import * as outbox from "./outbox.js";
import { article, bubbles, current, drop, isWhole, items, mutate } from "./thread.js";

const tabs = new BroadcastChannel("outbox");
tabs.onmessage = ({ data }) => forget(data);

function forget(id) {
  const entry = outbox.find(id);
  outbox.remove(id);
  if (article(id)?.dataset.local) drop(id);
  if (entry) emit("unsent", entry.c);
}

/** Gives a message up, in every tab of this browser. */
export function discard(id) {
  forget(id);
  tabs.postMessage(id);
}

/** What was refused after the agent went elsewhere is told with the way back. */
function tell(entry) {
  const link = document.createElement("a");
  Object.assign(link, { className: "toast-button", href: entry.path, textContent: t("not_sent_to", { name: entry.name }) });
  link.dataset.open = entry.c;
  const item = toast("", "danger");
  item.append(link, ` ${entry.reason}`);
  alarm(item.textContent);
}

/** Shows an entry of the outbox where its conversation stands; elsewhere only its failure. */
export function show(entry) {
  emit("unsent", entry.c);
  if (entry.c !== current()) {
    if (entry.state === "failed" && entry.path) tell(entry);
    return;
  }
  const known = article(entry.client_id);
  if (known && !known.dataset.local) { outbox.remove(entry.client_id); return; }
  if (!known && !isWhole()) return;
  const bubble = known || clone("tpl-pending");
  draw(bubble, entry, bubbles().at(-1));
  if (entry.state === "failed") alarm(entry.reason);
  mutate(() => { if (!known) place(items, bubble); });
}

function draw(bubble, entry, last) {
  bubble.id = `m-${entry.client_id}`;
  Object.assign(bubble.dataset, { local: "1", at: Math.floor(entry.created / 1000), author: "local", st: entry.state, day: localTime(entry.created).slice(0, 10) });
  bubble.dataset.sort ||= `${Math.max(entry.created, last ? key(last)[0] : 0)}.9999999999`;
  if (entry.mode === "note") bubble.classList.replace("out", "note");
  $("[data-who]", bubble).textContent = entry.mode === "note" ? t("your_note") : "";
  $("[data-txt]", bubble).textContent = entry.shown || entry.text;
  $("time", bubble).textContent = localTime(entry.created).slice(12, 17);
  const quoted = $(".quoted", bubble), failed = entry.state === "failed";
  quoted.hidden = !entry.quote;
  if (entry.quote) [quoted.children[0].textContent, quoted.children[1].textContent] = [entry.quote.author, entry.quote.text];
  $("[data-files]", bubble).replaceChildren(...entry.attachments.map((file) => {
    const line = clone("tpl-file");
    $("strong", line).textContent = file.name;
    return line;
  }));
  $(".tick", bubble).replaceWith(mark(entry.state));
  $("[data-trouble]", bubble).hidden = !failed;
  $('[data-act="template"]', bubble).hidden = entry.code !== "window_closed";
  $("[data-reason]", bubble).textContent = entry.reason || "";
}
