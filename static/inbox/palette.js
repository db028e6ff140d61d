// The command palette: everything that can be done, gone to or found, by typing a few letters of it.
import { $, $$, data, emit, fragment, http, pane, t, toast } from "./ui.js";
import { can, run } from "./keys.js";

const dialog = $("#palette"), input = $("input", dialog), list = $("[data-options]", dialog);
let control = null, timer = 0, current = null, answer = null;

const options = () => $$('[role="option"]', list);

/** Opens or closes it. */
export function toggle() {
  if (dialog.open) { dialog.close(); return; }
  input.value = "";
  dialog.showModal();
  look();
}

function look() {
  clearTimeout(timer);
  timer = 0;
  answer = fetchOptions();
}

/** Takes what stands first for the letters as they are now, not for former ones. */
async function enter() {
  for (let waited = null; dialog.open && (timer || waited !== answer);) {
    if (timer) look();
    waited = answer;
    await waited;
  }
  if (dialog.open) choose(current);
}

async function fetchOptions() {
  control?.abort();
  control = new AbortController();
  const query = new URLSearchParams({ q: input.value.trim(), c: $(".thread", pane)?.dataset.c || "" });
  try {
    const html = await (await http(`${data.urlPalette}?${query}`, { signal: control.signal })).text();
    list.replaceChildren(fragment(html));
  } catch (error) {
    if (error.name !== "AbortError") { dialog.close(); toast(t("not_loaded"), "danger"); }
    return;
  }
  for (const option of options()) if (option.dataset.run && !can(option.dataset.run)) option.remove();
  for (const group of $$('[role="group"]', list)) group.hidden = !$('[role="option"]', group);
  $("[data-none]", dialog).hidden = options().length > 0;
  mark(options()[0]);
}

function mark(option) {
  current?.setAttribute("aria-selected", "false");
  current = option || null;
  current?.setAttribute("aria-selected", "true");
  current?.scrollIntoView({ block: "nearest" });
  input.setAttribute("aria-activedescendant", current?.id || "");
}

function choose(option) {
  if (!option) return;
  const { run: spec, path } = option.dataset;
  dialog.close();
  if (path) emit("open", path);
  else setTimeout(() => run(spec)); // once the focus is back where it was
}

input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(look, 120); });
input.addEventListener("keydown", (event) => {
  const all = options(), at = all.indexOf(current), last = all.length - 1;
  const wanted = { ArrowDown: at < last ? at + 1 : 0, ArrowUp: at > 0 ? at - 1 : last, PageDown: Math.min(last, at + 8), PageUp: Math.max(0, at - 8) }[event.key];
  if (wanted !== undefined) mark(all[wanted]);
  else if (event.key === "Enter" && !event.isComposing) enter();
  else return;
  event.preventDefault();
});
list.addEventListener("pointermove", (event) => {
  const option = event.target.closest('[role="option"]');
  if (option && option !== current) mark(option);
});
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
  else choose(event.target.closest('[role="option"]'));
});
