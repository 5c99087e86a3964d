/*
 * The cutting room: compare takes, choose, mark, ask for more. Served by `shotreel review` it acts;
 * from disk it keeps what was chosen until that is exported as the choices file.
 */
"use strict";

const room = (() => {
  const { shots } = facts;
  const { count, usd } = words;
  const { $, el } = elements;
  const served = location.protocol === "http:";
  const MARKS = { approved: "a", again: "g", out: "o" };
  const KEPT = "shotreel-room";
  const chosen = new Map(Object.entries(facts.choices));
  let turn = Promise.resolve(true);
  let waiting = 0;

  const nameOf = (shot) => `${shot.sequence}/${shot.shot}`;
  const takesOf = (shot) => shots.map((other, i) => ({ other, i })).filter(({ other }) => nameOf(other) === nameOf(shot));
  const choiceOf = (shot) => chosen.get(nameOf(shot)) ?? {};
  const inFilm = (shot) => choiceOf(shot).take ?? takesOf(shot).find(({ other }) => other.film)?.other.take ?? 1;
  const stillOf = (shot) => shot.stills.find(({ number }) => number === (choiceOf(shot).still ?? shot.still));
  const isApproved = (shot) => Boolean(choiceOf(shot).approved) && choiceOf(shot).approved === stillOf(shot)?.approval;

  const say = (text) => {
    const line = $("room-said");
    if (line) line.textContent = text;
  };

  const post = async (path, asked) => {
    try {
      const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(asked) });
      const { detail, said } = await answer.json();
      say(answer.ok ? said : detail);
      return answer.ok;
    } catch {
      say("The cutting room does not answer: is shotreel review still running?");
      return false;
    }
  };

  /** One after the other: what is asked while something is being made comes after it. */
  const send = (path, asked) => {
    if (waiting) say("It is done as soon as what is being made is here\u2026");
    waiting += 1;
    turn = turn.then(() => post(path, asked)).finally(() => { waiting -= 1; });
    return turn;
  };

  /** The page is loaded anew with the new film, and goes on where it was. */
  const reload = async (index) => {
    while (waiting) await turn;
    const video = $("player");
    sessionStorage.setItem(KEPT, JSON.stringify({ time_s: video.currentTime, playing: !video.paused, shot: nameOf(shots[index]) }));
    location.reload();
  };

  const note = (shot, more) => chosen.set(nameOf(shot), { ...choiceOf(shot), ...more });

  const choose = async (index, take) => {
    const shot = shots[index];
    if (take === inFilm(shot) || !takesOf(shot).some(({ other }) => other.take === take && other.path)) return;
    if (!served) {
      note(shot, { take });
      viewer.view(index);
      return;
    }
    say(`Take ${take} is put into the film\u2026`);
    if (await send("choose", { shot: nameOf(shot), take })) reload(index);
  };

  const chooseStill = async (index, number) => {
    const shot = shots[index];
    if (number === stillOf(shot)?.number || !shot.stills.some((still) => still.number === number && still.path)) return;
    if (served && !(await send("choose", { shot: nameOf(shot), still: number }))) return;
    note(shot, { still: number });
    viewer.view(index);
    say(`Still ${number} is chosen`);
  };

  const mark = async (index, more) => {
    const shot = shots[index];
    const said = { mark: choiceOf(shot).mark ?? "", note: choiceOf(shot).note ?? "", ...more };
    const recut = "mark" in more && [choiceOf(shot).mark, said.mark].includes("out");
    if (served && !(await send("choose", { shot: nameOf(shot), ...said }))) return;
    if (said.mark === "approved") said.approved = stillOf(shot)?.approval;
    else if ("mark" in more && choiceOf(shot).mark === "approved") said.approved = "";
    note(shot, said);
    if (served && recut) {
      reload(index);
      return;
    }
    if ("mark" in more) {
      viewer.view(index);
      say(said.mark ? `Marked: ${said.mark}` : "The mark is gone");
    }
  };
  const toggle = (index, word) => mark(index, { mark: choiceOf(shots[index]).mark === word ? "" : word });

  const buy = async (index, path, asked) => {
    if (waiting) {  // pressed twice, it is not bought twice
      say("Something is being made: ask for more once it is here.");
      return;
    }
    say("Being made\u2026");
    if (await send(path, asked)) reload(index);
  };

  // the choices file ---------------------------------------------------------------------------

  const toml = () => {
    const text = (value) => JSON.stringify(value).replaceAll("\x7f", "\\u007f");
    let said = "# Chosen in report.html: keep it beside the list as NAME.choices.toml.\n";
    for (const name of new Set(shots.map(nameOf))) {
      const shot = shots.find((other) => nameOf(other) === name);
      const values = { ...choiceOf(shot), ...(shot.takes > 1 ? { takes: shot.takes, take: inFilm(shot) } : {}) };
      if (shot.stills.length > 1) Object.assign(values, { stills: shot.stills.length, still: stillOf(shot)?.number });
      const lines = ["takes", "take", "mark", "note", "stills", "still", "approved"].filter((key) => values[key]).map((key) => `${key} = ${typeof values[key] === "number" ? values[key] : text(values[key])}\n`);
      if (lines.length) said += `\n[${text(name)}]\n${lines.join("")}`;
    }
    return said;
  };
  const download = () => {
    const url = URL.createObjectURL(new Blob([toml()], { type: "application/toml" }));
    el("a", { href: url, download: "choices.toml" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  };

  // what is seen -------------------------------------------------------------------------------

  const waits = (shot) => shot.state === "waits";
  const approvedPrice = () => words.sum(shots.filter((shot) => waits(shot) && isApproved(shot)).map((shot) => shot.quoted_nano_usd));

  /** A form that buys `what`: how many, what they cost about, within which budget. */
  const order = (what, key, many, price_nano_usd, act) => {
    const number = many ? el("input", { type: "number", name: what, min: 1, max: 19, value: 1, required: true, oninput: () => { told.textContent = usd(price_nano_usd * Number(number.value || 0)); } }) : null;
    const told = el("output", {}, usd(price_nano_usd));
    const budget = el("input", { type: "text", name: "budget", inputmode: "decimal", required: true, size: 6 });
    const send = (event) => {
      event.preventDefault();
      act(budget.value, number && Number(number.value));
    };
    return el("form", { class: "purchase", "data-key": key, onsubmit: send },
      number ? el("label", {}, `More ${what} (${key}) `, number) : el("span", {}, `The ${what} of approved stills (${key})`),
      el("span", {}, " about ", told, facts.live ? "" : " (sandbox)"),
      el("label", {}, " Budget in USD ", budget),
      el("button", { type: "submit" }, "Make them"));
  };

  const panel = (index) => {
    const shot = shots[index];
    const takes = takesOf(shot);
    const compared = takes.length > 1
      ? el("div", { class: "compare", role: "group", "aria-label": "Takes beside each other" },
          ...takes.map(({ other }) => el("figure", {},
            other.path ? el("video", { src: other.path, controls: true, muted: true, loop: true, playsinline: true, preload: "metadata", "aria-label": `Take ${other.take}` }) : el("p", {}, other.state),
            el("figcaption", {}, el("button", { type: "button", "data-take": other.take, "aria-pressed": String(other.take === inFilm(shot)), disabled: !other.path, onclick: () => choose(index, other.take) }, other.take === inFilm(shot) ? `Take ${other.take} is in the film` : `Take ${other.take} into the film`)))))
      : null;
    const marks = el("div", { class: "marks", role: "group", "aria-label": "Mark" },
      ...Object.entries(MARKS).map(([word, key]) => el("button", { type: "button", "aria-pressed": String(choiceOf(shot).mark === word), "aria-keyshortcuts": key, onclick: () => toggle(index, word) }, `${word} (${key})`)));
    const noted = el("label", { class: "note-line" }, "Note (n) ", el("input", { type: "text", name: "note", maxlength: 2000, value: choiceOf(shot).note ?? "", onchange: (event) => mark(index, { note: event.target.value }) }));
    const stills = shot.stills.length
      ? el("div", { class: "compare", role: "group", "aria-label": "Stills beside each other" },
          ...shot.stills.map(({ number, path }) => el("figure", {},
            path ? el("img", { src: path, alt: `Still ${number}` }) : el("p", {}, "not here"),
            el("figcaption", {}, el("button", { type: "button", "data-still": number, "aria-pressed": String(number === stillOf(shot)?.number), disabled: !path, onclick: () => chooseStill(index, number) }, number === stillOf(shot)?.number ? `Still ${number} is chosen${isApproved(shot) ? " and approved" : ""}` : `Choose still ${number}`)))))
      : null;
    const forms = [
      waits(shot) && isApproved(shot) ? order("clips", "m", null, approvedPrice(), (budget_usd) => buy(index, "make", { budget_usd })) : null,
      shot.stills.length ? order("stills", "s", "stills", shot.still_nano_usd, (budget_usd, stills) => buy(index, "again", { shot: nameOf(shot), stills, budget_usd })) : null,
      waits(shot) ? null : order("takes", "t", "takes", shot.quoted_nano_usd, (budget_usd, takes) => buy(index, "again", { shot: nameOf(shot), takes, budget_usd })),
    ];
    return el("section", { class: "wide room", "aria-label": "Choose" }, stills, compared, marks, noted,
      ...(served ? forms : [el("button", { type: "button", class: "export", onclick: download }, "Export what was chosen")]),
      el("p", { id: "room-said", role: "status" }));
  };

  /**
   * A digit puts that take into the film, or chooses that still while the clip waits for it; a, g
   * and o mark; n goes to the note; m, s and t to the orders.
   */
  const key = (event, index) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, video")) return false;
    const word = Object.keys(MARKS).find((one) => MARKS[one] === event.key);
    const form = $("viewer").querySelector(`form[data-key="${CSS.escape(event.key)}"]`);
    if (word) toggle(index, word);
    else if (form) {
      event.preventDefault();
      form.querySelector("input").focus();
    }
    else if (/^[1-9]$/.test(event.key)) (waits(shots[index]) ? chooseStill : choose)(index, Number(event.key));
    else if (event.key === "n") {
      event.preventDefault();
      $("viewer").querySelector("input[name=note]").focus();
    } else return false;
    return true;
  };

  const draw = async () => {
    if (!served) return;
    const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
    sessionStorage.removeItem(KEPT);
    try {
      const found = await (await fetch("choices")).json();
      for (const [name, choice] of Object.entries(found)) chosen.set(name, choice);
    } catch { /* said when something is asked of it */ }
    if (!kept) return;
    const video = $("player");
    const goOn = () => {
      video.currentTime = Math.min(kept.time_s, video.duration || 0);
      if (kept.playing) video.play().catch(() => {});
    };
    if (video.readyState) goOn();
    else video.addEventListener("loadedmetadata", goOn, { once: true });
    const index = shots.findIndex((shot) => nameOf(shot) === kept.shot);
    const here = takesOf(shots[index] ?? {}).find(({ other }) => other.film)?.i ?? index;
    if (here >= 0) viewer.view(here);
  };

  return { draw, key, panel, stillOf, toml };
})();
