// Searching inside the open conversation: the server finds, the marks are painted here.
import { $, http, pane, t } from "./ui.js";
import { fold } from "./plain.js";
import { article } from "./thread.js";
import { jump } from "./travel.js";

const WAIT = 250;
let root = null, bar = null, field = null, hits = [], at = -1, asked = "", timer = 0;

const count = (words) => { $("[data-finder-count]", bar).textContent = words; };

/** Paints the words where they stand in the bubble (browsers without highlights show the flash alone). */
function paint(bubble) {
  if (!window.Highlight || !bubble) return;
  const ranges = [], words = fold(asked).split(/\s+/).filter(Boolean);
  const walker = document.createTreeWalker(bubble, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = fold(node.data);
    if (text.length !== node.data.length || !node.parentElement.closest("[data-txt], .file, .summary, .card-box")) continue;
    for (const word of words) {
      for (let from = text.indexOf(word); from >= 0; from = text.indexOf(word, from + word.length)) {
        const range = new Range();
        range.setStart(node, from);
        range.setEnd(node, from + word.length);
        ranges.push(range);
      }
    }
  }
  CSS.highlights.set("found", new window.Highlight(...ranges));
}

async function go(index) {
  const here = root;
  at = index;
  count(t("n_of_m", { i: at + 1, m: hits.length }));
  const shown = await jump(hits[at]);
  if (!here.isConnected) return;
  if (shown) paint(article(hits[at]));
  field.focus({ preventScroll: true });
}

const step = (by) => { if (hits.length) go((at + by + hits.length) % hits.length); };

async function search() {
  const words = field.value.trim(), here = root;
  if (words === asked || !here.isConnected) return;
  asked = words;
  window.CSS.highlights?.delete("found");
  [hits, at] = [[], -1];
  count("");
  if (!words) return;
  try {
    const found = await (await http(`${here.dataset.urlSearch}?q=${encodeURIComponent(words)}`)).json();
    if (!here.isConnected || asked !== words) return;
    hits = found.hits;
    if (hits.length) await go(0);
    else count(t("no_hits"));
  } catch {
    if (asked !== words) return;
    asked = "";
    count(t("not_loaded"));
  }
}

function close() {
  clearTimeout(timer);
  bar.hidden = true;
  window.CSS.highlights?.delete("found");
  [hits, at, asked] = [[], -1, ""];
  field.value = "";
  count("");
  $("[data-log]", root)?.focus({ preventScroll: true });
}

function bind() {
  field.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(search, WAIT); });
  bar.addEventListener("keydown", (event) => {
    const by = { ArrowUp: 1, ArrowDown: -1, Enter: event.shiftKey ? -1 : 1 }[event.key];
    if (event.key === "Escape") close();
    else if (!by || (event.key === "Enter" && event.target !== field)) return;
    else if (field.value.trim() !== asked) { clearTimeout(timer); search(); }
    else step(by);
    event.preventDefault();
    event.stopPropagation();
  });
  bar.addEventListener("click", (event) => {
    const button = event.target.closest("[data-finder-step]");
    if (button) step(Number(button.dataset.finderStep));
    else if (event.target.closest("[data-finder-close]")) close();
  });
}

export function open(thread) {
  if (root !== thread) {
    [root, bar] = [thread, $("[data-finder]", pane)];
    field = $("[data-finder-text]", bar);
    [hits, at, asked] = [[], -1, ""];
    bind();
  }
  bar.hidden = false;
  field.focus();
  field.select();
}
