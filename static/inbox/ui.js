// What every module of the inbox needs: page data, words, requests, notices, times, a small event bus.
export const body = document.body;
export const data = body.dataset;
export const config = JSON.parse(document.getElementById("page-config")?.textContent || "{}");
export const me = Number(data.user);
/** What this person chose (`conversations/desk/settings.py`); `emit("preferences")` follows a change. */
export const preferences = config.preferences || {};

const labels = config.labels || {};
let skew = config.now ? config.now * 1000 - Date.now() : 0;

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
export const pane = $("#pane");

/** The words for `key`; with a number, `key_one` or `key_other`; {names} are filled in. */
export function t(key, values = {}) {
  const word = values.n === undefined ? labels[key] : labels[`${key}_${values.n === 1 ? "one" : "other"}`];
  return (word ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

// Types of the bus: each hint of the socket by its `t` (message.created, conversation.updated, read, typing, viewers, mention,
// job …), and from the page: live, resync, session-lost, query, row, mounted, swapped, draft, preferences, key:<name>.
const bus = new EventTarget();
export const on = (type, handler) => bus.addEventListener(type, (event) => handler(event.detail));
export const emit = (type, detail) => bus.dispatchEvent(new CustomEvent(type, { detail }));

const modules = {};
/** A module that is loaded when it is first needed, under its hashed name: `(await lazy("viewer")).open(…)`. */
export const lazy = (name) => modules[name] ??= import(config.modules[name]).catch((error) => { delete modules[name]; throw error; });

export class SessionLost extends Error {}
export class Refused extends Error {
  constructor(response, text) {
    super(`HTTP ${response.status}`);
    this.status = response.status;
    this.code = response.headers.get("X-Error") || "";
    this.html = text;
    this.reason = fragment(text).querySelector("[data-error]")?.textContent.trim() || "";
  }
}

const isLogin = (response) => response.redirected && new URL(response.url).pathname === data.urlLogin;

/** What the server says against it, or that it could not be done. */
export const why = (error) => (error instanceof Refused && error.reason) || t("not_done");

/** A request to our own server. Throws SessionLost, Refused (4xx, 5xx) or the network's own error. */
export async function http(url, { form, signal, timeout = 20000 } = {}) {
  const limit = AbortSignal.timeout(timeout);
  const response = await fetch(url, {
    method: form ? "POST" : "GET",
    headers: { "HX-Request": "true", ...(form && { "X-CSRFToken": csrf() }) },
    body: form && Object.entries(form).reduce(addField, new FormData()),
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
    cache: "no-store",
  });
  if (response.status === 401 || response.status === 403 || isLogin(response)) {
    emit("session-lost");
    throw new SessionLost();
  }
  if (!response.ok) throw new Refused(response, await response.text());
  return response;
}

export const csrf = () => $('meta[name="csrf-token"]')?.content || "";

function addField(form, [name, value]) {
  for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined && one !== null) form.append(name, one);
  return form;
}

/** Server HTML as a fragment that is not yet in the page. */
export function fragment(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

export const clone = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

/** Where a fragment holds #id, puts it in place of the page's one; says whether it did. */
export function replaceById(html, selector) {
  const fresh = fragment(html).querySelector(selector);
  const old = fresh && document.getElementById(fresh.id);
  if (!old) return null;
  old.replaceWith(fresh);
  return fresh;
}

export function toast(text, kind = "") {
  const item = document.createElement("p");
  item.className = `toast ${kind}`;
  item.textContent = text;
  $("[data-toasts]").append(item);
  setTimeout(() => item.remove(), 6000);
  return item;
}

export const strip = (name, shown) => { $(`[data-strip="${name}"]`).hidden = !shown; };
export const announce = (text) => { $("[data-announcer]").textContent = text; };
export const alarm = (text) => { $("[data-alarm]").textContent = text; };

export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

export const isTouch = () => matchMedia("(pointer: coarse)").matches;

/** The server's clock, ms: fragments that carry `data-now` keep it in step. */
export const serverNow = () => Date.now() + skew;
export function learnClock(element) {
  if (element?.dataset.now) skew = element.dataset.now * 1000 - Date.now();
}

/** "3 h 20 min", from ms; `short` keeps the largest unit. */
export function duration(ms, short = false) {
  const minutes = Math.max(1, Math.floor(ms / 60000));
  if (minutes < 60) return t("minutes", { m: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 && !short ? t("hours_minutes", { h: hours, m: minutes % 60 }) : t("hours", { h: hours });
  return t("days", { d: Math.floor(hours / 24) });
}

const language = document.documentElement.lang;

/** "today", "yesterday", a weekday or a date, for an ISO day of the agent's calendar. */
export function dayLabel(day, long = false) {
  const date = new Date(`${day}T00:00:00Z`);
  const age = Math.round((new Date(`${data.today}T00:00:00Z`) - date) / 86400000);
  if (age === 0) return t("today");
  if (age === 1) return t("yesterday");
  const week = age > 0 && age < 7;
  const style = long
    ? { weekday: "long", ...(!week && { day: "numeric", month: "long" }), ...(age > 300 && { year: "numeric" }) }
    : week ? { weekday: "short" } : { day: "numeric", month: "short", ...(age > 300 && { year: "2-digit" }) };
  return new Intl.DateTimeFormat(language, { ...style, timeZone: "UTC" }).format(date);
}

/** "2026-11-22, 14:05:00" in the agent's time zone. */
export const localTime = (ms) => new Date(ms).toLocaleString("en-CA", { timeZone: data.timeZone || undefined, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });

const CLOSING = 2 * 3600 * 1000;

/** Brings every clock text inside `root` up to date: windows, waiting times, days. */
export function tick(root = document) {
  const now = serverNow();
  for (const chip of $$(".win", root)) {
    const left = chip.dataset.expires ? chip.dataset.expires * 1000 - now : 0;
    const timed = chip.dataset.expires && (chip.dataset.state === "open" || chip.dataset.state === "closing" || left > 0);
    if (timed) chip.dataset.state = left <= 0 ? "closed" : left < CLOSING ? "closing" : "open";
    const full = "full" in chip.dataset;
    const word = { closed: full ? "window_closed" : "template_only", never: full ? "window_never" : "template_only" }[chip.dataset.state];
    setText($(".win-text", chip), word ? t(word) : left > 0 ? duration(left, !full) : "");
  }
  for (const chip of $$("[data-since]", root)) setText(chip, t(chip.dataset.words, { time: duration(now - chip.dataset.since * 1000, true) }));
  for (const time of $$("[data-day-text]", root)) setText(time, dayLabel(time.dataset.dayText));
  for (const chip of $$("[data-day-chip]", root)) setText(chip.firstElementChild, dayLabel(chip.dataset.dayChip, true));
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function remember(key, value) {
  try {
    if (value) localStorage.setItem(key, value);
    else localStorage.removeItem(key);
  } catch { /* storage full or forbidden: nothing to remember */ }
}
export function recall(key) {
  try { return localStorage.getItem(key) || ""; } catch { return ""; }
}
