// Files on their way into a message: the tray, limits, progress, cancel, paste and drop.
import { $, clone, csrf, data, emit, config, t, toast } from "./ui.js";

let root = null, tray = null, files = [];

export const ready = () => files.filter((file) => file.id);
export const busy = () => files.some((file) => !file.id);
export const any = () => files.length > 0;

/** Empties the tray; uploads still running are stopped. */
export function clear() {
  files.forEach((file) => { file.request?.abort(); drop(file); });
  files = [];
  show();
}

function drop(file) {
  file.item.remove();
  if (file.preview) URL.revokeObjectURL(file.preview);
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

export function add(list) {
  const reasons = list.map(refusal);
  emit("composer-error", reasons.filter(Boolean).join("\n"));
  list.filter((_, index) => !reasons[index]).forEach(upload);
}

function upload(blob) {
  const item = clone("tpl-tray");
  const file = { item, name: blob.name, kind: "", id: "", request: new XMLHttpRequest(), preview: "" };
  $("strong", item).textContent = blob.name;
  $("small", item).textContent = megabytes(blob.size);
  if (blob.type.startsWith("image/")) {
    file.preview = URL.createObjectURL(blob);
    Object.assign($("img", item), { src: file.preview, hidden: false });
    $(".icon", item).remove();
  }
  $("[data-remove]", item).addEventListener("click", () => discard(file));
  files.push(file);
  tray.append(item);
  show();
  send(file, blob);
}

function discard(file) {
  file.request.abort();
  drop(file);
  files = files.filter((other) => other !== file);
  show();
}

function send(file, blob) {
  const { request, item } = file;
  const form = new FormData();
  form.append("conversation", root.dataset.c);
  form.append("file", blob, blob.name);
  request.open("POST", data.urlUploads);
  request.responseType = "json";
  request.setRequestHeader("X-CSRFToken", csrf());
  request.upload.onprogress = (event) => { if (event.lengthComputable) $("progress", item).value = (100 * event.loaded) / event.total; };
  request.onload = () => {
    if (request.status === 201) {
      file.id = request.response.id;
      file.kind = request.response.kind;
      item.classList.add("done");
      show();
      return;
    }
    discard(file);
    if (request.status === 401 || request.status === 403) emit("session-lost");
    emit("composer-error", request.response?.detail || t("file_failed", { name: file.name }));
  };
  request.onerror = () => { discard(file); emit("composer-error", t("file_failed", { name: file.name })); };
  request.send(form);
}

/** Watches the thread for pasted and dropped files; `allowed` says whether a file may be attached now. */
export function mount(thread, allowed) {
  root = thread;
  tray = $("[data-tray]", root);
  files = [];
  const input = $("[data-file]", root), overlay = $("[data-drop]", root);
  input.addEventListener("change", () => { add([...input.files]); input.value = ""; });
  root.addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files || [])];
    if (!pasted.length) return;
    event.preventDefault();
    accept(pasted, allowed);
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
    accept([...event.dataTransfer.files], allowed);
  });
}

function accept(list, allowed) {
  if (allowed()) add(list);
  else toast(t("no_files_now"), "danger");
}
