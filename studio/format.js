/** Numbers, times and costs as people read them. */

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];

/** "2 minutes ago", of seconds since the epoch. */
export function ago(at) {
  const seconds = at - Date.now() / 1000;
  const [unit, size] = UNITS.find(([, one]) => Math.abs(seconds) >= one) ?? UNITS.at(-1);
  return relative.format(Math.round(seconds / size), unit);
}

/** "1 min 20 s", of seconds. */
export function duration(seconds) {
  const whole = Math.round(seconds);
  if (seconds < 10) return `${Math.round(seconds * 10) / 10} s`;
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return [`${Math.floor(whole / 60)} min`, whole % 60 && `${whole % 60} s`].filter(Boolean).join(" ");
  return [`${Math.floor(whole / 3_600)} h`, Math.round((whole % 3_600) / 60) && `${Math.round((whole % 3_600) / 60)} min`]
    .filter(Boolean)
    .join(" ");
}

/** "$1.20", of USD; small amounts keep two significant digits. null is unknown. */
export function cost(usd) {
  if (usd === null || usd === undefined) return "unknown";
  if (usd === 0) return "free";
  return usd < 0.01 ? `$${Number(usd.toPrecision(2))}` : `$${usd.toFixed(2)}`;
}
