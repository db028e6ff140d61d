// Files on their way into a message: the tray, limits, captions, progress, cancel, paste and drop.
import { $, clone, config, csrf, data, emit, t, toast } from "./ui.js";
import { captioned } from "./composer.js";

const trays = new Map(); // files by conversation: they wait until one comes back
let tray = null, open = 0, files = [];

/** What was uploaded: {id, name, kind, caption} of each. */
export const ready = () => files.filter((file) => file.id).map((file) => ({ ...file, caption: $("[data-caption]", file.item).value.trim() }));
export const busy = () => files.some((file) => !file.id);

/** Empties the tray; uploads still running are stopped. */
export function clear() {
  for (const file of [...files]) discard(file);
}

function show() {
  if (tray) tray.hidden = !files.length;
  emit("tray");
}

const megabytes = (bytes) => (bytes < 1048576 ? `${Math.max(1, Math.round(bytes / 1024))} kB` : `${+(bytes / 1048576).toFixed(1)} MB`);

/** Why this file cannot be sent, in words; "" when it can. The server checks again. */
function refusal(file) {
  const media = Object.values(config.limits?.media || {});
  if (!file.size) return t("file_empty", { name: file.name });
  if (!file.type || !media.length) return "";
  const type = file.type.split(";")[0];
  const fits = media.filter((kind) => !kind.mimes.length || kind.mimes.includes(type) || kind.mimes.includes("*/*"));
  if (!fits.length) return t("file_type", { name: file.name });
  const most = fits[0].max_bytes;
  return fits.some((kind) => file.size <= kind.max_bytes) ? "" : t("file_big", { name: file.name, size: megabytes(file.size), most: megabytes(most) });
}

function add(list) {
  const reasons = list.map(refusal);
  emit("composer-error", reasons.filter(Boolean).join("\n"));
  list.filter((_, index) => !reasons[index]).forEach((blob) => {
    const file = line(blob.name, megabytes(blob.size));
    if (blob.type.startsWith("image/")) {
      file.preview = URL.createObjectURL(blob);
      Object.assign($("img", file.item), { src: file.preview, hidden: false });
      $(".icon", file.item).remove();
    }
    send(file, blob);
  });
  show();
}

const filesOf = (c) => trays.get(c) || trays.set(c, []).get(c);

function line(name, size, c = open) {
  const file = { c, item: clone("tpl-tray"), name, kind: "", id: "", request: null, preview: "" };
  $("strong", file.item).textContent = name;
  $("small", file.item).textContent = size;
  $("[data-remove]", file.item).addEventListener("click", () => discard(file));
  $("[data-caption]", file.item).addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
  filesOf(c).push(file);
  if (c === open) tray.append(file.item);
  return file;
}

function arrived(file, { id, kind }) {
  Object.assign(file, { id, kind });
  $("[data-caption]", file.item).hidden = !captioned(file);
  file.item.classList.add("done");
}

/** Files that are with the server already, of a message that was taken back. */
export function restore(list, c) {
  for (const one of list) arrived(line(one.name, "", c), one);
  show();
}

function discard(file) {
  file.request?.abort();
  file.item.remove();
  if (file.preview) URL.revokeObjectURL(file.preview);
  const others = filesOf(file.c);
  others.splice(others.indexOf(file), 1);
  show();
}

/** Sends one file to the server (`conversation` says for which); `progress` is told percents. Resolves with {id, kind, …}, rejects with words. */
export function post(blob, name, { request = new XMLHttpRequest(), progress, ...more } = {}) {
  const form = new FormData();
  form.append("file", blob, name);
  for (const [key, value] of Object.entries(more)) form.append(key, value);
  return new Promise((resolve, reject) => {
    request.open("POST", data.urlUploads);
    request.responseType = "json";
    request.setRequestHeader("X-CSRFToken", csrf());
    request.upload.onprogress = (event) => { if (event.lengthComputable) progress?.((100 * event.loaded) / event.total); };
    request.onload = () => {
      if (request.status === 201) return resolve(request.response);
      if (request.status === 401 || request.status === 403) emit("session-lost");
      return reject(request.response?.detail || t("file_failed", { name }));
    };
    request.onerror = () => reject(t("file_failed", { name }));
    request.send(form);
  });
}

async function send(file, blob) {
  file.request = new XMLHttpRequest();
  try {
    arrived(file, await post(blob, blob.name, { conversation: file.c, request: file.request, progress: (percent) => { $("progress", file.item).value = percent; } }));
    show();
  } catch (reason) {
    discard(file);
    const words = String(reason).includes(file.name) ? reason : `${file.name}: ${reason}`;
    if (file.c === open) emit("composer-error", words);
    else toast(words, "danger");
  }
}

/** Watches the thread for pasted and dropped files; `allowed` says whether a file may be attached now. */
export function mount(root, allowed) {
  open = Number(root.dataset.c);
  files = filesOf(open);
  tray = $("[data-tray]", root);
  tray.append(...files.map((file) => file.item));
  show();
  const input = $("[data-file]", root), overlay = $("[data-drop]", root);
  const take = () => { add([...input.files]); input.value = ""; };
  input.addEventListener("change", take);
  if (input.files.length) take();
  const accept = (list) => (allowed() ? add(list) : toast(t("no_files_now"), "danger"));
  root.addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files || [])];
    if (!pasted.length) return;
    event.preventDefault();
    accept(pasted);
  });
  let depth = 0;
  const over = (shown) => { overlay.hidden = !shown; if (!shown) depth = 0; };
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  root.addEventListener("dragenter", (event) => { if (hasFiles(event)) { depth += 1; over(true); } });
  root.addEventListener("dragleave", (event) => { if (hasFiles(event)) { depth -= 1; if (depth <= 0) over(false); } });
  root.addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
  root.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    over(false);
    accept([...event.dataTransfer.files]);
  });
}
