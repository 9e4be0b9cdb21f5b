"use strict";
// The report's data in the form that filters and charts need: plain arrays by an event's place in the list.
(function (app) {
  const times = app.times;
  const CLASSES = ["person", "vehicle", "motion"];
  const STATES = ["unreviewed", "relevant", "not relevant", "unsure"];

  function spans(event, base) {
    if (base === "stream") return [[event.start_s, event.end_s]];
    const value = event[base];
    const pairs = base === "utc" ? value || [] : value ? [value] : [];
    return pairs.map((pair) => [times.milliseconds(pair[0]), times.milliseconds(pair[1])]);
  }

  // `wall[base]` holds first start and last end; where a clock ran twice through an hour, `spansOf` gives both.
  function read(facts, events) {
    const total = events.length;
    const wall = {};
    for (const base of ["shown", "corrected", "utc"]) {
      wall[base] = { start: new Float64Array(total).fill(NaN), end: new Float64Array(total).fill(NaN) };
    }
    const byId = new Map();
    const start = new Float64Array(total), length = new Float64Array(total), score = new Float64Array(total);
    events.forEach((event, i) => {
      byId.set(event.id, i);
      start[i] = event.start_s;
      length[i] = event.end_s - event.start_s;
      score[i] = event.score === null || event.score === undefined ? NaN : event.score;
      for (const base of ["shown", "corrected", "utc"]) {
        const each = spans(event, base);
        if (!each.length) continue;
        wall[base].start[i] = each[0][0];
        wall[base].end[i] = each[each.length - 1][1];
      }
    });
    return { facts, events, total, byId, start, length, score, wall };
  }

  function load() {
    const facts = window.VIDREVIEW, events = window.VIDREVIEW_EVENTS;
    if (!facts || !Array.isArray(facts.streams)) throw new Error("data/case.js is missing or damaged");
    if (!Array.isArray(events)) throw new Error("data/events.js is missing or damaged");
    if (facts.form !== 1) throw new Error("data/case.js has a form that this page does not know: " + facts.form);
    const model = read(facts, events);
    const told = facts.report.events_in_report;
    if (told !== model.total) {
      app.say("data/events.js holds " + model.total + " events, but the report was made with " + told +
        ": the file is damaged or was changed. Compare the folder with report.json.", true);
    }
    model.streamOf = (i) => facts.streams[model.events[i].stream];
    model.cameraOf = (i) => facts.cameras[model.streamOf(i).camera];
    model.exhibitOf = (i) => facts.exhibits[model.streamOf(i).exhibit];
    model.spansOf = (i, base) => spans(model.events[i], base);
    model.has = (base) => base === "stream" || facts.streams.some((s) => Number.isFinite(s.clock[base +
      "_start_ms"]) || (s.clock.segments || []).some((each) => Number.isFinite(each[base + "_ms"])));
    // The picture that paths are drawn on: upright, with square pixels.
    for (const stream of facts.streams) {
      stream.shown_width = stream.shown_width || stream.width;
      stream.shown_height = stream.shown_height || stream.height;
    }
    model.best = ["shown", "corrected", "utc"].find(model.has) || "stream";
    const words = new Array(model.total);
    // What the text search looks through: made at the first search, since many never search.
    model.words = (i) => words[i] || (words[i] = [model.events[i].id, model.events[i].label, model.events[i].class,
      model.cameraOf(i).name, model.exhibitOf(i).name, model.exhibitOf(i).path, model.exhibitOf(i).reference,
      ...model.events[i].tracks.map((track) => track.id)].join("\n").toLowerCase());
    return model;
  }

  // Times for a narrow place: the displayed one when there is one, and what it is.
  function brief(model, i) {
    const base = ["shown", "corrected", "utc"].find((each) => Number.isFinite(model.wall[each].start[i]));
    if (!base) return { base: "stream", day: "", text: times.stream(model.start[i], 1) };
    const at = model.wall[base].start[i];
    return { base, day: times.day(at), text: times.clock(at, 1) };
  }

  // The small picture of an event: made from the exhibit for this report, else the best of those that the scan kept.
  function small(event) {
    const kept = event.kept || [], best = kept.find((each) => each.best) || kept[0];
    const src = app.text.file(event.thumb);
    return { src: src || (best ? app.text.file(best.src) : null), kept: !src && Boolean(best), best };
  }

  app.KEPT = "Reduced thumbnail kept by the scan, no evidence";
  app.small = small;
  app.CLASSES = CLASSES;
  app.STATES = STATES;
  app.loadModel = load;
  app.brief = brief;
})(window.vidreview);
