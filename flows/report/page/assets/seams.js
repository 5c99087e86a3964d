/* Where one shot follows another: what is seen there, and what was done about it. */
"use strict";

const seams = (() => {
  const { rate, shots } = facts;
  const { at, count, number } = words;
  const { $, el, table } = elements;
  const LEAD_S = 1; // the film is shown from so long before a seam
  const all = facts.places.flatMap(({ index }) => (shots[index]?.seam ? [index] : []));

  const isNotable = (seam) => Boolean(seam && (seam.has_step || seam.is_frozen));
  const isTouched = (seam) => seam.matched_frames > 0;
  const signed = (levels) => `${levels < 0 ? "\u2212" : "+"}${Math.abs(levels).toFixed(1)}`;
  const corrected = (seam) => (isTouched(seam) ? `over ${count(seam.matched_frames, "frame")}` : "no");

  /** All that is known of a seam, in a line. */
  const told = (seam) => {
    if (!seam) return null;
    const said = [`${seam.kind} from ${seam.before}`, `light ${signed(seam.luma_step)}`, `colour ${seam.colour_step.toFixed(1)}`];
    if (seam.frozen) said.push(`${count(seam.frozen, "frame stands", "frames stand")} still`);
    if (isTouched(seam)) said.push(`corrected ${corrected(seam)}`);
    return said.join(", ");
  };

  const rowOf = (index) => {
    const { film, name, seam } = shots[index];
    const lead = Math.min(LEAD_S * rate, film[0]);
    const cell = (text, stands, small) => el("td", { class: [stands && "warn", small && "hide-small"].filter(Boolean).join(" ") || null }, text);
    return [
      el("button", { type: "button", class: "link", title: "Show it in the film", onclick: () => player.seekFrame(film[0] - Math.round(lead)) }, `${seam.before} to ${name}`),
      cell(at(film[0]), false, true),
      cell(seam.kind, false, true),
      cell(signed(seam.luma_step), seam.has_step),
      cell(seam.colour_step.toFixed(1), seam.has_step),
      cell(number(seam.frozen), seam.is_frozen),
      cell(corrected(seam)),
    ];
  };

  const show = (caption, indexes) => {
    const small = (text) => el("th", { scope: "col", class: "hide-small" }, text);
    $("seams-table").replaceChildren(table(caption, ["From one shot to the next", small("At"), small("How"), "Light", "Colour", "Still", "Corrected"], indexes.map(rowOf)));
  };

  const draw = () => {
    if (!all.length) return;
    const [notable, touched] = [isNotable, isTouched].map((is) => all.filter((index) => is(shots[index].seam)));
    const first = all.filter((index) => isNotable(shots[index].seam) || isTouched(shots[index].seam));
    for (const part of document.querySelectorAll("#seams, nav [href='#seams']")) part.hidden = false;
    $("seams-count").textContent = [
      notable.length ? `${number(notable.length)} of ${count(all.length, "seam")} to look at` : `${count(all.length, "seam")}, none of which stands out`,
      touched.length ? `${number(touched.length)} corrected` : "none was corrected",
    ].join("; ");
    const more = $("seams-more");
    const showAll = () => {
      more.hidden = true;
      show("Every seam, in the film's order", all);
    };
    if (first.length === all.length) return showAll();
    more.textContent = `All ${number(all.length)} seams`;
    more.addEventListener("click", () => {
      showAll();
      $("seams-table").firstElementChild.focus();
    });
    const why = [notable.length && "to be looked at", touched.length && "corrected"].filter(Boolean).join(", or ");
    if (first.length) show(words.plainly(why), first);
  };

  return { draw, isNotable, told };
})();
