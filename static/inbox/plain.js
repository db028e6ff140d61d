// Plain forms of what is compared or shown: a text without accents and case, a length as minutes and seconds.

/** The text as searches compare it. */
export const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** "1:05", from seconds. */
export const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
