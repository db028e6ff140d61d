// The frame of the page: its menu, looks, the width of the list, the rail's mark, where the list stood before a reload.
import { $, $$, body, data, lazy, on, preferences, recall, remember } from "./ui.js";

const LEAST = 280, MOST = 440, STEP = 16;
const shell = $(".shell"), edge = $("[data-resize]"), scroller = $("[data-list-body]");

function resize(width) {
  const kept = Math.round(Math.min(MOST, Math.max(LEAST, width)));
  shell.style.setProperty("--list", `${kept}px`);
  edge.setAttribute("aria-valuenow", kept);
  return kept;
}

function bindEdge() {
  const inline = (x) => (document.dir === "rtl" ? shell.clientWidth - x : x) - $(".rail").offsetWidth;
  const now = () => Number(edge.getAttribute("aria-valuenow"));
  const keep = () => remember("list-width", now());
  edge.addEventListener("pointerdown", (event) => { edge.setPointerCapture(event.pointerId); event.preventDefault(); });
  edge.addEventListener("pointermove", (event) => { if (edge.hasPointerCapture(event.pointerId)) resize(inline(event.clientX)); });
  edge.addEventListener("pointerup", keep);
  edge.addEventListener("dblclick", () => { resize(340); keep(); });
  edge.addEventListener("keydown", ({ key }) => {
    const step = { ArrowLeft: -STEP, ArrowRight: STEP }[key];
    if (step) { resize(now() + (document.dir === "rtl" ? -step : step)); keep(); }
  });
}

function markRail() {
  for (const link of $$("[data-go]")) {
    if (new URLSearchParams(link.dataset.go).get("view") === data.view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** After a reload or Back from elsewhere the list stands where it stood. */
async function restoreScroll() {
  const [query, top] = (sessionStorage.getItem("list-scroll") || "").split(" ");
  const kind = performance.getEntriesByType("navigation")[0]?.type;
  if (query !== data.query || !["reload", "back_forward"].includes(kind)) return;
  (await lazy("filters")).stand(Number(top));
}

function bindMenu() {
  $("[data-preferences]").addEventListener("change", async ({ target }) => (await lazy("settings")).save({ [target.name]: target.value }));
  $("[data-open-settings]").addEventListener("click", async () => (await lazy("settings")).open());
  $("[data-help]").addEventListener("click", () => $("#help").showModal());
  $("[data-sign-in]").addEventListener("click", (event) => {
    event.currentTarget.search = new URLSearchParams({ next: location.pathname + location.search });
  });
}

/** What was chosen here or in another tab. */
function prefer({ values, theme }) {
  Object.assign(preferences, values);
  data.density = preferences.density;
  if (theme) document.documentElement.dataset.theme = theme;
}

export function start() {
  bindMenu();
  on("preferences", prefer);
  on("seat", () => location.reload());
  resize(Number(recall("list-width")) || 340);
  bindEdge();
  markRail();
  new MutationObserver(markRail).observe(body, { attributeFilter: ["data-view"] });
  addEventListener("pagehide", () => sessionStorage.setItem("list-scroll", `${data.query} ${Math.round(scroller.scrollTop)}`));
  restoreScroll();
}
