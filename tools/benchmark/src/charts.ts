import { largest, smallest } from '@nautil/contracts';
import { rounded } from './report.js';
import type { Row } from './row.js';

const [oursColour, peerColour, textColour] = ['#1f6fb2', '#c9822b', '#57606a'];
const font = 'font-family="sans-serif" font-size="12"';

/** At least the width of the widest of the texts. Fonts differ; the widest common ones take less than this for each character. */
const widthOf = (texts: readonly string[]): number => 7.5 * largest([0, ...texts.map(({ length }) => length)]);

/** The ratio of each row as a bar, with its target as a line. Sizes are drawn as peer / ours, so that longer is better in all rows. */
export function ratioChart(rows: readonly Row[]): string {
  const bars = rows.flatMap((row) => {
    if (row.ratio === null) return [];
    const { ratioAtLeast, ratioAtMost } = row.target ?? {};
    const isSize = row.ratioOf === 'size';
    const target = isSize ? ratioAtMost && 1 / ratioAtMost : ratioAtLeast;
    const value = isSize ? 1 / row.ratio : row.ratio;
    return Number.isFinite(value) ? [{ name: row.name, value, target, met: row.met !== false }] : [];
  });
  const [left, width, step] = [16 + widthOf(bars.map(({ name }) => name)), 400, 24];
  const longest = largest([1, ...bars.map(({ value, target = 0 }) => Math.max(value, target))]);
  const x = (value: number): number => Math.round((left + (value / longest) * width) * 10) / 10;
  const height = 40 + bars.length * step;
  const parts = bars.map(({ name, value, target, met }, at) => {
    const y = 30 + at * step;
    const mark =
      target === undefined
        ? ''
        : `<line x1="${x(target)}" x2="${x(target)}" y1="${y - 2}" y2="${y + 18}" stroke="${textColour}" stroke-width="2"/>`;
    return (
      text(left - 8, y + 12, name, 'end') +
      `<rect x="${left}" y="${y}" width="${x(value) - left}" height="16" fill="${met ? oursColour : peerColour}"/>` +
      mark +
      text(x(Math.max(value, target ?? 0)) + 6, y + 12, value.toFixed(2))
    );
  });
  const parity = `<line x1="${x(1)}" x2="${x(1)}" y1="22" y2="${height - 8}" stroke="${textColour}" stroke-dasharray="3 3"/>`;
  const title = 'times better than the peer; line: target, orange: target not met, dashes: equal';
  return svg(Math.max(left + width + 60, 16 + widthOf([title])), height, [text(8, 14, title), parity, ...parts]);
}

/** Every run of each row as a dot, ours above the peer's. Each row has its own scale, which includes 0. */
export function runsChart(rows: readonly Row[]): string {
  const shown = rows.filter(({ ours, peer }) => ours.length + peer.length > 0);
  const [left, width, step] = [16 + widthOf(shown.map(({ name }) => name)), 400, 32];
  const parts = shown.map(({ name, ours, peer, unit }, at) => {
    const y = 30 + at * step;
    const [low, high] = [smallest([0, ...ours, ...peer]), largest([0, ...ours, ...peer])];
    const dots = (values: readonly number[], colour: string, dotY: number): string =>
      values
        .map((value) => {
          const dotX = Math.round((left + ((value - low) / (high - low || 1)) * width) * 10) / 10;
          return `<circle cx="${dotX}" cy="${dotY}" r="3" fill="${colour}" fill-opacity="0.6"/>`;
        })
        .join('');
    const axis = `<line x1="${left}" x2="${left + width}" y1="${y + 18}" y2="${y + 18}" stroke="#d0d7de"/>`;
    const best = ours.length > 0 ? `${rounded(smallest(ours))} ${unit}`.trim() : '';
    return (
      text(left - 8, y + 12, name, 'end') +
      axis +
      dots(ours, oursColour, y + 5) +
      dots(peer, peerColour, y + 13) +
      text(left + width + 8, y + 12, best)
    );
  });
  const title = 'every run, on a scale from 0 to the largest value; blue: ours, orange: the peer; right: our minimum';
  const total = Math.max(left + width + 90, 16 + widthOf([title]));
  return svg(total, 40 + shown.length * step, [text(8, 14, title), ...parts]);
}

const curveColours = [oursColour, peerColour, '#2f8f4e', '#8250df', '#b3363e', '#3aa6a6', '#7d6b1d', '#d063a8'];

/**
 * Curves on logarithmic axes, so that a straight line is a power. Dashes: linear growth from each curve's first point, as far as the
 * chart reaches.
 */
export function growthChart(
  title: string,
  curves: readonly { title: string; unit: string; points: readonly { size: number; value: number }[] }[],
): string {
  const [left, top, width, height] = [60, 30, 360, 240];
  const all = curves.flatMap(({ points }) => points);
  const scaleOf = (values: readonly number[]): ((value: number) => number) => {
    const [low, high] = [Math.log(smallest(values)), Math.log(largest(values))];
    return (value) => (Math.log(value) - low) / (high - low || 1);
  };
  const values = all.map(({ value }) => value);
  const highest = 2 * largest(values);
  const [xOf, yOf] = [scaleOf(all.map(({ size }) => size)), scaleOf([...values, highest])];
  const at = ({ size, value }: { size: number; value: number }): string =>
    `${(left + xOf(size) * width).toFixed(1)},${(top + (1 - yOf(value)) * height).toFixed(1)}`;
  const legend = curves.map(({ title: name, unit, points: [first, ...others] }) => {
    const last = others.at(-1) ?? first;
    return first === undefined || last === undefined
      ? name
      : `${name}: ${rounded(first.value)} to ${rounded(last.value)} ${unit}`;
  });
  const parts = curves.flatMap(({ points }, index) => {
    const [first, last] = [points[0], points.at(-1)];
    if (first === undefined || last === undefined) return [];
    const growth = Math.min(last.size / first.size, highest / first.value);
    const linear = { size: first.size * growth, value: first.value * growth };
    const colour = curveColours[index % curveColours.length] ?? oursColour;
    const line = (ends: string, more: string): string =>
      `<polyline points="${ends}" fill="none" stroke="${colour}" ${more}/>`;
    return [
      line(points.map(at).join(' '), 'stroke-width="2"'),
      line(`${at(first)} ${at(linear)}`, 'stroke-dasharray="3 3"'),
      `<rect x="${left + width + 20}" y="${top + index * 20}" width="12" height="12" fill="${colour}"/>`,
      text(left + width + 38, top + 11 + index * 20, legend[index] ?? ''),
    ];
  });
  const ticks = [...new Set(all.map(({ size }) => size))].map((size) =>
    text(Math.round(left + xOf(size) * width), top + height + 18, size.toLocaleString('en-US'), 'middle'),
  );
  const heading = `${title}; logarithmic axes, dashes: linear growth`;
  const right = Math.max(left + width + 46 + widthOf(legend), 16 + widthOf([heading]));
  const bottom = Math.max(top + height + 50, top + 20 * curves.length);
  return svg(right, bottom, [text(8, 16, heading), ...parts, ...ticks]);
}

const text = (x: number, y: number, content: string, anchor = 'start'): string =>
  `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="${textColour}">${escaped(content)}</text>`;

const escaped = (content: string): string =>
  content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const svg = (width: number, height: number, parts: readonly string[]): string =>
  [`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ${font}>`, ...parts, '</svg>', ''].join(
    '\n',
  );
