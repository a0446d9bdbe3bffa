'use strict';
/* What both pages need: elements, numbers as text, tooltips, tables that sort, the context of a measurement.
 * The document is somebody else's text: it only ever becomes text nodes, never markup. */

const SVG_NAMESPACE = 'http://www.w3.org/2000/svg';
const measured = JSON.parse(document.getElementById('document').textContent);

/* ---- Elements ------------------------------------------------------------------------------------------------- */

/* Attributes that are null, undefined or false are left out; "on..." adds a listener; strings become text nodes. */
function furnish(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on'))
      node.addEventListener(name.slice(2), value);
    else
      node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const element = (tag, attributes, ...children) => furnish(document.createElement(tag), attributes, children);
const drawn = (tag, attributes, ...children) => furnish(
  document.createElementNS(SVG_NAMESPACE, tag), attributes, children);
const place = (id) => document.getElementById(id);

/* Drop a section that has nothing to show. */
const remove = (id) => place(id)?.remove();

/* ---- Numbers as text ------------------------------------------------------------------------------------------ */

const NOTHING = '–';
const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);
const fixed = (value, digits) => (isNumber(value) ? value.toFixed(digits) : NOTHING);
const withUnit = (text, unit) => (text === NOTHING ? text : `${text}\u00a0${unit}`);

/* As many decimals as make four significant digits, from 0 to 4. */
const decimalsFor = (value) => Math.min(4, Math.max(0, 3 - Math.floor(Math.log10(Math.abs(value) || 1))));
const number = (value) => (isNumber(value) ? value.toFixed(decimalsFor(value)) : NOTHING);
const rate = (value) => fixed(value, value < 10 ? 2 : 1);
const percent = (value) => fixed(value, 1);
const milliseconds = (value) => withUnit(number(value), 'ms');
const ratioText = (value) => fixed(value, value < 10 ? 3 : 1);

/* An interval with the decimals of its middle, so that its ends line up with it. */
function interval(middle, low, high) {
  if (!isNumber(low) || !isNumber(high)) return NOTHING;
  const digits = decimalsFor(isNumber(middle) ? middle : high);
  return `${low.toFixed(digits)} to ${high.toFixed(digits)}`;
}

function bytes(value) {
  if (!isNumber(value)) return NOTHING;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let scaled = value, unit = 0;
  for (; scaled >= 1024 && unit < units.length - 1; unit++) scaled /= 1024;
  return withUnit(unit === 0 ? String(scaled) : scaled.toFixed(scaled < 10 ? 2 : scaled < 100 ? 1 : 0), units[unit]);
}

function scientific(value) {
  if (!isNumber(value)) return NOTHING;
  return value === 0 ? '0' : value.toExponential(1).replace('e-', 'e−').replace('e+', 'e');
}

function count(value) {
  if (!isNumber(value)) return NOTHING;
  const [unit, scale] = value >= 1e9 ? ['G', 1e9] : value >= 1e6 ? ['M', 1e6] : value >= 1e3 ? ['k', 1e3] : ['', 1];
  return unit === '' ? (Number.isInteger(value) ? String(value) : number(value))
                     : withUnit((value / scale).toPrecision(3), unit);
}

const shapeText = (shape) => (typeof shape === 'string' ? shape.replace('->', '→') : NOTHING);
const plural = (many, one) => `${many}\u00a0${one}${many === 1 ? '' : 's'}`;
const day = (date) => (typeof date === 'string' ? date.replace('T', ' ').replace('Z', ' UTC') : null);

/* The value below which a share of the sorted values lies. */
function quantile(sorted, share) {
  const position = share * (sorted.length - 1), below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
}

/* A file of skiplane tune and the digest of what it runs. */
const planText = (measured) => `plan ${measured.plan} (${measured.plan_digest})`;

/* ---- Algorithms: a colour and a shape each, so that colour is never alone ------------------------------------- */

const ALGORITHMS = ['direct', 'winograd2', 'winograd4', 'winograd6', 'gemm', 'strassen', 'winograd3'];

/* A layer without multiply-accumulates has no algorithm to speak of. */
const algorithmOf = (layer) => (layer.macs > 0 && ALGORITHMS.includes(layer.algorithm) ? layer.algorithm : 'other');
const algorithmClass = (layer) => `algorithm-${algorithmOf(layer)}`;

/* The outline of a mark of a given area around the origin. */
function outline(algorithm, area) {
  const side = Math.sqrt(area);
  const polygon = (points) =>
    `M${points.map(([x, y]) => `${(x * side).toFixed(2)},${(y * side).toFixed(2)}`).join('L')}Z`;
  switch (algorithm) {
    case 'winograd2':
      return polygon([[0, -0.88], [0.76, 0.44], [-0.76, 0.44]]);
    case 'winograd4':
      return polygon([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]);
    case 'winograd6':
      return polygon([[0, -0.71], [0.71, 0], [0, 0.71], [-0.71, 0]]);
    case 'gemm':
      return polygon([[0, 0.88], [0.76, -0.44], [-0.76, -0.44]]);
    case 'winograd3':
      return polygon([[-0.8, -0.35], [0.8, -0.35], [0.8, 0.35], [-0.8, 0.35]]);
    case 'strassen':
      return polygon([[-0.25, -0.75], [0.25, -0.75], [0.25, -0.25], [0.75, -0.25], [0.75, 0.25], [0.25, 0.25],
        [0.25, 0.75], [-0.25, 0.75], [-0.25, 0.25], [-0.75, 0.25], [-0.75, -0.25], [-0.25, -0.25]]);
    default: {
      const radius = (side / Math.sqrt(Math.PI)).toFixed(2);
      return `M-${radius},0a${radius},${radius} 0 1,0 ${2 * radius},0a${radius},${radius} 0 1,0 ${- 2 * radius},0Z`;
    }
  }
}

const swatch = (algorithm) => drawn('svg',
  {class: `swatch algorithm-${algorithm}`, viewBox: '-8 -8 16 16', 'aria-hidden': 'true'},
  drawn('path', {d: outline(algorithm, 110), class: 'mark'}));

/* ---- Tooltip, and marks that show one under the pointer and the keyboard -------------------------------------- */

const tooltip = element('div', {class: 'tooltip', role: 'tooltip', id: 'tooltip', hidden: true});
document.body.append(tooltip);

function showTooltip(anchor, title, facts) {
  tooltip.replaceChildren(element('strong', null, title),
    element('dl', null,
      facts.filter(([, value]) => value !== null && value !== undefined && !String(value).startsWith(NOTHING))
        .map(([name, value]) => element('div', null, element('dt', null, name), element('dd', null, value)))));
  tooltip.hidden = false;
  const target = anchor.getBoundingClientRect(), box = tooltip.getBoundingClientRect(), gap = 10;
  const room = document.documentElement.clientWidth;
  const left = Math.max(4, Math.min(target.left + target.width / 2 - box.width / 2, room - box.width - 4));
  const above = target.top - box.height - gap;
  const below = Math.min(target.bottom + gap, window.innerHeight - box.height - 4);
  tooltip.style.left = `${left + window.scrollX}px`;
  tooltip.style.top = `${(above > 4 ? above : below) + window.scrollY}px`;
}

function hideTooltip() {
  tooltip.hidden = true;
}

document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') hideTooltip();
});

/* The same layer is lit up in every chart and in the table. */
function light(layer, on) {
  if (layer === null) return;
  for (const mark of document.querySelectorAll(`[data-layer="${Number(layer)}"]`)) mark.classList.toggle('lit', on);
}

/* Marks of one chart: one stop for the Tab key, arrows go from mark to mark. `describe(index)` gives [title, facts]. */
function makeInteractive(marks, describe) {
  const show = (mark, index) => {
    showTooltip(mark, ...describe(index));
    light(mark.getAttribute('data-layer'), true);
  };
  const leave = (mark) => {
    hideTooltip();
    light(mark.getAttribute('data-layer'), false);
  };
  const steps = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -marks.length, End: marks.length};
  marks.forEach((mark, index) => {
    const [title, facts] = describe(index);
    mark.setAttribute('tabindex', index === 0 ? '0' : '-1');
    mark.setAttribute('role', 'img');
    mark.setAttribute('aria-label', `${title}: ${facts.map(([name, value]) => `${name} ${value}`).join(', ')}`);
    mark.addEventListener('pointerenter', () => show(mark, index));
    mark.addEventListener('pointerleave', () => leave(mark));
    mark.addEventListener('focus', () => show(mark, index));
    mark.addEventListener('blur', () => leave(mark));
    mark.addEventListener('keydown', (event) => {
      if (!(event.key in steps)) return;
      event.preventDefault();
      const next = marks[Math.max(0, Math.min(index + steps[event.key], marks.length - 1))];
      mark.setAttribute('tabindex', '-1');
      next.setAttribute('tabindex', '0');
      next.focus();
    });
  });
}

/* ---- Tables that sort and filter ------------------------------------------------------------------------------ */

/* Missing values come last whichever way one sorts. */
function compareValues(a, b, direction) {
  const isMissing = (value) => value === null || value === undefined || Number.isNaN(value);
  if (isMissing(a) || isMissing(b)) return isMissing(a) - isMissing(b);
  return direction * (typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b)));
}

const classOf = (column) => [column.text && 'words', column.minor && 'minor'].filter(Boolean).join(' ') || null;

/* columns: {title, unit, value(row), show(row) -> text or node, text: true for words, heads: true for the row's name,
 * minor: true if narrow windows can do without, ascends: true if small values are sorted first, help}
 * rows: what the functions take; mark(tr, row) may dress a row. */
function makeTable({id, caption, columns, rows, words, mark, footer}) {
  const body = element('tbody');
  const lines = rows.map((row) => {
    const line = element('tr', null,
      columns.map((column) => element(column.heads ? 'th' : 'td',
                    {class: classOf(column), scope: column.heads ? 'row' : null}, column.show(row))));
    mark?.(line, row);
    return {row, line};
  });
  const heads = columns.map(
    (column) => element('th', {scope: 'col', class: classOf(column)},
      element('button', {type: 'button', title: column.help, onclick: () => sortBy(column)},
        element('span', null, column.title), column.unit ? element('small', null, column.unit) : null)));
  let sorted = null, direction = 1;

  function sortBy(column) {
    direction = sorted === column ? -direction : column.text || column.ascends ? 1 : -1;
    sorted = column;
    heads.forEach((head, i) => {
      if (columns[i] === column)
        head.setAttribute('aria-sort', direction > 0 ? 'ascending' : 'descending');
      else
        head.removeAttribute('aria-sort');
    });
    lines.sort((a, b) => compareValues(column.value(a.row), column.value(b.row), direction));
    body.append(...lines.map(({line}) => line));
  }

  const shown = element('output', {class: 'quiet'});
  const field = element('input', {type: 'search', id: `${id}-filter`, autocomplete: 'off', oninput: filter});
  function filter() {
    const wanted = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const {row, line} of lines) {
      const text = words(row).toLowerCase();
      line.hidden = !wanted.every((word) => text.includes(word));
    }
    shown.textContent = `${lines.filter(({line}) => !line.hidden).length} of ${lines.length}`;
  }

  body.append(...lines.map(({line}) => line));
  filter();
  return [
    element('div', {class: 'tools'},
      element('label',
        { for: `${id}-filter`
        },
        'Filter'),
      field, shown),
    element('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption},
      element('table', {id}, element('caption', {class: 'unseen'}, caption),
        element('thead', null, element('tr', null, heads)), body,
        footer ? element('tfoot', null, element('tr', null, footer)) : null)),
  ];
}

/* ---- Warnings, context and command ---------------------------------------------------------------------------- */

const band = (kind, title, text) => element(
  'p', {class: `band ${kind}`, role: 'note'}, element('strong', null, title), ' ', text);

/* What it took to pass a cache line from one thread to another, each time that it was measured. */
function handoffText() {
  const times = measured.handoffs_ns ?? [];
  return times.length ? withUnit(times.map((time) => fixed(time, 0)).join(', '), 'ns') : null;
}

/* What makes the numbers doubtful, or nothing. */
function warnings() {
  const peaks = (measured.peaks_gflops ?? []).map(rate).join(', ');
  return [
    measured.interrupted && band('caution', 'Interrupted.', 'This is what had been measured until then.'),
    measured.drifted &&
      band('caution', 'The machine drifted.',
        `The FMA peak moved by ${percent(measured.peak_spread_percent)}% during the run (${peaks} GFLOP/s): ` +
          'it was not quiet, or its clock changed. Distrust small differences.'),
  ];
}

/* Conditions in one line, which breaks between them and not within. */
const listConditions = (conditions) =>
  conditions.filter(Boolean)
    .flatMap((text, i) => [i > 0 ? ' · ' : null, element('span', {class: 'unbroken'}, text)])
    .filter(Boolean);

/* "name: value" pairs as a list of definitions. */
const definitions = (pairs) => element('dl', {class: 'facts'},
  pairs.filter(([, value]) => value !== null && value !== undefined && value !== '').map(([name,
    value]) => element('div', null, element('dt', null, name), element('dd', null, value))));

const CONTEXT_NAMES = {
  cpu: 'CPU',
  cpus: 'CPUs',
  smt: 'SMT',
  isas: 'ISAs',
  openmp: 'OpenMP',
  skiplane: 'Skiplane',
  flags: 'kernel flags',
};
const contextPairs = (context) =>
  Object.entries(context ?? {}).map(([key, value]) => [CONTEXT_NAMES[key] ?? key, String(value ?? NOTHING)]);

async function copyText(source, button) {
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = 'Copied';
  } catch { /* an old browser, or one that does not trust files: select it for the user */
    window.getSelection().selectAllChildren(source);
    button.textContent = 'Selected';
  }
  setTimeout(() => {
    button.textContent = 'Copy';
  }, 2000);
}

function commandLine(command) {
  const code = element('code', null, command);
  const button = element('button', {type: 'button', class: 'plain', onclick: () => copyText(code, button)}, 'Copy');
  return element('div', {class: 'command'}, code, button);
}

/* The page carries its data: hand them back as a file. */
function saveData() {
  const url = URL.createObjectURL(new Blob([JSON.stringify(measured, null, 2)], {type: 'application/json'}));
  element('a', {href: url, download: 'skiplane.json'}).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

function fillConditions(extra) {
  place('context').append(measured.command ? commandLine(measured.command) : '',
    definitions([...extra, ...contextPairs(measured.context)]),
    element('p', null, element('button', {type: 'button', class: 'plain', onclick: saveData}, 'Save the data (JSON)')));
}

/* Fill the page part by part: what one cannot draw must not take the others away. */
function fillAll(...parts) {
  for (const part of parts) {
    try {
      part();
    } catch (error) {
      console.error(part.name, error);
      place('warnings')
        .append(band('caution', 'A part of this page could not be drawn.', `${part.name}: ${error.message}`));
    }
  }
}

/* Follow the system's theme until the button is pressed. */
function prepareThemeButton() {
  const root = document.documentElement, dark = matchMedia('(prefers-color-scheme: dark)');
  place('theme').addEventListener('click', () => {
    const isDark = root.dataset.theme ? root.dataset.theme === 'dark' : dark.matches;
    root.dataset.theme = isDark ? 'light' : 'dark';
  });
}
prepareThemeButton();
