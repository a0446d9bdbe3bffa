'use strict';
/* The page of `skiplane compare`: backends against each other, or two saved runs. A ratio is a time over the base's. */

const backends = measured.backends ?? [];
const targets = measured.targets ?? [];
const results = measured.results ?? [];
const base = backends[0]?.name ?? results[0]?.backend ?? 'the base';
const isRuns = measured.kind === 'runs';
const thing = isRuns ? 'run' : 'backend';
const hasMany = targets.length > 1;
/* The totals of saved runs are those of the whole network, else sums and means over the targets. */
const isMean = hasMany && !isRuns;
const threshold = (measured.threshold_percent ?? 0) / 100;
const coverage = `${Math.round(100 * (measured.confidence ?? 0.95))}%`;

/* A sign for each verdict, so that it does not hang on colour. */
const VERDICTS = {
  base: ['•', 'base'],
  equal: ['≈', 'equal'],
  faster: ['▼', 'faster'],
  slower: ['▲', 'slower'],
  wrong: ['✕', 'wrong result'],
  failed: ['–', 'did not run'],
};
const verdictOf = (result) => (Object.hasOwn(VERDICTS, result?.verdict) ? result.verdict : 'failed');
const isUsable = (result) => !['wrong', 'failed'].includes(verdictOf(result));
const resultOf = (target, backend) => (target.results ?? []).find((result) => result.backend === backend);
const shortName = (target) => (
  target.name.startsWith(`${measured.target}/`) ? target.name.slice(measured.target.length + 1) : target.name);

const verdictText = (result) => VERDICTS[verdictOf(result)].join(' ');
const verdict = (result) => element('span', {class: `verdict ${verdictOf(result)}`}, verdictText(result));

function describeResult(name, result, shape) {
  return [
    name,
    [
      ['shape', shapeText(shape)],
      ['verdict', VERDICTS[verdictOf(result)][1]],
      ['reason', result?.reason ?? NOTHING],
      ['time', milliseconds(result?.median_ms)],
      ['interval', withUnit(interval(result?.median_ms, result?.low_ms, result?.high_ms), 'ms')],
      ['ratio', ratioText(result?.ratio)],
      ['its interval', ratioInterval(result)],
      ['p', isNumber(result?.p_value) ? scientific(result.p_value) : NOTHING],
      ['rate', withUnit(rate(result?.gflops), 'GFLOP/s')],
      ['of the peak', withUnit(percent(result?.percent_of_peak), '%')],
      ['largest error', scientific(result?.max_error)],
    ].filter(([, value]) => !value.startsWith(NOTHING))
  ];
}

const ratioInterval = (result) => (isNumber(result?.ratio_low) && isNumber(result?.ratio_high)
    ? `${ratioText(result.ratio_low)} to ${ratioText(result.ratio_high)}`
    : NOTHING);

/* ---- Head and outcome ----------------------------------------------------------------------------------------- */

function wrongBand() {
  const wrong = backends.map(({name}) => name)
                  .filter((name) => [...results, ...targets.flatMap((target) => target.results ?? [])].some(
                            (result) => result.backend === name && result.verdict === 'wrong'));
  return wrong.length
    ? band('caution', 'Wrong results:', `${wrong.join(', ')}. Their times are shown, but they win nothing.`)
    : null;
}

function fillHead() {
  const title = isRuns ? backends.map(({name}) => name).join(' → ') : measured.target;
  document.title = `${title}: skiplane compare`;
  place('title').textContent = title ?? 'compare';
  place('conditions').append(...listConditions([
    isRuns ? measured.target : plural(backends.length, 'backend'), plural(measured.threads, 'thread'),
    `batch ${measured.batch}`, isNumber(measured.rounds) ? plural(measured.rounds, 'round') : null,
    `FMA peak ${rate(measured.peak_gflops)} GFLOP/s`, `threshold ${measured.threshold_percent}%`, day(measured.date)
  ]));
  place('warnings').append(...[...warnings(), wrongBand()].filter(Boolean));
}

const asFactor = (ratio) => (
  ratio < 1 ? `${fixed(1 / ratio, 2)} times as fast as` : `${fixed(ratio, 2)} times as long as`);

function outcomeOfRuns() {
  const after = results[1];
  if (!after || !isUsable(after)) return 'The second run has no result to compare.';
  const text = {faster: 'faster', slower: 'slower'}[after.verdict];
  return text ? `${after.backend} is ${text} than ${base}: ${signed(100 * (after.ratio - 1))}% time ` +
      `(${coverage} interval of the ratio ${ratioInterval(after)}).`
              : `${after.backend} and ${base} cannot be told apart: the ratio is ${ratioText(after.ratio)} (${
                  coverage} interval ${ratioInterval(after)}).`;
}

function outcomeOfBackends() {
  const usable = results.filter((result) => isUsable(result) && isNumber(result.ratio));
  if (!usable.length) return 'No backend has a right result.';
  const best = usable.reduce((a, b) => (b.ratio < a.ratio ? b : a));
  const mean = isMean ? ', by the geometric mean' : '';
  if (best.backend === base || best.verdict !== 'faster') return `None is faster than ${base}${mean}.`;
  return `${best.backend} is the fastest${mean}: ${asFactor(best.ratio)} ${base} (${coverage} interval of the ratio ${
    ratioInterval(best)}).`;
}

/* ---- Times and ratios of the whole ---------------------------------------------------------------------------- */

const kindOf = (result) => (isUsable(result) ? 'algorithm-direct' : 'algorithm-other');

/* Values of a result, or nothing of one that did not run. */
const timed = (result, keys) => keys.map((key) => (verdictOf(result) === 'failed' ? null : result[key]));
const timeText = (result) => (isUsable(result) ? milliseconds(result.median_ms) : verdictText(result));

/* The fastest of those with right results, or null. */
function fastest(list) {
  const usable = list.filter((result) => isUsable(result) && isNumber(result.ratio));
  return usable.length ? usable.reduce((a, b) => (b.ratio < a.ratio ? b : a)) : null;
}

function fillTotals() {
  if (!results.length)
    ['times-section', 'ratios-section'].forEach(remove);
  else {
    const best = fastest(results), sign = (result) => VERDICTS[verdictOf(result)][0];
    const row = (result, value, low, high, text) => ({
      result,
      name: `${result === best ? '★ ' : ''}${result.backend}`,
      value,
      low,
      high,
      kind: kindOf(result),
      isWrong: result.verdict === 'wrong',
      isWinner: result === best,
      text
    });
    const describe = ({result}) => describeResult(result.backend, result);
    place('times-title').textContent = isMean ? `Time, sum over ${targets.length} layers` : 'Time';
    place('times-note').textContent =
      `Medians with their ${coverage} intervals; shorter is better. ★ is the fastest with right results.`;
    responsive(place('times'),
      intervalChart(
        results.map((result) => row(result, ...timed(result, ['median_ms', 'low_ms', 'high_ms']), timeText(result))),
        {label: 'Time of each backend'}, describe));
    place('ratios-title').textContent = `${isMean ? 'Geometric mean of the ratios' : 'Ratio'} to ${base}`;
    place('ratios-note').textContent =
      `Time over that of ${base}: left of 1 is faster. The band is the threshold of ±${measured.threshold_percent}%.`;
    responsive(place('ratios'),
      intervalChart(
        results.map((result) => row(result, ...timed(result, ['ratio', 'ratio_low', 'ratio_high']),
                      isUsable(result) ? `${sign(result)} ${ratioText(result.ratio)}` : verdictText(result))),
        {one: true, threshold, label: 'Ratio of each backend'}, describe));
  }
  fillBackendTable();
}

const resultColumns = () => [{
  title: 'time',
  unit: 'ms',
  ascends: true,
  value: ({result}) => result.median_ms,
  show: ({result}) => number(result.median_ms)
},
  {
    title: 'interval',
    unit: 'ms',
    value: ({result}) => result.high_ms - result.low_ms,
    help: 'sorts by its width',
    show: ({result}) => interval(result.median_ms, result.low_ms, result.high_ms)
  },
  {title: 'ratio', ascends: true, value: ({result}) => result.ratio, show: ({result}) => ratioText(result.ratio)},
  {
    title: 'interval of ratio',
    value: ({result}) => result.ratio_high - result.ratio_low,
    help: 'sorts by its width',
    show: ({result}) => ratioInterval(result)
  },
  {title: 'verdict', text: true, value: ({result}) => result.verdict, show: ({result}) => verdict(result)},
  {
    title: 'p',
    ascends: true,
    help: 'Mann-Whitney U test',
    value: ({result}) => result.p_value,
    show: ({result}) => scientific(result.p_value)
  },
  {title: 'rate', unit: 'GFLOP/s', value: ({result}) => result.gflops, show: ({result}) => rate(result.gflops)},
  {
    title: 'of peak',
    unit: '%',
    value: ({result}) => result.percent_of_peak,
    show: ({result}) => percent(result.percent_of_peak)
  },
  {
    title: 'max error',
    help: 'largest difference from the double-precision reference, over its largest value',
    value: ({result}) => result.max_error,
    show: ({result}) => scientific(result.max_error)
  },
  {
    title: 'L2 error',
    help: 'relative, against the double-precision reference',
    value: ({result}) => result.l2_error,
    show: ({result}) => scientific(result.l2_error)
  },
  {title: 'reason', text: true, value: ({result}) => result.reason, show: ({result}) => result.reason ?? NOTHING},
];

/* Columns that some row has something for. */
const filled = (columns, rows) => columns.filter(
  (column) => rows.some((row) => ![null, undefined].includes(column.value(row)) && !Number.isNaN(column.value(row))));

function fillBackendTable() {
  const rows = backends.map(
    (backend) => ({backend, result: results.find((result) => result.backend === backend.name) ?? {}}));
  const columns = [
    {title: thing, text: true, heads: true, value: ({backend}) => backend.name, show: ({backend}) => backend.name}, {
      title: 'version',
      text: true,
      minor: true,
      value: ({backend}) => backend.version,
      show: ({backend}) => backend.version ?? NOTHING
    },
    ...resultColumns()
  ];
  place('totals-title').textContent = isRuns ? 'Runs' : 'Backends';
  place('totals').append(...makeTable({
    id: 'total-table',
    caption: isRuns ? 'Runs' : 'Backends',
    columns: filled(columns, rows),
    rows,
    words: ({backend, result}) => `${backend.name} ${backend.version} ${result.verdict}`
  }));
  if (rows.length < 8) place('totals').querySelector('.tools').remove();
  if (measured.skipped?.length) {
    place('skipped').append(
      element('h3', null, 'Skipped'), definitions(measured.skipped.map(({name, reason}) => [name, reason])));
  }
}

/* ---- Two backends or runs: each layer's change ---------------------------------------------------------------- */

function fillChanges() {
  if (backends.length !== 2 || !hasMany) return remove('changes-section');
  const rows = targets.map((target, index) => {
    const result = resultOf(target, backends[1].name) ?? {};
    const [sign] = VERDICTS[verdictOf(result)];
    return {
      result,
      target,
      layer: index,
      name: shortName(target),
      value: result.ratio,
      low: result.ratio_low,
      high: result.ratio_high,
      isWinner: ['faster', 'slower'].includes(result.verdict),
      text: `${sign} ${ratioText(result.ratio)}`,
      kind: {faster: 'algorithm-direct', slower: 'algorithm-winograd4'}[result.verdict] ?? 'algorithm-other'
    };
  });
  place('changes-note').textContent =
    `Time of ${backends[1].name} over that of ${base}, with its ${coverage} interval; left of 1 is faster. ` +
    `▼ faster, ▲ slower, ≈ cannot be told apart, or by less than ${measured.threshold_percent}%.`;
  responsive(place('changes'),
    intervalChart(rows, {one: true, threshold, rowHeight: 18, label: 'Change of each layer'},
      ({target, result}) => describeResult(shortName(target), result, target.shape)));
}

/* ---- Heat map: layer by backend ------------------------------------------------------------------------------- */

/* What a cell can show; errors and times keep the colours of the ratio. */
const MEASURES = [
  {key: 'ratio', text: 'ratio', show: ratioText},
  {key: 'median_ms', text: 'ms', show: number},
  {key: 'gflops', text: 'GFLOP/s', show: rate},
  {key: 'percent_of_peak', text: '% of peak', show: percent},
  {key: 'max_error', text: 'max error', show: scientific},
];

/* Full colour at twice or half the time; nothing at equal. */
function heatOf(result) {
  return isNumber(result.ratio) && result.ratio > 0 ? Math.min(100, Math.round(100 * Math.abs(Math.log2(result.ratio))))
                                                    : 0;
}

function heatCell(target, backend, measure) {
  const result = resultOf(target, backend) ?? {};
  const kind = verdictOf(result), isWinner = !isRuns && target.winner === backend && isUsable(result);
  const value = kind === 'failed'                     ? VERDICTS.failed[1]
    : kind === 'wrong' && measure.key !== 'max_error' ? 'wrong'
                                                      : measure.show(result[measure.key]);
  return {
    result,
    kind,
    isWinner,
    heat: heatOf(result),
    parts: [
      element('span', {class: 'sign', 'aria-hidden': 'true'}, `${isWinner ? '★ ' : ''}${VERDICTS[kind][0]}`),
      ` ${value}`
    ],
    spoken: `${isWinner ? 'fastest, ' : ''}${VERDICTS[kind][1]}`
  };
}

function dressHeat(cell, target, backend, measure) {
  const {kind, isWinner, heat, parts, spoken} = heatCell(target, backend, measure);
  cell.className = `heat ${kind}${isWinner ? ' winner' : ''}`;
  cell.style.setProperty('--heat', `${heat}%`);
  cell.replaceChildren(...parts, element('span', {class: 'unseen'}, `, ${spoken}`));
}

/* The change of the second run's time, in percent. */
function changeOf(target) {
  const ratio = resultOf(target, backends[1]?.name)?.ratio;
  return isNumber(ratio) ? 100 * (ratio - 1) : null;
}

const signed = (value) => (isNumber(value) ? `${value < 0 ? '−' : '+'}${fixed(Math.abs(value), 1)}` : NOTHING);

function heatFooter() {
  return [
    element('th', {scope: 'row'}, isRuns ? 'whole run' : 'geometric mean'), element('td', {class: 'minor'}),
    ...backends.map(({name}) => {
      const result = results.find((candidate) => candidate.backend === name);
      return element('td', null, isRuns ? milliseconds(result?.median_ms) : ratioText(result?.ratio));
    }),
    isRuns ? element('td') : null
  ].filter(Boolean);
}

function fillHeat() {
  if (!hasMany) return remove('heat-section'); /* the table of the backends says it all */
  place('heat-title').textContent = isRuns ? 'Layer by run' : 'Layer by backend';
  let measure = MEASURES[isRuns ? 1 : 0];
  const columns = [
    {title: 'layer', text: true, heads: true, ascends: true, value: shortName, show: shortName},
    {
      title: 'shape',
      text: true,
      value: (target) => target.shape,
      show: (target) => shapeText(target.shape),
      minor: true
    },
    ...backends.map(({name}) => ({
      title: name,
      ascends: true,
      show: () => '',
      value: (target) => (isUsable(resultOf(target, name)) ? resultOf(target, name)[measure.key] : null)
    })),
    isRuns ? {title: 'change', unit: '% of time', value: changeOf, show: (target) => signed(changeOf(target))} : null,
  ].filter(Boolean);
  const rows = new Map();
  place('heat').append(...makeTable({
    id: 'heat-table',
    caption: 'Layer by backend',
    columns,
    rows: targets,
    footer: heatFooter(),
    words: (target) => `${target.name} ${target.shape} ${target.winner}`,
    mark: (row, target) => rows.set(row, target)
  }));
  place('heat').querySelector('.scroll').classList.add('capped');
  const dress = () => rows.forEach(
    (target, row) => backends.forEach(({name}, i) => dressHeat(row.cells[i + 2], target, name, measure)));
  dress();
  place('heat-switch')
    .append(element('fieldset', null, element('legend', null, 'Show'),
      MEASURES.map((candidate) => element('label', null, element('input', {
        type: 'radio',
        name: 'measure',
        checked: candidate === measure,
        onchange: () => {
          measure = candidate;
          dress();
        }
      }),
                     candidate.text))));
  place('heat-legend')
    .append(element('div', {class: 'scale'},
      element('span', null, '½ the time', element('i', {'aria-hidden': 'true'}), `twice the time of ${base}`),
      ...[...(isRuns ? [] : [['★', 'fastest']]), ['▼', 'faster'], ['▲', 'slower'], ['≈', 'equal'],
        ['✕', 'wrong result'], ['–', 'did not run']]
        .map(([sign, text]) => element('span', null, `${sign} ${text}`))));
  for (const [row, target] of rows) {
    const cells = backends.map((_, i) => row.cells[i + 2]);
    makeInteractive(cells,
      (i) => describeResult(
        `${shortName(target)}, ${backends[i].name}`, resultOf(target, backends[i].name), target.shape));
    for (const cell of cells) ['role', 'aria-label'].forEach((name) => cell.removeAttribute(name));
  }
}

/* ---- Everything ----------------------------------------------------------------------------------------------- */

function fillDetails() {
  const rows = targets.flatMap((target) => (target.results ?? []).map((result) => ({target, result})));
  if (!hasMany) return remove('details-section');
  const columns = [
    {
      title: 'layer',
      text: true,
      heads: true,
      value: ({target}) => shortName(target),
      show: ({target}) => shortName(target)
    },
    {title: thing, text: true, value: ({result}) => result.backend, show: ({result}) => `${result.backend}`},
    ...resultColumns()
  ];
  place('details-summary').textContent =
    `${rows.length} rows: every ${isRuns ? 'layer and run' : 'layer and backend'}, with p values and errors`;
  place('details').append(...makeTable({
    id: 'detail-table',
    caption: 'All measurements',
    columns: filled(columns, rows),
    rows,
    words: ({target, result}) => `${target.name} ${target.shape} ${result.backend} ${result.verdict}`
  }));
}

function fillOutcome() {
  place('outcome').textContent = isRuns ? outcomeOfRuns() : outcomeOfBackends();
}

function fillContext() {
  const peaks = (measured.peaks_gflops ?? []).map(rate).join(', ');
  fillConditions([
    ['target', measured.target], ['ISA asked for', measured.isa],
    ['plan', measured.plan ? planText(measured) : null],
    ['seed', isNumber(measured.seed) ? String(measured.seed) : null],
    ['FMA peak', `${withUnit(rate(measured.peak_gflops), 'GFLOP/s')}${peaks ? `, in turn ${peaks}` : ''}`],
    ['hand-off', handoffText()]
  ]);
}

fillAll(fillHead, fillOutcome, fillTotals, fillChanges, fillHeat, fillDetails, fillContext);
