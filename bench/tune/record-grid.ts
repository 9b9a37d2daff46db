import { writeFile } from 'node:fs/promises';
import { parseTuneCommand } from './command-line.js';
import { measurementOf } from './measurement.js';
import { changesTo, searchSpace, startPoint } from './model-space.js';
import { RepositoryOverlay } from './repository-overlay.js';
import type { Measurement } from './search.js';
import { DIMENSIONS, type Dimension, keyOf, type Place, type Point, pointAt, type SearchSpace } from './space.js';
import { TrialServer } from './trial-server.js';

/** A whole grid, measured: what a search is judged by. */
export interface RecordedGrid {
  readonly model: string;
  readonly cores: number;
  readonly space: SearchSpace;
  readonly start: Point;
  /** By `keyOf` of the place. */
  readonly measurements: Readonly<Record<string, Measurement>>;
}

/**
 * Measures every point that `conch tune` with these flags may try, and writes them to a file:
 * `node dist/bench/tune/record-grid.js FILE CORES MODEL --model-repository DIR [flags of conch tune]`.
 */
const [file, cores, ...argv] = process.argv.slice(2);
const command = parseTuneCommand(argv);
if (command.kind === 'print') throw new Error(command.text);
const { options } = command;
const overlay = await RepositoryOverlay.create(options.modelRepository, options.model);
const server = new TrialServer(options, overlay, new AbortController().signal);
try {
  const settings = await server.settings();
  const space = searchSpace(settings, options.bounds, Number(cores));
  const measurements: Record<string, Measurement> = {};
  const places = allPlaces(space);
  for (const [index, place] of places.entries()) {
    const point = pointAt(space, place);
    const config = overlay.textWith(changesTo(point, settings, Number(cores)));
    const result = await server.measure(config, point.concurrency, { intervalMs: options.intervalMs, maxTrials: 1 });
    measurements[keyOf(place)] = measurementOf(result, options.percentile);
    process.stderr.write(`${index + 1} of ${places.length}: ${keyOf(place)} ${Math.round(result.throughput)}/s\n`);
  }
  const grid: RecordedGrid = {
    model: options.model,
    cores: Number(cores),
    space,
    start: startPoint(settings, space, Number(cores)),
    measurements,
  };
  await writeFile(file!, `${JSON.stringify(grid)}\n`);
} finally {
  await server.stop();
  await overlay.remove();
}

/** Concurrency changes fastest: a server that runs is used again. */
function allPlaces(space: SearchSpace): Place[] {
  let places: Partial<Record<Dimension, number>>[] = [{}];
  for (const dimension of DIMENSIONS) {
    places = places.flatMap((place) => space[dimension].map((_, index) => ({ ...place, [dimension]: index })));
  }
  return places as Place[];
}
