// The map shows the face that is pointed at, and marks the person of one that is clicked. All else works without.
"use strict";

// The page is there before the faces further down are; they follow as soon as it is, since on paper all are wanted.
window.addEventListener("load", () => {
  setTimeout(() => {
    for (const image of document.images) image.loading = "eager";
  }, 200);
});

for (const map of document.querySelectorAll(".map")) {
  const svg = map.querySelector("svg");
  const hover = map.querySelector(".hover");
  const picture = hover.querySelector("i");
  const captions = JSON.parse(map.querySelector(".captions").textContent);
  const dots = [...svg.querySelectorAll("circle")];
  const places = new Map(dots.map((dot, i) => [dot, i]));
  const { across, down, side } = map.dataset;
  const each = across * down;
  const scale = 118 / side;

  const show = (dot) => {
    const i = places.get(dot);
    const at = i % each;
    const rows = Math.ceil(Math.min(each, dots.length - (i - at)) / across);
    picture.className = `sheet-${Math.floor(i / each)}`;
    picture.style.backgroundSize = `${across * side * scale}px ${rows * side * scale}px`;
    picture.style.backgroundPosition =
      `${-(at % across) * side * scale}px ${-Math.floor(at / across) * side * scale}px`;
    hover.querySelector("span").textContent = captions[i];
    hover.hidden = false;
    const frame = map.getBoundingClientRect();
    const box = dot.getBoundingClientRect();
    const x = box.left + box.width / 2 - frame.left;
    const y = box.top + box.height / 2 - frame.top;
    hover.style.left = `${x + 14 + 132 > frame.width ? x - 14 - 132 : x + 14}px`;
    hover.style.top = `${Math.max(4, Math.min(y - 60, frame.height - hover.offsetHeight - 4))}px`;
  };

  const mark = (person) => {
    map.classList.toggle("marked", person !== undefined);
    for (const dot of dots) dot.classList.toggle("mark", person !== undefined && dot.dataset.p === person);
  };

  svg.addEventListener("pointerover", (event) => {
    if (places.has(event.target)) show(event.target);
    else hover.hidden = true;
  });
  svg.addEventListener("pointerleave", () => {
    hover.hidden = true;
  });
  let marked;
  svg.addEventListener("click", (event) => {
    const person = event.target.dataset.p;
    marked = person === marked ? undefined : person;
    mark(marked);
    if (places.has(event.target)) show(event.target);
  });
}
