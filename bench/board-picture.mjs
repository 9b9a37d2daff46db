// Draws the panels of grafana/conch.json as one SVG, from what a Prometheus scraped in the last minutes.
//   node bench/board-picture.mjs http://127.0.0.1:9090 60 > docs/board.svg      (its address; seconds)
import { readFileSync } from 'node:fs';

const [address, secondsText] = process.argv.slice(2);
const seconds = Number(secondsText);
const end = Math.floor(Date.now() / 1000);
const WIDTH = 320;
const HEIGHT = 180;
const PLOT = { left: 52, top: 30, width: 256, height: 106 };
const COLOURS = ['#1f77b4', '#d95f02', '#2ca02c', '#9467bd', '#8c564b', '#e7298a'];

const board = JSON.parse(readFileSync(new URL('../grafana/conch.json', import.meta.url), 'utf8'));
const drawn = await Promise.all(board.panels.map(async (panel, index) => draw(panel, await seriesOf(panel), index)));
const rows = Math.ceil(board.panels.length / 3);
const size = `${WIDTH * 3} ${HEIGHT * rows}`;
process.stdout.write(
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size}" font-family="sans-serif" font-size="10" role="img" aria-labelledby="t">
<title id="t">The panels of the board during a load</title>
<rect width="100%" height="100%" fill="#fff"/>
${drawn.join('\n')}
</svg>
`,
);

async function seriesOf({ targets }) {
  const answers = targets.map(async ({ expr, legendFormat }) => {
    const query = expr.replaceAll('$model', '.*').replaceAll('$__rate_interval', '10s');
    const asked = new URLSearchParams({ query, start: end - seconds, end, step: 1 });
    const { data } = await (await fetch(`${address}/api/v1/query_range?${asked}`)).json();
    return data.result.map(({ metric, values }) => ({
      name: legendFormat.replace(/\{\{(\w+)\}\}/g, (_, label) => metric[label]),
      points: values.map(([time, value]) => [time, Number(value)]).filter(([, value]) => Number.isFinite(value)),
    }));
  });
  return (await Promise.all(answers)).flat().filter(({ points }) => points.length > 0);
}

function draw({ title, fieldConfig }, series, index) {
  const { unit } = fieldConfig.defaults;
  const highest = Math.max(0, ...series.flatMap(({ points }) => points.map(([, value]) => value))) || 1;
  const at = ([time, value]) => {
    const x = PLOT.left + ((time - end + seconds) / seconds) * PLOT.width;
    const y = PLOT.top + PLOT.height * (1 - value / highest);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  };
  const columns = series.some(({ name }) => name.length > 16) ? 2 : 3;
  const lines = series.map(({ name, points }, place) => {
    const colour = COLOURS[place % COLOURS.length];
    const x = PLOT.left + (place % columns) * (PLOT.width / columns);
    const text = `<text x="${x.toFixed(0)}" y="${152 + Math.floor(place / columns) * 12}" fill="${colour}">${name}</text>`;
    // There is no room for more than two lines of names.
    const legend = place < 2 * columns ? text : '';
    return `<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${points.map(at).join(' ')}"/>${legend}`;
  });
  const none = series.length > 0 ? '' : `<text x="150" y="85" fill="#888">no data</text>`;
  return `<g transform="translate(${(index % 3) * WIDTH} ${Math.floor(index / 3) * HEIGHT})">
<rect x="4" y="4" width="312" height="172" fill="none" stroke="#ccc"/><text x="12" y="20" font-size="12" font-weight="bold">${title}</text>
<path d="M${PLOT.left} ${PLOT.top}v${PLOT.height}h${PLOT.width}" fill="none" stroke="#888"/>
<text x="48" y="36" text-anchor="end">${valueText(highest, unit)}</text><text x="48" y="136" text-anchor="end">0</text>
${none}${lines.join('\n')}
</g>`;
}

function valueText(value, unit) {
  if (unit === 's')
    return value < 1 ? `${Number((value * 1000).toPrecision(3))} ms` : `${Number(value.toPrecision(3))} s`;
  if (unit === 'bytes') return `${Number((value / 2 ** 20).toPrecision(3))} MiB`;
  if (unit === 'percentunit') return `${Math.round(value * 100)} %`;
  return String(Number(value.toPrecision(3)));
}
