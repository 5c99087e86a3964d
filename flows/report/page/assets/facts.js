/*
 * What the page is about: everything that is written on it comes from the two JSON blocks, as text
 * alone. Scripts run one after another; of those after it a script speaks only inside a function.
 */
"use strict";

const facts = (() => {
  const of = (id) => JSON.parse(document.getElementById(id).textContent);
  const report = of("facts");
  const { film, shots } = report;
  const shotAt = new Map(shots.flatMap((shot, index) => (shot.film ? [[shot.film[0], index]] : [])));
  /** The film's parts in its order; `index` is the shot's, undefined for a card. */
  const places = (film?.spans ?? []).map(([name, first, frames]) => {
    const index = shotAt.get(first);
    return { name: shots[index]?.name ?? name, first, frames, index };
  });
  return { ...report, pictures: of("pictures"), places, rate: film ? film.rate[0] / film.rate[1] : 24 };
})();
