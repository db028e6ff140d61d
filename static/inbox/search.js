// Search over everything: people and messages, below the rows of the list; from the field into the results by arrow keys.
import { $, $$, announce, data, http, SessionLost, t } from "./ui.js";

const region = $("#list"), results = $("[data-results]"), field = $('[data-testid="search"]');
let control = null, shown = "";

/** Looks for a text; nothing hides what was found. */
export async function find(text) {
  control?.abort();
  if (text === shown) return;
  shown = text;
  results.hidden = !text;
  if (!text) { results.replaceChildren(); return; }
  const mine = control = new AbortController();
  results.setAttribute("aria-busy", "true");
  try {
    const html = await (await http(`${region.dataset.urlSearch}?q=${encodeURIComponent(text)}`, { signal: mine.signal })).text();
    if (mine !== control) return;
    results.innerHTML = html;
    for (const link of $$("[data-at]", results)) link.search = `${link.search}&${data.query}`;
    tidy();
    announce(t("found", { n: $$(".found", results).length }));
  } catch (error) {
    if (mine !== control || error instanceof SessionLost) return;
    shown = "";
    results.textContent = t("not_loaded");
  } finally {
    if (mine === control) results.removeAttribute("aria-busy");
  }
}

/** People whose row stands above are not shown twice. */
function tidy() {
  for (const link of $$("[data-found]", results)) link.parentElement.hidden = Boolean(document.getElementById(`row-${link.dataset.found}`));
  for (const group of $$("section", results)) group.hidden = !$("li:not([hidden])", group);
}

new MutationObserver(tidy).observe($("[data-rows]"), { childList: true });
region.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const isHere = event.target === field || event.target.closest(".found") || (data.q && event.target.closest(".row-link"));
  if (!step || !isHere) return;
  const all = [field, ...$$(".row-link, .found", region).filter((link) => link.checkVisibility())];
  const next = all[all.indexOf(event.target.closest(".row-link, .found") || field) + step];
  if (!next) return;
  event.preventDefault();
  event.stopPropagation();
  next.focus();
});
