"use strict";
// The list of events: only the rows in sight exist, so that ten thousand scroll like ten.
(function (app) {
  const ROW = 62, SPARE = 6;
  const { h, $ } = app, { name } = app.text, times = app.times;
  const SIGNS = { unreviewed: "○", relevant: "✓", "not relevant": "–", unsure: "?" };
  let model, found = [], place = new Map(), current = -1, open;
  const rows = new Map(); // position → element

  function sign(mark) {
    return h("span", {
      class: "sign s-" + mark.state.replace(" ", "-") + (mark.here ? " here" : ""),
      title: mark.state + (mark.here ? (mark.saved ? ", marked in this session"
        : ", marked in this session, not saved yet") : ""),
    }, h("span", { "aria-hidden": "true" }, SIGNS[mark.state]), h("span", { class: "unseen" },
      mark.state + (mark.here ? ", this session" : "")));
  }

  function kind(event) {
    return h("span", { class: "kind k-" + event.class }, h("span", { class: "glyph", "aria-hidden": "true" }),
      event.label && event.label !== event.class ? event.label : event.class);
  }

  function thumb(event) {
    const { src, kept } = app.small(event);
    return src ? h("img", { src, alt: "", loading: "lazy", decoding: "async", width: 80, height: 48,
      class: kept ? "kept" : null, title: kept ? app.KEPT : null })
      : h("span", { class: "nopicture" }, "no picture");
  }

  function row(position) {
    const i = found[position], event = model.events[i], when = app.brief(model, i);
    return h("div", {
      class: "row", role: "option", id: "row-" + event.id, "aria-selected": i === current ? "true" : "false",
      "aria-setsize": found.length, "aria-posinset": position + 1, at: { top: position * ROW + "px" },
      on: { click: () => open(i, true) },
    }, thumb(event),
    h("span", { class: "main" },
      h("span", { class: "line" }, h("b", {}, event.id), kind(event),
        h("span", { class: "soft right" }, times.length(model.length[i]))),
      h("span", { class: "line" }, h("span", { class: "when" }, when.day ? when.day + " " : "",
        h("strong", {}, when.text),
        when.base === "stream" ? h("i", {}, " stream") : when.base === "utc" ? h("i", {}, " UTC")
          : when.base === "corrected" ? h("i", {}, " corrected") : null)),
      h("span", { class: "line soft" }, h("span", { class: "cut" }, name(model.cameraOf(i).name, 34)),
        h("span", { class: "right" }, event.score === null ? "no score" : event.score.toFixed(2)))),
    sign(app.marks.of(event.id)));
  }

  function render() {
    const box = $("list"), first = Math.max(0, Math.floor(box.scrollTop / ROW) - SPARE);
    const last = Math.min(found.length, Math.ceil((box.scrollTop + box.clientHeight) / ROW) + SPARE);
    for (const [position, element] of rows) {
      if (position >= first && position < last) continue;
      element.remove();
      rows.delete(position);
    }
    const space = $("rows");
    for (let position = first; position < last; position++) {
      if (rows.has(position)) continue;
      const element = row(position);
      rows.set(position, element);
      space.append(element);
    }
    const at = place.get(current);
    if (at !== undefined && rows.has(at)) box.setAttribute("aria-activedescendant", rows.get(at).id);
    else box.removeAttribute("aria-activedescendant");
  }

  function clear() {
    for (const element of rows.values()) element.remove();
    rows.clear();
  }

  function show(list) {
    found = list;
    place = new Map(list.map((i, position) => [i, position]));
    clear();
    $("rows").style.setProperty("height", found.length * ROW + "px");
    const at = place.get(current);
    if (at === undefined) $("list").scrollTop = 0;
    else reveal(at);
    $("empty").hidden = found.length > 0;
    render();
  }

  function reveal(position) {
    const box = $("list"), top = position * ROW;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + ROW > box.scrollTop + box.clientHeight) box.scrollTop = top + ROW - box.clientHeight;
  }

  function choose(i) {
    const before = place.get(current), after = place.get(i);
    current = i;
    if (before !== undefined && rows.has(before)) rows.get(before).setAttribute("aria-selected", "false");
    if (after !== undefined) {
      reveal(after);
      render();
      // No row is in sight while another view is shown.
      if (rows.has(after)) rows.get(after).setAttribute("aria-selected", "true");
    }
  }

  // The event `by` places on in the list, or null at its end.
  function beside(by) {
    const at = place.get(current);
    if (at === undefined) return found.length ? found[0] : null;
    const next = at + by;
    return next >= 0 && next < found.length ? found[next] : null;
  }

  function renew(id) {
    if (id === null) {
      clear();
      render();
      return;
    }
    const at = place.get(model.byId.get(id));
    if (at === undefined || !rows.has(at)) return;
    const fresh = row(at);
    rows.get(at).replaceWith(fresh);
    rows.set(at, fresh);
  }

  function start(given, opener) {
    model = given;
    open = opener;
    let waiting = false;
    const soon = () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; render(); });
    };
    $("list").addEventListener("scroll", soon, { passive: true });
    new ResizeObserver(soon).observe($("list"));
    app.marks.listen(renew);
  }

  // What could not be done out of sight.
  function appear() {
    if (place.has(current)) reveal(place.get(current));
    render();
  }

  app.list = {
    start, show, choose, beside, appear,
    position: (i) => place.get(i),
    size: () => found.length,
    all: () => found,
  };
  app.sign = sign;
  app.kind = kind;
})(window.vidreview);
