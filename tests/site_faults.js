// Calls back with everything that is wrong with the page as it stands, a line each.
// Arguments: the theme that the page should be in, the callback.
const [theme, done] = arguments;
const root = document.documentElement;
const all = (selector) => [...document.querySelectorAll(selector)];
const start = (text) => text.trim().replace(/\s+/g, ' ').slice(0, 40);

function layout() {
  const faults = [];
  if (root.dataset.theme !== theme) faults.push(`theme ${root.dataset.theme}, not ${theme}`);
  if (root.scrollWidth > root.clientWidth) {
    const scrolls = (e) => e && e !== document.body &&
      (getComputedStyle(e).overflowX !== 'visible' || scrolls(e.parentElement));
    const wide = all('body *').filter((e) => e.checkVisibility() &&
      e.getBoundingClientRect().right > root.clientWidth + 1 && !scrolls(e.parentElement));
    const names = wide.slice(0, 3).map((e) => `${e.tagName}.${e.className} ${start(e.textContent)}`);
    faults.push(`${root.scrollWidth} px wide on a screen of ${root.clientWidth}: ${names.join(', ')}`);
  }
  for (const image of document.images)
    if (image.complete && !image.naturalWidth) faults.push(`${image.src} does not load`);
  return faults;
}

// Search is offered once, by a box or by a button that opens one; search.html has its own box too.
function search() {
  const offered = all('form.bd-search, .search-button-field, .search-button')
    .filter((e) => e.checkVisibility() && !e.closest('.bd-search-container'));
  const bars = all('.bd-header').filter(
    (e) => e.checkVisibility({visibilityProperty: true}) && e.getBoundingClientRect().height > 0);
  return [
    ...(offered.length > 1 ? [`${offered.length} ways to search are shown`] : []),
    ...bars.map(() => 'the theme shows a second bar on top'),
  ];
}

function mathematics() {
  const faults = [];
  const raw = /\\[()\[\]]|\$|\\[A-Za-z]{2,}/; // no price is quoted here, so any $ is a slip
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { data, parentElement } = walker.currentNode;
    if (parentElement.closest('mjx-container, script, style, noscript, pre, code, textarea')) continue;
    if (raw.test(data)) faults.push(`raw TeX: ${start(data)}`);
  }
  for (const e of all('.math'))
    if (!e.querySelector('mjx-container')) faults.push(`not typeset: ${start(e.textContent)}`);
  for (const e of all('mjx-merror, [data-mjx-error]'))
    faults.push(`MathJax error: ${e.dataset.mjxError ?? e.textContent}`);
  for (const e of all('mjx-container [style*="color"]')) // how MathJax shows a macro it lacks
    if (getComputedStyle(e).color === 'rgb(255, 0, 0)')
      faults.push(`unknown TeX macro: ${start(e.closest('mjx-container').textContent)}`);
  return faults;
}

// Text stands out from what is behind it, as WCAG AA asks.
function contrast() {
  const parse = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = color.map(
      (v) => v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const [r, g, b, alpha = 1] = parse(getComputedStyle(e).backgroundColor);
      if (alpha > 0.5) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const faults = new Map();
  for (const e of all('.bd-article *')) {
    const own = [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim());
    if (!own || e.closest('svg, .headerlink') || !e.checkVisibility()) continue;
    const color = getComputedStyle(e).color;
    const [a, b] = [parse(color).slice(0, 3), behind(e)].map(luminance);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5)
      faults.set(`${e.tagName} ${color}`, `contrast ${ratio.toFixed(1)}: ${start(e.textContent)}`);
  }
  return [...faults.values()];
}

// The theme follows the emulated setting a moment later.
const until = performance.now() + 3000;
const look = () => root.dataset.theme === theme || performance.now() > until
  ? requestAnimationFrame(
    () => done([...layout(), ...search(), ...mathematics(), ...contrast()]))
  : requestAnimationFrame(look);
look();
