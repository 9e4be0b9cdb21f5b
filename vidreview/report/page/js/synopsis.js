"use strict";
// One contact sheet per day: every event in the order of time, small; only the rows in sight exist.
(function (app) {
  const { h, $ } = app, times = app.times, { name, plural } = app.text;
  const HEAD = 30, GAP = 8;
  let model, found = [], days = [], day = null, lines = [], width = 0, columns = 1, tall = 0, open, current = -1;
  const shown = new Map();

  // Days of the displayed clock, then streams whose time of day is unknown.
  function group(list) {
    const groups = new Map();
    for (const i of list) {
      const at = model.wall.shown.start[i];
      const known = Number.isFinite(at);
      const key = known ? "d" + times.day(at) : "s" + String(model.events[i].stream).padStart(6, "0");
      if (!groups.has(key)) groups.set(key, { key, known, label: known ? times.day(at) : null,
        stream: model.events[i].stream, items: [] });
      groups.get(key).items.push(i);
    }
    const order = [...groups.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    for (const each of order) {
      const key = each.known ? model.wall.shown.start : model.start;
      each.items.sort((a, b) => key[a] - key[b] || a - b);
    }
    return order;
  }

  const hourOf = (each, i) => (each.known ? times.clock(model.wall.shown.start[i], 0)
    : times.stream(model.start[i], 0)).slice(0, -6);

  function title(each) {
    return each.known ? each.label + " (displayed date)" : "Time of day unknown: " +
      app.text.shorten(model.facts.exhibits[model.facts.streams[each.stream].exhibit].name, 50) + ", stream " +
      model.facts.streams[each.stream].stream;
  }

  function layout() {
    const sheet = $("sheet");
    width = sheet.clientWidth;
    columns = Math.max(2, Math.floor((width + GAP) / (128 + GAP)));
    tall = Math.round(((width - GAP * (columns - 1)) / columns) * 0.6) + 22 + GAP;
    lines = [];
    const each = days.find((one) => one.key === day);
    let top = 0, hour = null, line = null;
    for (const i of each ? each.items : []) {
      const now = hourOf(each, i);
      if (now !== hour) {
        const many = { top, height: HEAD, head: now, items: [], number: 0 };
        lines.push(many);
        top += HEAD;
        hour = now;
        line = null;
        lines.open = many;
      }
      lines.open.number += 1;
      if (!line || line.items.length === columns) {
        line = { top, height: tall, head: null, items: [] };
        lines.push(line);
        top += tall;
      }
      line.items.push(i);
    }
    for (const element of shown.values()) element.remove();
    shown.clear();
    sheet.style.setProperty("height", top + "px");
    render();
  }

  // The picture that Tab comes to: the open event's, else the day's first.
  function entry() {
    const each = days.find((one) => one.key === day);
    return !each || each.items.includes(current) ? current : each.items[0];
  }

  function cell(i) {
    const event = model.events[i], when = app.brief(model, i), { src, kept } = app.small(event), mark = app.marks.of(event.id);
    return h("button", {
      type: "button", class: "cell k-" + event.class, id: "cell-" + event.id,
        "aria-current": i === current ? "true" : null, tabindex: i === entry() ? 0 : -1,
      "aria-label": event.id + ", " + (event.label || event.class) + ", " + when.text + ", " +
        app.text.shorten(model.cameraOf(i).name, 40) + ", " + mark.state,
      on: { click: () => open(i), focus: () => { if (current !== i) choose(i); } },
    }, src ? h("img", { src, alt: "", decoding: "async", class: kept ? "kept" : null, title: kept ? app.KEPT : null })
    : h("span", { class: "nopicture" }, "no picture"),
    h("span", { class: "line" }, h("span", { class: "glyph", "aria-hidden": "true" }),
      h("span", {}, when.text.slice(0, 8)), app.sign(mark)));
  }

  function paint(line) {
    const at = { top: line.top + "px", height: line.height + "px" };
    if (line.head !== null) {
      return h("h3", { class: "hour", at }, line.head + " h", h("span", { class: "soft" },
        plural(line.number, "event")));
    }
    return h("div", { class: "sheet-row", at: { ...at, "grid-template-columns": "repeat(" + columns +
      ", minmax(0, 1fr))" } }, ...line.items.map(cell));
  }

  function render() {
    if ($("synopsis").hidden) return;
    const box = $("sheet").getBoundingClientRect(), low = -box.top - 400, high = -box.top + window.innerHeight + 400;
    lines.forEach((line, k) => {
      const seen = line.top + line.height > low && line.top < high;
      if (seen && !shown.has(k)) {
        const element = paint(line);
        shown.set(k, element);
        $("sheet").append(element);
      } else if (!seen && shown.has(k) && !shown.get(k).contains(document.activeElement)) {
        shown.get(k).remove();
        shown.delete(k);
      }
    });
  }

  function show(list) {
    found = list;
    days = group(list);
    if (!days.some((each) => each.key === day)) day = days.length ? days[0].key : null;
    const index = days.findIndex((each) => each.key === day);
    $("day").replaceChildren(...days.map((each) => h("option", { value: each.key, selected: each.key === day },
      title(each) + " · " + plural(each.items.length, "event"))));
    $("day").disabled = !days.length;
    $("day-before").disabled = index <= 0;
    $("day-after").disabled = index < 0 || index >= days.length - 1;
    $("sheet-empty").hidden = days.length > 0;
    if (!$("synopsis").hidden) layout();
  }

  function choose(i) {
    const before = model.events[current], after = model.events[i];
    current = i;
    for (const [event, on] of [[before, false], [after, true]]) {
      const element = event && $("cell-" + event.id);
      if (!element) continue;
      if (on) element.setAttribute("aria-current", "true");
      else element.removeAttribute("aria-current");
    }
    for (const each of $("sheet").querySelectorAll("button.cell[tabindex='0']")) each.tabIndex = -1;
    const now = $("cell-" + after.id);
    if (now) now.tabIndex = 0;
    app.chosen(i);
  }

  // By keyboard: to the thumb so many places on, or up and down one row.
  function step(by, vertical) {
    const each = days.find((one) => one.key === day);
    if (!each || !each.items.length) return;
    const rows = lines.filter((line) => line.items.length), r = rows.findIndex((line) => line.items.includes(current));
    let i;
    if (r < 0) i = each.items[0];
    else if (vertical) {
      const next = rows[Math.max(0, Math.min(rows.length - 1, r + by))];
      i = next.items[Math.min(rows[r].items.indexOf(current), next.items.length - 1)];
    } else i = each.items[Math.max(0, Math.min(each.items.length - 1, each.items.indexOf(current) + by))];
    const line = lines.find((one) => one.items.includes(i)), box = $("sheet").getBoundingClientRect();
    const top = box.top + line.top, bottom = top + line.height;
    if (top < 110) window.scrollBy(0, top - 110);
    else if (bottom > window.innerHeight - 20) window.scrollBy(0, bottom - window.innerHeight + 20);
    render();
    choose(i);
    const element = $("cell-" + model.events[i].id);
    if (element) element.focus({ preventScroll: true });
  }

  function turn(by) {
    const next = days[days.findIndex((each) => each.key === day) + by];
    if (!next) return;
    day = next.key;
    show(found);
    window.scrollTo(0, 0);
  }

  function renew(id) {
    if (id === null) {
      layout();
      return;
    }
    const old = $("cell-" + id);
    if (!old) return;
    const fresh = cell(model.byId.get(id)), held = document.activeElement === old;
    old.replaceWith(fresh);
    if (held) fresh.focus({ preventScroll: true });
  }

  function start(given, opener) {
    model = given;
    open = opener;
    $("day").addEventListener("change", () => { day = $("day").value; show(found); });
    $("day-before").addEventListener("click", () => turn(-1));
    $("day-after").addEventListener("click", () => turn(1));
    let waiting = false;
    window.addEventListener("scroll", () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; render(); });
    }, { passive: true });
    new ResizeObserver(() => { if (!$("synopsis").hidden &&
      $("sheet").clientWidth !== width) layout(); }).observe($("sheet"));
    app.marks.listen(renew);
  }

  app.synopsis = { start, show, layout, step, turn, current: (i) => { current = i; },
    of: () => days.find((each) => each.key === day) || null, title, name };
})(window.vidreview);
