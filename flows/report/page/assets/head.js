/* What came of it, in a line, in numbers, and what is missing. */
"use strict";

const head = (() => {
  const { film, money, runs, shots } = facts;
  const { count, number, stateOf, sum, took, usd, when } = words;
  const { $, el, dot } = elements;

  const verdict = (missing) => {
    if (missing) return [dot("bad"), `${count(missing, "clip")} of ${number(shots.length)} missing`];
    return film ? [dot("good"), "Complete"] : [dot("bad"), "No film"];
  };

  const cell = (term, value, note) =>
    el("div", {}, el("dt", {}, term), el("dd", {}, value), el("dd", { class: "small" }, note ?? "\u00a0"));

  const numbers = (here) => {
    const difference = money.cost_nano_usd - money.quoted_nano_usd;
    const sequences = new Set(shots.map((shot) => shot.sequence)).size;
    const orders = runs.find((run) => run.is_this)?.attempts ?? 0;
    return [
      cell("Clips here", `${number(here)} of ${number(shots.length)}`, `in ${count(sequences, "sequence")}`),
      film
        ? cell("Length", took(film.duration_s * 1000), `${count(film.num_frames, "frame")}${film.untouched && `, ${film.untouched}`}, ${film.width} \u00d7 ${film.height}`)
        : cell("Length", "none", "there is no film"),
      cell("Cost of the film", usd(money.cost_nano_usd), money.awaited_nano_usd ? `and ${usd(money.awaited_nano_usd)} not billed yet` : "in all runs"),
      cell("Estimate", usd(money.quoted_nano_usd), difference ? `${usd(Math.abs(difference))} ${difference > 0 ? "less" : "more"} than paid` : "exactly what was paid"),
      cell("Paid in this run", usd(money.in_this_run_nano_usd), orders ? count(orders, "order") : "nothing was ordered"),
      cell("Saved in this run", usd(money.saved_nano_usd), "was there already"),
      cell("Made in", runs.length ? took(runs.at(-1).ended_ms) : "none", "from the first order to the film"),
      cell("Not in the film", usd(sum(money.beside.map(([, cost]) => cost))), money.beside.length ? money.beside.map(([why]) => why).join(", ") : "every charge is in the film"),
    ];
  };

  /** Why it is missing; the name stands before it. */
  const reason = (shot) => {
    if (!shot.error) return stateOf(shot)[0];
    return shot.error.startsWith(shot.name) ? shot.error.slice(shot.name.length).replace(/^:?\s+/, "") : shot.error;
  };

  const attention = (missing) => {
    const few = missing.slice(0, 3).map(({ shot, index }) =>
      el("li", {}, el("button", { type: "button", class: "link", onclick: () => viewer.view(index) }, shot.name), ` ${reason(shot)}`),
    );
    $("attention").hidden = false;
    $("attention").append(
      el("h3", {}, `${count(missing.length, "clip")} ${missing.length === 1 ? "is" : "are"} missing`),
      el("ul", {}, ...few),
      el("button", { type: "button", class: "link all", onclick: () => sheet.showMissing() }, missing.length > few.length ? `Show all ${missing.length}` : "Show them in the sheet"),
    );
  };

  const draw = () => {
    const missing = shots.map((shot, index) => ({ shot, index })).filter(({ shot }) => shot.state !== "stored");
    $("verdict").append(...verdict(missing.length), facts.live ? "" : " \u00b7 sandbox, no money was spent");
    $("numbers").append(...numbers(shots.length - missing.length));
    $("footer").textContent = `Written ${when(facts.written_ms)} by shotreel. The ledger is the source of every amount.`;
    if (missing.length) attention(missing);
  };

  return { draw };
})();
