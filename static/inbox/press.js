// A click outlives the renewal of what it began on: pressed, exchanged for a newer rendering, released.
import { $$ } from "./ui.js";

const SLIP = 8; // px that a finger may move meanwhile
let pressed = null;

const traits = ({ name, value, type, dataset: { act, head, open, testid } }) => [name, value, type, act, head, open, testid].join("\n");

function twin({ element, owner }) {
  const renewed = owner && document.getElementById(owner), same = traits(element);
  return renewed?.id === element.id ? renewed : renewed && $$(element.localName, renewed).find((other) => traits(other) === same);
}

/** The element itself, or what stands in its place since its bubble or row was renewed. */
export const attached = (element) => (element.isConnected ? element : twin({ element, owner: element.closest("[id]")?.id }) || element);

export function start() {
  addEventListener("pointerdown", ({ isPrimary, button, target, clientX, clientY }) => {
    const element = isPrimary && !button && target.closest?.("a, button, input, label");
    pressed = element && { element, owner: element.closest("[id]")?.id, clientX, clientY };
  }, true);
  addEventListener("pointerup", ({ clientX, clientY }) => {
    const was = pressed;
    pressed = null;
    if (was && !was.element.isConnected && Math.hypot(clientX - was.clientX, clientY - was.clientY) <= SLIP) setTimeout(() => twin(was)?.click());
  }, true);
}
