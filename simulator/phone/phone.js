// The phone page: asks the simulator once a second what all phones show, and turns the controls beside them.

import { call, format, language, say, sentence } from "./api.js";
import { Handset } from "./handset.js";

const at = (id) => document.getElementById(id);
const MOST = 6;
const NAMES = ["Lucía Ramos", "Diego Torres", "Carmen Vidal", "Omar Benali", "Noa Ferrer", "Andrés Molina"];
const CODES = { page: { html_500: 1 }, drop: { accept_then_drop: 1 } };
const wide = matchMedia("(min-width: 861px)");

const page = {
  numbers: [], contacts: [], settings: {}, offset: 0, version: null, met: 0, handsets: [],
  now: () => new Date(Date.now() + page.offset * 1000),
  refresh, changed, remove, meet,
};

// ---- which phones there are: how many is in the address, whose they are is remembered

function remembered() {
  try {
    const kept = JSON.parse(localStorage.getItem("phones"));
    return Array.isArray(kept) ? kept.filter((item) => item && typeof item === "object") : [];
  } catch { return []; }
}

function changed() {
  localStorage.setItem("phones", JSON.stringify(page.handsets.map(({ chosen }) => chosen)));
  const address = new URL(location);
  if (page.handsets.length > 1) address.searchParams.set("phones", page.handsets.length);
  else address.searchParams.delete("phones");
  history.replaceState(null, "", address);
  address.searchParams.set("lang", at("language").hreflang);
  at("language").href = address.search;
  at("add-phone").disabled = page.handsets.length >= MOST;
  at("phones").classList.toggle("is-single", page.handsets.length === 1);
}

function add(chosen) {
  const handset = new Handset(page, chosen);
  page.handsets.push(handset);
  at("phones").append(handset.node);
  return handset;
}

function remove(handset) {
  page.handsets = page.handsets.filter((other) => other !== handset);
  handset.node.remove();
  changed();
  page.handsets[0]?.parts.text.focus();
}

// Every phone has a number and a customer that exist; different phones start with different customers.
async function settle() {
  for (const { chosen } of page.handsets) {
    if (!page.numbers.some((number) => number.phone_number_id === chosen.number)) chosen.number = page.numbers[0]?.phone_number_id ?? "";
    if (page.contacts.some((contact) => contact.id === chosen.customer)) continue;
    const taken = page.handsets.map((other) => other.chosen.customer);
    chosen.customer = (page.contacts.find((contact) => !taken.includes(contact.id)) ?? await newcomer()).id;
    changed();
  }
}

// Somebody with a made-up name and number, so that a phone can be used at once.
async function newcomer() {
  const taken = page.contacts.map((contact) => contact.name);
  const name = NAMES.find((candidate) => !taken.includes(candidate)) ?? `${NAMES[0]} ${page.contacts.length + 1}`;
  const made = { name, from: `346${String(Math.floor(Math.random() * 1e8)).padStart(8, "0")}` };
  return meet(made);
}

// A new customer, known to the page at once. Throws what the simulator says against it.
async function meet(made) {
  const { id, wa_id, user_id } = await call("contacts", made);
  page.met += 1;
  const contact = { id, wa_id, user_id, name: made.name, username: made.username || null,
    network: "online", reads: true, hides_phone: false, stopped: false };
  page.contacts = [...page.contacts.filter((other) => other.id !== id), contact];
  return contact;
}

// ---- asking

let running = null, again = false;

// At most one question at a time; whoever asks meanwhile gets one more.
function refresh() {
  if (running) { again = true; return running; }
  running = ask().finally(() => { running = null; });
  return running;
}

async function ask() {
  do {
    again = false;
    await askOnce();
  } while (again);
}

async function askOnce() {
  if (!page.numbers.length || !page.version) Object.assign(page, { numbers: await call("numbers"), contacts: await call("contacts") });
  await settle();
  const asked = page.handsets.map((handset) => [handset, handset.query]);
  const query = new URLSearchParams(asked.map(([, pair]) => ["phone", pair])), { met } = page;
  // only what has changed, unless a phone shows nothing yet
  if (page.version && !page.handsets.some((handset) => handset.isBlank)) query.set("seen", page.version);
  const told = await call(`screens?${query}`);
  Object.assign(page, { numbers: told.numbers, settings: told.settings, offset: told.offset, version: told.version });
  if (told.contacts && met === page.met) page.contacts = told.contacts;
  else if (told.contacts) page.version = null; // somebody came while the question was under way
  asked.forEach(([handset, pair], index) => { if (handset.query === pair) handset.update(told.phones[index]); });
  drawClock();
  drawSettings(told);
  if (!page.numbers.length) page.handsets[0]?.toast(say("no_number"));
}

async function poll() {
  try {
    if (!document.hidden) await refresh();
    poll.failures = 0;
  } catch (error) {
    page.version = null;
    poll.failures = (poll.failures ?? 0) + 1;
    if (poll.failures === 3) for (const handset of page.handsets) handset.toast(sentence(error));
  }
  setTimeout(poll, 1000);
}

// ---- the controls

function drawClock() {
  const words = format({ weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }).format(page.now());
  at("time").textContent = words;
  const hours = Math.round(page.offset / 360) / 10;
  at("offset").textContent = `${hours > 0 ? "+" : ""}${hours.toLocaleString(language)} h`;
  at("offset").hidden = page.offset === 0;
  at("summary-time").textContent = words;
}

function drawSettings({ settings, pending }) {
  for (const control of document.querySelectorAll("[data-setting]")) {
    if (control === document.activeElement && control.tagName === "SELECT") continue;
    const value = settings[control.dataset.setting];
    if (control.type === "checkbox") control.checked = Boolean(value);
    else control.value = [...control.options].some((option) => Number(option.value) === value) ? String(value) : control.value;
  }
  const failing = (settings.fail?.count ?? 0) + settings.html_500 + settings.accept_then_drop;
  const words = [failing ? say("failing", { count: failing }) : null, pending ? say("waiting", { count: pending }) : null].filter(Boolean).join(" ");
  if (at("mischief-state").textContent !== words) at("mischief-state").textContent = words;
  const isUsual = settings.statuses && !failing && !["duplicate", "shuffle", "delay", "strict_window", "stall"].some((name) => settings[name])
    && settings.batch === 1 && settings.parallel === 1;
  at("behave").hidden = isUsual;
}

async function turn(path, wanted) {
  try {
    await call(path, wanted);
    await refresh();
  } catch (error) { page.handsets[0]?.toast(sentence(error)); }
}

document.querySelector(".controls").addEventListener("click", (event) => {
  const { advance, fail } = event.target.closest("button")?.dataset ?? {};
  if (advance) turn("clock", { advance: Number(advance) });
  if (!fail) return;
  const code = at("failure").value, [name] = Object.keys(CODES[code] ?? {});
  turn("settings", name ? { [name]: Number(fail) } : { fail: { code: Number(code), count: Number(fail) } });
});
document.querySelector(".controls").addEventListener("change", ({ target }) => {
  const name = target.dataset.setting;
  if (!name) return;
  const value = target.type !== "checkbox" ? Number(target.value) : name === "duplicate" ? Number(target.checked) : target.checked;
  turn("settings", { [name]: value });
});
at("reset-clock").addEventListener("click", () => turn("clock", { offset: 0 }));
at("behave").addEventListener("click", () => turn("settings", { reset: true }));
at("add-phone").addEventListener("click", async () => {
  if (page.handsets.length >= MOST) return;
  const handset = add({ number: page.handsets[0]?.chosen.number });
  try { await refresh(); } catch (error) { handset.toast(sentence(error)); }
  changed();
  handset.node.scrollIntoView({ block: "nearest", inline: "center" });
  handset.parts.customer.focus();
});

const fit = () => { at("controls").open = wide.matches; };
wide.addEventListener("change", fit);
fit();
const wanted = Math.max(1, Math.min(MOST, Number(new URLSearchParams(location.search).get("phones")) || 1)), kept = remembered();
for (let index = 0; index < wanted; index += 1) add({ number: kept[index]?.number, customer: kept[index]?.customer });
changed();
poll();
