// The map shows the face that is pointed at, and marks the person of one that is clicked. All else works without.
"use strict";

// The page is there before the faces further down are; they follow as soon as it is, since on paper all are wanted.
window.addEventListener("load", () => {
  setTimeout(() => {
    for (const image of document.images) image.loading = "eager";
  }, 200);
});

const map = document.querySelector(".map");
const dots = [...document.querySelectorAll(".map circle")];
const hover = document.querySelector(".map .hover");
const captions = JSON.parse(document.querySelector(".map .captions")?.textContent ?? "[]");

map?.addEventListener("pointerover", ({ target }) => {
  const i = dots.indexOf(target);
  hover.hidden = i < 0;
  if (hover.hidden) return;
  const { across, down, side } = map.dataset;
  const [picture, words] = hover.children;
  const at = i % (across * down);
  picture.className = `sheet-${Math.floor(i / (across * down))}`;
  picture.style.backgroundPosition = `${-(at % across) * side}px ${-Math.floor(at / across) * side}px`;
  words.textContent = captions[i];
  const frame = map.getBoundingClientRect();
  const dot = target.getBoundingClientRect();
  const right = dot.right - frame.left + 10;
  hover.style.left = `${right + hover.offsetWidth > frame.width ? dot.left - frame.left - 10 - hover.offsetWidth : right}px`;
  hover.style.top = `${Math.max(4, Math.min(dot.top - frame.top - 60, frame.height - hover.offsetHeight - 4))}px`;
});
map?.addEventListener("pointerleave", () => (hover.hidden = true));
map?.addEventListener("click", ({ target }) => {
  const person = target.matches(".mark") ? undefined : target.dataset.p;
  map.classList.toggle("marked", person !== undefined);
  for (const dot of dots) dot.classList.toggle("mark", person !== undefined && dot.dataset.p === person);
});
