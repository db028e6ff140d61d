// Preferences: a dialog whose every change is kept at once, and what follows from it on this page.
import { $, csrf, data, emit, fragment, http, t, toast, why } from "./ui.js";

const dialog = $("#settings"), RELOADS = ["language", "time_zone"];

/** Keeps some preferences; this page and the user's others follow. */
export async function save(form) {
  try {
    const kept = await (await http(data.urlSettings, { form })).json();
    emit("preferences", kept);
    if (RELOADS.some((name) => name in form)) location.reload();
    return true;
  } catch (error) {
    toast(why(error), "danger");
    return false;
  }
}

export async function open() {
  try {
    await fill();
    dialog.showModal();
  } catch { toast(t("not_loaded"), "danger"); }
}

async function fill() {
  $("[data-settings]", dialog).replaceChildren(fragment(await (await http(data.urlSettings)).text()));
  showDevice();
}

/** Whether this device may show notifications is between the browser and the agent: asked only after a click. */
function showDevice() {
  const state = "Notification" in window ? Notification.permission : "missing";
  for (const line of dialog.querySelectorAll("[data-permission]")) line.hidden = line.dataset.permission !== state;
}

async function changed({ target }) {
  if (!target.name) return;
  const line = $("[data-saved]", dialog);
  line.textContent = "";
  const value = target.type === "checkbox" ? (target.checked ? "1" : "") : target.value;
  if (!await save({ [target.name]: value })) return;
  line.textContent = t("saved");
  if (target.name === "dnd") await fill();
}

/** A manager sees the inbox as somebody else; without a user, as themselves again. */
export function viewAs(user = "") {
  const form = document.createElement("form");
  Object.assign(form, { method: "post", action: data.urlViewAs });
  for (const [name, value] of [["csrfmiddlewaretoken", csrf()], ["user", user]]) {
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
  document.body.append(form);
  form.submit();
}

dialog.addEventListener("change", changed);
dialog.addEventListener("submit", (event) => { if ("whole" in (event.target.elements || {})) event.preventDefault(); });
dialog.addEventListener("click", async (event) => {
  if (event.target.closest("[data-own-menu]")) { dialog.close(); $("#user-menu").showPopover(); }
  if (!event.target.closest("[data-allow]")) return;
  await Notification.requestPermission();
  showDevice();
});
