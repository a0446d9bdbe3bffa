'use strict';
/* The page of `skiplane verify`: errors against the double-precision reference, per algorithm and kernel. */

const kernelGroups = measured.groups ?? [];
const isas = [...new Set(kernelGroups.map(({isa}) => isa))];
const hasErrors = (errors) => errors?.values > 0;
const kinds = [...new Set(kernelGroups.flatMap(({data}) => (data ?? []).filter(hasErrors).map(({kind}) => kind)))];
const ALL_DATA = 'all';
const shown = {isa: isas.at(-1), kind: kinds.includes('reals') ? 'reals' : ALL_DATA};

/* The errors of a group on one kind of data, or on all. */
const errorsOf = (group, kind) => (kind === ALL_DATA ? group : (group.data ?? []).find((data) => data.kind === kind));
const figureText = (value) => (isNumber(value) ? String(Number(value.toPrecision(3))) : NOTHING);
const worstOf = (group) => (group.data ?? []).filter(hasErrors)
  .reduce((worst, data) => (data.worst_fraction > (worst?.worst_fraction ?? 0) ? data : worst), null);

/* ---- Head, headline, failures --------------------------------------------------------------------------------- */

function fillHead() {
  document.title = 'skiplane verify';
  place('title').textContent = measured.failed > 0 ? `${plural(measured.failed, 'case')} failed` : 'All cases passed';
  place('conditions').append(...listConditions([isas.join(', '), `seed ${measured.seed}`,
    measured.exhaustive && 'exhaustive', measured.filter && `filter ${measured.filter}`, day(measured.date)]));
  if (measured.failed > 0)
    place('warnings')
      .append(band('caution', 'Failed.', 'The errors of a case that failed are counted up to its failure.'));
}

const figure = (name, value, ...notes) => element('div', null, element('dt', null, name), element('dd', null, value),
  notes.map((note) => element('dd', {class: 'quiet'}, note)));

function fillHeadline() {
  const nearest = kernelGroups.filter(hasErrors).reduce(
    (worst, group) => (group.worst_fraction > (worst?.worst_fraction ?? 0) ? group : worst), null);
  const values = kernelGroups.reduce((sum, group) => sum + (group.values ?? 0), 0);
  const exact = kernelGroups.reduce((sum, group) => sum + (group.ulp?.[0] ?? 0), 0);
  place('headline').append(figure('Passed', String(measured.passed)), figure('Failed', String(measured.failed)),
    figure('Skipped', String(measured.skipped)), figure('Values against a bound', count(values)),
    figure('Correctly rounded', values > 0 ? `${percent((100 * exact) / values)}%` : NOTHING),
    figure('Worst error over bound', figureText(nearest?.worst_fraction),
      nearest ? `${nearest.name}, ${nearest.isa}` : 'no value was off'));
}

function fillFailures() {
  const bad = (measured.cases ?? []).filter(({status}) => status !== 'passed');
  if (!bad.length) return remove('failures-section');
  place('failures').append(...makeTable({
    id: 'failure-table',
    caption: 'Failed and skipped',
    columns: [
      {title: 'case', heads: true, text: true, value: (r) => r.name, show: (r) => r.name},
      {title: 'isa', text: true, value: (r) => r.isa, show: (r) => r.isa},
      {title: 'status', text: true, value: (r) => r.status, show: (r) => r.status},
      {title: 'message', text: true, value: (r) => r.message, show: (r) => r.message ?? NOTHING},
    ],
    rows: bad,
    words: (r) => [r.name, r.isa, r.status, r.message].join(' ')
  }));
}

/* ---- Histograms ----------------------------------------------------------------------------------------------- */

const exponent = (value) => String(Math.round(Math.log10(value))).replace('-', '−');

/* "3-4": from one more than the end of the bin before. Large ends as powers of two. */
function ulpName(i) {
  const end = measured.ulp_bins[i], from = i > 0 ? measured.ulp_bins[i - 1] + 1 : 0;
  if (end > 9999) return `≤2^${Math.round(Math.log2(end))}`;
  return from >= end ? String(end) : `${from}–${end}`;
}

function relativeName(i) {
  const end = measured.relative_bins[i];
  return i === 0 ? 'none' : isNumber(end) ? `<1e${exponent(end)}` : `≥1e${exponent(measured.relative_bins[i - 1])}`;
}

/* Empty bins beyond the last one that is not are left out. */
function binsOf(counts, name) {
  const last = counts.findLastIndex((many) => many > 0);
  return counts.slice(0, Math.max(last + 1, 4)).map((many, i) => ({name: name(i), count: many}));
}

function histogram(title, axis, kind, bins, values) {
  const box = element('div', {class: 'chart'});
  const describe = (bin) => [title, [[axis, bin.name], ['values', count(bin.count)],
    ['share', `${figureText((100 * bin.count) / values)}%`]]];
  return [box, () => responsive(box, histogramChart(bins, {label: `${title}: ${axis}`, kind, axis}, describe))];
}

/* A group's two histograms side by side. They are drawn once they are in the page, where their width is known. */
function addHistograms(parent, group) {
  const errors = errorsOf(group, shown.kind);
  if (!hasErrors(errors)) return;
  const algorithm = ALGORITHMS.includes(group.algorithm) ? group.algorithm : 'other', kind = `algorithm-${algorithm}`;
  const facts = `${count(errors.values)} values, ${percent(100 * errors.exact_share)}% correctly rounded; ` +
    `worst/bound ${figureText(errors.worst_fraction)}, rms/bound ${figureText(errors.rms_fraction)}, ` +
    `L2 ${scientific(errors.l2_relative)}, at most ${count(errors.worst_ulp)} ULP`;
  const [ulp, drawUlp] = histogram(group.name, 'ULP distance', kind, binsOf(errors.ulp, ulpName), errors.values);
  const [relative, drawRelative] = histogram(
    group.name, 'relative error', kind, binsOf(errors.relative, relativeName), errors.values);
  parent.append(element('div', {class: 'histograms'}, element('h3', null, swatch(algorithm), group.name),
    element('p', {class: 'quiet'}, facts), element('div', {class: 'pair even'}, ulp, relative)));
  drawUlp();
  drawRelative();
}

const choice = (name, value, change) => element('label', null,
  element('input', {type: 'radio', name, value, checked: shown[name] === value, onchange: () => change(value)}), value);

function chooser(name, title, values, redraw) {
  if (values.length < 2) return [];
  const change = (value) => {
    shown[name] = value;
    redraw();
  };
  const choices = values.map((value) => choice(name, value, change));
  return [element('fieldset', null, element('legend', null, title), choices)];
}

function redrawHistograms() {
  for (const [id, isOwn] of [['algorithms', (group) => group.algorithm], ['kernels', (group) => !group.algorithm]]) {
    place(id).replaceChildren();
    for (const group of kernelGroups) {
      if (group.isa === shown.isa && isOwn(group)) addHistograms(place(id), group);
    }
    place(`${id}-section`).hidden = !place(id).hasChildNodes() && id !== 'algorithms';
  }
}

function fillHistograms() {
  if (!kernelGroups.some(hasErrors)) {
    remove('algorithms-section');
    return remove('kernels-section');
  }
  place('algorithms-note').textContent = 'Plans of convolutions, and below single kernels: how far each value is ' +
    'from the double-precision reference, in floats from that reference rounded to float (ULP), and relative to it. ' +
    'Zeros that are right, and integers, which have to be exact, are not counted.';
  place('algorithms-switch').append(...chooser('isa', 'ISA', isas, redrawHistograms),
    ...chooser('kind', 'data', [ALL_DATA, ...kinds], redrawHistograms));
  redrawHistograms();
}

/* ---- Table ---------------------------------------------------------------------------------------------------- */

function groupColumns() {
  const reals = (group) => errorsOf(group, 'reals');
  const numeric = (title, unit, value, show, help, minor) => (
    {title, unit, value, show: (row) => show(value(row)), help, minor});
  return [
    {title: 'kernel', heads: true, text: true, value: (g) => g.name, show: (g) => g.name},
    {title: 'ISA', text: true, value: (g) => g.isa, show: (g) => g.isa},
    numeric('cases', null, (g) => g.cases, String, 'on this ISA'),
    numeric('failed', null, (g) => g.failed, String, 'of them'),
    numeric('worst', 'of bound', (g) => g.worst_fraction, figureText, 'largest error over its proven bound'),
    numeric('RMS', 'of bound', (g) => g.rms_fraction, figureText, 'root mean square of error over bound'),
    numeric('margin', null, (g) => g.margin, figureText, 'the bound over the worst error'),
    numeric('worst', 'absolute', (g) => g.worst_absolute, scientific, 'largest error', true),
    numeric('RMS', 'absolute', (g) => g.rms_absolute, scientific, 'root mean square of errors', true),
    numeric('L2', 'reals', (g) => reals(g)?.l2_relative, scientific, 'of all plain random values as one vector'),
    numeric('max ULP', 'reals', (g) => reals(g)?.worst_ulp, count, 'of plain random values'),
    numeric('rounded', '% correctly', (g) => (hasErrors(g) ? 100 * g.exact_share : null), percent, 'ULP distance 0'),
    {title: 'worst on', text: true, value: (g) => worstOf(g)?.kind ?? null, show: (g) => worstOf(g)?.kind ?? NOTHING},
  ];
}

function fillTable() {
  if (!kernelGroups.length) return remove('groups-section');
  place('groups-note').textContent = 'All kinds of data together, but for L2 and ULP, which the largest scale, ' +
    'or terms that cancel, would take over.';
  place('groups').append(...makeTable({
    id: 'group-table',
    caption: 'Bounds and errors',
    columns: groupColumns(),
    rows: kernelGroups,
    words: (group) => [group.name, group.isa, group.algorithm].join(' ')
  }));
  place('groups').querySelector('.scroll').classList.add('capped');
}

fillAll(fillHead, fillHeadline, fillFailures, fillHistograms, fillTable, () => fillConditions([]));
