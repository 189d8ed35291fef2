/* "Write the captions": what a representation keeps, by what captions do to four factors.
   Predictions are closed forms of Theorem 4.1 for Gaussian factors; dots are recorded runs. */
(function () {
  "use strict";

  var FACTORS = ["shape", "size", "color", "background"];
  var STATUSES = ["stated", "wrong", "omitted"];
  var WORDS = [
    ["cat", "dog", "animal"],
    ["large", "small", ""],
    ["black", "red", ""],
    ["on a meadow", "at sea", ""]
  ];
  var SEEN = 0.6; // correlation of color and background with weight at home
  var CHALLENGES = [
    ["Serve both tasks at home", function (s) {
      return search(s) >= 0.9 && weight(s, SEEN) >= 0.6;
    }],
    ["Survive the reversed village: weight at 0.45 or more", function (s) {
      return weight(s, -SEEN) >= 0.45;
    }],
    ["Make a lost factor return: 0.5 or more for one that is wrong or omitted", function (s) {
      var found = factors(s);
      return found.some(function (r2, j) { return block(s).indexOf(j) < 0 && r2 >= 0.5; });
    }]
  ];

  /* --- the theorem --------------------------------------------------------------------- */

  function matrix(n, entry) {
    return Array.from({ length: n }, function (_, i) {
      return Array.from({ length: n }, function (_, j) { return entry(i, j); });
    });
  }

  function product(a, b) {
    return a.map(function (row) {
      return b[0].map(function (_, j) {
        return row.reduce(function (sum, value, k) { return sum + value * b[k][j]; }, 0);
      });
    });
  }

  function transposed(a) {
    return a[0].map(function (_, j) { return a.map(function (row) { return row[j]; }); });
  }

  /* Solve a w = b by elimination; a is positive definite, so no row has to be exchanged. */
  function solve(a, b) {
    var n = b.length, m = a.map(function (row, i) { return row.concat([b[i]]); });
    for (var k = 0; k < n; k++) {
      for (var i = k + 1; i < n; i++) {
        var share = m[i][k] / m[k][k];
        for (var j = k; j <= n; j++) { m[i][j] -= share * m[k][j]; }
      }
    }
    var w = new Array(n);
    for (k = n - 1; k >= 0; k--) {
      w[k] = m[k][n];
      for (j = k + 1; j < n; j++) { w[k] -= m[k][j] * w[j]; }
      w[k] /= m[k][k];
    }
    return w;
  }

  function sigma(rho) {
    return matrix(4, function (i, j) { return i === j ? 1 : rho; });
  }

  function block(state) {
    var right = state.wrong ? 0 : 1; // a word that is never wrong states its factor
    return [0, 1, 2, 3].filter(function (i) { return state.status[i] <= right; });
  }

  /* R2 of the best prediction from the block, of a target with covariances c and variance v;
     elsewhere, where they are another matrix and other numbers, of the same prediction. */
  function explained(S, I, c, v, there) {
    if (!I.length) { return 0; }
    var w = solve(I.map(function (i) { return I.map(function (j) { return S[i][j]; }); }),
      I.map(function (i) { return c[i]; }));
    var at = there || { S: S, c: c, v: v }, missed = at.v;
    I.forEach(function (i, a) {
      missed -= 2 * w[a] * at.c[i];
      I.forEach(function (j, b) { missed += w[a] * w[b] * at.S[i][j]; });
    });
    return 1 - missed / at.v;
  }

  function factors(state) {
    var S = sigma(state.rho), I = block(state);
    return S.map(function (row, j) { return explained(S, I, row, 1); });
  }

  /* Rank photos by color and background. */
  function search(state) {
    var S = sigma(state.rho), c = S.map(function (row) { return row[2] + row[3]; });
    return explained(S, block(state), c, c[2] + c[3]);
  }

  /* Weight: half of it shape and size; color and background go with it by coincidence. */
  function village(rho, coincidence) {
    var base = matrix(5, function (i, j) { return i === j ? 1 : i < 4 && j < 4 ? rho : 0; });
    var y = [[0.5, 0.5, 0, 0, Math.SQRT1_2]];
    var size = Math.sqrt(product(product(y, base), transposed(y))[0][0]);
    var own = Math.sqrt(1 - coincidence * coincidence);
    var rows = matrix(4, function (i, j) {
      return i < 2 ? +(i === j) : coincidence * y[0][j] / size + (i === j ? own : 0);
    });
    rows.forEach(function (row, i) {
      row.push(i < 2 ? 0 : coincidence * y[0][4] / size);
    });
    rows.push(y[0]);
    var all = product(product(rows, base), transposed(rows));
    return { S: all, c: all[4], v: all[4][4] };
  }

  function weight(state, coincidence) {
    var home = village(state.rho, SEEN);
    return explained(home.S, block(state), home.c, home.v, village(state.rho, coincidence));
  }

  function task(state) {
    return state.task ? weight(state, state.place ? -SEEN : SEEN) : search(state);
  }

  /* --- the state, also in the address ---------------------------------------------------- */

  function read(hash) {
    var found = /^#captions=([012]{4})-(\d{1,2})-(\d{1,3})-([012])-([01])-([01])$/.exec(hash);
    if (!found) { return null; }
    return {
      status: found[1].split("").map(Number), rho: Math.min(90, +found[2]) / 100,
      wrong: Math.min(100, +found[3]) / 100, spare: +found[4], task: +found[5], place: +found[6]
    };
  }

  function written(state) {
    return "#captions=" + [
      state.status.join(""), Math.round(100 * state.rho), Math.round(100 * state.wrong),
      state.spare, state.task, state.place
    ].join("-");
  }

  function caption(state) {
    var say = WORDS.map(function (words, i) { return words[state.status[i]]; });
    var words = ["A", say[1], say[2], say[0], say[3]].filter(Boolean);
    if (/^[aeio]/.test(words[1])) { words[0] = "An"; }
    return words.join(" ") + ".";
  }

  function two(value) {
    return (Math.round(100 * value) / 100 + 0).toFixed(2).replace("-", "\u2212");
  }

  /* --- the page ------------------------------------------------------------------------------ */

  function choice(name, legend, labels, at) {
    return '<fieldset class="ex-choice"><legend>' + legend + "</legend>" +
      labels.map(function (label, k) {
        return '<label class="ex-' + label.split(" ")[0] + '"><input type="radio" name="' + name +
          '" value="' + k + '"' + (k === at ? " checked" : "") + "><span>" + label + "</span></label>";
      }).join("") + "</fieldset>";
  }

  function slider(name, label, max, step, value) {
    return '<label class="ex-range"><span>' + label + ' <output name="' + name + '-out"></output></span>' +
      '<input type="range" name="' + name + '" min="0" max="' + max + '" step="' + step +
      '" value="' + value + '"></label>';
  }

  function bars() {
    var rows = FACTORS.map(function (name, i) {
      var y = 14 + 44 * i;
      return '<text x="102" y="' + (y + 19) + '" text-anchor="end">' + name + "</text>" +
        '<rect class="ex-room" x="110" y="' + y + '" width="300" height="28"/>' +
        '<rect class="ex-bar" x="110" y="' + y + '" width="0" height="28"/>' +
        '<g class="ex-dots"></g>' +
        '<text class="ex-value" x="420" y="' + (y + 19) + '"></text>';
    });
    var ticks = [0, 0.5, 1].map(function (t) {
      var x = 110 + 300 * t;
      return '<text class="ex-tick" x="' + x + '" y="206" text-anchor="middle">' + t + "</text>";
    });
    return '<svg viewBox="0 0 470 228" role="img" aria-label="Predicted R squared of each factor"' +
      '><defs><pattern id="ex-hatch" width="8" height="8" patternUnits="userSpaceOnUse"' +
      ' patternTransform="rotate(45)"><line y2="8" class="ex-line"/></pattern></defs>' +
      rows.join("") + ticks.join("") +
      '<text class="ex-tick" x="260" y="224" text-anchor="middle">R\u00b2 of a factor, from the picture\u2019s representation</text></svg>';
  }

  function page(state, spare) {
    return '<div class="ex-grid"><form class="ex-form" onsubmit="return false">' +
      "<p>The picture shows a <strong>large black cat on a meadow</strong>. What do captions do to each factor?</p>" +
      FACTORS.map(function (name, i) { return choice(name, name, STATUSES, state.status[i]); }).join("") +
      slider("rho", "how related the factors are", 0.9, 0.05, state.rho) +
      slider("wrong", "how often a wrong word is wrong", 1, 0.05, state.wrong) +
      (spare ? choice("spare", "room in the representation", ["exact", "1 more", "2 more"], state.spare) : "") +
      choice("task", "task", ["find the cat: color and background", "estimate its weight"], state.task) +
      choice("place", "where it is used", ["at home", "reversed village"], state.place) +
      '</form><div class="ex-found"><div class="ex-show"><p class="ex-caption"></p>' + bars() +
      '<p class="ex-score"></p></div><p class="ex-say" aria-live="polite"></p>' +
      '<form class="ex-guess" onsubmit="return false"><label class="ex-range"><span>Guess first: how much of the color is left? <output></output></span>' +
      '<input type="range" name="guess" min="0" max="1" step="0.05" value="0.5"></label>' +
      '<button type="button">Show what the theorem says</button></form>' +
      "<p>Three challenges:</p><ul class=\"ex-challenges\">" +
      CHALLENGES.map(function (one) { return "<li>" + one[0] + " <span></span></li>"; }).join("") +
      "</ul></div></div>";
  }

  function start(root) {
    var from = document.getElementById("explorer-data");
    var records = from ? JSON.parse(from.textContent) : { rho: [], runs: {} };
    var hash = read(location.hash);
    var state = hash || { status: [0, 0, 1, 2], rho: 0, wrong: 0.75, spare: 0, task: 0, place: 0 };
    var guessed = Boolean(hash), met = CHALLENGES.map(function () { return false; });
    // without recorded runs of wider representations there is nothing to show of them
    var spare = Object.keys(records.runs).some(function (key) { return key.indexOf("+") > 0; });
    state.spare = spare ? state.spare : 0;
    root.innerHTML = page(state, spare);
    root.classList.add("ex-live");
    var get = function (selector) { return root.querySelector(selector); };
    var all = function (selector) { return Array.from(root.querySelectorAll(selector)); };

    function recorded() {
      var at = records.rho.findIndex(function (rho) { return Math.abs(rho - state.rho) < 1e-6; });
      var wrong = state.status.indexOf(1) >= 0 && Math.abs(state.wrong - 0.75) > 1e-6;
      var runs = records.runs[state.status.join("") + (state.spare ? "+" + state.spare : "")];
      return at < 0 || wrong || !runs ? [] : runs[at] || [];
    }

    function draw() {
      var predicted = factors(state), none = !block(state).length, open = state.spare > 0;
      var dots = recorded(), stated = block(state).map(function (i) { return FACTORS[i]; });
      all(".ex-bar").forEach(function (bar, i) {
        var hidden = !guessed && i === 2;
        bar.setAttribute("width", hidden ? 0 : open ? 300 : 300 * predicted[i]);
        bar.setAttribute("class", "ex-bar ex-" + (open ? "open" : STATUSES[state.status[i]]));
        all(".ex-value")[i].textContent = hidden ? "?" : open ? "" : two(predicted[i]);
        all(".ex-dots")[i].innerHTML = hidden ? "" : dots.map(function (run) {
          var x = 110 + 300 * Math.max(0, Math.min(1, run[i]));
          return '<circle cx="' + x.toFixed(1) + '" cy="' + (28 + 44 * i) + '" r="4.5"/>';
        }).join("");
      });
      get(".ex-caption").textContent = "\u201c" + caption(state) + "\u201d";
      get("[name=rho-out]").textContent = two(state.rho);
      get("[name=wrong-out]").textContent = two(state.wrong);
      var where = state.task ? (state.place ? " in the reversed village" : " at home") : "";
      get(".ex-score").textContent = open
        ? "With room to spare the theorem does not speak; dots are recorded runs."
        : "Score of the task" + where + ": " + (guessed ? two(task(state)) : "?");
      get(".ex-say").textContent = none
        ? "No factor is stated correctly, so nothing is left to learn."
        : "Kept: " + stated.join(", ") + "." +
          (dots.length ? " Dots are " + dots.length + " recorded runs." : "");
      get(".ex-guess").hidden = guessed;
      CHALLENGES.forEach(function (one, k) {
        met[k] = met[k] || (guessed && !open && one[1](state));
        all(".ex-challenges span")[k].textContent = met[k] ? "\u2713 done" : "";
      });
      get("[name=place]").closest("fieldset").disabled = !state.task;
      get("[name=wrong]").disabled = state.status.indexOf(1) < 0;
    }

    get(".ex-form").addEventListener("input", function (event) {
      var name = event.target.name, value = Number(event.target.value);
      if (FACTORS.indexOf(name) >= 0) { state.status[FACTORS.indexOf(name)] = value; }
      else { state[name] = value; }
      history.replaceState(null, "", written(state));
      draw();
    });
    get("[name=guess]").addEventListener("input", function (event) {
      get(".ex-guess output").textContent = two(Number(event.target.value));
    });
    get(".ex-guess button").addEventListener("click", function () {
      var off = Math.abs(Number(get("[name=guess]").value) - factors(state)[2]);
      guessed = true;
      draw();
      get(".ex-say").textContent = "Your guess is off by " + two(off) + ". " + get(".ex-say").textContent;
      get(".ex-form input").focus();
    });
    draw();
  }

  var root = document.getElementById("explorer");
  if (root) { start(root); }
})();
