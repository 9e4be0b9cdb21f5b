"use strict";
// All cameras on one time axis: what was covered, what is damaged, and every event; zoomed by mouse and keyboard.
(function (app) {
  const { h, s, $ } = app, times = app.times, { name, plural } = app.text;
  const WIDE = 2000, TALL = 40, STATES = { analysed: "analysed", gap: "gap in the recording",
    undecodable: "undecodable", not_requested: "not requested", unknown: "not known where: only its sums are" };
  // Patterns of index.html, so that states differ without colour.
  const FILLS = { undecodable: "url(#hatch)", not_requested: "url(#dots)", unknown: "url(#cross)" };
  const HINT = "Drag to pick a stretch of time; click a bar to open its event. Keys: ← → from event to event, " +
    "↑ ↓ between cameras, + − zoom, Shift ← → move, Home all, Enter opens.";
  let model, charts = [], base, open;

  // Stretches of a stream on the chart's axis: {stream, from, low, high}; `from` is where its second 0 would lie, in
  // ms.
  // A recorder's clock that was set, or a change to summer time, begins a new stretch.
  function parts(stream, known) {
    if (!known) return [{ stream, from: 0, low: -Infinity, high: Infinity }];
    const pieces = (stream.clock.segments || []).filter((each) => Number.isFinite(each[base + "_ms"]));
    if (pieces.length) return pieces.map((each) => ({ stream, from: each[base + "_ms"] - each.start_s * 1000,
      low: each.start_s > 0 ? each.start_s : -Infinity, high: each.end_s }));
    const start = stream.clock[base + "_start_ms"];
    return Number.isFinite(start) ? [{ stream, from: start, low: -Infinity, high: Infinity }] : [];
  }

  // Lanes of one chart: [{label, note, parts: [{stream, from}], events}], all in milliseconds of the chart's axis.
  function lanes(known) {
    const list = [];
    const mine = (stream) => (parts(stream, true).length > 0) === known;
    model.facts.cameras.forEach((camera, c) => {
      const streams = camera.streams.filter((k) => mine(model.facts.streams[k]));
      const groups = known ? (streams.length ? [streams] : []) : streams.map((k) => [k]);
      for (const group of groups) {
        const note = group.length === 1 ? model.facts.exhibits[model.facts.streams[group[0]].exhibit].name
          : plural(group.length, "stream");
        list.push({ camera: c, label: camera.name, note, streams: group,
          parts: group.flatMap((k) => parts(model.facts.streams[k], known)), events: [], left: 0 });
      }
    });
    const laneOf = new Map();
    for (const lane of list) for (const k of lane.streams) laneOf.set(k, lane);
    for (let i = 0; i < model.total; i++) {
      const lane = laneOf.get(model.events[i].stream);
      if (!lane) continue;
      const spans = known ? model.spansOf(i, base) : [[model.start[i] * 1000, (model.start[i] + model.length[i]) * 1000]];
      // An end that no clock tells is not drawn: the bar stands for the beginning.
      for (const [start, end] of spans) lane.events.push({ i, start, end: Number.isFinite(end) ? end : start });
      if (!spans.length) lane.left += 1;
    }
    for (const lane of list) lane.events.sort((a, b) => a.start - b.start);
    return list;
  }

  // What of a lane is on no place of its axis, in words: where a clock was set or changed, its time may be unknown.
  function undrawn(lane) {
    const drawn = new Map();
    for (const { stream, low, high } of lane.parts) drawn.set(stream, (drawn.get(stream) || 0) +
      Math.max(0, Math.min(stream.duration_s, high) - Math.max(0, low)));
    let seconds = 0;
    for (const [stream, known] of drawn) seconds += Math.max(0, stream.duration_s - known);
    const kind = times.BASES.find(([each]) => each === base)[1].replace(/^[DC]/, (first) => first.toLowerCase());
    const said = [lane.left ? plural(lane.left, "event") : "", seconds > 0.05 ? times.length(seconds) + " of footage"
      : ""].filter(Boolean);
    return said.length ? "not drawn, " + kind + " time unknown: " + said.join(", ") : "";
  }

  function range(list) {
    let low = Infinity, high = -Infinity;
    for (const lane of list) {
      for (const part of lane.parts) {
        low = Math.min(low, part.from + Math.max(0, part.low) * 1000);
        high = Math.max(high, part.from + Math.min(part.stream.duration_s || 0, part.high) * 1000);
      }
      for (const event of lane.events) {
        low = Math.min(low, event.start);
        high = Math.max(high, event.end);
      }
    }
    return high > low ? [low, high] : Number.isFinite(low) ? [low, low + 1000] : [0, 1000];
  }

  const scale = (chart) => (ms) => ((ms - chart.view[0]) / (chart.view[1] - chart.view[0])) * WIDE;
  const label = (chart, ms, digits) => (chart.known ? times.wall(ms, digits) : times.stream(ms / 1000, digits));

  // Bars of one class as one path: what would overlap on the screen is drawn once, so ten thousand events cost little.
  function bars(chart, events, top, height) {
    const x = scale(chart);
    let path = "", left = 0, right = -1;
    const flush = () => { if (right >= 0) path += "M" + left.toFixed(1) + " " + top + "H" + right.toFixed(1) + "V" +
      (top + height) + "H" + left.toFixed(1) + "Z"; };
    for (const event of events) {
      if (event.end < chart.view[0] || event.start > chart.view[1]) continue;
      const a = Math.max(-2, x(event.start)), b = Math.min(WIDE + 2, Math.max(x(event.end), a + 2.4));
      if (a <= right + 0.6) right = Math.max(right, b);
      else {
        flush();
        left = a;
        right = b;
      }
    }
    flush();
    return path;
  }

  function ledger(chart, lane) {
    const x = scale(chart), drawn = [];
    for (const { stream, from, low, high } of lane.parts) {
      for (const span of stream.spans) {
        const a = from + Math.max(low, span.start_s) * 1000, b = from + Math.min(high, span.end_s) * 1000;
        if (a >= b || b < chart.view[0] || a > chart.view[1] || !(span.state in STATES)) continue;
        const left = Math.max(-2, x(a)), right = Math.min(WIDE + 2, x(b));
        drawn.push(s("rect", { class: "span " + span.state, fill: span.state in FILLS ? FILLS[span.state] : null,
          x: left.toFixed(1), y: TALL - 10, width: Math.max(1.5, right - left).toFixed(1), height: 8 },
          s("title", {}, STATES[span.state] + ", " + label(chart, a, 1) + " to " + label(chart, b, 1))));
      }
      for (const problem of stream.problems) {
        if (problem.at_s === null || problem.at_s === undefined || problem.at_s < low || problem.at_s > high) continue;
        const at = x(from + problem.at_s * 1000);
        if (at < 0 || at > WIDE) continue;
        drawn.push(s("path", { class: "trouble", d: "M" + at.toFixed(1) + " " + (TALL - 11) + "l-7 -7h14z" },
          s("title", {}, problem.kind + ": " + problem.reason + ", at " +
          label(chart, from + problem.at_s * 1000, 1))));
      }
    }
    return drawn;
  }

  function paintLane(chart, lane) {
    const rows = app.CLASSES.map((kind, k) => s("path", { class: "ticks k-" + kind,
      d: bars(chart, lane.byClass[kind], 2 + k * 9, 8) }));
    lane.svg.replaceChildren(...rows, ...ledger(chart, lane));
  }

  function axis(chart) {
    const [low, high] = chart.view, narrow = chart.root.clientWidth < 700,
      step = times.step(high - low, narrow ? 3 : 8), marks = [];
    for (let at = Math.ceil(low / step) * step; at <= high; at += step) {
      const left = ((at - low) / (high - low)) * 100;
      if (left > 97) continue;
      const midnight = chart.known && at % 86400000 === 0;
      marks.push(h("span", { class: "tick" + (midnight ? " day" : ""), at: { left: left + "%" } },
        midnight ? times.day(at) : chart.known ? times.clock(at, step < 1000 ? 1 : 0).replace(/:00$/,
        step < 60000 ? ":00" : "") : times.stream(at / 1000, step < 1000 ? 1 : 0)));
    }
    chart.axis.replaceChildren(...marks);
    chart.lines.replaceChildren(...marks.map((mark) => h("span", { at: { left: mark.style.left } })));
    chart.span.textContent = label(chart, low, 0) + " to " + label(chart, high, 0);
  }

  function paint(chart) {
    for (const lane of chart.lanes) paintLane(chart, lane);
    axis(chart);
    cursor(chart);
  }

  function zoom(chart, factor, about) {
    const [low, high] = chart.view, centre = about === undefined ? (low + high) / 2 : about;
    look(chart, centre - (centre - low) * factor, centre + (high - centre) * factor);
  }

  function look(chart, low, high) {
    const whole = chart.whole[1] - chart.whole[0], size = Math.min(whole, Math.max(500, high - low));
    const start = Math.min(Math.max(low, chart.whole[0]), chart.whole[1] - size);
    chart.view = [start, start + size];
    if (!chart.waiting) {
      chart.waiting = true;
      requestAnimationFrame(() => { chart.waiting = false; paint(chart); });
    }
  }

  const pan = (chart, share) => look(chart, chart.view[0] + (chart.view[1] - chart.view[0]) * share,
    chart.view[1] + (chart.view[1] - chart.view[0]) * share);

  // The event that keyboard or pointer is at, marked on its lane and said in words.
  function cursor(chart) {
    const place = chart.cursor;
    if (!place) {
      chart.pin.hidden = true;
      return;
    }
    const event = place.lane.events[place.at], left = scale(chart)(event.start) / WIDE;
    chart.pin.hidden = left < 0 || left > 1;
    chart.pin.style.setProperty("left", left * 100 + "%");
    chart.pin.style.setProperty("top", place.lane.row.offsetTop + "px");
    chart.pin.style.setProperty("height", place.lane.row.offsetHeight + "px");
  }

  function point(chart, lane, at) {
    chart.cursor = { lane, at };
    const event = lane.events[at], [low, high] = chart.view;
    if (event.start < low || event.start > high) look(chart, event.start - (high - low) / 2,
      event.start + (high - low) / 2);
    else cursor(chart);
    const what = model.events[event.i];
    chart.words.textContent = what.id + " " + (what.label || what.class) + ", " + label(chart, event.start, 1) + ", " +
      app.text.shorten(lane.label, 40) + ". Enter opens it.";
  }

  function along(chart, by) {
    if (!chart.cursor) {
      const lane = chart.lanes.find((each) => each.events.length);
      if (lane) point(chart, lane, Math.max(0, lane.events.findIndex((event) => event.end >= chart.view[0])));
      return;
    }
    const { lane, at } = chart.cursor;
    point(chart, lane, Math.max(0, Math.min(lane.events.length - 1, at + by)));
  }

  function across(chart, by) {
    const full = chart.lanes.filter((lane) => lane.events.length);
    if (!full.length) return;
    if (!chart.cursor) {
      along(chart, 1);
      return;
    }
    const now = chart.cursor.lane.events[chart.cursor.at].start;
    const lane = full[Math.max(0, Math.min(full.length - 1, full.indexOf(chart.cursor.lane) + by))];
    point(chart, lane, nearest(lane, now));
  }

  function nearest(lane, ms) {
    let best = 0;
    lane.events.forEach((event, k) => {
      const apart = (each) => (ms < each.start ? each.start - ms : Math.max(0, ms - each.end));
      if (apart(event) < apart(lane.events[best])) best = k;
    });
    return best;
  }

  function keys(chart, event) {
    const acts = {
      ArrowRight: () => (event.shiftKey ? pan(chart, 0.25) : along(chart, 1)),
        ArrowLeft: () => (event.shiftKey ? pan(chart, -0.25) : along(chart, -1)),
      ArrowUp: () => across(chart, -1), ArrowDown: () => across(chart, 1), "+": () => zoom(chart, 0.5, centre(chart)),
        "=": () => zoom(chart, 0.5, centre(chart)), "-": () => zoom(chart, 2, centre(chart)),
      Home: () => look(chart, ...chart.whole), Enter: () => chart.cursor &&
        open(chart.cursor.lane.events[chart.cursor.at].i),
    };
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in acts)) return;
    event.preventDefault();
    event.stopPropagation();
    acts[event.key]();
  }

  function centre(chart) {
    return chart.cursor ? chart.cursor.lane.events[chart.cursor.at].start : undefined;
  }

  function timeAt(chart, clientX) {
    const box = chart.area.getBoundingClientRect();
    return chart.view[0] + ((clientX - box.left) / box.width) * (chart.view[1] - chart.view[0]);
  }

  // Dragging picks a stretch of time; a click without dragging opens the event under it.
  function pointers(chart) {
    let from = null, fromX = 0;
    const within = (lane, ms, slack) => lane.events.filter((event) => event.start <= ms + slack &&
      event.end >= ms - slack);
    chart.rows.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.clientX < chart.area.getBoundingClientRect().left) return;
      from = timeAt(chart, event.clientX);
      fromX = event.clientX;
    });
    chart.rows.addEventListener("pointermove", (event) => {
      const now = timeAt(chart, event.clientX);
      if (from !== null && Math.abs(event.clientX - fromX) > 4) {
        if (!chart.rows.hasPointerCapture(event.pointerId)) chart.rows.setPointerCapture(event.pointerId);
        picked(chart, Math.min(from, now), Math.max(from, now));
        return;
      }
      const lane = chart.lanes.find((each) => each.svg.contains(event.target));
      const here = lane ? within(lane, now, ((chart.view[1] - chart.view[0]) / chart.area.clientWidth) * 3) : [];
      chart.words.textContent = label(chart, now, 0) + (lane ? " · " + app.text.shorten(lane.label, 40) : "") +
        (here.length === 1 ? " · " + model.events[here[0].i].id + " " + (model.events[here[0].i].label || "")
        : here.length ? " · " + plural(here.length, "event") + " here" : "");
    });
    chart.rows.addEventListener("pointerup", (event) => {
      const dragged = Math.abs(event.clientX - fromX) > 4;
      const lane = chart.lanes.find((each) => each.svg.contains(event.target));
      if (from !== null && !dragged && lane && lane.events.length) {
        const now = timeAt(chart, event.clientX),
          slack = ((chart.view[1] - chart.view[0]) / chart.area.clientWidth) * 8;
        const at = nearest(lane, now), near = lane.events[at];
        if (now >= near.start - slack && now <= near.end + slack) open(near.i);
      }
      from = null;
    });
    chart.rows.addEventListener("pointercancel", () => { from = null; });
    chart.rows.addEventListener("dblclick", () => look(chart, ...chart.whole));
    chart.rows.addEventListener("wheel", (event) => {
      if (event.ctrlKey) {
        event.preventDefault();
        zoom(chart, Math.exp(event.deltaY / 300), timeAt(chart, event.clientX));
      } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        pan(chart, event.deltaX / 1000);
      }
    }, { passive: false });
  }

  function picked(chart, low, high) {
    const x = (ms) => Math.max(0, Math.min(1, (ms - chart.view[0]) / (chart.view[1] - chart.view[0]))) * 100;
    chart.brush.hidden = false;
    chart.brush.style.setProperty("left", x(low) + "%");
    chart.brush.style.setProperty("width", x(high) - x(low) + "%");
    const number = new Set(chart.lanes.flatMap((lane) => lane.events.filter((event) => event.end >= low &&
      event.start <= high).map((event) => event.i))).size;
    chart.picked.replaceChildren(h("span", {}, label(chart, low, 0) + " to " + label(chart, high, 0) + " · " +
      plural(number, "event")),
      h("button", { type: "button", on: { click: () => { unpick(chart); look(chart, low, high); } } }, "Zoom in"),
      h("button", { type: "button", on: { click: () => { app.between(chart.known ? base : "stream", low, high); } } },
        "List them"),
      h("button", { type: "button", on: { click: () => unpick(chart) } }, "Clear"));
    chart.picked.hidden = false;
  }

  function unpick(chart) {
    chart.brush.hidden = chart.picked.hidden = true;
  }

  function summary(lane) {
    const sum = (state) => lane.streams.map((k) => model.facts.streams[k]).reduce((all, stream) => all +
      stream.spans.reduce((t, span) => t + (span.state === state ? span.end_s - span.start_s : 0), 0), 0);
    return lane.label + ": " + plural(new Set(lane.events.map((event) => event.i)).size, "event") + "; " +
      Object.keys(STATES).filter((state) => sum(state) > 0).map((state) => STATES[state] + " " +
      times.length(sum(state))).join(", ") + (undrawn(lane) ? "; " + undrawn(lane) : "");
  }

  function build(known) {
    const list = lanes(known);
    if (!list.length) return null;
    const chart = { known, lanes: list, whole: range(list), cursor: null };
    chart.view = [...chart.whole];
    const button = (text, what, act) => h("button", { type: "button", "aria-label": what, title: what,
      on: { click: act } }, text);
    for (const lane of list) {
      lane.byClass = Object.fromEntries(app.CLASSES.map((kind) => [kind,
        lane.events.filter((event) => model.events[event.i].class === kind)]));
      lane.svg = s("svg", { viewBox: "0 0 " + WIDE + " " + TALL, preserveAspectRatio: "none", role: "img",
        "aria-label": summary(lane) });
      lane.row = h("div", { class: "lane" }, h("div", { class: "lane-name" },
        h("span", { class: "cut" }, name(lane.label, 44)),
        h("span", { class: "cut soft" }, plural(new Set(lane.events.map((event) => event.i)).size, "event"),
          lane.note === lane.label ? "" : " · ", lane.note === lane.label ? "" : name(lane.note, 44)),
        undrawn(lane) ? h("span", { class: "warn undrawn" }, undrawn(lane)) : null), lane.svg);
    }
    const none = base === "shown" ? "Time of day unknown" : "No " +
      times.BASES.find(([each]) => each === base)[1].replace("Corrected", "corrected") + " time known";
    Object.assign(chart, {
      axis: h("div", { class: "axis", "aria-hidden": "true" }),
      lines: h("div", { class: "gridlines", "aria-hidden": "true" }),
      span: h("span", {}),
      words: h("p", { class: "soft", "aria-live": "polite" }, charts.length && !known ? "" : HINT),
      brush: h("div", { class: "brush", hidden: true }),
      pin: h("div", { class: "pin", hidden: true }),
      picked: h("div", { class: "picked", role: "status", hidden: true }),
    });
    chart.rows = h("div", { class: "lanes" }, ...list.map((lane) => lane.row));
    chart.area = h("div", { class: "plot-area" }, chart.lines, chart.brush, chart.pin);
    chart.root = h("div", { class: "chart", tabindex: 0, role: "group",
      "aria-label": (known ? "Time axis of all cameras" : none + ": streams on their own time") +
      ". Arrow keys go from event to event, plus and minus zoom, Enter opens.",
      on: { keydown: (event) => keys(chart, event) } },
      h("div", { class: "chart-head" }, known ? null : h("h3", {}, none + ": each stream from its own beginning"),
        chart.span, h("span", { class: "gap" }),
        button("−", "Zoom out", () => zoom(chart, 2)), button("+", "Zoom in", () => zoom(chart, 0.5)),
          button("‹", "Earlier", () => pan(chart, -0.5)), button("›", "Later", () => pan(chart, 0.5)),
          button("All", "Show the whole range", () => look(chart, ...chart.whole))),
      chart.picked, h("div", { class: "chart-body" }, chart.area, chart.rows, chart.axis), chart.words);
    return chart;
  }

  function show(to) {
    base = to;
    charts = [build(true)].filter(Boolean);
    charts = [...charts, build(false)].filter(Boolean);
    $("timeline").replaceChildren(...charts.map((chart) => chart.root));
    for (const chart of charts) {
      pointers(chart);
      paint(chart);
    }
    for (const button of $("bases").querySelectorAll("button")) button.setAttribute("aria-pressed",
      button.dataset.base === base ? "true" : "false");
  }

  function start(given, opener) {
    model = given;
    open = opener;
    $("bases").replaceChildren(...times.BASES.slice(0, 3).map(([each, words, why]) => h("button", {
      type: "button", "data-base": each, title: why, disabled: !model.has(each), on: { click: () => show(each) },
    }, words)));
    base = model.best === "stream" ? "shown" : model.best;
  }

  // Drawn when it is looked at: until then it has no width, and costs nothing.
  app.timeline = { start, show, paint: () => (charts.length ? charts.forEach(paint) : show(base)) };
})(window.vidreview);
