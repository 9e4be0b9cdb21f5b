"use strict";
// What goes to paper: the parts chosen, and of the events those that the filters show, up to a number that is said.
(function (app) {
  const { h, $ } = app, times = app.times, { plural, file, name, count } = app.text;
  let model, most = 200, ready = false;

  function head(i) {
    const event = model.events[i], mark = app.marks.of(event.id);
    return h("header", {}, h("h3", {}, event.id, " ", app.kind(event), " ",
      h("span", { class: "soft" }, name(model.cameraOf(i).name, 70))),
      h("p", { class: "soft" }, app.card.said(mark), mark.note ? h("span", {}, " · note: " + mark.note) : ""));
  }

  function sheet(i) {
    const event = model.events[i], still = event.still && file(event.still.src) ? event.still : null;
    const image = still ? h("img", { src: still.src, alt: "Best still of " + event.id, width: still.w,
      height: still.h }) : app.stage.kept(event) || h("p", { class: "lost" }, "No picture: " + (event.missing || "none was made") + ".");
    return h("article", { class: "printed" }, head(i), h("div", { class: "printed-body" }, image,
      app.card.timesTable(i)),
      app.card.strip(event, null), h("div", { class: "printed-body" }, app.card.facts(i), app.card.files(i)));
  }

  function events() {
    const list = app.list.all(), shown = list.slice(0, most), said = app.filters.words(model, app.state());
    const few = shown.length < list.length ? " Printed are the first " + count(shown.length) + " of " +
      count(list.length) + " that the filters show; narrow the filters, or print more at once." : "";
    return h("section", {}, h("h2", {}, "Events"), h("p", {}, plural(list.length, "event") + " of " +
      count(model.total) + " shown. " + (said.length ? "Filtered by " + said.join("; ") + "." : "No filter.") + few),
      ...shown.map(sheet));
  }

  function contacts() {
    const day = app.synopsis.of();
    if (!day) return h("section", {}, h("h2", {}, "Synopsis"), h("p", {}, "No events are shown."));
    const shown = day.items.slice(0, most * 5);
    const few = shown.length < day.items.length ? " Printed are the first " + count(shown.length) + "." : "";
    return h("section", {}, h("h2", {}, "Synopsis: " + app.synopsis.title(day)),
      h("p", {}, plural(day.items.length, "event") + " in the order of time." + few),
      h("div", { class: "contacts" }, ...shown.map((i) => h("figure", {},
        app.small(model.events[i]).src ? h("img", { src: app.small(model.events[i]).src, alt: "",
          class: app.small(model.events[i]).kept ? "kept" : null })
        : h("span", { class: "nopicture" }, "no picture"),
        h("figcaption", {}, model.events[i].id + " " + app.brief(model, i).text.slice(0, 8) + " " +
          (model.events[i].label || model.events[i].class) +
          (app.small(model.events[i]).kept ? " (thumbnail kept by the scan)" : ""))))));
  }

  const wanted = (part) => $("print-" + part).checked;

  function build() {
    const place = $("paper");
    place.replaceChildren(...[wanted("events") ? events() : null, wanted("synopsis") ? contacts()
      : null].filter(Boolean));
    if (wanted("overview")) {
      // What is hidden has no width to draw in.
      const hidden = $("overview").hidden;
      $("overview").hidden = false;
      app.timeline.paint();
      $("overview").hidden = hidden;
    }
    document.body.dataset.print = ["overview", "record"].filter(wanted).join(" ");
    $("printed-at").textContent = "Printed " + times.wall(Date.now(), 0) + " UTC; marks of this session: " +
      count(app.marks.here()) + ", not saved to a file: " + count(app.marks.unsaved()) + ".";
    return place;
  }

  // Pictures are waited for, so that none is missing on paper for having been slow.
  async function print() {
    most = Math.max(1, Math.min(2000, Number($("print-most").value) || 200));
    $("printing").close();
    app.say("Getting the pictures ready for print…");
    await Promise.allSettled([...build().querySelectorAll("img")].map((image) => image.decode()));
    $("notice").hidden = true;
    ready = true;
    window.print();
  }

  function ask() {
    $("print-events-count").textContent = plural(app.list.size(), "event") + " shown by the filters";
    $("printing").showModal();
  }

  function start(given) {
    model = given;
    $("print-go").addEventListener("click", print);
    $("print-open").addEventListener("click", ask);
    // The browser's own print command comes here without the dialog.
    window.addEventListener("beforeprint", () => { if (!ready) build(); });
    window.addEventListener("afterprint", () => {
      ready = false;
      $("paper").replaceChildren();
    });
  }

  app.printing = { start, ask, build };
})(window.vidreview);
