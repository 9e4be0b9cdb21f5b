"use strict";
// Activity per hour, stacked by class, as bars and as a table; and the heat maps' slider.
(function (app) {
  const { h, s, $ } = app, times = app.times, { shorten, plural } = app.text;
  const HOUR = 3600000, WIDE = 1000, TALL = 160;
  let model;

  // Bins of one choice: [{at, person, vehicle, motion}], seconds; `at` in ms of the clock, or of the stream.
  function bins(streams, wall) {
    const sums = new Map();
    for (const stream of streams) {
      for (const each of wall ? stream.activity_by_hour : stream.activity) {
        const at = wall ? each.hour : each.hour * HOUR;
        const sum = sums.get(at) || { at, person: 0, vehicle: 0, motion: 0 };
        for (const kind of app.CLASSES) sum[kind] += each[kind];
        sums.set(at, sum);
      }
    }
    const list = [...sums.values()].sort((a, b) => a.at - b.at);
    if (!list.length) return { list, size: HOUR };
    const size = (list[list.length - 1].at - list[0].at) / HOUR > 24 * 16 ? 24 * HOUR : HOUR, whole = new Map();
    const first = Math.floor(list[0].at / size) * size, last = list[list.length - 1].at;
    // Hours without activity are bars too, of no height: the axis is time.
    for (let at = first; at <= last; at += size) whole.set(at, { at, person: 0, vehicle: 0, motion: 0 });
    for (const each of list) {
      const bin = whole.get(Math.floor(each.at / size) * size);
      for (const kind of app.CLASSES) bin[kind] += each[kind];
    }
    return { list: [...whole.values()], size };
  }

  function choices() {
    const streams = model.facts.streams, known = streams.filter((stream) => stream.activity_by_hour);
    const list = known.length ? [{ label: "All cameras with a known clock", streams: known, wall: true }] : [];
    model.facts.cameras.forEach((camera) => {
      const mine = camera.streams.map((k) => streams[k]), timed = mine.filter((stream) => stream.activity_by_hour);
      if (timed.length) list.push({ label: shorten(camera.name, 60), streams: timed, wall: true });
      for (const stream of mine.filter((each) => !each.activity_by_hour)) {
        list.push({ label: shorten(camera.name, 40) + ", hours of the stream (" +
          shorten(model.facts.exhibits[stream.exhibit].name, 30) + ")", streams: [stream], wall: false });
      }
    });
    return list;
  }

  // Events that no bar holds, or not whole, since the recorder's clock is unknown at their time, or at their end.
  const left = (streams) => model.events.filter((event) => streams.includes(model.facts.streams[event.stream]) &&
    !(event.shown || event.corrected || [null]).every((each) => Number.isFinite(times.milliseconds(each)))).length;

  function when(bin, wall, size) {
    if (!wall) return times.stream(bin.at / 1000, 0).slice(0, -3);
    return size > HOUR ? times.day(bin.at) : times.day(bin.at) + " " + times.clock(bin.at, 0).slice(0, 5);
  }

  function show(choice) {
    const { list, size } = bins(choice.streams, choice.wall), most = Math.max(1,
      ...list.map((bin) => bin.person + bin.vehicle + bin.motion));
    const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 36000, 72000, 144000,
      360000].find((each) => most / each <= 4) || most;
    const top = Math.ceil(most / step) * step, wide = WIDE / Math.max(1, list.length), bars = [];
    list.forEach((bin, k) => {
      let low = TALL;
      for (const kind of app.CLASSES) {
        const tall = (bin[kind] / top) * TALL;
        if (tall <= 0) continue;
        low -= tall;
        bars.push(s("rect", { class: "k-" + kind, x: (k * wide).toFixed(2), y: low.toFixed(2),
          width: Math.min(40, wide * 0.85).toFixed(2), height: tall.toFixed(2) },
          s("title", {}, when(bin, choice.wall, size) + ": " + kind + " " + times.length(bin[kind]))));
      }
    });
    const grid = [], every = Math.max(1, Math.ceil(list.length / ($("activity").clientWidth < 600 ? 4 : 12)));
    for (let value = 0; value <= top; value += step) grid.push(h("span", { at: { bottom: (value / top) * 100 + "%" } },
      value === 0 ? "0" : times.length(value).replace(".0 s", " s").replace(" 00 s", "").replace(" 00 min", "")));
    const marks = list.map((bin, k) => [bin, k]).filter(([, k]) => k % every === 0).map(([bin, k]) => h("span",
      { class: "tick", at: { left: (k / list.length) * 100 + "%" } },
      choice.wall && size === HOUR ? (k === 0 || bin.at % (24 * HOUR) === 0 ? times.day(bin.at).slice(5) + " " : "") +
      times.clock(bin.at, 0).slice(0, 2) + " h" : when(bin, choice.wall, size)));
    $("activity").replaceChildren(!list.length ? h("p", { class: "soft" },
      "Nothing was followed on these streams; that is no proof that nothing happened there.")
      : h("div", { class: "bars" },
      h("div", { class: "scale", "aria-hidden": "true" }, ...grid),
        s("svg", { viewBox: "0 0 " + WIDE + " " + TALL, preserveAspectRatio: "none", role: "img",
        "aria-label": "Activity per " + (size > HOUR ? "day" : "hour") + ", " + choice.label + ": " +
        plural(list.length, "bar") + ", at most " + times.length(most) + ". The table below has the numbers." },
        ...bars),
      h("div", { class: "axis", "aria-hidden": "true" }, ...marks)));
    const lost = choice.wall ? left(choice.streams) : 0;
    if (lost) $("activity").append(h("p", { class: "warn" }, plural(lost, "event") +
      " of these streams in no bar, or not whole: what the recorder's clock showed then is unknown."));
    table(list, choice, size);
  }

  function table(list, choice, size) {
    $("activity-table").replaceChildren(h("table", {}, h("thead", {},
      h("tr", {}, h("th", { scope: "col" }, size > HOUR ? "Day" : choice.wall ? "Hour (recorder's clock)"
      : "Hour of the stream"), ...app.CLASSES.map((kind) => h("th", { scope: "col", class: "number" }, kind)))),
      h("tbody", {}, ...list.map((bin) => h("tr", {}, h("th", { scope: "row" }, when(bin, choice.wall, size)),
        ...app.CLASSES.map((kind) => h("td", { class: "number" }, times.length(bin[kind]))))))));
  }

  function start(given) {
    model = given;
    const list = choices(), select = $("activity-of");
    select.replaceChildren(...list.map((each, k) => h("option", { value: k }, each.label)));
    if (list.length) {
      select.addEventListener("change", () => show(list[Number(select.value)]));
      show(list[0]);
    }
    const slider = $("heat-strength");
    if (!slider) return;
    const fade = () => {
      for (const image of document.querySelectorAll("img.heat")) image.style.setProperty("opacity",
        String(slider.value / 100));
      $("heat-value").textContent = slider.value + " %";
    };
    slider.addEventListener("input", fade);
    fade();
  }

  app.activity = { start };
})(window.vidreview);
