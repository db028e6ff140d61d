// What is known of one message, in a dialog.
import { $, body, fragment, http, t, toast } from "./ui.js";
import { copy } from "./deeds.js";

export async function open(url, opener) {
  let dialog;
  try {
    dialog = fragment(await (await http(url)).text()).firstElementChild;
  } catch {
    toast(t("not_loaded"), "danger");
    return;
  }
  body.append(dialog);
  dialog.addEventListener("close", () => { dialog.remove(); if (opener?.isConnected) opener.focus({ preventScroll: true }); });
  dialog.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy($("[data-copied]", button.parentElement).textContent);
    else if (event.target === dialog) dialog.close();
  });
  dialog.showModal();
}
