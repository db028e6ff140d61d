// Jobs: their progress is asked for each second until they are over; files that are too big are not sent at all.
const PAUSE = 1000;

async function follow(box) {
  const address = box.dataset.poll;
  if (!address) return;
  await new Promise((resume) => setTimeout(resume, PAUSE));
  let fresh = null;
  try {
    const answer = await fetch(address, { credentials: "same-origin" });
    if (answer.ok && !answer.redirected) {
      fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-state]");
    }
  } catch {
    // the next try tells
  }
  if (fresh) {
    const held = box.contains(document.activeElement) ? document.activeElement.value : null;
    box.replaceWith(fresh);
    if (held) fresh.querySelector(`button[value="${CSS.escape(held)}"]`)?.focus();
  }
  follow(fresh ?? box);
}

function refuse(form) {
  const file = form.querySelector("input[type=file]");
  const sentence = form.querySelector("[data-too-big]");
  const isTooBig = () => file.files.length > 0 && file.files[0].size > Number(form.dataset.most);
  file.hasChangeListener = true; // Unfold's own looks for a field for the name that only its forms have
  file.addEventListener("change", () => {
    sentence.hidden = !isTooBig();
  });
  form.addEventListener("submit", (event) => {
    if (isTooBig()) event.preventDefault();
  });
}

function choose(form) {
  const action = form.querySelector("[name=action]");
  const show = () => {
    for (const part of form.querySelectorAll("[data-for]")) part.hidden = !part.dataset.for.split(" ").includes(action.value);
  };
  action.addEventListener("change", show);
  show();
}

document.querySelectorAll("[data-poll]").forEach(follow);
document.querySelectorAll("form[data-most]").forEach(refuse);
document.querySelectorAll("form[data-bulk]").forEach(choose);
