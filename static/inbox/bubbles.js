// Bubbles among their neighbours: order, day chips, groups, albums, ticks that only climb.
import { $, $$, clone, dayLabel, t } from "./ui.js";

export const RANK = { pending: 1, unknown: 1, sent: 2, delivered: 3, read: 4, played: 5 };
const GROUP = 300, ALBUM = 60, NEWEST = 60;

export const key = (element) => element.dataset.sort.split(".").map(Number);
export function isAfter(one, other) {
  const [ms, id] = key(one), [otherMs, otherId] = key(other);
  return ms > otherMs || (ms === otherMs && id > otherId);
}
const sorted = (element, step) => {
  let found = element[step];
  while (found && !found.dataset.sort) found = found[step];
  return found;
};

export function place(items, element) {
  let before = items.lastElementChild;
  while (before && (!before.dataset.sort || isAfter(before, element))) before = before.previousElementSibling;
  if (before) before.after(element);
  else items.prepend(element);
  dayAbove(element);
  const below = sorted(element, "nextElementSibling");
  if (below) dayAbove(below);
}

/** Keeps exactly one day chip between messages of different days. */
export function dayAbove(element) {
  const above = sorted(element, "previousElementSibling");
  const chips = [];
  for (let other = element.previousElementSibling; other && other !== above; other = other.previousElementSibling) {
    if (other.dataset.dayChip) chips.push(other);
  }
  const needed = above?.dataset.day !== element.dataset.day;
  const kept = needed && chips.find((chip) => chip.dataset.dayChip === element.dataset.day);
  chips.forEach((chip) => { if (chip !== kept) chip.remove(); });
  if (!needed || kept) return;
  const chip = clone("tpl-day");
  chip.dataset.dayChip = element.dataset.day;
  chip.firstElementChild.textContent = dayLabel(element.dataset.day, true);
  element.before(chip);
}

const side = (element) => element.className.split(" ")[1];
const isPicture = (element) => element.classList.contains("k-image") && $(".media img", element) && !$("[data-txt], .summary, .quoted, .trouble", element);

/** Joins what one author said in a row, and their pictures to albums; old bubbles are drawn only when they come near. */
export function regroup(items) {
  let before = null, album = [];
  const settle = () => {
    album.forEach((element, index) => {
      element.classList.toggle("album", album.length > 1);
      element.classList.toggle("second", index % 2 === 1);
      element.classList.toggle("whole", index % 2 === 0 && index === album.length - 1);
    });
    album = [];
  };
  for (const child of items.children) {
    const isMessage = child.classList.contains("msg");
    const same = isMessage && before && side(before) === side(child) && before.dataset.author === child.dataset.author;
    const gap = same ? child.dataset.at - before.dataset.at : Infinity;
    const picture = isMessage && isPicture(child);
    if (!picture || !album.length || gap > ALBUM) settle();
    if (picture) album.push(child);
    else if (isMessage) child.classList.remove("album");
    if (isMessage) child.classList.toggle("cont", gap < GROUP);
    before = isMessage ? child : null;
  }
  settle();
  const all = $$(".msg", items);
  all.forEach((element, index) => {
    element.classList.toggle("far", index < all.length - NEWEST && "drawn" in element.dataset); // once drawn, its size is known
    element.dataset.drawn = "";
  });
}

/** Puts a newer rendering in the place of an older one; calls `wait` when a film that plays now has stopped. */
export function replace(items, old, element, wait) {
  if (Number(element.dataset.v) < Number(old.dataset.v)) return;
  const playing = $$("video", old).find((player) => !player.paused);
  if (playing) {
    playing.addEventListener("pause", wait, { once: true });
    return;
  }
  const shown = old.dataset.st, focused = old.contains(document.activeElement);
  for (const media of $$("img[src], video[src], [data-player][data-on]", old)) {
    const same = media.dataset.src || media.getAttribute("src");
    $$(media.dataset.src ? "[data-player]" : media.localName, element).find((other) => (other.dataset.src || other.getAttribute("src")) === same)?.replaceWith(media);
  }
  old.replaceWith(element);
  climb(element, shown);
  if (focused) element.focus({ preventScroll: true });
  const above = sorted(element, "previousElementSibling"), below = sorted(element, "nextElementSibling");
  if ((above && isAfter(above, element)) || (below && isAfter(element, below))) place(items, element);
}

export const mark = (status) => $(`[data-tick="${status}"]`, document.getElementById("tpl-ticks").content)?.cloneNode(true);

/** Raises the tick of a bubble; never lowers it. */
export function climb(element, status) {
  const tick = RANK[status] > RANK[element.dataset.st] && mark(status);
  if (!tick) return;
  element.dataset.st = status;
  $(".tick", element)?.replaceWith(tick);
  $(".trouble", element)?.remove();
}

/** The words of a bubble, for quotes and announcements. */
export const words = (bubble) => ($("[data-txt], .summary, .file strong, .card-box strong", bubble)?.textContent || t("attachment")).trim();
