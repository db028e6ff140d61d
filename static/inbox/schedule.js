// Sending later: choosing the time in the agent's own zone, the list above the box, changing and cancelling.
import { $, $$, data, http, localTime, Refused, replaceById, serverNow, t, toast, uuid } from "./ui.js";
import { here, parts, reset } from "./composer.js";

let editing = null, waiting = null;

const dialog = () => $('dialog[data-name="later"]', here.box);
const iso = (ms) => localTime(ms).replace(", ", "T").slice(0, 16);

/** Quick choices as local times; those after the window's end cannot be chosen. */
function picks() {
  const now = serverNow(), today = iso(now).slice(0, 10), tomorrow = iso(now + 86400000).slice(0, 10);
  return { hour: iso(now + 3600000), evening: `${today}T18:00`, morning: `${tomorrow}T09:00` };
}

/** Asks when what stands in the box shall leave. */
export function open() {
  editing = null;
  waiting = parts();
  if (waiting) ask(picks().hour, false, null);
}

function ask(at, unless, words) {
  const found = dialog(), ends = Number($(".strip", here.box).dataset.expires) * 1000, now = iso(serverNow()), last = ends ? iso(ends) : "";
  const field = $("[data-later-at]", found), times = picks();
  Object.assign(field, { min: now, max: last, value: at });
  $("[data-later-zone]", found).textContent = data.timeZone || "";
  $("[data-later-unless]", found).checked = unless;
  $("[data-later-words]", found).hidden = words === null;
  $("[data-later-text]", found).value = words ?? "";
  for (const button of $$("[data-pick]", found)) {
    const time = times[button.dataset.pick];
    button.disabled = time <= now || (last && time > last);
    button.onclick = () => { field.value = time; };
  }
  showError("");
  $("[data-later]", found).onsubmit = save;
  found.onclose = () => here.text?.focus();
  found.showModal();
}

function showError(words) {
  const line = $("[data-later-error]", dialog());
  line.textContent = words;
  line.hidden = !words;
}

async function save(event) {
  event.preventDefault();
  const found = dialog(), button = event.submitter || $("[data-testid='later-save']", found), { box } = here;
  const form = { send_at: $("[data-later-at]", found).value, unless_answered: $("[data-later-unless]", found).checked ? "1" : "" };
  button.disabled = true;
  try {
    if (editing) put(await post(editing, { ...form, text: $("[data-later-text]", found).value }));
    else await plan(box, form);
    found.close();
    const at = new Date(`${form.send_at}Z`).toLocaleString(document.documentElement.lang, { timeZone: "UTC", dateStyle: "medium", timeStyle: "short" });
    toast(t("planned", { at }));
  } catch (error) {
    showError((error instanceof Refused && error.reason) || t("not_done"));
  } finally {
    button.disabled = false;
  }
}

/** One planned message for each part; those that were taken are not planned again after a failure. */
async function plan(box, form) {
  for (const part of waiting) {
    if (part.done) continue;
    part.client_id ||= uuid();
    const attachment = part.attachments.map((file) => file.id);
    put(await post(box.dataset.urlScheduled, { ...form, text: part.text, client_id: part.client_id, reply_to: part.reply_to, attachment }));
    part.done = true;
  }
  if (here.box === box) reset();
}

const post = async (url, form) => (await http(url, { form })).text();
const put = (html) => replaceById(html, "[data-planned]");

/** A click in the list of planned messages. */
export async function act(button) {
  const { url, at, unless, text } = button.closest("[data-url]").dataset;
  if ("plannedEdit" in button.dataset) {
    editing = url;
    ask(at > iso(serverNow()) ? at : picks().hour, Boolean(unless), text);
    return;
  }
  try {
    put(await post(url, { action: "cancel" }));
    here.text?.focus();
  } catch (error) {
    toast((error instanceof Refused && error.reason) || t("not_done"), "danger");
  }
}

/** The list as it is now. */
export async function refresh() {
  const { box } = here;
  if (!box || document.hidden) return;
  try { put(await (await http(box.dataset.urlScheduled)).text()); } catch { /* shown at the next opening */ }
}
