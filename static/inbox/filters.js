// What the list shows: views, filters, order, search, saved views; and the list after a gap.
import { $, $$, data, emit, fragment, http, lazy, on, SessionLost, t, toast, why } from "./ui.js";
import { fetchPage, idOf, merge, pull, refill, select, selected, spell, STATUS } from "./list.js";

const region = $("#list"), rows = $("[data-rows]"), filters = $("[data-filters]"), field = filters.elements.q, scroller = $("[data-list-body]");
let shown = data.query;

/** The query of now with some of its parts changed. */
function changed(parts) {
  const query = new URLSearchParams(data.query);
  for (const [name, value] of Object.entries(parts)) query.set(name, value);
  return spell(query);
}

function markViews() {
  const all = $$("#views [data-view-key]");
  const saved = all.find((link) => link.dataset.viewKey.startsWith("saved-") && link.dataset.viewQuery === data.query);
  const key = saved?.dataset.viewKey || data.view;
  for (const link of all) {
    if (link.dataset.viewKey === key) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  const hidden = !$(`.view[data-view-key="${key}"]`) && $("#views-menu [aria-current] .cut");
  $("[data-more-name]").textContent = hidden ? hidden.textContent : "";
  $("[data-more-views]").toggleAttribute("data-current", Boolean(hidden));
}

function describe(query) {
  const wanted = new URLSearchParams(query), view = wanted.get("view");
  Object.assign(data, { query, view, status: wanted.get("status") || STATUS[view] || "open", q: wanted.get("q") || "" });
  markViews();
  filters.elements.view.value = view;
  if (field !== document.activeElement) field.value = data.q;
  for (const tool of $$("[data-toggle]", region)) tool.setAttribute("aria-pressed", wanted.has(tool.dataset.toggle));
  $("[data-sort-by]").value = wanted.get("sort") || "";
}

/** Loads the list anew for a view query, to where it stood; false if it could not be: then everything is as it was. */
export async function show(query, top = 0) {
  const ids = [...pull.ids, ...pull.flying];
  describe(query);
  pull.clear();
  select(selected(), false);
  region.setAttribute("aria-busy", "true");
  searched();
  try {
    const content = await page();
    if (!content) return true;
    refill(content);
    shown = query;
    await stand(top);
    return true;
  } catch (error) {
    if (!(error instanceof SessionLost)) toast(t("not_loaded"), "danger");
    describe(shown);
    searched();
    ids.forEach((id) => pull.add(id));
    return false;
  }
}

/** Puts the list where it stood, unless somebody scrolls meanwhile; rows further down are loaded on the way. */
export async function stand(top) {
  const query = shown, over = new AbortController(), { signal } = over;
  for (const type of ["wheel", "touchmove", "keydown"]) addEventListener(type, () => over.abort(), { signal, passive: true });
  scroller.scrollTop = top;
  for (let tries = 0; top && tries < 300 && query === shown && !signal.aborted; tries += 1) {
    const isWhole = !$(".sentinel", rows);
    scroller.scrollTop = top;
    await new Promise((done) => { setTimeout(done, 50); });
    if (Math.abs(scroller.scrollTop - top) < 2 || (tries > 3 && isWhole)) break;
  }
  over.abort();
}

/** The first page; its filters go into the head. */
async function page() {
  const content = await fetchPage();
  const chips = content && $("#chips", content), old = $("#chips");
  chips?.remove();
  if (!chips || chips.isEqualNode(old)) return content;
  const { testid } = old.contains(document.activeElement) ? document.activeElement.dataset : {};
  old.replaceWith(chips);
  if (testid) ($(`[data-testid="${testid}"]`, chips) || $("[data-toggle]", chips)).focus();
  return content;
}

/** After a gap: the first page again, its rows in their places; focus, selection and what was loaded further down stay. */
export async function resync() {
  const content = await page().catch(() => null);
  if (!content) return;
  const fresh = $$(".row", content), names = new Set(fresh.map((row) => row.id));
  const all = $$(".row", rows), end = $(".sentinel", content);
  if (end && !fresh.some((row) => document.getElementById(row.id)?.dataset.sort === row.dataset.sort)) { refill(content); return; }
  all.filter((row) => !names.has(row.id)).forEach((row) => pull.add(idOf(row)));
  if ($(".sentinel", rows)) end?.remove();
  else if (end) rows.append(end);
  merge(content);
}

/** Shows another query and puts it into the address. */
async function choose(query) {
  const top = scroller.scrollTop;
  if (query !== data.query && await show(query) && query === data.query) emit("query", { query, top });
}

/** People and messages from everywhere, below the rows, while something is searched. */
function searched() {
  if (data.q || !$("[data-results]").hidden) lazy("search").then((search) => search.find(data.q));
}

/** A tool of the list's head was clicked. */
export function clicked(tool) {
  const { viewQuery, viewKey, toggle, renameView, deleteView } = tool.dataset;
  if (viewQuery) {
    $("#views-menu").hidePopover();
    choose(spell(viewKey && data.q ? `${viewQuery}&q=${encodeURIComponent(data.q)}` : viewQuery));
  } else if (toggle) {
    choose(changed({ [toggle]: tool.getAttribute("aria-pressed") === "true" ? "" : "1" }));
  } else if ("clearFilters" in tool.dataset) {
    field.value = "";
    choose(spell(`view=${data.view}`));
  } else if (renameView || deleteView) {
    $("#views-menu").hidePopover();
    askAbout(tool, document.getElementById(renameView ? "rename-view" : "delete-view"));
  } else {
    openDialog("saveView" in tool.dataset);
  }
}

/** A new name, or whether to delete. */
function askAbout(tool, dialog) {
  const { renameView, deleteView } = tool.dataset, name = $("[name=name]", dialog);
  const label = $(".cut", tool.closest("li")).textContent;
  if (name) name.value = label;
  else $("[data-name]", dialog).textContent = label;
  dialog.returnValue = "";
  dialog.onclick = (event) => { if (event.target.closest("[data-close]") || event.target === dialog) dialog.close(); };
  dialog.onclose = async () => {
    if (dialog.returnValue === "yes") await keep(renameView ? { action: "rename", pk: renameView, name: name.value } : { action: "delete", pk: deleteView });
    $("[data-more-views]").focus();
  };
  dialog.showModal();
  name?.select();
}

/** Changes the saved views; throws nothing but says what is wrong. */
async function keep(form) {
  try {
    const html = await (await http(region.dataset.urlSaved, { form: { query: data.query, ...form } })).text();
    $("#views").replaceWith($("#views", fragment(html)));
    markViews();
    return "";
  } catch (error) {
    if (error instanceof SessionLost) return "";
    const reason = why(error);
    if (form.action !== "save") toast(reason, "danger");
    return reason;
  }
}

const written = (form) => spell([...new FormData(form)].filter(([, value]) => typeof value === "string"));

async function openDialog(toSave) {
  const opener = document.activeElement;
  let dialog;
  try {
    const html = await (await http(`${region.dataset.urlFilters}?${data.query}`)).text();
    dialog = $("dialog", fragment(html));
  } catch (error) {
    if (!(error instanceof SessionLost)) toast(t("not_loaded"), "danger");
    return;
  }
  document.getElementById(dialog.id)?.remove();
  document.body.append(dialog);
  const form = $("[data-filter-form]", dialog), save = $("[data-save-form]", dialog), wrong = $("[data-filter-error]", dialog);
  const say = (text) => { wrong.textContent = text; wrong.hidden = !text; };
  const isBackwards = () => form.elements.since.value && form.elements.until.value && form.elements.since.value > form.elements.until.value;
  dialog.addEventListener("close", () => { dialog.remove(); (opener.isConnected ? opener : field).focus(); });
  dialog.addEventListener("click", (event) => { if (event.target.closest("[data-close]") || event.target === dialog) dialog.close(); });
  $("[data-filter-clear]", dialog).addEventListener("click", () => { dialog.close(); field.value = ""; choose(spell(`view=${data.view}`)); });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (isBackwards()) { say(t("days_backwards")); form.elements.since.focus(); return; }
    dialog.close();
    choose(written(form));
  });
  save.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isBackwards()) { say(t("days_backwards")); return; }
    const query = written(form);
    const reason = await keep({ action: "save", name: save.elements.name.value, team: save.elements.team.value, query });
    say(reason);
    if (reason) return;
    dialog.close();
    toast(t("view_saved", { name: save.elements.name.value }));
    if (query === data.query) markViews();
    else choose(query);
  });
  dialog.showModal();
  if (toSave) save.elements.name.focus();
}

/** Begins to listen; what is searched already is looked for. */
export function start() {
  let typing = 0;
  const search = () => choose(changed({ q: field.value.trim() }));
  filters.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(typing); search(); });
  field.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(search, 300); });
  region.addEventListener("change", (event) => { if ("sortBy" in event.target.dataset) choose(changed({ sort: event.target.value })); });
  on("go", (query) => choose(spell(query)));
  setInterval(() => { if (!document.hidden && data.view === "closing") resync(); }, 60000);
  if (field.value.trim() !== data.q) search(); // written before this script was there
  else searched();
}
