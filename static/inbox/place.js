// A place to send: its coordinates typed, or taken from a link to a map or from "lat, long"; leaves by the outbox like any message.
import { $, t } from "./ui.js";
import { deliver, here } from "./composer.js";
import { stickToBottom } from "./thread.js";

const NUMBER = "(-?\\d{1,3}(?:\\.\\d+)?)", PAIR = `${NUMBER}\\s*,\\s*${NUMBER}`;
// In the order in which they are to be believed: the pin of a Google link, its query, its middle; OpenStreetMap's marker and middle.
const PLACES = [
  new RegExp(`!3d${NUMBER}!4d${NUMBER}`),
  new RegExp(`[?&](?:q|query|ll|destination|daddr|center)=(?:loc:)?${PAIR}`),
  new RegExp(`[?&]mlat=${NUMBER}&mlon=${NUMBER}`),
  new RegExp(`@${PAIR}`),
  new RegExp(`#map=[\\d.]+/${NUMBER}/${NUMBER}`),
  new RegExp(`^geo:${PAIR}`),
  new RegExp(`^\\(?${PAIR}\\)?$`),
  new RegExp(`^${NUMBER}[\\s;]+${NUMBER}$`),
];
const COMMAS = /^(-?\d{1,3}),(\d+)[\s;,]+(-?\d{1,3}),(\d+)$/; // as one writes numbers in Spanish

let fields = {}, filled = "";
const dialog = () => $('dialog[data-name="place"]', here.box);

function decoded(text) {
  try { return decodeURIComponent(text.replaceAll("+", " ")); } catch { return text; }
}

/** What a link or a line of text says of a place: {latitude, longitude, name}, null if nothing. */
export function read(text) {
  const line = decoded(text.trim().replace(COMMAS, "$1.$2 $3.$4"));
  const found = PLACES.map((form) => form.exec(line)).find(Boolean);
  return found && { latitude: found[1], longitude: found[2], name: /\/maps\/place\/([^/@]+)\//.exec(line)?.[1].trim() || "" };
}

/** The number in a field, null unless it lies on the globe. */
function degrees(field, most) {
  const text = field.value.trim().replace(",", "."), value = Number(text);
  const isThere = text !== "" && Math.abs(value) <= most;
  field.setAttribute("aria-invalid", String(!isThere));
  return isThere ? value : null;
}

function showError(words) {
  const line = $("[data-place-error]", dialog());
  line.textContent = words;
  line.hidden = !words;
}

/** What is wrong with the link, "" if nothing. */
function trouble() {
  const text = fields.link.value.trim();
  return !text || read(text) ? "" : t(/^https?:\/\/\S+$/.test(text) ? "place_short" : "place_unread");
}

function onLink() {
  const { link, latitude, longitude, name } = fields, found = read(link.value);
  showError(trouble());
  if (!found) return;
  latitude.value = found.latitude;
  longitude.value = found.longitude;
  if (name.value === filled) name.value = filled = /°|^-?\d/.test(found.name) ? "" : found.name.slice(0, name.maxLength);
}

function send(event) {
  event.preventDefault();
  const place = { latitude: degrees(fields.latitude, 90), longitude: degrees(fields.longitude, 180), name: fields.name.value.trim(), address: fields.address.value.trim() };
  const wrong = [fields.latitude, fields.longitude].find((field) => field.getAttribute("aria-invalid") === "true");
  if (wrong) {
    const line = fields.latitude.value || fields.longitude.value ? "" : trouble();
    showError(line || t("place_missing"));
    (line ? fields.link : wrong).focus();
    return;
  }
  dialog().close();
  stickToBottom();
  const shown = ["📍", place.name || `${place.latitude}, ${place.longitude}`, place.address && `\n${place.address}`].join(" ").trim();
  deliver({ mode: "reply", text: "", shown, attachments: [], place: JSON.stringify(place) });
}

/** Asks for a place; `before`: one that was taken back. */
export function open(before = {}) {
  const found = dialog();
  fields = Object.fromEntries([...found.querySelectorAll("[data-place]")].map((field) => [field.dataset.place, field]));
  for (const [name, field] of Object.entries(fields)) {
    field.value = before[name] ?? "";
    field.removeAttribute("aria-invalid");
  }
  filled = "";
  showError("");
  fields.link.oninput = onLink;
  $("form[data-place-form]", found).onsubmit = send;
  found.onclose = () => here.text?.focus();
  found.showModal();
}
