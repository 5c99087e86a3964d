/* Where the time went: three uPlot charts over one time axis, drawn on canvas at any number of shots. */
"use strict";

const times = (() => {
  const { runs, shots } = facts;
  const { clock, count, number, took, usd, when } = words;
  const { $, el } = elements;
  const host = $("times");
  const KINDS = {
    shot: "Waiting for the shot before",
    turn: "Waiting for room",
    order: "Sending the order",
    doubt: "Asking what became of it",
    make: "At the provider",
    fetch: "Download and check",
    stitch: "Stitching",
  };
  const WAITS = ["shot", "turn"];
  const ROW_PX = 18;
  const AXIS_PX = 30;
  const MOST_PX = 440;
  const PRINTED_ROWS = 40;
  const CHART_PX = 140;
  const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];

  if (!runs.length) {
    $("time-words").textContent = "Nothing was ordered yet.";
    return { rows() {}, redraw() {} };
  }

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const paper = () => document.documentElement.classList.contains("paper");
  /** On paper twice as large and shown at half the size: as sharp as print, also from a coarse screen. */
  const k = () => (paper() ? 2 : 1);
  const PAPER_PX = 680;
  const key = (kind) => {
    const box = el("span", { class: "key", "aria-hidden": "true" });
    box.style.background = `var(--${kind})`;
    return box;
  };

  let run = Math.max(0, runs.findIndex((r) => r.is_this));
  if (!runs[run].is_this) run = runs.length - 1;
  let visible = [];
  let rows = [];
  let range = [0, 1];
  let soon;

  // frame ------------------------------------------------------------------------------------

  const choose = el("select", { onchange: (event) => { run = Number(event.target.value); draw(); } });
  runs.forEach((r, index) =>
    choose.append(el("option", { value: index }, `${when(r.begun_ms)}, ${count(r.attempts, "order")}${r.is_this ? ", this run" : ""}`)));
  const summary = el("div", { class: "scroll" });
  const scroller = el("div", { class: "gantt", tabindex: 0, role: "region" });
  const pin = el("div", { class: "pin chart" });
  const spacer = el("div");
  scroller.append(pin, spacer);
  const flow = el("div", { class: "chart", role: "img" });
  const spend = el("div", { class: "chart", role: "img" });
  const cut = el("span", { class: "live" });
  const flowNow = el("span", { class: "live" });
  const spendNow = el("span", { class: "live" });
  const tip = el("div", { class: "tip", hidden: true, role: "tooltip" });
  const zoom = (by) => () => {
    const [from, to] = [charts[0].scales.x.min, charts[0].scales.x.max];
    const [middle, half] = [(from + to) / 2, (by * (to - from)) / 2];
    show(Math.max(range[0], middle - half), Math.min(range[1], middle + half));
  };
  const label = el("label", {}, el("span", {}, "Run"), choose);
  label.hidden = runs.length < 2;
  host.append(
    label,
    summary,
    el("div", { class: "tools" }, el("h3", {}, "What waited for what ", cut),
      el("button", { type: "button", "aria-label": "Zoom in", onclick: zoom(0.5) }, "+"),
      el("button", { type: "button", "aria-label": "Zoom out", onclick: zoom(2) }, "\u2212"),
      el("button", { type: "button", onclick: () => show(...range) }, "Whole run")),
    scroller,
    el("div", { class: "tools" }, el("h3", {}, "Clips under way ", flowNow)),
    flow,
    el("div", { class: "tools" }, el("h3", {}, "Paid in the run ", spendNow)),
    spend,
    tip,
  );

  // data -------------------------------------------------------------------------------------

  const collect = () => {
    rows = [];
    const seen = new Set();
    for (const index of visible) {
      const shot = shots[index];
      const phases = [];
      let end = 0;
      for (const attempt of shot.attempts) {
        if (attempt.run !== run) continue;
        phases.push(...attempt.phases);
        end = Math.max(end, attempt.changes.at(-1)?.[0] ?? 0);
      }
      if (!phases.length) continue;
      if (shot.origin === "shared" && seen.has(shot.sha256)) continue;
      seen.add(shot.sha256);
      rows.push({ index, name: shot.name, phases, failed: shot.state !== "stored", end, after: shot.after });
    }
    rows.sort((a, b) => a.phases[0][1] - b.phases[0][1] || firstMade(a) - firstMade(b) || a.index - b.index);
    for (const [name, from, to] of runs[run].stitched) rows.push({ index: null, name, phases: [["stitch", from, to]], end: to });
    rows.byName = new Map(rows.map((row, place) => [row.name, place]));
  };
  const firstMade = (row) => row.phases.find(([kind]) => !WAITS.includes(kind))?.[1] ?? Infinity;

  /** [times, at the provider, waiting], a step wherever one of them changes. */
  const underWay = () => {
    const edges = [];
    for (const row of rows)
      for (const [kind, from, to] of row.phases) {
        const lane = kind === "make" || kind === "doubt" ? 0 : WAITS.includes(kind) ? 1 : kind === "fetch" ? 2 : null;
        if (lane !== null) edges.push([from, lane, 1], [to, lane, -1]);
      }
    edges.sort((a, b) => a[0] - b[0]);
    const data = [[0], [0], [0], [0]];
    for (const [at, lane, by] of edges) {
      const last = data[0].length - 1;
      if (data[0][last] === at / 1000) data[lane + 1][last] += by;
      else {
        data[0].push(at / 1000);
        for (const other of [0, 1, 2]) data[other + 1].push(data[other + 1][last] + (other === lane ? by : 0));
      }
    }
    data[0].push(range[1]);
    for (const lane of [1, 2, 3]) data[lane].push(data[lane].at(-1));
    return data;
  };
  const paid = () => {
    const data = [[0], [0]];
    for (const [at, nano] of runs[run].spend) {
      data[0].push(at / 1000);
      data[1].push(nano / 1e9);
    }
    data[0].push(range[1]);
    data[1].push(data[1].at(-1));
    return data;
  };

  // charts -----------------------------------------------------------------------------------

  let charts = [];
  const width = () => (paper() ? PAPER_PX : Math.max(200, host.clientWidth));
  const gutter = () => (width() < 640 ? 76 : 170);
  const font = (px) => `${px * k()}px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif`;

  const axis = (extra) => ({
    font: font(12),
    stroke: () => colour("ink-2"),
    grid: { stroke: () => colour("line"), width: k() },
    gap: 5 * k(),
    ticks: { show: false },
    ...extra,
  });
  const timeAxis = () =>
    axis({
      size: AXIS_PX * k(),
      incrs: STEPS,
      space: 70 * k(),
      values: (u, splits, _, __, step) => splits.map((s) => clock(s, step < 1 ? 1 : 0)),
    });

  const chart = (target, height, data, series, yAxis, more = {}) =>
    new uPlot(
      {
        width: width() * k(),
        height: height * k(),
        padding: [8 * k(), 12 * k(), 0, 0],
        legend: { show: false },
        cursor: { sync: { key: "time", scales: ["x", null] }, drag: { x: true, y: false, dist: 6 }, y: false, points: { show: false } },
        scales: { x: { time: false, range: (u, from, to) => [from ?? range[0], to ?? range[1]] }, ...more.scales },
        axes: [timeAxis(), axis({ size: gutter() * k(), ...yAxis })],
        series: [{}, ...series],
        hooks: more.hooks ?? {},
      },
      data,
      target,
    );

  const steps = uPlot.paths.stepped({ align: 1 });
  const whole = (u, splits) => splits.map((n) => (Number.isInteger(n) ? n.toLocaleString("en-US") : ""));

  const draw = () => {
    collect();
    for (const old of charts) old.destroy();
    range = [0, Math.max(0.1, Math.max(runs[run].ended_ms, ...rows.map((row) => row.end)) / 1000)];
    drawSummary();
    const full = rows.length * ROW_PX + 8;
    const height = paper() ? Math.min(rows.length, PRINTED_ROWS) * ROW_PX + 8 : Math.min(full, MOST_PX);
    cut.textContent = paper() && rows.length > PRINTED_ROWS ? `the first ${PRINTED_ROWS} of ${number(rows.length)}` : "";
    scroller.style.height = `${height + AXIS_PX + 2}px`;
    spacer.style.height = `${Math.max(0, full - height)}px`;
    scroller.setAttribute("aria-label", `When each of ${count(rows.length, "row")} waited, was made and was fetched. Each shot's own page has it as a table.`);
    const gantt = chart(pin, height + AXIS_PX, [[0, range[1]], [null, null]], [{}], { splits: () => [], grid: { show: false } }, {
      scales: { y: { range: [0, 1] } },
      hooks: { draw: [drawRows], ready: [listen] },
    });
    const live = (target, say) => ({ hooks: { setCursor: [(u) => (target.textContent = u.cursor.idx == null ? "" : say(u, u.cursor.idx))] } });
    const lane = (kind, name) => ({ label: name, stroke: () => colour(kind), fill: () => colour(kind) + "33", width: 1.5 * k(), paths: steps, points: { show: false } });
    const flowChart = chart(flow, CHART_PX, underWay(), [lane("make", "at the provider"), lane("turn", "waiting"), lane("fetch", "being fetched")],
      { values: whole, space: 28 * k() },
      live(flowNow, (u, i) => `at ${clock(u.data[0][i])}: ${u.data[1][i]} at the provider, ${u.data[2][i]} waiting, ${u.data[3][i]} being fetched`));
    const spendChart = chart(spend, CHART_PX, paid(), [{ ...lane("accent", "paid") }],
      { values: (u, splits) => splits.map((n) => `$${n.toLocaleString("en-US", { minimumFractionDigits: 2 })}`), space: 28 * k() },
      live(spendNow, (u, i) => `at ${clock(u.data[0][i])}: ${usd(Math.round(u.data[1][i] * 1e9))}`));
    charts = [gantt, flowChart, spendChart];
    const most = Math.max(...flowChart.data[1]);
    flow.setAttribute("aria-label", `Clips under way over time; at most ${most} at the provider at once.`);
    spend.setAttribute("aria-label", `Paid over the time of the run: ${usd(runs[run].spend.at(-1)?.[1] ?? 0)} in the end.`);
  };

  const show = (from, to) => {
    for (const each of charts) each.setScale("x", { min: from, max: to });
  };

  const drawRows = (u) => {
    const { ctx, bbox } = u;
    const px = devicePixelRatio * k();
    const rowPx = ROW_PX * px;
    const top = paper() ? 0 : scroller.scrollTop * px;
    const first = Math.max(0, Math.floor(top / rowPx));
    const last = Math.min(rows.length, Math.ceil((top + bbox.height) / rowPx));
    const colours = Object.fromEntries([...Object.keys(KINDS), "ink", "ink-2", "bad", "line", "edge"].map((name) => [name, colour(name)]));
    const y = (place) => bbox.top + place * rowPx - top;
    const x = (ms) => u.valToPos(ms / 1000, "x", true);
    ctx.save();
    ctx.beginPath();
    ctx.rect(0, bbox.top, bbox.left + bbox.width, bbox.height);
    ctx.clip();
    ctx.font = font((11.5 * px) / k());
    ctx.textAlign = "left";
    ctx.textBaseline = "middle";
    const room = bbox.left - 10 * px;
    for (let place = first; place < last; place++) {
      ctx.fillStyle = rows[place].failed ? colours.bad : colours["ink-2"];
      ctx.fillText(fitted(ctx, rows[place].name, room), 0, y(place) + rowPx / 2);
    }
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (let place = first; place < last; place++) {
      const row = rows[place];
      for (const [kind, from, to] of row.phases) {
        const left = x(from);
        ctx.fillStyle = colours[kind];
        const thin = WAITS.includes(kind);
        ctx.fillRect(left, y(place) + rowPx * (thin ? 0.42 : 0.2), Math.max(px, x(to) - left), rowPx * (thin ? 0.16 : 0.6));
      }
      if (row.failed) {
        const [at, middle, arm] = [x(row.end) + 6 * px, y(place) + rowPx / 2, 3.5 * px];
        ctx.strokeStyle = colours.bad;
        ctx.lineWidth = 2 * px;
        ctx.beginPath();
        ctx.moveTo(at - arm, middle - arm);
        ctx.lineTo(at + arm, middle + arm);
        ctx.moveTo(at - arm, middle + arm);
        ctx.lineTo(at + arm, middle - arm);
        ctx.stroke();
      }
      const parent = row.after === undefined || row.after === null ? undefined : rows.byName.get(row.after);
      if (parent !== undefined) {
        const from = x(rows[parent].end);
        const begin = x(row.phases.find(([kind]) => kind !== "shot")?.[1] ?? rows[parent].end);
        ctx.strokeStyle = colours.edge;
        ctx.lineWidth = px;
        ctx.beginPath();
        ctx.moveTo(from, y(parent) + rowPx * 0.8);
        ctx.lineTo(from, y(place) + rowPx / 2);
        ctx.lineTo(begin, y(place) + rowPx / 2);
        ctx.stroke();
      }
    }
    ctx.restore();
  };

  /** The text, its end cut where there is no room: the end tells shots apart, so the middle goes. */
  const fitted = (ctx, text, room) => {
    if (ctx.measureText(text).width <= room) return text;
    let keep = text.length - 1;
    const cut = () => `${text.slice(0, Math.floor(keep / 3))}\u2026${text.slice(text.length - Math.ceil((2 * keep) / 3))}`;
    while (keep > 2 && ctx.measureText(cut()).width > room) keep--;
    return cut();
  };

  const rowAt = (u, event) => {
    const box = u.over.getBoundingClientRect();
    const row = rows[Math.floor((event.clientY - box.top + scroller.scrollTop) / ROW_PX)];
    return [row, u.posToVal(event.clientX - box.left, "x") * 1000];
  };
  const listen = (u) => {
    let pressed = 0;
    u.over.addEventListener("mousedown", (event) => (pressed = event.clientX));
    u.over.addEventListener("click", (event) => {
      const [row] = rowAt(u, event);
      if (row && row.index !== null && Math.abs(event.clientX - pressed) < 4) viewer.view(row.index);
    });
    u.over.addEventListener("mouseleave", () => (tip.hidden = true));
    u.over.addEventListener("mousemove", (event) => {
      const [row, at] = rowAt(u, event);
      tip.hidden = !row;
      if (!row) return;
      const phase = row.phases.find(([, from, to]) => from <= at && at <= to);
      const told = phase ? `${KINDS[phase[0]]}${phase[0] === "shot" && row.after ? ` (${row.after})` : ""}: ${took(phase[2] - phase[1])}` : `${took(row.end - row.phases[0][1])} in all`;
      tip.replaceChildren(el("strong", {}, row.name), el("br"), told);
      const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
      tip.style.left = `${left}px`;
      tip.style.top = `${Math.min(event.clientY + 16, innerHeight - tip.offsetHeight - 8)}px`;
    });
  };

  // words and numbers ------------------------------------------------------------------------

  const drawSummary = () => {
    const { took: kinds, stitched, attempts } = runs[run];
    const film = stitched.find(([name]) => name === "the film");
    const last = Math.max(0, ...shots.flatMap((shot) => shot.attempts.filter((a) => a.run === run).map((a) => a.changes.at(-1)?.[0] ?? 0)));
    $("time-words").textContent = `${count(attempts, "order")}; the last clip was settled after ${took(last)}${film ? `, the film was ready ${took(Math.max(0, film[2] - last))} later` : ""}.`;
    const all = kinds.reduce((a, [, , total]) => a + total, 0) || 1;
    const lines = kinds.map(([kind, n, total, median, longest]) => line(kind, n, total, median, longest, total / all));
    if (stitched.length) {
      const each = stitched.map(([, from, to]) => to - from).sort((a, b) => a - b);
      lines.push(line("stitch", each.length, each.reduce((a, b) => a + b, 0), each[each.length >> 1], each.at(-1), null));
    }
    const head = ["", "Clips", "Typical", "Longest", "Together"];
    summary.replaceChildren(
      el("table", {}, el("caption", {}, "Where the time went"),
        el("thead", {}, el("tr", {}, ...head.map((text, i) => el("th", { scope: "col", class: i === 1 ? "hide-small" : null }, text)), el("td", { class: "bar hide-small" }))),
        el("tbody", {}, ...lines)),
    );
  };
  const line = (kind, n, total, median, longest, share) => {
    const meter = el("span", { class: "meter", "aria-hidden": "true" });
    const bar = el("i");
    bar.style.width = `${100 * (share ?? 0)}%`;
    bar.style.background = `var(--${kind})`;
    meter.append(bar);
    return el("tr", {}, el("th", { scope: "row" }, key(kind), KINDS[kind]), el("td", { class: "hide-small" }, number(n)), el("td", {}, took(median)), el("td", {}, took(longest)), el("td", {}, took(total)), el("td", { class: "bar hide-small" }, share === null ? null : meter));
  };

  // life -------------------------------------------------------------------------------------

  scroller.addEventListener("scroll", () => charts[0]?.redraw(false, false));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
  let drawn = 0;
  new ResizeObserver(() => {
    if (host.clientWidth === drawn || paper()) return;
    drawn = host.clientWidth;
    if (charts.length) draw();
  }).observe(host);

  return {
    /** These shots, and no others, are drawn; while somebody types, when there is a pause. */
    rows(indexes) {
      visible = indexes;
      clearTimeout(soon);
      if (charts.length) soon = setTimeout(draw, 150);
      else draw();
    },
    redraw: draw,
  };
})();
