// Suggestions at the caret: `/` quick answers, in notes `@` colleagues; and the dialog that keeps the quick answers.
import { $, $$, fragment, http, Refused, t, toast } from "./ui.js";
import { insert } from "./aids.js";
import { here, VARIABLE } from "./composer.js";

const ANSWER = /(?:^|\s)\/([^\s/]*)$/, PERSON = /(?:^|\s)@([\p{L}\d._-]*(?: [\p{L}]*)?)$/u;
let from = -1, refused = -1, timer = 0, asked = 0, waiting = false, wanted = false;

const list = () => $("[data-suggest]", here.box);
const options = () => $$(".option:not(.none)", list());
const chosen = () => $('[aria-selected="true"]', list());
const isOpen = () => here.box && !list().hidden;

/** Looks at what stands before the caret, and asks the server what it may mean; with `now` the first is taken as soon as it is known. */
export function look(now = false) {
  const { text, box, mode, root } = here, before = text.value.slice(0, text.selectionStart);
  const person = mode === "note" && PERSON.exec(before), found = person || ANSWER.exec(before);
  clearTimeout(timer);
  if (!found) return close();
  from = before.length - found[1].length - 1;
  if (from === refused) return undefined;
  refused = -1;
  const url = `${person ? box.dataset.urlMentions : box.dataset.urlCanned}?${new URLSearchParams({ q: found[1], c: root.dataset.c })}`;
  [waiting, wanted] = [true, now];
  timer = setTimeout(() => ask(url), now ? 0 : 120);
  return undefined;
}

async function ask(url) {
  const turn = asked += 1, { box } = here;
  try {
    const html = await (await http(url)).text();
    if (turn !== asked || box !== here.box || from < 0) return;
    list().replaceChildren(fragment(html));
    list().hidden = false;
    here.text.setAttribute("aria-controls", list().id);
    choose(options()[0]);
    waiting = false;
    if (wanted && chosen()) take(chosen());
    wanted = false;
  } catch { close(); }
}

export function close() {
  clearTimeout(timer);
  asked += 1;
  from = -1;
  waiting = wanted = false;
  if (!isOpen()) return;
  list().hidden = true;
  here.text.removeAttribute("aria-activedescendant");
}

function choose(option) {
  if (!option) return;
  for (const other of options()) other.setAttribute("aria-selected", String(other === option));
  here.text.setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
}

/** Keys while the list is open; true if they were for it. */
export function onKey(event) {
  if (waiting && event.key === "Enter" && !event.shiftKey && !event.ctrlKey && !event.metaKey) return (wanted = true);
  if (!isOpen()) return false;
  const all = options(), at = all.indexOf(chosen());
  if (event.key === "ArrowDown" || event.key === "ArrowUp") choose(all.at((at + (event.key === "ArrowDown" ? 1 : -1)) % all.length));
  else if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey && chosen()) take(chosen());
  else if (event.key === "Escape") { refused = from; close(); event.stopPropagation(); }
  else return false;
  event.preventDefault();
  return true;
}

function take(option) {
  const { text } = here, start = from, words = option.dataset.insert;
  close();
  if ("manage" in option.dataset) { openAnswers(start); return; }
  insert(words, start, text.selectionStart);
  close();
  const blank = VARIABLE.exec(words);
  if (blank) text.setSelectionRange(start + blank.index, start + blank.index + blank[0].length);
}

/** The dialog of quick answers; what stands in the box, without the slash, is offered as a new one. */
async function openAnswers(start) {
  const { text, box } = here;
  insert("", start, text.selectionStart);
  const dialog = document.createElement("dialog");
  dialog.className = "dialog wide";
  dialog.setAttribute("aria-labelledby", "answers-title");
  dialog.dataset.testid = "answers";
  const words = text.value.trim();
  try {
    dialog.replaceChildren(fragment(await (await http(box.dataset.urlAnswers)).text()));
  } catch { toast(t("not_loaded"), "danger"); return; }
  box.append(dialog);
  const draft = $(".new textarea", dialog);
  if (draft && words) { draft.value = words; draft.closest("details").open = true; }
  dialog.addEventListener("submit", (event) => save(event, dialog));
  dialog.addEventListener("click", (event) => {
    const variable = event.target.closest("[data-variable]");
    const field = variable && $("textarea", variable.closest("form"));
    if (field) { field.setRangeText(variable.dataset.variable, field.selectionStart, field.selectionEnd, "end"); field.focus(); }
  });
  dialog.addEventListener("close", () => { dialog.remove(); text.focus(); });
  dialog.showModal();
}

async function save(event, dialog) {
  if (!event.target.matches("[data-answer-form]")) return;
  event.preventDefault();
  const form = Object.fromEntries(new FormData(event.target, event.submitter));
  try {
    dialog.replaceChildren(fragment(await (await http(here.box.dataset.urlAnswers, { form })).text()));
    $("summary", dialog)?.focus();
  } catch (error) {
    const html = error instanceof Refused && error.html;
    if (!html) { toast((error instanceof Refused && error.reason) || t("not_done"), "danger"); return; }
    dialog.replaceChildren(fragment(html));
    $('[aria-invalid="true"]', dialog)?.focus();
  }
}

document.addEventListener("mousedown", (event) => {
  const option = event.target.closest?.("[data-suggest] .option:not(.none)");
  if (!option) return;
  event.preventDefault(); // the focus stays in the text
  take(option);
});
