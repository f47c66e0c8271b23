import { readFile, writeFile } from 'node:fs/promises';
import type { Measured } from './results.ts';
import { readLatest } from './results.ts';

/** `node bench/readme.ts`: puts the table of `bench/results/latest.json` into the README, between its two marks. */
const readme = new URL('../README.md', import.meta.url);
const begin = '<!-- bench:begin -->';
const end = '<!-- bench:end -->';

function table(results: readonly Measured[]): string {
  const rows = results.map(({ title, figure, value, goal, met, at, machine }) => {
    const limit = goal === null ? '–' : `${goal.at === 'least' ? '≥' : '≤'} ${goal.limit}`;
    const verdict = goal === null ? '' : met ? 'met' : 'missed';
    const measured = `${shown(value.median)} (${shown(value.min)}–${shown(value.max)})`;
    return `| ${title} | ${figure} | ${measured} | ${limit} | ${verdict} | ${at.slice(0, 10)}, ${machine.load_before ?? 'not noted'} |`;
  });
  return ['| case | figure | measured | goal | | date, load before |', '|---|---|---|---|---|---|', ...rows].join('\n');
}

function shown(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(2);
}

const results = (await readLatest()).filter(({ value }) => Number.isFinite(value.median));
const text = await readFile(readme, 'utf8');
const from = text.indexOf(begin);
const to = text.indexOf(end);
if (from === -1 || to === -1) throw new Error(`The README lacks ${begin} or ${end}.`);
const [machine] = results.map((result) => result.machine);
const where =
  machine === undefined
    ? ''
    : `Machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memory_gb} GB, ${machine.platform}, Node ${machine.node}.\n\n`;
await writeFile(readme, `${text.slice(0, from)}${begin}\n${where}${table(results)}\n${text.slice(to)}`);
