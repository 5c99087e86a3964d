/* The page: everything that is written on it comes from the two JSON blocks, as text alone. */
"use strict";

(() => {
  const $ = (id) => document.getElementById(id);
  const report = JSON.parse($("facts").textContent);
  const pictures = JSON.parse($("pictures").textContent);
  const { film, money, shots, runs } = report;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  // words ------------------------------------------------------------------------------------

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
  };
  const SOURCES = {
    estimate: "by the price rule",
    provider: "counted by the provider",
    billing_feed: "from the billing feed",
    no_price: "a machine of one's own",
    shared: "paid with another shot",
  };
  const stateOf = (shot) => STATES[shot.state] ?? [shot.state, "warn"];

  /** Billionths of a USD: cents always, smaller fractions where there are any. */
  const usd = (nano) => {
    const [whole, rest] = [Math.trunc(Math.abs(nano) / 1e9), Math.abs(nano) % 1e9];
    const digits = String(rest).padStart(9, "0").replace(/0{1,7}$/, "");
    return `${nano < 0 ? "\u2212" : ""}$${whole.toLocaleString("en-US")}.${digits}`;
  };
  const signed = (nano) => (nano > 0 ? "+" : "") + usd(nano);

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
  const count = (n, one, many = one + "s") => `${n.toLocaleString("en-US")} ${n === 1 ? one : many}`;
  const when = (ms) => new Date(ms).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  const short = (model) => model.split("/").slice(1).join("/") || model;
  const plainly = (column) => column[0].toUpperCase() + column.slice(1).replaceAll("_", " ");
  const rate = film ? film.rate[0] / film.rate[1] : 24;
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

  // elements ---------------------------------------------------------------------------------

  /** An element; strings become text, never markup. */
  const el = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value === true) node.setAttribute(name, "");
      else if (value !== false && value != null) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child != null));
    return node;
  };
  const dot = (kind) => el("span", { class: `dot ${kind}`, "aria-hidden": "true" });
  const pairs = (list) => {
    const dl = el("dl", { class: "pairs" });
    for (const [term, value, kind] of list) {
      if (value === "" || value == null) continue;
      dl.append(el("dt", {}, term), el("dd", { class: kind }, ...[value].flat()));
    }
    return dl;
  };

  // film -------------------------------------------------------------------------------------

  const player = $("player");
  const byName = new Map(shots.map((shot, index) => [shot.name, index]));
  const inFilm = shots
    .map((shot, index) => ({ index, at: shot.film }))
    .filter((place) => place.at)
    .sort((a, b) => a.at[0] - b.at[0]);

  /** The middle of a frame: the exact border of two may show either. */
  const secondsAt = (frame) => (frame + 0.5) / rate;

  const shotAt = (frame) => {
    let [low, high] = [0, inFilm.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (inFilm[middle].at[0] <= frame) low = middle;
      else high = middle - 1;
    }
    return inFilm[low]?.index;
  };

  const seek = (index, show = true) => {
    const place = shots[index].film;
    if (!film || !place) return;
    player.currentTime = secondsAt(place[0]);
    if (show) {
      $("film").scrollIntoView({ block: "start" });
      player.focus({ preventScroll: true });
    }
  };

  const drawFilm = () => {
    if (!film) {
      player.hidden = true;
      $("strip").hidden = true;
      $("no-film").hidden = false;
      $("no-film").textContent = report.film_error || "There is no film: no clip is there.";
      return;
    }
    document.documentElement.style.setProperty("--shape", `${film.width} / ${film.height}`);
    player.src = film.path;
    if (report.poster) {
      player.poster = report.poster;
      player.after(el("img", { class: "printed", src: report.poster, alt: "" }));
    }
    player.setAttribute("aria-label", `The film ${report.title}`);
    drawStrip();
    const follow = () => {
      showNow(shotAt(Math.floor(player.currentTime * rate)));
      if (!player.paused && player.requestVideoFrameCallback) player.requestVideoFrameCallback(follow);
    };
    for (const event of ["play", "seeked", "timeupdate"]) player.addEventListener(event, follow);
    showNow(shotAt(0));
  };

  const STRIP_SHOTS = 160; // more would be thinner than a finger and a pixel
  let strip = new Map();
  const drawStrip = () => {
    const parts = [];
    for (const { index, at } of inFilm) {
      const name = shots[index].sequence;
      if (parts.at(-1)?.name !== name) parts.push({ name, frames: 0, shots: [] });
      parts.at(-1).frames += at[1];
      parts.at(-1).shots.push(index);
    }
    const each = inFilm.length <= STRIP_SHOTS;
    for (const part of parts) {
      const row = el("div", { class: "shots" });
      for (const indexes of each ? part.shots.map((i) => [i]) : [part.shots]) {
        const first = shots[indexes[0]];
        const what = each ? first.name : `Sequence ${part.name}`;
        const button = el("button", {
          type: "button",
          title: what,
          "aria-label": `${what}, at ${clock(first.film[0] / rate)}`,
          onclick: () => seek(indexes[0], false),
        });
        button.style.flexGrow = sum(indexes.map((i) => shots[i].film[1]));
        for (const i of indexes) strip.set(i, button);
        row.append(button);
      }
      const box = el("div", { class: "part" }, row, el("span", { class: "label", title: part.name }, part.name));
      box.style.flexGrow = part.frames;
      $("strip").append(box);
    }
    const buttons = [...$("strip").querySelectorAll("button")];
    for (const button of buttons) button.tabIndex = -1;
    roving($("strip"), () => buttons, (button) => button);
  };

  let nowShown;
  const showNow = (index) => {
    if (index === undefined || index === nowShown) return;
    strip.get(nowShown)?.removeAttribute("aria-current");
    strip.get(index)?.setAttribute("aria-current", "true");
    nowShown = index;
    const shot = shots[index];
    $("now").replaceChildren(
      el("p", { class: "kicker" }, `In the film at ${clock(shot.film[0] / rate)}, shot ${inFilm.findIndex((p) => p.index === index) + 1} of ${inFilm.length}`),
      el("h3", {}, shot.name),
      el("p", { class: "prompt" }, shot.prompt),
      pairs([
        ["Model", shot.model],
        ["Seed", shot.seed, "mono"],
        ["Cost", `${usd(shot.cost_nano_usd)}, ${originWords(shot)}`],
      ]),
      el("button", { type: "button", onclick: () => view(index) }, "Look at the shot"),
    );
  };

  const originWords = (shot) =>
    ({ "this run": "paid in this run", "an earlier run": "paid in an earlier run", shared: "paid with another shot" })[shot.origin] ?? "not paid";

  // head and numbers -------------------------------------------------------------------------

  const drawHead = () => {
    const here = shots.filter((shot) => shot.state === "stored").length;
    const missing = shots.length - here;
    const verdict = missing
      ? [dot("bad"), `${count(missing, "clip")} of ${shots.length.toLocaleString("en-US")} missing`]
      : film
        ? [dot("good"), "Complete"]
        : [dot("bad"), "No film"];
    $("verdict").append(...verdict, report.live ? "" : " \u00b7 sandbox, no money was spent");

    const number = (term, value, note) =>
      el("div", {}, el("dt", {}, term), el("dd", {}, value), el("dd", { class: "small" }, note ?? "\u00a0"));
    const difference = money.cost_nano_usd - money.quoted_nano_usd;
    const sequences = new Set(shots.map((shot) => shot.sequence)).size;
    const orders = runs.find((run) => run.is_this)?.attempts ?? 0;
    $("numbers").append(
      number("Clips here", `${here.toLocaleString("en-US")} of ${shots.length.toLocaleString("en-US")}`, `in ${count(sequences, "sequence")}`),
      film
        ? number("Length", took(film.duration_s * 1000), `${count(film.num_frames, "frame")}, ${film.width} \u00d7 ${film.height}`)
        : number("Length", "none", "there is no film"),
      number("Cost of the clips", usd(money.cost_nano_usd), "in all runs"),
      number("Estimate", usd(money.quoted_nano_usd), difference ? `${usd(Math.abs(difference))} ${difference > 0 ? "less" : "more"} than paid` : "exactly what was paid"),
      number("Paid in this run", usd(money.in_this_run_nano_usd), orders ? count(orders, "order") : "nothing was ordered"),
      number("Saved in this run", usd(money.saved_nano_usd), "was there already"),
      number("Made in", runs.length ? took(runs.at(-1).ended_ms) : "none", "from the first order to the film"),
      number("Paid in vain", usd(money.in_vain_nano_usd), money.in_vain_nano_usd ? "no clip came of it" : "every charge bought a clip"),
    );
    $("footer").textContent = `Written ${when(report.written_ms)} by shotreel. The ledger is the source of every amount.`;

    const wrong = shots.map((shot, index) => ({ shot, index })).filter(({ shot }) => shot.state !== "stored");
    if (!wrong.length) return;
    const few = wrong.slice(0, 3).map(({ shot, index }) =>
      el("li", {}, el("button", { type: "button", class: "link", onclick: () => view(index) }, shot.name), ` ${shot.error || stateOf(shot)[0]}`),
    );
    $("attention").hidden = false;
    $("attention").append(
      el("h3", {}, `${count(wrong.length, "clip")} ${wrong.length === 1 ? "is" : "are"} missing`),
      el("ul", {}, ...few),
      el("button", { type: "button", class: "link all", onclick: () => {
        filters.reset();
        filters.elements.state.value = "missing";
        apply();
        $("shots").scrollIntoView();
        filters.elements.state.focus({ preventScroll: true });
      } }, wrong.length > few.length ? `Show all ${wrong.length}` : "Show them in the sheet"),
    );
  };

  // sheet ------------------------------------------------------------------------------------

  const sheet = $("sheet");
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
    const picture = shot.sha256 && pictures[shot.sha256];
    if (picture) {
      const image = el("img", { alt: "", decoding: "async" });
      image.dataset.sha256 = shot.sha256;
      frame.append(image);
      arriving.observe(image);
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

  const drawSheet = () => {
    const template = $("card").content.firstElementChild;
    shots.forEach((shot, index) => {
      const card = template.cloneNode(true);
      const [open, seekButton] = [card.querySelector(".open"), card.querySelector(".seek")];
      const [word] = stateOf(shot);
      open.dataset.index = index;
      open.setAttribute("aria-label", `${shot.name}, ${word}: look at it`);
      frameOf(shot, open.firstElementChild);
      card.querySelector(".name").append(el("span", { class: "prefix" }, `${shot.sequence}/`), shot.name.slice(shot.sequence.length + 1));
      card.querySelector(".cost").textContent = shot.origin === "shared" ? "shared" : usd(shot.cost_nano_usd);
      card.querySelector(".prompt").textContent = shot.prompt;
      card.querySelector(".facts").textContent = [short(shot.model), shot.seed === null ? null : `seed ${shot.seed}`, orderedFor(shot) ? took(orderedFor(shot)) : null].filter(Boolean).join(" \u00b7 ");
      if (shot.film) {
        seekButton.dataset.index = index;
        seekButton.textContent = clock(shot.film[0] / rate);
        seekButton.setAttribute("aria-label", `Show ${shot.name} in the film, at ${clock(shot.film[0] / rate)}`);
        seekButton.title = "Show it in the film";
      } else seekButton.remove();
      cards.push(card);
    });
    for (const shot of shots) {
      if (headings.has(shot.sequence)) continue;
      headings.set(shot.sequence, el("h3", { class: "sequence" }, shot.sequence, el("span")));
    }
    sheet.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-index]");
      if (!button) return;
      const index = Number(button.dataset.index);
      if (button.classList.contains("seek")) seek(index);
      else {
        seek(index, false);
        view(index);
      }
    });
    roving(sheet, () => visible.map((index) => cards[index]), (card) => card.querySelector(".open"));
  };

  /**
   * One stop of the tab key; arrows move between the things inside. `boxes` are what is shown, in
   * order; asking only where they are does not lay out what is in them.
   */
  const roving = (group, boxes, buttonOf) => {
    let current = [];
    const stop = (box) => {
      for (const button of current) button.tabIndex = -1;
      current = box ? (box.matches("button") ? [box] : [...box.querySelectorAll("button")]) : [];
      for (const button of current) button.tabIndex = 0;
    };
    const boxOf = (node) => boxes().find((box) => box.contains(node));
    const inNextRow = (list, at, by) => {
      const from = list[at].getBoundingClientRect();
      let best = at;
      let row;
      for (let i = at + by; i >= 0 && i < list.length; i += by) {
        const box = list[i].getBoundingClientRect();
        if (Math.abs(box.top - from.top) < 4) continue;
        row ??= box.top;
        if (Math.abs(box.top - row) > 4) break;
        if (best === at || Math.abs(box.left - from.left) < Math.abs(list[best].getBoundingClientRect().left - from.left)) best = i;
      }
      return best;
    };
    group.restart = () => stop(boxes()[0]);
    group.addEventListener("focusin", (event) => stop(boxOf(event.target)));
    group.addEventListener("keydown", (event) => {
      const list = boxes();
      const at = list.indexOf(boxOf(event.target));
      if (at < 0) return;
      const to = { ArrowRight: () => at + 1, ArrowLeft: () => at - 1, ArrowDown: () => inNextRow(list, at, 1), ArrowUp: () => inNextRow(list, at, -1), Home: () => 0, End: () => list.length - 1 }[event.key]?.();
      if (to === undefined) return;
      event.preventDefault();
      const box = list[Math.min(list.length - 1, Math.max(0, to))];
      stop(box);
      buttonOf(box).focus();
    });
    group.restart();
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
    const all = `All ${shots.length.toLocaleString("en-US")}`;
    options(fields.sequence, [["", all], ...tally((s) => s.sequence).map(([key, n]) => [`=${key}`, `${key} (${n})`])]);
    options(fields.model, [["", all], ...tally((s) => s.model).map(([key, n]) => [`=${key}`, `${key} (${n})`])]);
    const missing = shots.filter((shot) => shot.state !== "stored").length;
    options(fields.state, [["", all], ...(missing ? [["missing", `missing (${missing})`]] : []), ...tally((s) => s.state).map(([key, n]) => [`=${key}`, `${STATES[key]?.[0] ?? key} (${n})`])]);
    options(fields.order, Object.entries(ORDERS).map(([key, [words]]) => [key, words]));
    filters.addEventListener("submit", (event) => event.preventDefault());
    filters.addEventListener("input", apply);
    filters.addEventListener("reset", () => setTimeout(apply));
    $("clear").addEventListener("click", () => filters.elements.text.focus());
  };

  let placed;
  const apply = () => {
    const { text, sequence, model, state, order, view: how } = filters.elements;
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (shot, index) =>
      (!sequence.value || sequence.value === `=${shot.sequence}`) &&
      (!model.value || model.value === `=${shot.model}`) &&
      (!state.value || state.value === `=${shot.state}` || (state.value === "missing" && shot.state !== "stored")) &&
      words.every((word) => hay[index].includes(word));
    sheet.classList.toggle("list", how.value === "list");
    sheet.classList.toggle("grouped", order.value === "list");
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
    $("count").textContent = visible.length === shots.length ? `${count(shots.length, "clip")}, ${cost}` : `${visible.length.toLocaleString("en-US")} of ${count(shots.length, "clip")}, ${cost}`;
    $("none").hidden = visible.length > 0;
    $("clear").hidden = visible.length === shots.length;
    sheet.restart();
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
    sheet.replaceChildren(...nodes);
  };

  // one shot ---------------------------------------------------------------------------------

  const viewer = $("viewer");
  let viewed;

  const view = (index) => {
    viewed = index;
    const shot = shots[index];
    const [word, kind] = stateOf(shot);
    const at = visible.indexOf(index);
    const step = (by) => visible[at + by];
    const move = (by, words, label) =>
      el("button", { type: "button", "data-step": by, "aria-label": label, disabled: at < 0 || step(by) === undefined, onclick: () => view(step(by)) }, words);
    const takes = shots.map((other, i) => ({ other, i })).filter(({ other }) => shot.takes > 1 && other.sequence === shot.sequence && other.shot === shot.shot);

    const picture = shot.path
      ? el("video", { src: shot.path, controls: true, playsinline: true, loop: true, preload: "metadata", autoplay: !calm.matches, poster: pictures[shot.sha256], "aria-label": `The clip of ${shot.name}` })
      : el("div", { class: "frame empty" }, el("span", { class: `state ${kind}` }, word), el("span", { class: "why" }, shot.error), el("span", { class: "why" }, shot.remedy));
    const words = el(
      "div",
      { class: "words" },
      el("p", {}, shot.prompt),
      takes.length ? el("div", { class: "takes" }, ...takes.map(({ other, i }) => el("button", { type: "button", "aria-pressed": String(i === index), disabled: i === index, onclick: () => view(i) }, `Take ${other.take}`))) : null,
      pairs([
        ["State", [dot(kind), word]],
        ["Cost", `${usd(shot.cost_nano_usd)}${SOURCES[shot.cost_source] ? `, ${SOURCES[shot.cost_source]}` : ""}`],
        ["Estimate", usd(shot.quoted_nano_usd)],
        ["Paid", originWords(shot)],
        ["Length", shot.num_frames && `${count(shot.num_frames, "frame")}, ${+shot.duration_s.toFixed(2)} s`],
        ["In the film", shot.film && `frames ${shot.film[0]} to ${shot.film[0] + shot.film[1] - 1}, from ${clock(shot.film[0] / rate)}`],
        ["Goes on from", shot.after],
        ["Model", shot.model],
        ["Seed", shot.seed, "mono"],
        ...shot.inputs.map(([column, value]) => [plainly(column), value, "mono"]),
        ["Notes", shot.notes],
        ["Request", shot.request_id, "mono"],
        ["Clip", shot.sha256 && shot.sha256.slice(0, 16), "mono"],
      ]),
    );
    viewer.replaceChildren(
      el("header", {}, el("h2", { id: "viewer-title" }, shot.name), move(-1, "Previous", "Previous shot"), move(1, "Next", "Next shot"),
        shot.film ? el("button", { type: "button", onclick: () => { viewer.close(); seek(index); } }, "In the film") : null,
        el("button", { type: "button", class: "close", autofocus: true, onclick: () => viewer.close() }, "Close")),
      el("div", { class: "body" }, picture, words, history(shot)),
    );
    viewer.scrollTop = 0;
    if (!viewer.open) viewer.showModal();
  };

  const history = (shot) => {
    if (!shot.attempts.length) return null;
    const box = el("div", { class: "wide" });
    shot.attempts.forEach((attempt, number) => {
      const run = runs[attempt.run];
      const table = el("table", {}, el("caption", {}, shot.attempts.length > 1 ? `Order ${number + 1} of ${shot.attempts.length}: ` : "Order: ", `${attempt.model}, ${attempt.account}, ${when(run.begun_ms)}`),
        el("thead", {}, el("tr", {}, ...["State", "From the start of the run", "Took"].map((t) => el("th", { scope: "col" }, t)), el("th", { scope: "col", class: "words" }, "Because"))));
      const body = el("tbody");
      attempt.changes.forEach(([at, state, cause], i) => {
        const next = attempt.changes[i + 1];
        body.append(el("tr", {}, el("th", { scope: "row" }, state), el("td", {}, clock(at / 1000)), el("td", {}, next ? took(next[0] - at) : ""), el("td", { class: "words" }, cause)));
      });
      table.append(body);
      box.append(table);
    });
    return box;
  };

  const drawViewer = () => {
    viewer.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by || event.target.closest("video")) return;
      const button = viewer.querySelector(`[data-step='${by}']`);
      if (button && !button.disabled) {
        event.preventDefault();
        button.click();
        viewer.querySelector(`[data-step='${by}']:not(:disabled)`)?.focus();
      }
    });
    viewer.addEventListener("click", (event) => {
      if (event.target === viewer) viewer.close();
    });
    viewer.addEventListener("close", () => {
      viewer.replaceChildren();
      if (sheet.contains(document.activeElement) || document.activeElement === document.body) cards[viewed]?.querySelector(".open").focus();
    });
  };

  // cost -------------------------------------------------------------------------------------

  const table = (caption, heads, rows, foot) => {
    const cells = (row, first) => row.map((cell, i) => (i === 0 ? el(first, { scope: "row" }, cell) : cell instanceof Node ? cell : el("td", {}, cell)));
    return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
      el("table", {}, el("caption", {}, caption),
        el("thead", {}, el("tr", {}, ...heads.map((head) => (head instanceof Node ? head : el("th", { scope: "col" }, head))))),
        el("tbody", {}, ...rows.map((row) => el("tr", {}, ...cells(row, "th")))),
        foot ? el("tfoot", {}, el("tr", {}, ...cells(foot, "th"))) : null));
  };
  const more = (nano) => el("td", { class: nano > 0 ? "more" : nano < 0 ? "less" : "" }, nano ? signed(nano) : "none");

  const groupTable = (caption, what, groups) => {
    const most = Math.max(1, ...groups.map((g) => Math.max(g.cost_nano_usd, g.quoted_nano_usd)));
    const total = (key) => sum(groups.map((group) => group[key]));
    const small = (text) => el("td", { class: "hide-small" }, text);
    const meter = (group) => {
      const [bar, tick] = [el("i"), el("b")];
      bar.style.width = `${(100 * group.cost_nano_usd) / most}%`;
      tick.style.left = `max(0px, ${(100 * group.quoted_nano_usd) / most}% - 2px)`;
      return el("td", { class: "bar hide-small" }, el("span", { class: "meter", "aria-hidden": "true" }, bar, tick));
    };
    return table(caption, [what, el("td", { class: "bar hide-small" }), el("th", { scope: "col", class: "hide-small" }, "Clips"), "Estimate", "Cost", "Difference"],
      groups.map((g) => [g.key, meter(g), small(g.clips.toLocaleString("en-US")), usd(g.quoted_nano_usd), usd(g.cost_nano_usd), more(g.cost_nano_usd - g.quoted_nano_usd)]),
      ["Total", el("td", { class: "hide-small" }), small(total("clips").toLocaleString("en-US")), usd(total("quoted_nano_usd")), usd(total("cost_nano_usd")), more(total("cost_nano_usd") - total("quoted_nano_usd"))]);
  };

  const drawCost = () => {
    const difference = money.cost_nano_usd - money.quoted_nano_usd;
    const beside = money.paid_nano_usd - money.cost_nano_usd;
    const said = [`The clips were estimated at ${usd(money.quoted_nano_usd)} and cost ${usd(money.cost_nano_usd)}${difference ? `, ${usd(Math.abs(difference))} ${difference > 0 ? "more" : "less"}` : ""}.`];
    if (money.in_vain_nano_usd) said.push(`${usd(money.in_vain_nano_usd)} was paid in vain${beside ? `, ${usd(beside)} of it on top of that` : ""}.`);
    if (money.not_billed_nano_usd) said.push(`${usd(money.not_billed_nano_usd)} of it is an estimate still.`);
    $("cost-words").textContent = said.join(" ");
    const because = (text) => el("td", { class: "words" }, text);
    const reason = el("th", { scope: "col", class: "words" }, "Because");
    $("tables").append(
      groupTable("By sequence", "Sequence", money.by_sequence),
      groupTable("By model", "Model", money.by_model),
    );
    if (money.differences.length)
      $("tables").append(table("Estimate against actual", ["Shot", "Estimate", "Cost", "Difference", reason],
        money.differences.map(([name, quoted, cost, why]) => [name, usd(quoted), usd(cost), more(cost - quoted), because(why)])));
    if (money.in_vain.length)
      $("tables").append(table("Paid in vain", ["Shot", "Paid", reason.cloneNode(true)],
        money.in_vain.map(([name, cost, why]) => [name, usd(cost), because(why)])));
  };

  // time -------------------------------------------------------------------------------------

  const times = window.shotreelTimes({ report, usd, took, clock, count, when, el, view, words: $("time-words"), host: $("times") });

  drawHead();
  drawFilm();
  drawViewer();
  drawSheet();
  drawFilters();
  drawCost();
  apply();

  addEventListener("beforeprint", () => {
    document.documentElement.classList.add("paper");
    for (const image of sheet.querySelectorAll("img:not([src])")) load(image);
    times.redraw();
  });
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("paper");
    times.redraw();
  });
})();
