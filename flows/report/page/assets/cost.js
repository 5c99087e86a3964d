/* What the clips have cost, against what they were estimated at. */
"use strict";

const cost = (() => {
  const { money } = facts;
  const { number, signed, sum, usd } = words;
  const { $, el, table } = elements;

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
      groups.map((g) => [g.key, meter(g), small(number(g.clips)), usd(g.quoted_nano_usd), usd(g.cost_nano_usd), more(g.cost_nano_usd - g.quoted_nano_usd)]),
      ["Total", el("td", { class: "hide-small" }), small(number(total("clips"))), usd(total("quoted_nano_usd")), usd(total("cost_nano_usd")), more(total("cost_nano_usd") - total("quoted_nano_usd"))]);
  };

  const draw = () => {
    const difference = money.cost_nano_usd - money.quoted_nano_usd;
    const said = [`The film was estimated at ${usd(money.quoted_nano_usd)} and has cost ${usd(money.cost_nano_usd)}${difference ? `, ${usd(Math.abs(difference))} ${difference > 0 ? "more" : "less"}` : ""}.`];
    if (money.beside.length) said.push(`Of it, ${money.beside.map(([why, cost]) => `${usd(cost)} ${words.BESIDE[why]}`).join(", ")}.`);
    if (money.not_billed_nano_usd) said.push(`${usd(money.not_billed_nano_usd)} of it is an estimate still.`);
    if (money.awaited_nano_usd) said.push(`Orders that were estimated at ${usd(money.awaited_nano_usd)} are not billed yet.`);
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
    if (money.not_in_film.length)
      $("tables").append(table("Paid, and not in the film", ["Shot", "Paid", reason.cloneNode(true)],
        money.not_in_film.map(([name, cost, why]) => [name, usd(cost), because(why)])));
  };

  return { draw };
})();
