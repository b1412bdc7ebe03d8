// How numbers, sizes and times are written.

const MEASURES = ["B", "KiB", "MiB", "GiB", "TiB"];
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const NONE = "–";

const count = (number) => (number == null ? NONE : whole.format(number));
const compact = (number) => (number == null ? NONE : short.format(number));
const rate = (number) => (number == null ? NONE : (number < 100 && number % 1 ? tenths : whole).format(number));
const percent = (part) => (part == null ? NONE : `${tenths.format(part * 100)} %`);

function octets(number) {
  if (number == null) return NONE;
  let step = 0;
  while (number >= 1024 && step < MEASURES.length - 1) [number, step] = [number / 1024, step + 1];
  return `${(number < 100 && step ? tenths : whole).format(number)} ${MEASURES[step]}`;
}

// A time that something takes.
function took(secs) {
  if (secs == null) return NONE;
  if (secs < 0.001) return `${whole.format(secs * 1e6)} µs`;
  if (secs < 1) return `${(secs < 0.1 ? tenths : whole).format(secs * 1e3)} ms`;
  return `${tenths.format(secs)} s`;
}

// A time that has passed.
function lasted(secs) {
  if (secs == null) return NONE;
  const [days, hours, minutes] = [secs / 86400, (secs / 3600) % 24, (secs / 60) % 60].map(Math.floor);
  if (days) return `${count(days)} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  if (minutes) return `${minutes} min`;
  return `${Math.floor(secs)} s`;
}

const moment = (ms) => new Date(ms).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
const dayAndTime = (ms) => new Date(ms).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");
const words = (name) => name.replaceAll("_", " ");
const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
