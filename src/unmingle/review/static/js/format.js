const NUMBER = new Intl.NumberFormat("en");
const PERCENT = new Intl.NumberFormat("en", { style: "percent" });
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric" });

/** 12345 → "12,345". @param {number} n */
export const number = (n) => NUMBER.format(n);

/** 0.674 → "67%". @param {number} share */
export const percent = (share) => PERCENT.format(share);

/** 1 → "1 face", 1200 → "1,200 faces". @param {number} n @param {string} one @param {string} [many] */
export const counted = (n, one, many = one === "person" ? "people" : `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;

/** What a person is called. @param {{person: number|null, name?: string|null}} record */
export const called = (record) => record.name || (record.person === null ? "Nobody yet" : `Person ${record.person}`);

/** "14:05" of a UTC time. @param {string} iso */
export const clock = (iso) => CLOCK.format(new Date(iso));

/** "Today", "Yesterday" or "3 March 2026". @param {string} iso */
export function day(iso) {
  const then = new Date(iso);
  const days = Math.round((midnight(new Date()) - midnight(then)) / 86_400_000);
  if (days === 0) return "Today";
  return days === 1 ? "Yesterday" : DAY.format(then);
}

/** @param {Date} date */
const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();

/** The last part of a path, which is what people look at. @param {string} path */
export const baseName = (path) => path.split("/").pop() ?? path;

const STATUS = {
  alone: "Seen once",
  not_a_face: "Not a face",
  masked: "Masked",
  low_quality: "Hard to tell",
  ignored: "Ignored",
  unreadable: "Unreadable",
  clustered: "With a person",
};

/** A status in words. @param {string} status */
export const statusWords = (status) => STATUS[/** @type {keyof typeof STATUS} */ (status)] ?? status.replaceAll("_", " ");
