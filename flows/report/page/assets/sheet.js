/* Every shot as a card or a row, filtered and in the order that is asked for. */
"use strict";

const sheet = (() => {
  const { pictures, shots } = facts;
  const { STATES, at, costOf, count, number, short, stateOf, sum, took, usd } = words;
  const { $, el, roving } = elements;
  const grid = $("sheet");
  const filters = $("filters");
  const cards = [];
  const headings = new Map();
  let visible = shots.map((_, index) => index);

  const orderedFor = (shot) => {
    const last = shot.attempts.at(-1);
    return last?.phases.length ? last.phases.at(-1)[2] - last.phases[0][1] : 0;
  };
  const hay = shots.map((shot) =>
    [shot.name, shot.prompt, shot.notes, shot.model, shot.seed, shot.request_id, shot.error, shot.sha256].join("\n").toLowerCase(),
  );

  const frameOf = (shot, frame) => {
    const shown = shot.sha256 ?? shot.stills.find(({ number }) => number === shot.still)?.sha256;
    if (pictures[shown]) {
      const image = el("img", { alt: "", decoding: "async" });
      image.dataset.sha256 = shown;
      frame.append(image);
      arriving.observe(image);
      if (!shot.sha256) frame.append(el("span", { class: "length" }, stateOf(shot)[0]));
    } else if (shot.state !== "stored") {
      const [word, kind] = stateOf(shot);
      frame.classList.add("empty");
      frame.append(el("span", { class: `state ${kind}` }, word), el("span", { class: "why" }, shot.error));
    }
    if (shot.duration_s) frame.append(el("span", { class: "length" }, `${+shot.duration_s.toFixed(1)} s`));
    return frame;
  };
  /** Pictures are decoded when they come near the screen. */
  const arriving = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) if (entry.isIntersecting) load(entry.target);
    },
    { rootMargin: "800px" },
  );
  const load = (image) => {
    image.src = pictures[image.dataset.sha256];
    arriving.unobserve(image);
  };

  const drawCards = () => {
    const template = $("card").content.firstElementChild;
    shots.forEach((shot, index) => {
      const card = template.cloneNode(true);
      const [open, seekButton] = [card.querySelector(".open"), card.querySelector(".seek")];
      const [word] = stateOf(shot);
      open.dataset.index = index;
      open.setAttribute("aria-label", `${shot.name}, ${word}: look at it`);
      frameOf(shot, open.firstElementChild);
      card.querySelector(".name").append(el("span", { class: "prefix" }, `${shot.sequence}/`), shot.name.slice(shot.sequence.length + 1));
      card.querySelector(".cost").textContent = costOf(shot);
      card.querySelector(".prompt").textContent = shot.prompt;
      card.querySelector(".facts").textContent = [short(shot.model), shot.seed === null ? null : `seed ${shot.seed}`, orderedFor(shot) ? took(orderedFor(shot)) : null].filter(Boolean).join(" \u00b7 ");
      if (shot.film) {
        seekButton.dataset.index = index;
        seekButton.textContent = at(shot.film[0]);
        seekButton.setAttribute("aria-label", `Show ${shot.name} in the film, at ${at(shot.film[0])}`);
        seekButton.title = "Show it in the film";
      } else seekButton.remove();
      cards.push(card);
    });
    for (const shot of shots) {
      if (headings.has(shot.sequence)) continue;
      headings.set(shot.sequence, el("h3", { class: "sequence" }, shot.sequence, el("span")));
    }
    grid.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-index]");
      if (!button) return;
      const index = Number(button.dataset.index);
      if (button.classList.contains("seek")) player.seek(index);
      else {
        player.seek(index, false);
        viewer.view(index);
      }
    });
    roving(grid, () => visible.map((index) => cards[index]), (card) => card.querySelector(".open"));
  };

  const ORDERS = {
    list: ["List order", null],
    cost: ["Cost, dearest first", (a, b) => b.cost_nano_usd - a.cost_nano_usd],
    time: ["Time, longest first", (a, b) => orderedFor(b) - orderedFor(a)],
    name: ["Name", (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true })],
    model: ["Model", (a, b) => a.model.localeCompare(b.model)],
    state: ["State, missing first", (a, b) => (a.state === "stored") - (b.state === "stored")],
  };

  const options = (select, entries) => {
    for (const [value, text] of entries) select.append(el("option", { value }, text));
  };
  const tally = (key) => {
    const counts = new Map();
    for (const shot of shots) counts.set(key(shot), (counts.get(key(shot)) ?? 0) + 1);
    return [...counts];
  };

  const drawFilters = () => {
    const fields = filters.elements;
    const all = `All ${number(shots.length)}`;
    options(fields.sequence, [["", all], ...tally((s) => s.sequence).map(([key, n]) => [`=${key}`, `${key} (${n})`])]);
    options(fields.model, [["", all], ...tally((s) => s.model).map(([key, n]) => [`=${key}`, `${key} (${n})`])]);
    const missing = shots.filter((shot) => shot.state !== "stored").length;
    options(fields.state, [["", all], ...(missing ? [["missing", `missing (${missing})`]] : []), ...tally((s) => s.state).map(([key, n]) => [`=${key}`, `${STATES[key]?.[0] ?? key} (${n})`])]);
    options(fields.order, Object.entries(ORDERS).map(([key, [said]]) => [key, said]));
    filters.addEventListener("submit", (event) => event.preventDefault());
    filters.addEventListener("input", apply);
    filters.addEventListener("reset", () => setTimeout(apply));
    $("clear").addEventListener("click", () => filters.elements.text.focus());
  };

  let placed;
  const apply = () => {
    const { text, sequence, model, state, order, view: how } = filters.elements;
    const wanted = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (shot, index) =>
      (!sequence.value || sequence.value === `=${shot.sequence}`) &&
      (!model.value || model.value === `=${shot.model}`) &&
      (!state.value || state.value === `=${shot.state}` || (state.value === "missing" && shot.state !== "stored")) &&
      wanted.every((word) => hay[index].includes(word));
    grid.classList.toggle("list", how.value === "list");
    grid.classList.toggle("grouped", order.value === "list");
    place(order.value);
    visible = [];
    const groups = new Map();
    for (const index of placed.order) {
      const shot = shots[index];
      const shown = fits(shot, index);
      cards[index].hidden = !shown;
      if (!shown) continue;
      visible.push(index);
      const group = groups.get(shot.sequence) ?? [];
      group.push(shot);
      groups.set(shot.sequence, group);
    }
    for (const [name, heading] of headings) {
      const group = groups.get(name);
      heading.hidden = !group || placed.key !== "list";
      if (group) heading.lastElementChild.textContent = `${count(group.length, "clip")}, ${usd(sum(group.map((s) => s.cost_nano_usd)))}`;
    }
    const cost = usd(sum(visible.map((index) => shots[index].cost_nano_usd)));
    $("count").textContent = visible.length === shots.length ? `${count(shots.length, "clip")}, ${cost}` : `${number(visible.length)} of ${count(shots.length, "clip")}, ${cost}`;
    $("none").hidden = visible.length > 0;
    $("clear").hidden = visible.length === shots.length;
    grid.restart();
    times.rows(visible);
  };

  const place = (key) => {
    if (placed?.key === key) return;
    const order = shots.map((_, index) => index);
    const compare = ORDERS[key][1];
    if (compare) order.sort((a, b) => compare(shots[a], shots[b]) || a - b);
    else {
      const sequences = [...headings.keys()];
      order.sort((a, b) => sequences.indexOf(shots[a].sequence) - sequences.indexOf(shots[b].sequence) || a - b);
    }
    placed = { key, order };
    const nodes = [];
    let sequence;
    for (const index of order) {
      if (key === "list" && shots[index].sequence !== sequence) {
        sequence = shots[index].sequence;
        nodes.push(headings.get(sequence));
      }
      nodes.push(cards[index]);
    }
    grid.replaceChildren(...nodes);
  };

  const showMissing = () => {
    filters.reset();
    filters.elements.state.value = "missing";
    apply();
    $("shots").scrollIntoView();
    filters.elements.state.focus({ preventScroll: true });
  };

  /** What is drawn when it is seen, all at once: for paper. */
  const loadAll = () => grid.querySelectorAll("img:not([src])").forEach(load);

  const draw = () => {
    drawCards();
    drawFilters();
    apply();
  };

  return {
    draw,
    loadAll,
    showMissing,
    /** The indexes of the shots that are shown, in their order. */
    visible: () => visible,
    holds: (node) => grid.contains(node),
    focus: (index) => cards[index]?.querySelector(".open").focus(),
  };
})();
