"use strict";
// A region drawn by hand on a camera's background: a dragged rectangle, or a polygon of clicked corners, or typed
// numbers.
(function (app) {
  const { h, s, $ } = app, { shorten } = app.text;
  let model, points = [], camera = 0, from = null, polygon = false;

  const clamp = (v) => Math.max(0, Math.min(1, v));
  const streamOf = () => model.facts.streams[model.facts.cameras[camera].streams[0]];

  function draw() {
    const { shown_width: width, shown_height: height } = streamOf();
    const shape = points.map(([x, y]) => x * width + "," + y * height).join(" ");
    $("region-shape").setAttribute("viewBox", "0 0 " + width + " " + height);
    $("region-shape").replaceChildren(s("polygon", { points: shape }),
      ...points.map(([x, y]) => s("circle", { cx: x * width, cy: y * height, r: width / 120 })));
    $("region-numbers").value = points.flat().map((v) => (v * 100).toFixed(1)).join(", ");
    $("region-use").disabled = points.length < 3;
  }

  function at(event) {
    const box = $("region-shape").getBoundingClientRect();
    return [clamp((event.clientX - box.left) / box.width), clamp((event.clientY - box.top) / box.height)];
  }

  function rectangle(a, b) {
    return [[a[0], a[1]], [b[0], a[1]], [b[0], b[1]], [a[0], b[1]]];
  }

  const pointer = {
    pointerdown(event) {
      event.preventDefault();
      if (polygon) {
        points = [...points, at(event)];
        draw();
        return;
      }
      from = at(event);
      $("region-shape").setPointerCapture(event.pointerId);
    },
    pointermove(event) {
      if (!from) return;
      points = rectangle(from, at(event));
      draw();
    },
    pointerup() { from = null; },
    pointercancel() { from = null; },
  };

  // Pairs of per cent; two corners are a rectangle.
  function typed(text) {
    const numbers = text.split(/[\s,;]+/).filter(Boolean).map((v) => Number(v) / 100);
    if (numbers.length < 4 || numbers.length % 2 || !numbers.every((v) => v >= 0 && v <= 1)) return null;
    const pairs = [];
    for (let k = 0; k < numbers.length; k += 2) pairs.push([numbers[k], numbers[k + 1]]);
    return pairs.length === 2 ? rectangle(pairs[0], pairs[1]) : pairs;
  }

  function board() {
    const back = app.text.file(streamOf().background), { shown_width: width, shown_height: height } = streamOf();
    const frame = h("div", { class: "frame", at: { "--ratio": String(width / height) } },
      back ? h("img", { src: back, alt: "Background of the camera", width, height, draggable: "false" })
        : h("p", { class: "lost" }, "No background picture of this camera; the region is drawn on its bare frame."),
      s("svg", { id: "region-shape", class: "overlay drawing", preserveAspectRatio: "none", role: "img",
        "aria-label": "The drawn region", on: pointer }));
    $("region-board").replaceChildren(frame);
    draw();
  }

  function choices() {
    const cameras = model.facts.cameras.map((each, k) => [each, k]).filter(([each]) => each.streams.length);
    const turn = (change) => {
      change();
      points = [];
      board();
    };
    return h("div", { class: "tabs" },
      h("label", { class: "field inline" }, h("span", {}, "Camera"),
        h("select", { on: { change: (event) => turn(() => { camera = Number(event.target.value); }) } },
          ...cameras.map(([each, k]) => h("option", { value: k, selected: k === camera }, shorten(each.name, 60))))),
      h("label", { class: "check" },
        h("input", {
          type: "checkbox", checked: polygon,
          on: { change: (event) => turn(() => { polygon = event.target.checked; }) },
        }),
        "Polygon: click its corners"),
      h("button", { type: "button", on: { click: () => turn(() => {}) } }, "Clear"));
  }

  function numbers() {
    const take = (event) => {
      const given = typed(event.target.value);
      if (!given) {
        app.say("Write pairs of numbers from 0 to 100: two corners of a rectangle, or three and more of a polygon.");
        return;
      }
      points = given;
      draw();
    };
    return h("label", { class: "field" },
      h("span", {}, "Or type corners in per cent of the picture: x1, y1, x2, y2, …"),
      h("input", { type: "text", id: "region-numbers", autocomplete: "off", on: { change: take } }));
  }

  function build(dialog, state, use) {
    const done = () => {
      state.region = { camera, points };
      dialog.close();
      use();
    };
    dialog.replaceChildren(h("form", { method: "dialog" },
      h("h2", { id: "region-title" }, "Region of the picture"),
      h("p", { class: "soft" },
        "Shows the events whose path (the foot of each box) enters the region or runs through it."),
      choices(), h("div", { id: "region-board" }), numbers(),
      h("div", { class: "two right" }, h("button", { type: "button", on: { click: () => dialog.close() } }, "Cancel"),
        h("button", { type: "button", id: "region-use", class: "primary", disabled: true, on: { click: done } },
          "Use this region"))));
  }

  function open(given, state, use) {
    model = given;
    const dialog = $("region");
    if (state.region) ({ camera, points } = state.region);
    else {
      points = [];
      const drawable = model.facts.cameras.findIndex((each) => each.streams.length);
      camera = state.camera.size ? [...state.camera][0] : Math.max(camera, drawable);
    }
    build(dialog, state, use);
    dialog.showModal();
    board();
  }

  app.region = { open, typed };
})(window.vidreview);
