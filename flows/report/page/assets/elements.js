/* What the page is put together from. */
"use strict";

const elements = (() => {
  const $ = (id) => document.getElementById(id);

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

  /** Terms and what they are; those without a value are left out. */
  const pairs = (list) => {
    const dl = el("dl", { class: "pairs" });
    for (const [term, value, kind] of list) {
      if (value === "" || value == null) continue;
      dl.append(el("dt", {}, term), el("dd", { class: kind }, ...[value].flat()));
    }
    return dl;
  };

  /** Heads and cells are texts or elements; the first cell of a row is its head. */
  const table = (caption, heads, rows, foot) => {
    const cells = (row) => row.map((cell, i) => (i === 0 ? el("th", { scope: "row" }, cell) : cell instanceof Node ? cell : el("td", {}, cell)));
    return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
      el("table", {}, el("caption", {}, caption),
        el("thead", {}, el("tr", {}, ...heads.map((head) => (head instanceof Node ? head : el("th", { scope: "col" }, head))))),
        el("tbody", {}, ...rows.map((row) => el("tr", {}, ...cells(row)))),
        foot ? el("tfoot", {}, el("tr", {}, ...cells(foot))) : null));
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

  return { $, el, dot, pairs, table, roving };
})();
