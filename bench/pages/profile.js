'use strict';
/* The page of `skiplane profile`. */

const layers = measured.layers ?? [];
const total = layers.reduce((sum, layer) => sum + (layer.median_ms ?? 0), 0);
const shareOf = (layer) => layer.share_percent ?? (total > 0 ? (100 * layer.median_ms) / total : 0);
const coverage = `${Math.floor(100 * (measured.interval_coverage ?? 0.95))}% interval`;

/* What the tooltips say of a layer; a layer without multiply-accumulates has no rate. */
function describeLayer(layer) {
  const counts = layer.macs > 0;
  return [
    layer.name,
    [
      ['operation', layer.op],
      ['shape', shapeText(layer.shape)],
      ['algorithm', counts ? `${layer.algorithm}, ${layer.isa ?? measured.isa}` : null],
      ['time', milliseconds(layer.median_ms)],
      ['interval', withUnit(interval(layer.median_ms, layer.low_ms, layer.high_ms), 'ms')],
      ['share', `${percent(shareOf(layer))}%`],
      ['rate', counts ? withUnit(rate(layer.gflops), 'GFLOP/s') : null],
      ['of the peak', counts ? `${percent(layer.percent_of_peak)}%` : null],
      ['executed', counts ? withUnit(rate(layer.executed_gflops), 'GFLOP/s') : null],
      ['traffic', bytes(layer.bytes)],
      ['bandwidth', withUnit(rate(layer.gbps), 'GB/s')],
      ['roof', layer.roof ? `${layer.roof}, allows ${milliseconds(layer.roof_ms)}` : null],
    ].filter(([, value]) => value !== null && value !== undefined && !value.startsWith(NOTHING))
  ];
}

/* ---- Headline ------------------------------------------------------------------------------------------------- */

function fillHead() {
  document.title = `${measured.model}: skiplane profile`;
  place('title').textContent = measured.model ?? 'profile';
  place('conditions').append(...listConditions([
    measured.isa, plural(measured.threads, 'thread'), `batch ${measured.batch}`,
    `input ${measured.in_height}×${measured.in_width}`, measured.plan ? planText(measured) : `algorithm ${measured.algorithm}`, plural(measured.runs, 'run'),
    measured.flush_denormals ? 'denormals flushed' : null,
    day(measured.date)
  ]));
  place('warnings').append(...warnings().filter(Boolean));
}

const figure = (name, value, unit, ...notes) => element('div', null, element('dt', null, name),
  element('dd', null, value, element('small', null, `\u00a0${unit}`)),
  notes.map((note) => element('dd', {class: 'quiet'}, note)));

function fillHeadline() {
  const peaks = measured.peaks_gflops ?? [];
  place('headline')
    .append(figure('Median time', number(measured.median_ms), 'ms',
              `${coverage} ${interval(measured.median_ms, measured.low_ms, measured.high_ms)}`,
              `least ${number(measured.min_ms)}`),
      figure('Throughput', rate(measured.images_per_second), 'images/s'),
      figure('Rate', rate(measured.gflops), 'GFLOP/s', 'counted as direct convolution'),
      figure('Of the peak', percent(measured.percent_of_peak), '%',
        measured.percent_of_peak > 100 ? 'Winograd saves multiplications, so it can pass 100'
                                       : 'measured in the same run'),
      figure('FMA peak', rate(measured.peak_gflops), 'GFLOP/s',
        peaks.length ? `in turn ${peaks.map(rate).join(', ')}` : '',
        `spread ${percent(measured.peak_spread_percent)}%`),
      figure('Layers explain', percent(measured.layers_explain_percent), '%', 'of the median: the sum of theirs'));
}

function fillLegend() {
  for (const algorithm of [...ALGORITHMS, 'other']) {
    const own = layers.filter((layer) => algorithmOf(layer) === algorithm);
    const share = own.reduce((sum, layer) => sum + shareOf(layer), 0);
    if (!own.length) continue;
    place('legend').append(
      element('li', null, swatch(algorithm), algorithm === 'other' ? 'no multiplications' : algorithm,
        element('span', {class: 'quiet'}, `${plural(own.length, 'layer')}, ${percent(share)}% of the time`)));
  }
}

/* ---- Charts --------------------------------------------------------------------------------------------------- */

/* Multiplications that the algorithm really does, per one of the direct convolution. */
const executedShare = (layer) => (layer.executed_gflops > 0 ? layer.executed_gflops / layer.gflops : 1);

function rooflinePoints(executed) {
  return layers.map((layer, index) => ({layer, index}))
    .filter(({layer}) => layer.macs > 0 && layer.gflops > 0 && layer.intensity > 0)
    .map(({layer, index}) => {
      const scale = executed ? executedShare(layer) : 1;
      return {
        index,
        layer,
        name: layer.name,
        algorithm: algorithmOf(layer),
        share: shareOf(layer),
        intensity: layer.intensity * scale,
        gflops: layer.gflops * scale
      };
    });
}

const choice = (name, value, text, isChecked, change) => element(
  'label', null, element('input', {type: 'radio', name, value, checked: isChecked, onchange: change}), text);

function fillRoofline() {
  const points = rooflinePoints(false);
  if (!points.length || !(measured.peak_gflops > 0)) return remove('roofline-section');
  const roofs = (measured.bandwidths ?? []).filter(({gbps}) => gbps > 0).sort((a, b) => b.gbps - a.gbps);
  let executed = false;
  const redraw = responsive(place('roofline'),
    (width) => rooflineChart(
      rooflinePoints(executed), roofs, measured.peak_gflops, (point) => describeLayer(point.layer))(width));
  place('roofline-note').textContent = 'Every layer with multiply-accumulates, its area by its share of the time. ' +
    `The roofs were measured in the same run, with ${plural(measured.threads, 'thread')}.`;
  if (!layers.some((layer) => executedShare(layer) < 1)) return;
  const change = (event) => {
    executed = event.target.value === 'executed';
    redraw();
  };
  place('roofline-switch')
    .append(element('fieldset', null, element('legend', null, 'Count'),
      choice('count', 'direct', 'as direct convolution', true, change),
      choice('count', 'executed', 'multiplications executed', false, change)));
}

function fillRuns() {
  const samples = (measured.samples_ms ?? []).filter(isNumber);
  if (samples.length < 2) return remove('runs-section');
  const percentiles = Object.entries(measured.percentiles_ms ?? {});
  responsive(place('runs'), runsChart(samples, measured.low_ms, measured.high_ms, percentiles));
  place('runs-note').textContent =
    `${plural(samples.length, 'run')} in their order; the band is the ${coverage} of the median.`;
  const list = definitions(
    percentiles.map(([name, value]) => [name, isNumber(value) ? milliseconds(value) : 'too few runs']));
  list.classList.add('stacked');
  place('percentiles').append(list);
}

function fillBars() {
  if (!(total > 0)) return remove('bars-section');
  const columns = layers.map((layer) => ({
    name: layer.name,
    algorithm: algorithmOf(layer),
    value: layer.median_ms ?? 0,
    low: layer.low_ms,
    high: layer.high_ms,
    ideal: layer.roof_ms
  }));
  place('bars-note').textContent = 'In execution order: the median and its interval' +
    (columns.some(({ideal}) => isNumber(ideal)) ? '; the bar across is the time that the roof allows.' : '.');
  responsive(
    place('bars'), columnChart(columns, (i) => describeLayer(layers[i])), Math.max(300, layers.length * 7 + 52));
}

function fillTimeline() {
  const spans = (measured.timeline ?? []).filter(({layer}) => layers[layer]).map((span) => ({
    index: span.layer,
    span,
    name: layers[span.layer].name,
    algorithm: algorithmOf(layers[span.layer]),
    start: span.start_ms,
    length: span.ms
  }));
  if (!spans.length) return remove('timeline-section');
  place('timeline-note').textContent = 'The watched run that is nearest to the median.';
  responsive(place('timeline'), timelineChart(spans, ({index, span}) => {
    const [name, facts] = describeLayer(layers[index]);
    return [name, [['in this run', milliseconds(span.ms)], ['begins at', milliseconds(span.start_ms)], ...facts]];
  }), 640);
}

/* ---- Table ---------------------------------------------------------------------------------------------------- */

function shareCell(layer) {
  const most = Math.max(...layers.map(shareOf));
  const full = element('span');
  full.style.width = `${(100 * shareOf(layer)) / most}%`;
  return element('span', null, element('span', {class: `meter ${algorithmClass(layer)}`, 'aria-hidden': 'true'}, full),
    percent(shareOf(layer)));
}

const counted = (show) => (layer) => (layer.macs > 0 ? show(layer) : NOTHING);
const countedValue = (key) => (layer) => (layer.macs > 0 ? layer[key] : null);

function layerColumns() {
  const words = (title, key) => (
    {title, text: true, value: (layer) => layer[key], show: (layer) => layer[key] ?? NOTHING});
  const plain = (title, unit, key, show) => (
    {title, unit, value: (layer) => layer[key], show: (layer) => show(layer[key])});
  const ofMacs = (title, unit, key, show, help) => (
    {title, unit, help, value: countedValue(key), show: counted((layer) => show(layer[key]))});
  const position = new Map(layers.map((layer, index) => [layer, index + 1]));
  const columns = [
    {...words('layer', 'name'), heads: true},
    {
      title: '#',
      ascends: true,
      value: (layer) => position.get(layer),
      show: (layer) => String(position.get(layer)),
      help: 'execution order'
    },
    words('operation', 'op'),
    {...words('shape', 'shape'), show: (layer) => shapeText(layer.shape)},
    {
      title: 'algorithm',
      text: true,
      value: countedValue('algorithm'),
      show: counted((layer) => element('span', null, swatch(algorithmOf(layer)), layer.algorithm))
    },
    {...words('ISA', 'isa'), isNeeded: new Set(layers.map(({isa}) => isa)).size > 1},
    {title: 'time', unit: 'ms', value: (layer) => layer.median_ms, show: (layer) => fixed(layer.median_ms, 4)},
    {
      title: 'interval',
      unit: 'ms',
      value: (layer) => layer.high_ms - layer.low_ms,
      help: 'sorts by its width',
      show: (layer) => (isNumber(layer.low_ms) ? `${fixed(layer.low_ms, 4)} to ${fixed(layer.high_ms, 4)}` : NOTHING)
    },
    {title: 'share', unit: '%', value: shareOf, show: shareCell},
    ofMacs('rate', 'GFLOP/s', 'gflops', rate, 'counted as direct convolution'),
    ofMacs('of peak', '%', 'percent_of_peak', percent),
    ofMacs('executed', 'GFLOP/s', 'executed_gflops', rate, 'of the multiplications that the algorithm really does'),
    plain('traffic', null, 'bytes', bytes),
    plain('bandwidth', 'GB/s', 'gbps', rate),
    ofMacs('intensity', 'FLOP/byte', 'intensity', rate),
    {...words('roof', 'roof'), help: 'what binds: the FMA peak or a bandwidth'},
    {title: 'roof allows', unit: 'ms', value: (layer) => layer.roof_ms, show: (layer) => fixed(layer.roof_ms, 4)},
    plain('extra memory', null, 'extra_bytes', bytes),
  ];
  const always = new Set(['layer', '#', 'time', 'share', 'interval']);
  return columns.filter(({isNeeded}) => isNeeded !== false)
    .filter((column) => always.has(column.title) ||
        layers.some((layer) => column.value(layer) !== null && column.value(layer) !== undefined));
}

function fillTable() {
  const columns = layerColumns(), index = new Map(layers.map((layer, i) => [layer, i]));
  const totals = {layer: 'all layers', time: fixed(total, 4), share: '100.0', 'of peak': ''};
  const footer = columns.map(
    (column) => element(column.heads ? 'th' : 'td', {scope: column.heads ? 'row' : null}, totals[column.title] ?? ''));
  place('layers').append(...makeTable({
    id: 'layer-table',
    caption: 'Layers',
    columns,
    rows: layers,
    footer,
    words: (layer) => [layer.name, layer.op, layer.shape, layer.algorithm, layer.isa, layer.roof].join(' '),
    mark: (row, layer) => row.setAttribute('data-layer', index.get(layer))
  }));
  place('layers').querySelector('.scroll').classList.add('capped');
}

/* ---- Machine -------------------------------------------------------------------------------------------------- */

const listing = (title, pairs) => (pairs.length ? [element('h3', null, title), definitions(pairs)] : []);

function scenarioPairs(scenario) {
  if (!scenario) return [];
  const named = {name: 'scenario', duration_s: 'duration, s', images_per_second: 'images/s'};
  return Object.entries(scenario).flatMap(([key, value]) => {
    if (value && typeof value === 'object')
      return Object.entries(value).map(
        ([name, time]) => [`latency ${name}`, isNumber(time) ? milliseconds(time) : 'too few queries']);
    return [[
      named[key] ?? key.replaceAll('_', ' '),
      isNumber(value) && !Number.isInteger(value) ? number(value) : String(value ?? NOTHING)
    ]];
  });
}

function counterPairs(counters) {
  if (!counters) return [];
  const pairs = Object.entries(counters).filter(([, value]) => value !== null).map(([key,
    value]) => [key.replaceAll('_', ' '), isNumber(value) ? count(value) : String(value)]);
  if (counters.cycles > 0 && counters.instructions > 0)
    pairs.push(['per cycle', withUnit(rate(counters.instructions / counters.cycles), 'instructions')]);
  return pairs;
}

function fillMachine() {
  fillConditions([['model', measured.model], ['weights', measured.weights ?? `random, seed ${measured.seed ?? 1}`]]);
  const clock = measured.clock;
  place('machine').append(
    ...listing('Roofs', [['FMA peak', withUnit(rate(measured.peak_gflops), 'GFLOP/s')], ['hand-off', handoffText()],
      ...(measured.bandwidths ?? []).map((roof) => [roof.level, `${withUnit(rate(roof.gbps), 'GB/s')}, over ${bytes(roof.bytes)}`])]),
    ...listing('Scenario', scenarioPairs(measured.scenario)),
    ...listing('Memory', [['weights', bytes(measured.weight_bytes)], ['workspace', bytes(measured.workspace_bytes)],
      ['activations', `${bytes(measured.activation_bytes)} without reuse`], ['multiply-adds', count(measured.macs)]]),
    ...listing('Hardware counters', counterPairs(measured.counters)),
    ...listing('Clock', clock ? [['clock', clock.name], ['resolution', withUnit(number(clock.resolution_ns), 'ns')],
      ['overhead', withUnit(number(clock.overhead_ns), 'ns')], ['watching costs', `${fixed(100 * (measured.observed_median_ms / measured.median_ms - 1), 1)}%`]] : []));
}

fillAll(fillHead, fillHeadline, fillLegend, fillRoofline, fillRuns, fillBars, fillTimeline, fillTable, fillMachine);
