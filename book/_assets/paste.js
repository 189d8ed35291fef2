/* Count the concepts that pasted captions name, as misalign.coverage.matcher does. Nothing is sent. */
(function () {
  "use strict";

  var UNSEEN = /[\u00ad\u200c\u200d\u2060\ufeff]/g;
  var SELECTORS = /[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/gu;
  var GAPS = /[\p{Pd}\p{White_Space}\u001c-\u001f]+/gu; // white space and dashes
  var OTHERS = /[^\p{L}\p{N}\p{M}_ ]/gu; // what is in no word
  var ARTICLES = ["a", "an", "any", "the"];
  var DENIALS = ["no", "without", "free of"];
  ARTICLES.forEach(function (a) { DENIALS.push("not " + a, "without " + a); });

  /* NFKC, case folding, NFKC; then one space around every word and every other character. */
  function tokens(text) {
    var folded = text.replace(UNSEEN, "").normalize("NFKC").toLowerCase();
    folded = folded.replace(/\u00df/g, "ss").replace(/\u03c2/g, "\u03c3").normalize("NFKC");
    folded = folded.replace(SELECTORS, "\u0001").replace(GAPS, " ").replace(OTHERS, " . ");
    return folded.split(" ").filter(Boolean);
  }

  /* Phrases by their first token, each with the concepts that it names, or excludes. */
  function index(concepts) {
    var found = new Map();
    function add(text, role, at) {
      var words = tokens(text), first = words[0];
      if (!found.has(first)) { found.set(first, []); }
      found.get(first).push({ words: words, role: role, at: at });
    }
    concepts.forEach(function (one, at) {
      one.terms.forEach(function (term) { add(term, "term", at); });
      (one.excluded || []).forEach(function (term) { add(term, "excluded", at); });
    });
    DENIALS.forEach(function (text) { add(text, "before", -1); });
    add("free", "after", -1);
    return found;
  }

  /* Concepts that one caption names: found where they are neither denied nor part of an exclusion. */
  function named(caption, phrases) {
    var words = tokens(caption), hits = [];
    words.forEach(function (word, start) {
      (phrases.get(word) || []).forEach(function (one) {
        var fits = one.words.every(function (w, k) { return words[start + k] === w; });
        if (fits) { hits.push({ start: start, end: start + one.words.length, role: one.role, at: one.at }); }
      });
    });
    var concepts = new Set();
    hits.forEach(function (hit) {
      var free = hit.role === "term" && !hits.some(function (other) {
        return other.role === "before" && other.end === hit.start ||
          other.role === "after" && other.start === hit.end ||
          other.role === "excluded" && other.at === hit.at &&
            other.start <= hit.start && hit.end <= other.end;
      });
      if (free) { concepts.add(hit.at); }
    });
    return concepts;
  }

  function count(captions, concepts) {
    var phrases = index(concepts), counts = concepts.map(function () { return 0; }), naming = 0;
    captions.forEach(function (caption) {
      var found = named(caption, phrases);
      naming += found.size > 0;
      found.forEach(function (at) { counts[at]++; });
    });
    return { captions: captions.length, naming: naming, counts: counts };
  }

  function percent(part, whole) {
    return (100 * part / whole).toFixed(1) + " %";
  }

  function start(root) {
    var concepts = JSON.parse(document.getElementById("concepts-data").textContent);
    root.innerHTML =
      '<label for="paste-text">Your captions, one a line: paste them, or drop a text file here.</label>' +
      '<textarea id="paste-text" rows="6">A large black cat on a meadow.\nA hot dog, no cat.\nTwo puppies by a red truck</textarea>' +
      '<p id="paste-said" aria-live="polite"></p>' +
      '<div class="paste-table"><table><thead><tr><th scope="col">concept</th><th scope="col">captions</th>' +
      '<th scope="col">share</th></tr></thead><tbody></tbody></table></div><details><summary></summary><p></p></details>';
    var text = root.querySelector("textarea");

    function show() {
      var captions = text.value.split(/\r\n|\r|\n/).filter(function (line) { return line.trim(); });
      var found = count(captions, concepts);
      var order = concepts.map(function (_, i) { return i; }).filter(function (i) { return found.counts[i]; });
      order.sort(function (a, b) { return found.counts[b] - found.counts[a] || a - b; });
      root.querySelector("#paste-said").textContent = captions.length
        ? found.naming + " of " + captions.length + " captions name a concept; " + order.length + " of " +
          concepts.length + " concepts are named."
        : "No captions yet.";
      var body = root.querySelector("tbody");
      body.textContent = "";
      order.forEach(function (i) {
        var row = body.insertRow(), name = document.createElement("th");
        name.scope = "row";
        name.textContent = concepts[i].name + " (" + concepts[i].group + ")";
        row.appendChild(name);
        row.insertCell().textContent = found.counts[i];
        row.insertCell().textContent = percent(found.counts[i], captions.length);
      });
      var never = concepts.filter(function (_, i) { return !found.counts[i]; });
      var details = root.querySelector("details");
      details.hidden = !captions.length || !never.length;
      details.querySelector("summary").textContent = never.length + " concepts are never named";
      details.querySelector("p").textContent =
        never.map(function (one) { return one.name; }).join(", ") + ".";
    }

    text.addEventListener("input", show);
    text.addEventListener("dragover", function (event) { event.preventDefault(); });
    text.addEventListener("drop", function (event) {
      var file = event.dataTransfer.files[0];
      if (!file) { return; }
      event.preventDefault();
      file.text().then(function (content) { text.value = content; show(); });
    });
    show();
  }

  var root = document.getElementById("paste");
  if (root) { start(root); }
  window.misalignCount = count; // for a test beside the library's own count
})();
