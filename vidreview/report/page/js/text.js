"use strict";
// Text, numbers and elements. Whatever comes from evidence becomes a text node or an attribute, never markup.
window.vidreview = window.vidreview || {};
(function (app) {
  // From here on the page is one with scripts; the overview is read while the events are still loading.
  document.documentElement.classList.add("js");

  // Characters that no line of text shows: controls, and those that turn text around or hide in it.
  const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

  function visible(text) {
    return String(text).replace(UNSEEN, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
  }

  // The beginning and the end of a long name: recorders put camera and time into both.
  function shorten(text, most) {
    const shown = visible(text);
    if (shown.length <= most) return shown;
    const tail = Math.floor((most - 1) / 3);
    return shown.slice(0, most - 1 - tail) + "…" + shown.slice(shown.length - tail);
  }

  function count(number) {
    return Math.round(number).toString().replace(/\B(?=(\d{3})+$)/g, ",");
  }

  function plural(number, one, many) {
    return count(number) + " " + (number === 1 ? one : many || one + "s");
  }

  // Paths of the report's own files only: relative, plain, never upwards, never with a scheme.
  function file(path) {
    const plain = typeof path === "string" && /^[A-Za-z0-9_][A-Za-z0-9_.\/-]*$/.test(path);
    return plain && !path.split("/").includes("..") ? path : null;
  }

  function put(node, attributes) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name === "class") node.setAttribute("class", value);
      else if (name === "on") for (const [kind, call] of Object.entries(value)) node.addEventListener(kind, call);
      else if (name === "at") for (const [rule, text] of Object.entries(value)) node.style.setProperty(rule, text);
      else if (name === "src" || name === "href") {
        const safe = file(value);
        if (safe !== null) node.setAttribute(name, safe);
      } else if (!/^on|^style$/.test(name)) node.setAttribute(name, value === true ? "" : String(value));
    }
    return node;
  }

  function fill(node, children) {
    for (const child of children.flat()) {
      if (child === null || child === undefined || child === false) continue;
      node.append(child instanceof Node ? child : document.createTextNode(visible(child)));
    }
    return node;
  }

  function h(tag, attributes, ...children) {
    return fill(put(document.createElement(tag), attributes), children);
  }

  function s(tag, attributes, ...children) {
    return fill(put(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes), children);
  }

  // A name from evidence: isolated, so that its direction of writing turns nothing else around.
  function name(text, most) {
    const whole = visible(text);
    const short = shorten(text, most || 80);
    return h("bdi", { class: "name", title: short === whole ? null : whole.slice(0, 2000) }, short);
  }

  app.text = { visible, shorten, count, plural, file, name };
  app.h = h;
  app.s = s;
  app.$ = (id) => document.getElementById(id);

  let quiet = 0;
  // Says something to whoever looks or listens; warnings stay until closed.
  app.say = function (text, lasting) {
    const place = app.$("notice");
    place.replaceChildren(h("span", {}, text), h("button", {
      type: "button", class: "plain", "aria-label": "Close this notice", on: { click: () => { place.hidden = true; } },
    }, "×"));
    place.hidden = false;
    place.classList.toggle("lasting", Boolean(lasting));
    clearTimeout(quiet);
    if (!lasting) quiet = setTimeout(() => { place.hidden = true; }, 5000);
  };
})(window.vidreview);
