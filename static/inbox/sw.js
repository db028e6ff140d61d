// Answers taps on notifications: the inbox that is open shows the conversation, else a new one opens. Caches nothing.
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil((async () => {
    const { path } = event.notification.data;
    const open = (await self.clients.matchAll({ type: "window" })).find(({ url }) => new URL(url).pathname.startsWith("/inbox/"));
    if (!open) { await self.clients.openWindow(path); return; }
    await open.focus();
    open.postMessage({ path });
  })());
});
