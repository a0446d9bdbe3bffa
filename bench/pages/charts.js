'use strict';
/* Charts as inline SVG. One unit of a drawing is one pixel, so text keeps its size: a chart is drawn anew when its
 * place gets wider or narrower. */

/* ---- Scales and ticks ----------------------------------------------------------------------------------------- */

const linear = (from, to, start, end) => (value) => start + ((value - from) / (to - from)) * (end - start);
const logarithmic = (from, to, start, end) => (value) => start +
  (Math.log(value / from) / Math.log(to / from)) * (end - start);

/* Round values between two ends, some `wanted` of them. */
function linearTicks(from, to, wanted) {
  const rough = (to - from) / Math.max(1, wanted), power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough);
  const ticks = [];
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to * (1 + 1e-9); i++)
    ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

/* 1, 2 and 5 of each decade, or only 1 when there are many. */
function logTicks(from, to, most) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(from)); power <= Math.ceil(Math.log10(to)); power++) {
    for (const digit of [1, 2, 5]) ticks.push(Number((digit * 10 ** power).toPrecision(3)));
  }
  const inside = ticks.filter((tick) => tick >= from && tick <= to);
  if (inside.length < 3) return linearTicks(from, to, Math.min(most, 5));
  const decades = inside.filter((tick) => /^1(e|0*$)|^0\.0*1$/.test(String(tick)));
  return inside.length <= most || decades.length < 2 ? inside : decades;
}

/* ---- Drawing -------------------------------------------------------------------------------------------------- */

/* Draw into a place now and whenever its width changes; `draw(width)` gives an SVG element. */
function responsive(box, draw, leastWidth = 0) {
  let last = 0;
  box.style.minWidth = leastWidth ? `${leastWidth}px` : '';
  const redraw = () => {
    const width = Math.max(280, Math.round(box.clientWidth));
    if (width === last) return;
    last = width;
    box.replaceChildren(draw(width));
  };
  redraw();
  new ResizeObserver(() => requestAnimationFrame(redraw)).observe(box);
  return () => {
    last = 0;
    redraw();
  };
}

const svg = (width, height, label, ...children) => drawn(
  'svg', {viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': label}, children);
const line = (x1, y1, x2, y2, kind) => drawn('line', {x1, y1, x2, y2, class: kind});
const rectangle = (x, y, width, height, kind, rest) => drawn(
  'rect', {x, y, width: Math.max(0, width), height: Math.max(0, height), class: kind, ...rest});
const label = (x, y, text, anchor = 'start', kind = null, transform = null) => drawn(
  'text', {x, y, 'text-anchor': anchor, class: kind, transform}, text);

const measureContext = document.createElement('canvas').getContext('2d');
measureContext.font = `12px ${getComputedStyle(document.body).fontFamily}`;
const textWidth = (text) => measureContext.measureText(text).width;

/* The end of a text that fits a width, and all of it if possible. */
function shorten(text, room) {
  if (textWidth(text) <= room) return text;
  let kept = text;
  while (kept.length > 1 && textWidth(`…${kept}`) > room) kept = kept.slice(1);
  return `…${kept}`;
}

const overlap = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

/* ---- Roofline ------------------------------------------------------------------------------------------------- */

/* Beside its point, above, below, then at the corners: the first place where a label touches nothing, or null. */
function freePlace(point, width, taken, frame) {
  const height = 14, gap = point.radius + 3;
  const {x, y} = point;
  const candidates = [
    [x + gap, y - height / 2],
    [x - gap - width, y - height / 2],
    [x - width / 2, y - gap - height],
    [x - width / 2, y + gap],
  ];
  for (const far of [0.7, 1.6, 3]) {
    for (const side of [x + gap * 0.7, x - gap * 0.7 - width, x - width / 2]) {
      candidates.push([side, y - gap * 0.7 - height * (far + 0.3)], [side, y + gap * 0.7 + height * (far - 0.7)]);
    }
  }
  for (const [left, top] of candidates) {
    const box = {x: left, y: top, width, height};
    const inside = left >= frame.left && left + width <= frame.right && top >= frame.top &&
      top + height <= frame.bottom;
    if (inside && !taken.some((other) => overlap(box, other))) return box;
  }
  return null;
}

/* Points that lie on one another are named together, "layer3.1.conv2 +4", after the largest of them. */
function clusters(points) {
  const found = [];
  for (const point of points) {
    const near = found.find(({lead}) => Math.hypot(lead.x - point.x, lead.y - point.y) < Math.max(11, lead.radius));
    if (near)
      Object.assign(near, {share: near.share + point.share, others: near.others + 1});
    else
      found.push({lead: point, share: point.share, others: 0});
  }
  return found.sort((a, b) => b.share - a.share);
}

/* Name the clusters, as many as find room, those that take most time first; a name some way off gets a line to its
 * point. */
function roofLabels(points, taken, frame, most) {
  const parts = [];
  const circles = points.map(
    ({x, y, radius}) => ({x: x - radius, y: y - radius, width: 2 * radius, height: 2 * radius}));
  for (const {lead, others} of clusters(points).slice(0, most)) {
    const text = others ? `${lead.name} +${others}` : lead.name, width = textWidth(text) + 4;
    const box = freePlace(lead, width, [...taken, ...circles], frame);
    if (!box) continue;
    taken.push(box);
    const isFar = Math.abs(box.y + box.height / 2 - lead.y) > box.height + lead.radius;
    const foot = Math.max(box.x + 6, Math.min(lead.x, box.x + width - 6));
    if (isFar) parts.push(line(lead.x, lead.y, foot, box.y > lead.y ? box.y + 1 : box.y + box.height, 'leader'));
    parts.push(label(box.x + 2, box.y + 11, text, 'start', 'strong halo'));
  }
  return parts;
}

/* One roof: its slope up to the peak, named along the slope where it enters the plot. */
function bandwidthRoof(roof, peak, frame, isTop, taken) {
  const {x, y} = frame;
  const ridge = Math.min(peak / roof.gbps, frame.maxIntensity);
  const start = Math.max(frame.minIntensity, frame.minRate / roof.gbps);
  if (start >= ridge) return [];
  const [x1, y1, x2, y2] = [x(start), y(start * roof.gbps), x(ridge), y(ridge * roof.gbps)];
  const angle = (Math.atan2(y2 - y1, x2 - x1) * 180) / Math.PI;
  const name = `${roof.level} ${rate(roof.gbps)} GB/s`, width = textWidth(name);
  const length = Math.hypot(x2 - x1, y2 - y1);
  const parts = [line(x1, y1, x2, y2, isTop ? 'roof' : 'roof lesser')];
  if (length < width + 12) return parts;
  const along = 8 / length;
  const [lx, ly] = [x1 + along * (x2 - x1), y1 + along * (y2 - y1)];
  /* A slanted text covers a chain of small boxes. */
  for (let i = 0; i < width; i += 8) {
    const share = (i + 8) / length;
    taken.push({x: x1 + share * (x2 - x1) - 9, y: y1 + share * (y2 - y1) - 17, width: 18, height: 18});
  }
  parts.push(label(lx, ly - 5, name, 'start', 'halo', `rotate(${angle.toFixed(2)} ${lx} ${ly})`));
  return parts;
}

/* The plot's rectangle in pixels, and its scales: room for every roof to be seen, and named, on its slope. */
function rooflineFrame(points, roofs, peak, width) {
  const height = Math.round(Math.max(320, Math.min(520, width * 0.62)));
  const frame = {height, left: 46, right: width - 8, top: 24, bottom: height - 40};
  const intensities = points.map(({intensity}) => intensity), rates = points.map(({gflops}) => gflops);
  const firstRidge = peak / (roofs[0]?.gbps ?? peak), lastRidge = peak / (roofs.at(-1)?.gbps ?? peak);
  frame.minIntensity = Math.min(Math.min(...intensities) / 1.5, firstRidge / 3);
  frame.maxIntensity = Math.max(...intensities, lastRidge * 1.5) * 1.35;
  frame.minRate = Math.min(...rates) / 1.6;
  frame.maxRate = Math.max(...rates, peak) * 1.6;
  frame.x = logarithmic(frame.minIntensity, frame.maxIntensity, frame.left, frame.right);
  frame.y = logarithmic(frame.minRate, frame.maxRate, frame.bottom, frame.top);
  return frame;
}

function rooflineGrid(frame) {
  const {x, y, left, right, top, bottom} = frame;
  const down = logTicks(frame.minIntensity, frame.maxIntensity, (right - left) / 55);
  const across = logTicks(frame.minRate, frame.maxRate, frame.height / 32);
  return [
    down.map(
      (tick) => [line(x(tick), top, x(tick), bottom, 'grid'), label(x(tick), bottom + 16, String(tick), 'middle')]),
    across.map(
      (tick) => [line(left, y(tick), right, y(tick), 'grid'), label(left - 6, y(tick) + 4, String(tick), 'end')]),
    label((left + right) / 2, frame.height - 6, 'intensity, FLOP per byte', 'middle'),
    label(0, 12, 'GFLOP/s'),
  ];
}

/* The FMA peak from the first ridge on, and what lies below the highest roofs. */
function peakRoof(frame, fastest, peak, taken) {
  const {x, y, right, bottom} = frame;
  const ridge = fastest ? Math.max(frame.minIntensity, peak / fastest.gbps) : frame.minIntensity;
  const start = fastest ? Math.max(frame.minIntensity, frame.minRate / fastest.gbps) : ridge;
  const name = right < 500 ? `peak ${rate(peak)}` : `FMA peak ${rate(peak)} GFLOP/s`;
  const slope = fastest ? `M${x(start)},${y(start * fastest.gbps)}L${x(ridge)},${y(peak)}` : `M${x(ridge)},${y(peak)}`;
  taken.push({x: x(ridge) + 4, y: y(peak) - 18, width: textWidth(name), height: 16},
    {x: x(ridge), y: y(peak) - 1, width: right - x(ridge), height: 2}); /* names keep off the line */
  return [
    drawn('path', {class: 'under', d: `${slope}H${right}V${bottom}H${x(start)}Z`}),
    line(x(ridge), y(peak), right, y(peak), 'roof'),
    label(x(ridge) + 4, y(peak) - 6, name, 'start', 'strong halo'),
  ];
}

/* Points with a place and an area by their share of the time, the largest first so that it hides none. */
function placePoints(points, frame) {
  const scale = Math.min(2600, frame.right * 4) / 100;
  return points
    .map((point) => {
      const area = Math.max(30, point.share * scale);
      return {
        ...point,
        area,
        radius: Math.sqrt(area / Math.PI) * 1.1,
        x: frame.x(point.intensity),
        y: frame.y(point.gflops)
      };
    })
    .sort((a, b) => b.area - a.area);
}

function pointMark(point) {
  const transform = `translate(${point.x.toFixed(1)} ${point.y.toFixed(1)})`;
  const kind = `mark point algorithm-${point.algorithm}`;
  return drawn('path', {d: outline(point.algorithm, point.area), transform, class: kind, 'data-layer': point.index});
}

/* points: {index, name, algorithm, intensity, gflops, share}; roofs: {level, gbps}, fastest first.
 * `describe(point)` gives the tooltip. */
function rooflineChart(points, roofs, peak, describe) {
  return (width) => {
    const frame = rooflineFrame(points, roofs, peak, width);
    const taken = []; /* boxes that names must not cover */
    const parts = [rooflineGrid(frame), peakRoof(frame, roofs[0], peak, taken)];
    roofs.forEach((roof, i) => parts.push(bandwidthRoof(roof, peak, frame, i === 0, taken)));
    const placed = placePoints(points, frame);
    const marks = placed.map(pointMark);
    makeInteractive(marks, (i) => describe(placed[i]));
    const labels = roofLabels(placed, taken, frame, width < 500 ? 4 : 12);
    for (const text of labels) text.style.pointerEvents = 'none';
    return svg(width, frame.height, `Roofline with ${points.length} layers`, parts, marks, labels);
  };
}

/* ---- Names below columns: what layers share goes to a bracket ------------------------------------------------- */

/* Runs of neighbours whose names begin alike, up to the first dot. */
function groups(names) {
  const found = [];
  names.forEach((name, index) => {
    const head = name.includes('.') ? name.slice(0, name.indexOf('.')) : '';
    const last = found.at(-1);
    if (last && head && last.head === head)
      last.last = index;
    else
      found.push({head, first: index, last: index});
  });
  return found.filter(({head}) => head);
}

const withoutGroup = (name) => (name.includes('.') ? name.slice(name.indexOf('.') + 1) : name);

function brackets(names, start, step, y) {
  return groups(names).flatMap(({head, first, last}) => {
    const x1 = start + first * step + 1, x2 = start + (last + 1) * step - 1;
    const bracket = drawn('path', {class: 'axis', fill: 'none', d: `M${x1},${y}v4H${x2}v-4`});
    return [bracket, label((x1 + x2) / 2, y + 18, shorten(head, x2 - x1), 'middle', 'strong')];
  });
}

/* ---- Time per layer ------------------------------------------------------------------------------------------- */

/* layers: {name, algorithm, value, low, high, ideal}; one column each. */
function columnChart(layers, describe) {
  return (width) => {
    const left = 46, top = 14, step = (width - left - 6) / layers.length,
          thick = Math.max(2, Math.min(step * 0.78, 64));
    const hasNames = step >= 13;
    const nameRoom = hasNames ? Math.min(110, Math.max(...layers.map(({name}) => textWidth(withoutGroup(name)))) + 8)
                              : 6;
    const plot = 250, bottom = top + plot, height = bottom + nameRoom + 26;
    /* One wild interval must not flatten the others: it may leave the plot, with an arrow. */
    const tallest = Math.max(...layers.map((layer) => layer.value));
    const highest = Math.min(1.35 * tallest, Math.max(tallest, ...layers.map((layer) => layer.high ?? 0)));
    const y = linear(0, highest * 1.04, bottom, top);
    const parts =
      linearTicks(0, highest, 5)
        .flatMap(
          (tick) => [line(left, y(tick), width, y(tick), 'grid'), label(left - 6, y(tick) + 4, String(tick), 'end')]);
    parts.push(label(left + 4, top - 2, 'ms', 'start', 'halo'));
    const marks = [];
    layers.forEach((layer, i) => {
      const x = left + i * step + (step - thick) / 2, middle = x + thick / 2;
      marks.push(rectangle(
        x, y(layer.value), thick, bottom - y(layer.value), `mark algorithm-${layer.algorithm}`, {'data-layer': i}));
      if (hasNames) {
        const text = shorten(withoutGroup(layer.name), nameRoom - 4);
        parts.push(label(middle + 4, bottom + 6, text, 'end', null, `rotate(-90 ${middle + 4} ${bottom + 6})`));
      }
    });
    makeInteractive(marks, describe);
    const over = layers.flatMap((layer, i) => {
      const middle = left + (i + 0.5) * step, reach = Math.min(3, thick / 3), shapes = [];
      if (isNumber(layer.low) && isNumber(layer.high)) {
        const upper = y(Math.min(layer.high, highest)), lower = y(layer.low);
        const foot = step >= 9 ? `M${middle - reach},${lower}h${2 * reach}` : '';
        const head = layer.high > highest ? `M${middle - 3},${upper + 4}l3,-4l3,4`
          : step >= 9 ? `M${middle - reach},${upper}h${2 * reach}`
                      : '';
        shapes.push(drawn('path', {class: 'whisker', d: `M${middle},${lower}V${upper}${foot}${head}`}));
      }
      if (isNumber(layer.ideal) && layer.ideal <= highest) {
        shapes.push(line(middle - thick / 2, y(layer.ideal), middle + thick / 2, y(layer.ideal), 'ideal'));
      }
      return shapes;
    });
    for (const shape of over) shape.style.pointerEvents = 'none';
    return svg(width, height, `Time of ${layers.length} layers`, parts, marks, over,
      line(left, bottom, width, bottom, 'axis'), brackets(layers.map(({name}) => name), left, step, bottom + nameRoom));
  };
}

/* ---- Timeline ------------------------------------------------------------------------------------------------- */

/* spans: {index, name, algorithm, start, length} in ms: a row of stages above a row of layers. */
function timelineChart(spans, describe) {
  return (width) => {
    const left = 6, right = width - 12, rowTop = 22, rowHeight = 58, height = 116;
    const end = Math.max(...spans.map(({start, length}) => start + length));
    const x = linear(0, end, left, right);
    const axis = rowTop + rowHeight + 8;
    const ticks = linearTicks(0, end, width / 90);
    const parts = ticks.map((tick, i) => {
      const text = tick > 0 && i === ticks.length - 1 ? `${tick} ms` : String(tick);
      const anchor = i === 0 ? 'start' : x(tick) > right - 18 ? 'end' : 'middle';
      return [line(x(tick), rowTop, x(tick), axis + 4, 'grid'), label(x(tick), axis + 18, text, anchor)];
    });
    const marks = spans.map(
      (span) => rectangle(x(span.start), rowTop, Math.max(1, x(span.start + span.length) - x(span.start)), rowHeight,
        `mark gap algorithm-${span.algorithm}`, {'data-layer': span.index}));
    makeInteractive(marks, (i) => describe(spans[i]));
    const texts = spans.flatMap((span) => {
      const room = x(span.start + span.length) - x(span.start), text = withoutGroup(span.name),
            wide = textWidth(text) + 8;
      const [middle, row] = [x(span.start) + room / 2, rowTop + rowHeight / 2];
      if (wide <= room) return [label(middle, row + 4, text, 'middle', 'inside')];
      return room < 15 || wide > rowHeight
        ? []
        : [label(middle + 4, row, text, 'middle', 'inside', `rotate(-90 ${middle + 4} ${row})`)];
    });
    const stages = groups(spans.map(({name}) => name)).flatMap(({head, first, last}) => {
      const x1 = x(spans[first].start) + 1, x2 = x(spans[last].start + spans[last].length) - 1;
      return [
        drawn('path', {class: 'axis', fill: 'none', d: `M${x1},${rowTop - 2}v-4H${x2}v4`}),
        label((x1 + x2) / 2, rowTop - 9, shorten(head, x2 - x1), 'middle', 'strong')
      ];
    });
    return svg(width, height, `Timeline of one run, ${spans.length} layers`, parts, marks, texts, stages);
  };
}

/* ---- Run times: in the order of the runs, and as a distribution beside it ------------------------------------- */

/* lines: [[name, value]]. Runs far beyond the others are shown at the edge, not hidden. */
function runsChart(samples, low, high, lines) {
  return (width) => {
    const height = width > 340 ? 430 : 280, left = 50, top = 22, bottom = height - 36,
          split = Math.round(left + (width - left) * 0.62);
    const sorted = [...samples].sort((a, b) => a - b);
    const spread = quantile(sorted, 0.75) - quantile(sorted, 0.25) || sorted[0] * 0.01;
    const limit = sorted.findLast((value) => value <= quantile(sorted, 0.75) + 4 * spread);
    const from = sorted[0] - spread / 2, to = limit + spread / 2;
    const x = linear(0, Math.max(1, samples.length - 1), left + 6, split - 14), y = linear(from, to, bottom, top);
    const ticks = linearTicks(from, to, 6);
    const parts = ticks.flatMap(
      (tick) => [line(left, y(tick), width, y(tick), 'grid'), label(left - 6, y(tick) + 4, String(tick), 'end')]);
    if (isNumber(low) && isNumber(high))
      parts.push(rectangle(left, y(high), split - 14 - left, y(low) - y(high), 'span'));

    const beyond = samples.filter((value) => value > limit).length;
    const dots = samples.map((value, i) => value > limit
        ? drawn('path', {class: 'sample', d: `M${x(i)},${top}l4,7h-8z`})
        : drawn('circle',
            {class: 'sample', cx: x(i).toFixed(1), cy: y(value).toFixed(1), r: samples.length > 200 ? 2 : 3}));
    if (beyond) parts.push(label(split - 16, top - 8, `▲ ${plural(beyond, 'run')} beyond`, 'end', 'halo'));

    const inside = sorted.filter((value) => value <= limit);
    const bins = Math.max(
      12, Math.min(40, Math.ceil((limit - sorted[0]) / ((2 * spread) / Math.cbrt(sorted.length)) || 6)));
    const size = (limit - sorted[0] || spread / 2) / bins, counts = new Array(bins).fill(0);
    for (const value of inside) counts[Math.min(bins - 1, Math.floor((value - sorted[0]) / size))]++;
    const across = linear(0, Math.max(...counts), split, width - 4);
    counts.forEach((many, i) => {
      const upper = y(sorted[0] + (i + 1) * size), lower = y(sorted[0] + i * size);
      parts.push(rectangle(split, upper + 0.5, across(many) - split, lower - upper - 1, 'sample'));
    });
    let lastY = Infinity;
    for (const [name, value] of lines.filter((entry) => isNumber(entry[1]) && entry[1] <= to)) {
      parts.push(line(left, y(value), width, y(value), name === 'p50' ? 'median' : 'roof lesser'));
      if (lastY - y(value) < 13) continue;
      parts.push(label(width - 2, y(value) - 4, name, 'end', 'strong halo'));
      lastY = y(value);
    }
    parts.push(label(left + 6, height - 18, 'run 1'), label(split - 16, height - 18, String(samples.length), 'end'),
      label((split + width) / 2, height - 18, 'distribution', 'middle'), label(left - 6, top - 8, 'ms', 'end'));
    return drawn('svg', {
      viewBox: `0 0 ${width} ${height}`,
      role: 'img',
      'aria-label': `${samples.length} run times from ${milliseconds(sorted[0])} to ${milliseconds(sorted.at(-1))}`
    },
      parts, dots);
  };
}

/* ---- Rows with an interval: times from zero, or ratios around one --------------------------------------------- */

const rowWhisker = (low, high, y) => drawn(
  'path', {class: 'whisker', d: `M${low},${y}H${high}M${low},${y - 4}v8M${high},${y - 4}v8`});

/* rows: {name, value, low, high, kind, text, isWrong}. options: label; rowHeight; one: ratios, as points
 * on a logarithmic scale around one, with a band of the threshold; else times, as bars from zero. */
function intervalChart(rows, options, describe) {
  return (width) => {
    const rowHeight = options.rowHeight ?? 26, top = 8, bottom = top + rows.length * rowHeight, height = bottom + 24;
    const nameRoom = Math.min(width * 0.36, Math.max(...rows.map(({name}) => textWidth(name))) + 10);
    const textRoom = Math.max(...rows.map(({text}) => textWidth(text))) + 10;
    const left = nameRoom, right = width - textRoom;
    const values = rows.flatMap(({value, low, high}) => [value, low, high]).filter(isNumber);
    if (options.one) values.push(1 / (1 + 2 * options.threshold), 1 + 2 * options.threshold);
    const from = options.one ? Math.min(...values) / 1.02 : 0, to = Math.max(...values) * (options.one ? 1.02 : 1);
    const x = options.one ? logarithmic(from, to, left, right) : linear(from, to, left, right);
    const wanted = Math.max(2, (right - left) / 70);
    const round = options.one && to / from > 4 ? logTicks(from, to, wanted) : linearTicks(from, to, wanted);
    const ticks = options.one ? [1, ...round.filter((tick) => Math.abs(x(tick) - x(1)) > 40)] : round;
    const parts = ticks.flatMap((tick) => [line(x(tick), top, x(tick), bottom, 'grid'),
                                  label(x(tick), bottom + 16,
                                    options.one ? `${tick}×`
                                      : tick === ticks.at(-1) ? `${tick} ms`
                                                              : String(tick),
                                    'middle')]);
    if (options.one) {
      const low = x(1 / (1 + options.threshold)), high = x(1 + options.threshold);
      parts.push(rectangle(low, top, high - low, bottom - top, 'neutral'), line(x(1), top, x(1), bottom, 'median'));
    }
    const middle = (i) => top + (i + 0.5) * rowHeight;
    const texts = rows.map(
      (row, i) => [label(left - 8, middle(i) + 4, shorten(row.name, nameRoom - 10), 'end', 'strong'),
        label(width - 2, middle(i) + 4, row.text, 'end', row.isWinner ? 'strong' : null)]);
    const bar = (row, i, kind, rest) => rectangle(
      left, middle(i) - rowHeight * 0.32, x(row.value) - left, rowHeight * 0.64, kind, rest);
    const marks = rows.map((row, i) => {
      const kind = `mark ${row.kind ?? ''}`, rest = {'data-layer': row.layer};
      if (!isNumber(row.value)) return rectangle(left, middle(i) - 4, right - left, 8, 'mark', {opacity: 0, ...rest});
      if (!options.one) return bar(row, i, kind, rest);
      const transform = `translate(${x(row.value)} ${middle(i)})`;
      return drawn('path', {d: outline('direct', rowHeight > 20 ? 90 : 50), transform, class: kind, ...rest});
    });
    makeInteractive(marks, (i) => describe(rows[i]));
    const over = rows.flatMap((row, i) => !isNumber(row.value) ? [] : [
      ...(isNumber(row.low) && isNumber(row.high) ? [rowWhisker(x(row.low), x(row.high), middle(i))] : []),
      ...(row.isWrong && !options.one ? [bar(row, i, 'is-wrong')] : []),
    ]);
    for (const shape of over) shape.style.pointerEvents = 'none';
    return svg(width, height, options.label, parts, texts, marks, over);
  };
}

/* ---- Histograms ----------------------------------------------------------------------------------------------- */

/* bins: {name, count}; options: label, kind, axis. Columns by their share of all; `describe(bin)` gives the tooltip. */
function histogramChart(bins, options, describe) {
  return (width) => {
    const left = 38, top = 16, bottom = 150, height = bottom + 62, step = (width - left - 4) / bins.length;
    const total = bins.reduce((sum, bin) => sum + bin.count, 0) || 1;
    const highest = Math.max(...bins.map(({count: many}) => many)) / total;
    const y = linear(0, 100 * highest * 1.05 || 1, bottom, top);
    const parts = linearTicks(0, 100 * highest || 1, 4).flatMap((tick) => [
      line(left, y(tick), width, y(tick), 'grid'), label(left - 6, y(tick) + 4, String(tick), 'end')
    ]);
    /* A bin that is not empty is seen, however small its share. */
    const marks = bins.map((bin, i) => {
      const tall = bin.count > 0 ? Math.max(1.5, bottom - y((100 * bin.count) / total)) : 0;
      return rectangle(left + i * step + step * 0.1, bottom - tall, step * 0.8, tall, `mark bin ${options.kind}`);
    });
    makeInteractive(marks, (i) => describe(bins[i]));
    const names = bins.map((bin, i) => {
      const middle = left + (i + 0.5) * step + 4;
      return label(middle, bottom + 6, bin.name, 'end', null, `rotate(-90 ${middle} ${bottom + 6})`);
    });
    parts.push(label(left - 6, top - 5, '%', 'end'), label((left + width) / 2, height - 2, options.axis, 'middle'));
    return svg(width, height, options.label, parts, marks, names, line(left, bottom, width, bottom, 'axis'));
  };
}
