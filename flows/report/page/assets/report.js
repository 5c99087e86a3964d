/* The page is drawn, on the screen and for paper. */
"use strict";

for (const part of [head, player, viewer, room, sheet, seams, cost]) part.draw();

addEventListener("beforeprint", () => {
  document.documentElement.classList.add("paper");
  sheet.loadAll();
  times.redraw();
});
addEventListener("afterprint", () => {
  document.documentElement.classList.remove("paper");
  times.redraw();
});
