/* The film, the strip of its shots below it, and beside it the shot that is seen. */
"use strict";

const player = (() => {
  const { film, places, rate, shots } = facts;
  const { at, costOf, count, paidFor, plainly, sum } = words;
  const { $, el, pairs, roving } = elements;
  const video = $("player");
  const inFilm = places.filter((place) => place.index !== undefined);

  const placeAt = (frame) => {
    let [low, high] = [0, places.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (places[middle].first <= frame) low = middle;
      else high = middle - 1;
    }
    return places[low];
  };

  /** To the middle of a frame: the exact border of two may show either. */
  const seekFrame = (frame, show = true) => {
    if (!film) return;
    video.currentTime = (frame + 0.5) / rate;
    if (show) {
      $("film").scrollIntoView({ block: "start" });
      video.focus({ preventScroll: true });
    }
  };
  const seek = (index, show = true) => {
    if (shots[index].film) seekFrame(shots[index].film[0], show);
  };

  // the strip --------------------------------------------------------------------------------

  const STRIP_SHOTS = 160; // more would be thinner than a finger and a pixel
  const buttons = new Map();

  /** The places by sequence; a card goes with what comes after it, the last one with what is before. */
  const parts = () => {
    const found = [];
    let cards = [];
    for (const place of places) {
      if (place.index === undefined) {
        cards.push(place);
        continue;
      }
      const name = shots[place.index].sequence;
      if (found.at(-1)?.name !== name) found.push({ name, places: [] });
      found.at(-1).places.push(...cards, place);
      cards = [];
    }
    found.at(-1)?.places.push(...cards);
    return found;
  };

  const drawStrip = () => {
    for (const part of parts()) {
      const row = el("div", { class: "shots" });
      for (const group of places.length <= STRIP_SHOTS ? part.places.map((place) => [place]) : [part.places]) {
        const [first] = group;
        const notable = group.filter(({ index }) => seams.isNotable(shots[index]?.seam)).length;
        const what = group.length > 1 ? `Sequence ${part.name}` : first.index === undefined ? plainly(first.name) : first.name;
        const title = notable ? `${what}, ${group.length > 1 ? count(notable, "seam") : "its seam is"} to look at` : what;
        const button = el("button", {
          type: "button",
          title,
          class: [notable && "seam", first.index === undefined && group.length === 1 && "title"].filter(Boolean).join(" ") || null,
          "aria-label": `${title}, at ${at(first.first)}`,
          onclick: () => seekFrame(first.first, false),
        });
        button.style.flexGrow = sum(group.map((place) => place.frames));
        button.tabIndex = -1;
        for (const place of group) buttons.set(place, button);
        row.append(button);
      }
      const box = el("div", { class: "part" }, row, el("span", { class: "label", title: part.name }, part.name));
      box.style.flexGrow = sum(part.places.map((place) => place.frames));
      $("strip").append(box);
    }
    const all = [...new Set(buttons.values())];
    roving($("strip"), () => all, (button) => button);
  };

  // what is seen -----------------------------------------------------------------------------

  let shown;
  const showNow = (place) => {
    if (place === undefined || place === shown) return;
    buttons.get(shown)?.removeAttribute("aria-current");
    buttons.get(place)?.setAttribute("aria-current", "true");
    shown = place;
    const when = `In the film at ${at(place.first)}`;
    if (place.index === undefined) {
      $("now").replaceChildren(el("p", { class: "kicker" }, `${when}, a card`), el("h3", {}, plainly(place.name)));
      return;
    }
    const shot = shots[place.index];
    $("now").replaceChildren(
      el("p", { class: "kicker" }, `${when}, shot ${inFilm.indexOf(place) + 1} of ${inFilm.length}`),
      el("h3", {}, shot.name),
      el("p", { class: "prompt" }, shot.prompt),
      pairs([
        ["Model", shot.model],
        ["Seed", shot.seed, "mono"],
        ["Cost", costOf(shot)],
        ["Paid", paidFor(shot)],
        ["Begins", seams.told(shot.seam), seams.isNotable(shot.seam) ? "warn" : null],
      ]),
      el("button", { type: "button", onclick: () => viewer.view(place.index) }, "Look at the shot"),
    );
  };

  /** Made here: a page that is opened as a file may not load subtitles beside it. */
  const subtitle = () => {
    if (!film.cues.length) return;
    const track = video.addTextTrack("captions", "Dialogue");
    const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
    for (const [from, to, text] of film.cues) track.addCue(new VTTCue(from / 1000, to / 1000, plain(text)));
    track.mode = "showing";
  };

  const draw = () => {
    if (!film) {
      video.hidden = true;
      $("strip").hidden = true;
      $("no-film").hidden = false;
      $("no-film").textContent = facts.film_error || "There is no film: no clip is there.";
      return;
    }
    document.documentElement.style.setProperty("--shape", `${film.width} / ${film.height}`);
    video.src = film.path;
    if (facts.poster) {
      video.poster = facts.poster;
      video.after(el("img", { class: "printed", src: facts.poster, alt: "" }));
    }
    video.setAttribute("aria-label", `The film ${facts.title}`);
    subtitle();
    drawStrip();
    const follow = () => {
      showNow(placeAt(Math.floor(video.currentTime * rate)));
      if (!video.paused && video.requestVideoFrameCallback) video.requestVideoFrameCallback(follow);
    };
    for (const event of ["play", "seeked", "timeupdate"]) video.addEventListener(event, follow);
    showNow(inFilm[0]);
  };

  return { draw, seek, seekFrame };
})();
