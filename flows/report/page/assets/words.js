/* How the page says things. */
"use strict";

const words = (() => {
  const STATES = {
    stored: ["here", "good"],
    failed: ["failed", "bad"],
    refused: ["refused", "bad"],
    lost: ["lost", "bad"],
    unknown: ["outcome unknown", "warn"],
    reserved: ["not ordered yet", "warn"],
    posting: ["being ordered", "warn"],
    submitted: ["at the provider", "warn"],
    ready: ["to be fetched", "warn"],
    released: ["given up", "bad"],
    "not bought": ["not bought", "bad"],
    waits: ["waits for approval", "warn"],
  };
  const SOURCES = {
    estimate: "by the price rule",
    provider: "counted by the provider",
    billing_feed: "from the billing feed",
    no_price: "a machine of one's own",
  };
  /** What was paid for, and is not in the film. */
  const BESIDE = {
    "other take": "for other takes",
    out: "for shots that are marked out",
    still: "for stills",
    superseded: "for clips that others have replaced",
    dropped: "for shots that the list no longer has",
    "no clip": "without a clip",
  };
  const stateOf = (shot) => STATES[shot.state] ?? [shot.state, "warn"];

  /** Billionths of a USD: cents always, smaller fractions where there are any. */
  const usd = (nano) => {
    const [whole, rest] = [Math.trunc(Math.abs(nano) / 1e9), Math.abs(nano) % 1e9];
    const digits = String(rest).padStart(9, "0").replace(/0{1,7}$/, "");
    return `${nano < 0 ? "\u2212" : ""}$${whole.toLocaleString("en-US")}.${digits}`;
  };
  const signed = (nano) => (nano > 0 ? "+" : "") + usd(nano);

  /** What a shot has cost. A bill that has not come is no $0.00, and neither is what was not bought. */
  const costOf = (shot) => {
    if (shot.origin === "shared") return "shared";
    if (shot.bill === "no clip") return usd(shot.cost_nano_usd);
    return shot.cost_source ? usd(shot.cost_nano_usd) : shot.bill || usd(shot.cost_nano_usd);
  };
  const costInFull = (shot) => (SOURCES[shot.cost_source] ? `${costOf(shot)}, ${SOURCES[shot.cost_source]}` : costOf(shot));
  const paidFor = (shot) => {
    if (shot.origin === "shared") return "paid with another shot or film";
    if (shot.bill === "not bought" || shot.bill === "not charged") return "nothing was paid";
    if (shot.bill === "not billed yet") return `ordered in ${shot.origin}, not billed yet`;
    return shot.bill === "no clip" ? "charged, and no clip came of it" : `paid in ${shot.origin}`;
  };

  const took = (ms) => {
    const s = ms / 1000;
    if (s < 60) return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
    return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
  };
  const clock = (s, digits = 1) => {
    const minutes = Math.floor(s / 60) % 60;
    const seconds = (s % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
    return s < 3600 ? `${minutes}:${seconds}` : `${Math.floor(s / 3600)}:${String(minutes).padStart(2, "0")}:${seconds}`;
  };
  /** When a frame of the film is seen. */
  const at = (frame) => clock(frame / facts.rate);
  const number = (n) => n.toLocaleString("en-US");
  const count = (n, one, many = one + "s") => `${number(n)} ${n === 1 ? one : many}`;
  const when = (ms) => new Date(ms).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  const short = (model) => model.split("/").slice(1).join("/") || model;
  const plainly = (column) => column[0].toUpperCase() + column.slice(1).replaceAll("_", " ");
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

  return { BESIDE, STATES, stateOf, usd, signed, costOf, costInFull, paidFor, took, clock, at, number, count, when, short, plainly, sum };
})();
