// A thread in the administration opens at its end, or at the message it was opened for.
for (const host of document.querySelectorAll("[data-thread]")) {
  const log = host.shadowRoot?.querySelector("[data-log]");
  if (!log) continue;
  const aim = () => {
    const message = host.dataset.at ? log.querySelector(`#m-${CSS.escape(host.dataset.at)}`) : null;
    message?.classList.add("aimed");
    if (message) log.scrollTop = message.offsetTop - log.clientHeight / 2;
    else if (!("top" in host.dataset)) log.scrollTop = log.scrollHeight;
  };
  for (const sheet of host.shadowRoot.querySelectorAll("link")) sheet.addEventListener("load", aim);
  window.addEventListener("load", aim);
  aim();
}
