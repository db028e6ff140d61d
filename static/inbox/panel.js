// The contact panel: opened, filled, and what is changed in it saved in place.
import { $, $$, fragment, http, lazy, on, pane, recall, Refused, remember, SessionLost, t, tick, toast } from "./ui.js";
import { fold } from "./plain.js";

const panel = $("#panel"), wide = matchMedia("(min-width: 1280px)"), phone = matchMedia("(max-width: 639px)");
const written = new Map(); // notes not added yet, by conversation
let control, timer, hush, quietUntil = 0, pushed = false, asked = 0;

const thread = () => $(".thread", pane);
const current = () => thread()?.dataset.c;
const urls = () => panel.firstElementChild.dataset;
const find = (selector) => $(selector, panel);
const focus = (element) => element?.focus({ preventScroll: true });

/** Shows or hides it, and remembers that. */
export const toggle = () => (panel.hidden ? open(true) : close(true));

function open(byHand) {
  if (!current()) return;
  panel.hidden = false;
  if (byHand) remember("panel", "open");
  if (!wide.matches) focus(panel);
  if (phone.matches) { history.pushState({ panel: true }, ""); pushed = true; }
  tellButtons();
  fill();
}

function close(byHand) {
  if (panel.hidden) return;
  const had = panel.contains(document.activeElement), back = pushed;
  panel.hidden = true;
  pushed = false;
  if (byHand) remember("panel", "");
  if (byHand && back) history.back();
  tellButtons();
  if (had) focus($$("[data-panel-toggle]", pane).find((button) => button.checkVisibility()) || $("[data-log]", pane));
}

const tellButtons = () => $$("[data-panel-toggle]").forEach((button) => button.setAttribute("aria-expanded", !panel.hidden));

/** Another conversation, or none: the column follows, a drawer closes. */
export function follow() {
  if (!panel.hidden && (!current() || !wide.matches)) close();
  else if (!panel.hidden) fill();
  else if (wide.matches && recall("panel")) open();
  tellButtons();
}

const attempt = (work, word) => work.catch((error) => {
  if (!(error instanceof SessionLost) && error.name !== "AbortError") toast(t(word), "danger");
});

const get = async (url, signal) => fragment(await (await http(url, { signal })).text());

async function load() {
  const id = current(), again = panel.firstElementChild && urls().c === id;
  control?.abort();
  control = new AbortController();
  if (!again) panel.replaceChildren();
  const fresh = await get(`${thread().dataset.url}panel/`, control.signal);
  if (current() !== id || (again && busy())) return;
  const body = find(".panel-body"), top = body?.scrollTop, kind = find("[data-kind]")?.value, active = document.activeElement;
  const place = panel.contains(active) && active !== panel && (active.id ? `#${CSS.escape(active.id)}` : `[data-sec="${active.closest("[data-sec]")?.dataset.sec}"] > summary`);
  if (again) body.replaceWith($(".panel-body", fresh));
  else panel.replaceChildren(fresh);
  const kept = sections();
  for (const section of $$("[data-sec]", panel)) section.open = kept[section.dataset.sec] ?? section.open;
  find("[data-new] textarea").value = written.get(id) || "";
  find("[data-kind]").value = kind || "";
  tick(panel);
  if (again) find(".panel-body").scrollTop = top;
  if (place) focus(find(place) || panel);
}

const fill = () => attempt(load(), "not_loaded");
const sections = () => JSON.parse(recall("panel-sections") || "{}");

/** Somebody is in the middle of something here: the news waits. */
function busy() {
  const active = find(":is(input, textarea, select):focus");
  return find(".bad, .stale, .pop[open], select:focus") || (active && active.value !== (active.form?.dataset.value ?? ""));
}

function renew(wait) {
  clearTimeout(timer);
  if (!panel.hidden) timer = setTimeout(() => (busy() ? renew(3000) : fill()), Math.max(wait, quietUntil - Date.now()));
}

function say(text) {
  const status = find("[data-status]");
  status.textContent = text;
  clearTimeout(hush);
  hush = setTimeout(() => { status.textContent = ""; }, 3000);
}

/**
 * POSTs a form; what the answer brings takes the place of what has its id, if the same contact is still shown. Returns it, whether
 * that is so, and the sentence of a refusal.
 */
async function post(url, form) {
  let html, reason = "";
  const content = panel.firstElementChild;
  try {
    html = await (await http(url, { form })).text();
    quietUntil = Date.now() + 2500;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    ({ html } = error);
    reason = error.reason || t("not_done");
  }
  const here = content.isConnected, fresh = here && fragment(html).querySelector("[id]"), old = fresh && document.getElementById(fresh.id);
  old?.replaceWith(fresh);
  return { fresh: old && fresh, here, reason };
}

async function save(form, value = form.elements.value.value) {
  const { field, version } = form.dataset;
  if (form.ariaBusy || (value === form.dataset.value && !form.matches(".bad, :has(.stale)"))) return;
  form.ariaBusy = "true";
  const focused = form.contains(document.activeElement);
  await attempt(post(urls().contact, { field, value, version }).then(({ fresh, here, reason }) => {
    if (!fresh && reason) toast(reason, "danger");
    else if (fresh && focused) fresh.elements.value.focus();
    if (!reason && here) say(t("saved"));
  }), "not_done");
  form.ariaBusy = null;
}

/** Puts the saved value back. */
function undo(form) {
  form.classList.remove("bad");
  $$(".form-error, .stale", form).forEach((found) => found.remove());
  form.elements.value.removeAttribute("aria-invalid");
  form.elements.value.value = form.dataset.value;
}

/** Tags and notes: their part of the panel comes back whole. */
function send(form, submitter) {
  const { to } = form.dataset, id = current(), adding = find(".tag-add").open, isNew = "new" in form.dataset;
  attempt(post(urls()[to], Object.fromEntries(new FormData(form, submitter))).then(({ fresh, here, reason }) => {
    const place = here && $(".form-error", form);
    if (place) { place.textContent = reason; place.hidden = !reason; }
    else if (reason) toast(reason, "danger");
    if (isNew && !reason) { form.reset(); written.delete(id); }
    if (!fresh) return;
    if (to === "points" || to === "papers") { if ("sec" in fresh.dataset) fresh.open = true; focus($("summary", fresh)); return; }
    find(".tag-add").open ||= adding;
    if (to === "consents") { focus(find(`[data-purpose="${form.elements.purpose.value}"] ${reason ? "[name=reason]" : "summary"}`)); return; }
    find(to === "notes" ? "[data-new] textarea" : adding ? "[data-search]" : ".tag-add summary").focus();
  }), "not_done");
}

function filterTags({ value }) {
  const wanted = fold(value.trim()), options = $$(".tag-options [data-name]", panel), create = find("[data-create]");
  for (const option of options) option.hidden = !fold(option.dataset.name).includes(wanted);
  if (create) {
    create.hidden = !wanted || $$("[data-name]", find("#contact-tags")).some((one) => fold(one.dataset.name) === wanted);
    create.value = $("bdi", create).textContent = value.trim();
  }
  find(".tag-none").hidden = [...options, create].some((one) => one && !one.hidden);
}

async function more(button) {
  const fresh = await get(button.dataset.more), first = $("a, button", fresh);
  if (!button.isConnected) return;
  button.closest("li").replaceWith(fresh);
  focus(first);
}

async function past() {
  const turn = ++asked, lines = find(".lines"), fresh = await get(`${urls().timeline}?kind=${find("[data-kind]").value}`);
  if (turn === asked) lines.replaceChildren(fresh);
}
const timeline = () => attempt(past(), "not_loaded");

/** Shows a message of this conversation, or a note here; other links are followed. */
function jump(event, link) {
  const url = new URL(link.href), at = url.searchParams.get("at"), note = link.hash && find(link.hash);
  if (url.pathname !== location.pathname || (link.hash && !note)) return;
  event.preventDefault();
  if (note) { note.closest("details").open = true; note.scrollIntoView({ block: "center" }); return; }
  if (!wide.matches) close(true);
  if (at) lazy("travel").then((travel) => travel.jump(at));
}

panel.addEventListener("click", (event) => {
  const hit = event.target.closest("a, button"), data = hit?.dataset, form = hit?.closest(".pf");
  if (!hit) return;
  if ("close" in data) close(true);
  else if ("copy" in data) lazy("deeds").then((deeds) => deeds.copy(data.copy));
  else if ("keep" in data) { undo(form); form.elements.value.focus(); }
  else if ("mine" in data) save(form, data.mine);
  else if ("more" in data) attempt(more(hit), "not_loaded");
  else if ("jump" in data) jump(event, hit);
  else if ("file" in data && !event.ctrlKey && !event.metaKey) { event.preventDefault(); lazy("viewer").then((viewer) => viewer.open(hit, thread())); }
});
panel.addEventListener("change", ({ target }) => {
  if ("kind" in target.dataset) timeline();
  else if (target.closest(".pf") && !(target.type === "date" && target.value && target.value < "1900")) save(target.form);
});
panel.addEventListener("input", ({ target }) => {
  if ("search" in target.dataset) filterTags(target);
  else if (target.form && "new" in target.form.dataset) written.set(current(), target.value);
});
panel.addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.target.dataset.to) send(event.target, event.submitter);
});
panel.addEventListener("keydown", (event) => {
  const { key, target } = event, form = target.closest(".pf"), pop = target.closest(".pop[open]");
  if (key === "Enter" && "search" in target.dataset) find(".tag-options button:not([hidden])")?.click();
  else if (key === "Enter" && (event.ctrlKey || event.metaKey) && target.type === "textarea") target.form.requestSubmit();
  else if (key !== "Escape") return;
  else if (form) { undo(form); focus(panel); }
  else if (pop) { pop.open = false; $("summary", pop).focus(); }
  else if (target.type === "textarea") focus(panel);
  else if (!wide.matches) close(true);
  else return;
  event.preventDefault();
  event.stopPropagation();
});
panel.addEventListener("toggle", ({ target }) => {
  const { sec } = target.dataset;
  if (target.open && target.matches(".pop")) $("input:not([type=hidden]), textarea, button", target).focus();
  if (!sec) return;
  remember("panel-sections", JSON.stringify({ ...sections(), [sec]: target.open }));
  if (sec === "timeline" && target.open) timeline();
}, true);
document.addEventListener("pointerdown", ({ target }) => {
  if (!wide.matches && !phone.matches && !target.closest("#panel, [data-panel-toggle], dialog, [popover]")) close();
});
addEventListener("popstate", () => { if (pushed) close(); });
wide.addEventListener("change", follow);
on("mounted", follow);
on("resync", () => renew(0));
on("conversation.updated", ({ c, what }) => { if (String(c) === current() && /contact|status|events/.test(what)) renew(600); });
on("message.created", ({ c }) => { if (String(c) === current()) renew(5000); });
