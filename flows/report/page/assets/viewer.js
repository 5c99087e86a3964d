/* One shot in full: its clip, what was ordered, what it cost, and what became of each order. */
"use strict";

const viewer = (() => {
  const { pictures, runs, shots } = facts;
  const { at, clock, costInFull, count, paidFor, plainly, stateOf, took, usd, when } = words;
  const { $, dot, el, pairs } = elements;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const dialog = $("viewer");
  let viewed;

  const view = (index) => {
    viewed = index;
    const shot = shots[index];
    const [word, kind] = stateOf(shot);
    const place = sheet.visible().indexOf(index);
    const step = (by) => sheet.visible()[place + by];
    const move = (by, text, label) =>
      el("button", { type: "button", "data-step": by, "aria-label": label, disabled: place < 0 || step(by) === undefined, onclick: () => view(step(by)) }, text);
    const takes = shots.map((other, i) => ({ other, i })).filter(({ other }) => shot.takes > 1 && other.sequence === shot.sequence && other.shot === shot.shot);

    const still = room.stillOf(shot);
    const picture = shot.path
      ? el("video", { src: shot.path, controls: true, playsinline: true, loop: true, preload: "metadata", autoplay: !calm.matches, poster: pictures[shot.sha256], "aria-label": `The clip of ${shot.name}` })
      : still?.path ? el("img", { src: still.path, alt: `The still of ${shot.name}` })
      : el("div", { class: "frame empty" }, el("span", { class: `state ${kind}` }, word), el("span", { class: "why" }, shot.error), el("span", { class: "why" }, shot.remedy));
    const said = el(
      "div",
      { class: "words" },
      el("p", {}, shot.prompt),
      takes.length ? el("div", { class: "takes" }, ...takes.map(({ other, i }) => el("button", { type: "button", "aria-pressed": String(i === index), disabled: i === index, onclick: () => view(i) }, `Take ${other.take}`))) : null,
      pairs([
        ["State", [dot(kind), word]],
        ["Cost", costInFull(shot)],
        ["Estimate", usd(shot.quoted_nano_usd)],
        ["Paid", paidFor(shot)],
        ["Length", shot.num_frames && `${count(shot.num_frames, "frame")}, ${+shot.duration_s.toFixed(2)} s`],
        ["In the film", shot.film && `frames ${shot.film[0]} to ${shot.film[0] + shot.film[1] - 1}, from ${at(shot.film[0])}`],
        ["Begins", seams.told(shot.seam), seams.isNotable(shot.seam) ? "warn" : null],
        ["Goes on from", shot.after],
        ["Model", shot.model],
        ["Seed", shot.seed, "mono"],
        ...shot.inputs.map(([column, value]) => [plainly(column), value, "mono"]),
        ["Notes", shot.notes],
        ["Request", shot.request_id, "mono"],
        ["Clip", shot.sha256 && shot.sha256.slice(0, 16), "mono"],
      ]),
    );
    dialog.replaceChildren(
      el("header", {}, el("h2", { id: "viewer-title" }, shot.name), move(-1, "Previous", "Previous shot"), move(1, "Next", "Next shot"),
        shot.film ? el("button", { type: "button", onclick: () => { dialog.close(); player.seek(index); } }, "In the film") : null,
        el("button", { type: "button", class: "close", autofocus: true, onclick: () => dialog.close() }, "Close")),
      el("div", { class: "body" }, picture, said, room.panel(index), history(shot)),
    );
    dialog.scrollTop = 0;
    if (!dialog.open) dialog.showModal();
    // What had the focus is gone; without one no key would come to the dialog.
    else if (!dialog.contains(document.activeElement)) dialog.querySelector(".close").focus();
  };

  const history = (shot) => {
    if (!shot.attempts.length) return null;
    const box = el("div", { class: "wide" });
    shot.attempts.forEach((attempt, number) => {
      const run = runs[attempt.run];
      const table = el("table", {}, el("caption", {}, shot.attempts.length > 1 ? `Order ${number + 1} of ${shot.attempts.length}: ` : "Order: ", `${attempt.model}, ${attempt.account}, ${when(run.begun_ms)}`),
        el("thead", {}, el("tr", {}, ...["State", "From the start of the run", "Took"].map((t) => el("th", { scope: "col" }, t)), el("th", { scope: "col", class: "words" }, "Because"))));
      const body = el("tbody");
      attempt.changes.forEach(([time, state, cause], i) => {
        const next = attempt.changes[i + 1];
        body.append(el("tr", {}, el("th", { scope: "row" }, state), el("td", {}, clock(time / 1000)), el("td", {}, next ? took(next[0] - time) : ""), el("td", { class: "words" }, cause)));
      });
      table.append(body);
      box.append(table);
    });
    return box;
  };

  const draw = () => {
    dialog.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by && room.key(event, viewed)) return;
      if (!by || event.target.closest("video")) return;
      const button = dialog.querySelector(`[data-step='${by}']`);
      if (button && !button.disabled) {
        event.preventDefault();
        button.click();
        dialog.querySelector(`[data-step='${by}']:not(:disabled)`)?.focus();
      }
    });
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
    dialog.addEventListener("close", () => {
      dialog.replaceChildren();
      if (sheet.holds(document.activeElement) || document.activeElement === document.body) sheet.focus(viewed);
    });
  };

  return { draw, view };
})();
