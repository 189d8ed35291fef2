// Calls back once the page is loaded and its mathematics typeset.
const done = arguments[arguments.length - 1];
const ready = window.MathJax?.startup?.promise ?? Promise.resolve();
ready.then(() => document.fonts.ready).then(() => requestAnimationFrame(() => done(true)));
