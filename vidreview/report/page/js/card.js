"use strict";
// One event, large: what is known of it, where from, how sure, its pictures and files, and the reviewer's mark.
(function (app) {
  const { h, $ } = app, { name, plural, file } = app.text, times = app.times;
  const KEYS = [["relevant", "1"], ["not relevant", "2"], ["unsure", "3"], ["unreviewed", "0"]];
  let model, current = -1, step;

  function copy(text, what) {
    const done = () => app.say(what + " copied.");
    const byHand = () => {
      const field = h("textarea", { class: "unseen", "aria-hidden": "true" }, text);
      document.body.append(field);
      field.select();
      const worked = document.execCommand("copy");
      field.remove();
      if (worked) done();
      else app.say("This browser does not let the page copy; select the text instead.");
    };
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, byHand);
    else byHand();
  }

  function hash(sha, what) {
    if (!sha) return null;
    return h("span", { class: "hash" }, h("code", {}, sha), h("button", {
      type: "button", class: "plain", "aria-label": "Copy SHA-256 of " + what,
        on: { click: () => copy(sha, "SHA-256 of " + what) },
    }, "copy"));
  }

  function timesTable(i) {
    const event = model.events[i], clock = model.streamOf(i).clock;
    const bounds = { shown: event.shown_uncertainty_s, corrected: event.corrected_uncertainty_s,
      utc: event.utc_uncertainty_s };
    const lines = [h("tr", {}, h("th", { scope: "row" }, "Stream"), h("td", {}, times.stream(event.start_s)),
      h("td", {}, times.stream(event.end_s)),
      h("td", { class: "soft" }, "exact: PTS " + event.start_pts + " to " + event.end_pts + " in " + event.time_base +
        " s"))];
    for (const [base, label, words] of times.BASES.slice(0, 3)) {
      const spans = model.spansOf(i, base);
      if (!spans.length) lines.push(h("tr", {}, h("th", { scope: "row" }, label),
        h("td", { colspan: 3, class: "soft" }, "unknown")));
      spans.forEach(([start, end], k) => lines.push(h("tr", {},
        h("th", { scope: "row", title: words }, label + (spans.length > 1 ? " (" + "either, or".split(", ")[k] + ")"
          : "")),
        h("td", {}, times.wall(start, 3)), h("td", {}, times.wall(end, 3)),
          h("td", { class: "soft" }, times.bound(bounds[base])))));
      if (spans.length > 1) {
        lines.push(h("tr", {}, h("td", { colspan: 4, class: "soft" },
          "The clocks went back: this time was shown twice, and it cannot be told which is meant.")));
      }
    }
    const words = [event.time_words, ...(clock.words || [])].filter(Boolean);
    return h("section", { class: "times" }, h("h3", {}, "Times"), h("div", { class: "wide" }, h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Clock"), h("th", { scope: "col" }, "Start"),
        h("th", { scope: "col" }, "End"), h("th", { scope: "col" }, "Bound"))),
      h("tbody", {}, ...lines))), words.length ? h("ul", { class: "soft words" },
        ...[...new Set(words)].map((each) => h("li", {}, each))) : null);
  }

  function pairs(list) {
    return h("dl", {}, ...list.filter(([, value]) => value !== null && value !== undefined && value !== "")
      .flatMap(([term, value]) => [h("dt", {}, term), h("dd", {}, value)]));
  }

  function facts(i) {
    const event = model.events[i], stream = model.streamOf(i), exhibit = model.exhibitOf(i);
    return h("section", {}, h("h3", {}, "What and where"), pairs([
      ["Class", event.class + (event.label && event.label !== event.class ? ", " + event.label : "")],
      ["Duration", times.length(model.length[i])],
      ["Score", event.score === null ? "none: motion that was not recognised"
        : event.score.toFixed(3) + " (mean detection score of the best track)"],
      ["Most at once", String(event.max_count)],
      ["Tracks", event.tracks.map((track) => track.id).join(", ")],
      ["Camera", name(model.cameraOf(i).name, 160)],
      ["Exhibit", name(exhibit.name, 400)],
      ["Reference", exhibit.reference ? name(exhibit.reference, 80) : "none given"],
      ["Stream", "number " + stream.stream + ", " + stream.codec + ", " + stream.width + " × " + stream.height +
        " pixels as stored"],
      ["SHA-256", hash(event.exhibit_sha256, "the exhibit")],
    ]));
  }

  function link(path, words) {
    return file(path) ? h("a", { href: path, target: "_blank", rel: "noopener" }, words) : null;
  }

  function files(i) {
    const event = model.events[i], still = event.still, made = event.copy, list = [];
    const manifest = (path) => path.replace(/\.[^.\/]*$/, ".json");
    if (made) {
      list.push(["Evidential copy", h("span", {}, link(made.src, made.src.split("/").pop()), " · ",
        link(manifest(made.src), "manifest"),
        h("br"), h("span", { class: "soft" }, plural(made.packets, "packet") + ", each as in the exhibit, " +
          times.stream(made.start_s) + " to " + times.stream(made.end_s)),
        hash(made.sha256, "the evidential copy"))]);
    }
    if (still && still.evidence) {
      list.push(["Still, lossless", h("span", {}, link(still.evidence, still.evidence.split("/").pop()), " · ",
        link(manifest(still.evidence), "manifest"), hash(still.sha256, "the still"))]);
    }
    if (event.clip) {
      list.push(["Viewing copy", h("span", {}, link(event.clip.src, event.clip.src.split("/").pop()),
        h("span", { class: "soft" }, " re-encoded, for looking at only; " +
        times.stream(event.clip.start_s) + " to " + times.stream(event.clip.end_s)))]);
    }
    if (event.missing) list.push(["Missing", h("span", { class: "bad" }, event.missing)]);
    if (!list.length) list.push(["Files", "none were made for this report"]);
    return h("section", {}, h("h3", {}, "Files"), pairs(list));
  }

  function keptRow(event) {
    const list = (event.kept || []).filter((each) => file(each.src));
    return list.length ? h("figure", { class: "kept-row" }, h("figcaption", { class: "soft" }, app.KEPT +
      ": pictures of the objects alone, where the exhibit gives none"), ...list.map((each) => h("span", {},
      h("img", { src: each.src, width: each.w, height: each.h, class: "kept", decoding: "async",
        alt: each.track + " at " + times.stream(each.at_s, 1) }),
      h("span", { class: "soft" }, times.stream(each.at_s, 1) + " " + each.track)))) : null;
  }

  function strip(event, click) {
    const sheet = event.strip;
    if (!sheet || !file(sheet.src)) return keptRow(event);
    return h("div", { class: "strip", role: "group", "aria-label": "Course of the event in " + sheet.times.length +
      " frames" }, ...sheet.times.map((at, k) => {
      const image = h("img", { src: sheet.src, alt: "", decoding: "async",
        at: { width: sheet.times.length * 100 + "%", left: -k * 100 + "%" } });
      const window_ = h("span", { class: "cell", at: { "aspect-ratio": sheet.w + " / " + sheet.h } }, image);
      const damaged = (sheet.damaged || []).includes(k);
      const when = h("span", { class: damaged ? "bad" : null }, times.stream(at, 1), damaged ? " damaged" : "");
      return click ? h("button", { type: "button", "aria-label": "Frame " + (k + 1) + " of " + sheet.times.length +
        ", at " + times.stream(at, 1) + (damaged ? ", damaged" : "") + ": play from here",
        on: { click: () => click(at) } }, window_, when)
        : h("span", { class: "still" }, window_, when);
    }));
  }

  function said(mark) {
    if (mark.here) return "Marked " + mark.state + " in this session" + (mark.by ? " by " + mark.by : "") + ", " +
      mark.utc.slice(0, 19) + "Z" + (mark.saved ? "" : " · not saved to a file yet");
    if (mark.state === "unreviewed") return "Unreviewed: neither the case nor this session has a mark of it";
    return "The case says " + mark.state + (mark.by ? ", by " + mark.by : "") +
      (mark.utc ? ", " + mark.utc.slice(0, 19) + "Z" : "");
  }

  function marking(i) {
    const event = model.events[i], mark = app.marks.of(event.id);
    const note = h("input", { type: "text", id: "note", maxlength: 2000, value: mark.note || "",
      placeholder: "Note (n)", "aria-label": "Note on " + event.id, autocomplete: "off",
      on: { change: () => app.mark(app.marks.of(event.id).state, note.value) } });
    return h("div", { class: "marking", id: "marking" },
      h("div", { class: "choices", role: "group", "aria-label": "Review state of " + event.id },
        ...KEYS.map(([state, key]) => h("button", {
        type: "button", class: "s-" + state.replace(" ", "-"), "aria-pressed": mark.state === state ? "true" : "false",
          on: { click: () => app.mark(state) },
      }, state, h("kbd", { "aria-hidden": "true" }, key)))), note,
        h("p", { class: "soft" + (mark.here ? " here" : "") }, said(mark)));
  }

  function where(i) {
    const at = app.list.position(i);
    return at === undefined ? "not among the events shown" : app.text.count(at + 1) + " of " +
      app.text.count(app.list.size());
  }

  function head(i) {
    const event = model.events[i];
    return h("header", {}, h("div", { class: "title" },
      h("button", { type: "button", class: "back", on: { click: () => app.closeCard() } }, "‹ List"),
      h("h2", { tabindex: "-1", id: "card-title" }, event.id), app.kind(event),
      h("span", { class: "soft cut" }, name(model.cameraOf(i).name, 60)), h("span", { class: "gap" }),
      h("span", { class: "soft", id: "card-place" }, where(i)),
      h("button", { type: "button", "aria-label": "Previous event", title: "Previous event (k)",
        on: { click: () => step(-1) } }, "↑"),
      h("button", { type: "button", "aria-label": "Next event", title: "Next event (j)",
        on: { click: () => step(1) } }, "↓")), marking(i));
  }

  function show(i) {
    current = i;
    const card = $("card");
    app.stage.stop();
    card.replaceChildren(head(i), app.stage.show(model, i), strip(model.events[i], app.stage.seek) || "",
      h("div", { class: "facts" }, timesTable(i), facts(i), files(i)));
    card.scrollTop = 0;
    card.hidden = false;
  }

  // After a mark only what says so is made anew: a playing clip plays on, and a half-written note stays.
  function renew(id) {
    if (current < 0 || (id !== null && model.events[current].id !== id)) return;
    const old = $("marking");
    if (!old) return;
    const fresh = marking(current), note = $("note");
    const held = [...old.querySelectorAll(".choices button")].indexOf(document.activeElement);
    if (document.activeElement !== note) note.value = fresh.querySelector("#note").value;
    old.querySelector("p").replaceWith(fresh.querySelector("p"));
    old.querySelector(".choices").replaceWith(fresh.querySelector(".choices"));
    if (held >= 0) old.querySelectorAll(".choices button")[held].focus();
  }

  app.card = {
    show, strip, timesTable, facts, files, said,
    current: () => current,
    place: () => { if (current >= 0) $("card-place").textContent = where(current); },
    start: (given, stepper) => { model = given; step = stepper; app.marks.listen(renew); },
  };
})(window.vidreview);
