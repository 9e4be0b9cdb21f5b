"use strict";
// Which events are shown, in what order, and how that is written into the page's address.
(function (app) {
  const times = app.times;
  const SORTS = {
    case: "order of the case", time: "time", duration: "duration", score: "score", count: "most at once",
      camera: "camera",
    review: "review state",
  };
  const SETS = ["class", "label", "camera", "exhibit", "review"];
  const TEXTS = ["from", "to", "dayfrom", "dayto", "min", "max", "score", "q"];

  function blank(model) {
    const state = { base: model.best, sort: "case", down: false, here: false, region: null };
    for (const name of SETS) state[name] = new Set();
    for (const name of TEXTS) state[name] = "";
    return state;
  }

  function encode(state, model) {
    const query = new URLSearchParams();
    for (const name of SETS) if (state[name].size) query.set(name, [...state[name]].join("~"));
    for (const name of TEXTS) if (state[name]) query.set(name, state[name]);
    if (state.base !== model.best) query.set("base", state.base);
    if (state.sort !== "case") query.set("sort", state.sort);
    if (state.down) query.set("down", "1");
    if (state.here) query.set("here", "1");
    if (state.region) query.set("region", state.region.camera + "!" +
      state.region.points.flat().map((v) => v.toFixed(4)).join(","));
    return query;
  }

  function region(text, model) {
    const [camera, list] = text.split("!");
    const numbers = (list || "").split(",").map(Number);
    const fits = numbers.length >= 6 && numbers.length % 2 === 0 && numbers.length <= 200 &&
      numbers.every((v) => v >= 0 && v <= 1) && /^\d+$/.test(camera) && Number(camera) < model.facts.cameras.length;
    if (!fits) return null;
    const points = [];
    for (let k = 0; k < numbers.length; k += 2) points.push([numbers[k], numbers[k + 1]]);
    return { camera: Number(camera), points };
  }

  // An address may come from anybody: what does not fit is left out.
  function decode(query, model) {
    const state = blank(model);
    const sizes = { camera: model.facts.cameras.length, exhibit: model.facts.exhibits.length };
    for (const name of SETS) {
      for (const part of (query.get(name) || "").split("~").filter(Boolean)) {
        if (name in sizes) {
          if (/^\d+$/.test(part) && Number(part) < sizes[name]) state[name].add(Number(part));
        } else if (name === "class" ? app.CLASSES.includes(part) : name === "review" ? app.STATES.includes(part)
          : true) {
          state[name].add(part);
        }
      }
    }
    for (const name of TEXTS) state[name] = (query.get(name) || "").slice(0, 300);
    if (times.BASES.some(([base]) => base === query.get("base"))) state.base = query.get("base");
    if (query.get("sort") in SORTS) state.sort = query.get("sort");
    state.down = query.get("down") === "1";
    state.here = query.get("here") === "1";
    if (query.get("region")) state.region = region(query.get("region"), model);
    return state;
  }

  function inside(points, x, y) {
    let odd = false;
    for (let i = 0, j = points.length - 1; i < points.length; j = i++) {
      const [xi, yi] = points[i], [xj, yj] = points[j];
      if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) odd = !odd;
    }
    return odd;
  }

  function crosses(ax, ay, bx, by, cx, cy, dx, dy) {
    const side = (px, py, qx, qy, rx, ry) => (qx - px) * (ry - py) - (qy - py) * (rx - px);
    return side(ax, ay, bx, by, cx, cy) * side(ax, ay, bx, by, dx, dy) <= 0 &&
      side(cx, cy, dx, dy, ax, ay) * side(cx, cy, dx, dy, bx, by) <= 0 &&
      Math.max(ax, bx) >= Math.min(cx, dx) && Math.max(cx, dx) >= Math.min(ax, bx) &&
      Math.max(ay, by) >= Math.min(cy, dy) && Math.max(cy, dy) >= Math.min(ay, by);
  }

  // Whether the foot of a track's box (the middle of its lower edge), or the line from one stored point to the next, is
  // in it.
  function passes(event, stream, points) {
    return event.tracks.some((track) => {
      let px, py;
      return track.path.some((point, k) => {
        const x = (point[1] + point[3] / 2) / stream.shown_width, y = Math.min(1,
          (point[2] + point[4]) / stream.shown_height);
        if (inside(points, x, y)) return true;
        const met = k > 0 && points.some((a, n) => {
          const b = points[(n + 1) % points.length];
          return crosses(px, py, x, y, a[0], a[1], b[0], b[1]);
        });
        px = x;
        py = y;
        return met;
      });
    });
  }

  // What was typed as numbers, and what of it is no time or number: {name: words}.
  function bounds(state) {
    const wrong = {}, value = {};
    const read = (name, parse, words) => {
      value[name] = state[name].trim() === "" ? null : parse(state[name]);
      if (Number.isNaN(value[name])) {
        wrong[name] = words;
        value[name] = null;
      }
    };
    const when = state.base === "stream" ? "write seconds or HH:MM:SS" : "write YYYY-MM-DD or YYYY-MM-DD HH:MM:SS";
    read("from", (text) => times.parse(text, state.base), when);
    read("to", (text) => times.parse(text, state.base), when);
    // A day alone as the end means that whole day.
    if (value.to !== null && state.base !== "stream" && /^\d{4}-\d\d-\d\d$/.test(state.to.trim())) value.to += 86399999;
    for (const name of ["dayfrom", "dayto"]) read(name, times.parseOfDay, "write HH:MM");
    if (state.base === "stream") value.dayfrom = value.dayto = null;
    for (const name of ["min", "max", "score"]) read(name, (text) => (/^\d*\.?\d+$/.test(text.trim()) ? Number(text)
      : NaN), "write a number");
    return { value, wrong };
  }

  // Two times of day as an interval that may run through midnight; an event matches when any part of it lies within.
  function ofDay(start, end, from, to) {
    if (end - start >= 86400000) return true;
    const day = 86400000, a = ((start % day) + day) % day, b = a + (end - start);
    const low = from === null ? 0 : from, high = to === null ? day - 1 : to;
    const pieces = low <= high ? [[low, high]] : [[low, day - 1], [0, high]];
    return pieces.some(([p, q]) => (a <= q && b >= p) || (a <= q + day && b >= p + day));
  }

  function timeTest(model, state, value, left) {
    const timed = value.from !== null || value.to !== null || value.dayfrom !== null || value.dayto !== null;
    if (!timed) return () => true;
    return (i) => {
      const spans = model.spansOf(i, state.base);
      if (!spans.length) {
        left.time += 1;
        return false;
      }
      const fits = spans.some(([start, ends]) => {
        const end = Number.isFinite(ends) ? ends : start; // of an unknown end, the beginning alone is compared
        return (value.from === null || end >= value.from) && (value.to === null || start <= value.to) &&
          ((value.dayfrom === null && value.dayto === null) || ofDay(start, end, value.dayfrom, value.dayto));
      });
      if (!fits && spans.some(([, end]) => !Number.isFinite(end))) left.time += 1;
      return fits;
    };
  }

  function select(model, state) {
    const { value, wrong } = bounds(state), left = { time: 0, score: 0 };
    const needle = state.q.trim().toLowerCase(), timely = timeTest(model, state, value, left), found = [];
    for (let i = 0; i < model.total; i++) {
      const event = model.events[i], stream = model.streamOf(i);
      if (state.class.size && !state.class.has(event.class)) continue;
      if (state.label.size && !state.label.has(event.label)) continue;
      if (state.camera.size && !state.camera.has(stream.camera)) continue;
      if (state.exhibit.size && !state.exhibit.has(stream.exhibit)) continue;
      if (value.min !== null && model.length[i] < value.min) continue;
      if (value.max !== null && model.length[i] > value.max) continue;
      if (state.review.size || state.here || needle) {
        const mark = app.marks.of(event.id);
        if (state.review.size && !state.review.has(mark.state)) continue;
        if (state.here && !mark.here) continue;
        if (needle && !model.words(i).includes(needle) && !(mark.note || "").toLowerCase().includes(needle)) continue;
      }
      if (state.region && (stream.camera !== state.region.camera ||
        !passes(event, stream, state.region.points))) continue;
      if (value.score !== null && !(model.score[i] >= value.score)) {
        if (Number.isNaN(model.score[i])) left.score += 1;
        continue;
      }
      if (timely(i)) found.push(i);
    }
    return { found: order(model, state, found), left, wrong };
  }

  function order(model, state, found) {
    const keys = {
      case: (i) => i,
      time: (i) => (state.base === "stream" ? model.start[i] : model.wall[state.base].start[i]),
      duration: (i) => model.length[i],
      score: (i) => model.score[i],
      count: (i) => model.events[i].max_count,
      camera: (i) => model.streamOf(i).camera,
      review: (i) => app.STATES.indexOf(app.marks.of(model.events[i].id).state),
    };
    if (state.sort === "case") return state.down ? found.reverse() : found;
    const key = new Float64Array(model.total), sign = state.down ? -1 : 1;
    for (const i of found) key[i] = keys[state.sort](i);
    // What has no value comes last either way.
    return found.sort((a, b) => {
      const p = Number.isNaN(key[a]), q = Number.isNaN(key[b]);
      return p || q ? p - q || a - b : sign * (key[a] - key[b]) || a - b;
    });
  }

  // The filters in words, for the print and for the empty list.
  function words(model, state) {
    const said = [], names = (set, of) => [...set].map(of).join(" or ");
    if (state.class.size) said.push("class " + names(state.class, String));
    if (state.label.size) said.push("label " + names(state.label, String));
    if (state.camera.size) said.push("camera " + names(state.camera,
      (k) => app.text.shorten(model.facts.cameras[k].name, 60)));
    if (state.exhibit.size) said.push("exhibit " + names(state.exhibit,
      (k) => app.text.shorten(model.facts.exhibits[k].name, 60)));
    const base = times.BASES.find(([each]) => each === state.base)[1].toLowerCase() + " time";
    if (state.from) said.push(base + " from " + state.from);
    if (state.to) said.push(base + " to " + state.to);
    if (state.base !== "stream" && (state.dayfrom || state.dayto)) {
      said.push(base + " of day " + (state.dayfrom || "00:00") + " to " + (state.dayto || "24:00"));
    }
    if (state.min) said.push("at least " + state.min + " s");
    if (state.max) said.push("at most " + state.max + " s");
    if (state.score) said.push("score at least " + state.score);
    if (state.review.size) said.push("marked " + names(state.review, String));
    if (state.here) said.push("marked in this session");
    if (state.q.trim()) said.push("text “" + app.text.shorten(state.q.trim(), 60) + "”");
    if (state.region) said.push("region drawn on camera " +
      app.text.shorten(model.facts.cameras[state.region.camera].name, 60));
    return said;
  }

  app.filters = { SORTS, blank, encode, decode, select, words, inside, passes, bounds };
})(window.vidreview);
