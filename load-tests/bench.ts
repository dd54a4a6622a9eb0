/** `npm run bench`: Tollgate end to end beside the limits of its engines, in one run, with checks that all is exact. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { arch, cpus, platform, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { benchmarkPage } from './benchmark-page.ts';
import { chart, isBeside, printChanges, printResults } from './bench-report.ts';
import { measureParts, partNames } from './bench-parts.ts';
import { changesBetween } from './compare.ts';
import { ratiosOf } from './ratios.ts';
import { medianOf, readResults, type Results, writeResults } from './results.ts';

const help = `npm run bench [-- OPTION…]: starts Tollgates of its own in temporary folders, loads them, loads their engines
and two naive designs beside them on the same machine, and checks that everything acknowledged was counted exactly once.
Prints tables and writes load-tests/results/latest.json, latest.svg and docs/benchmarks.md. Some 20 minutes.

  --quick              short loads and no stored history: two minutes, figures with more noise
  --only PART,PART     only these of: ${partNames.join(', ')};
                       writes nothing, unless --keep says where
  --runs N             all of it N times; figures are medians, and their ranges are kept beside them
  --keep NAME          a copy of the results as load-tests/results/NAME.json, for the history
  --compare A B        measures nothing: what changed from A.json to B.json beyond noise (a name, or a path); 1 when
                       anything is worse
  --page               measures nothing: docs/benchmarks.md anew from the results`;

const seed = 20_260_101;
const pageFile = new URL('../docs/benchmarks.md', import.meta.url);

process.exitCode = await bench();

async function bench(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: 'boolean' },
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      runs: { type: 'string', default: '1' },
      keep: { type: 'string' },
      compare: { type: 'boolean' },
      page: { type: 'boolean' },
    },
  });
  if (values.help === true) return printed(help);
  if (values.page === true) return writePage();
  if (values.compare === true) return compare(positionals);
  const only = values.only?.split(',') ?? partNames;
  const unknown = only.find((name) => !partNames.some((part) => part === name));
  const runs = Number(values.runs);
  if (unknown !== undefined)
    return refused(`--only ${unknown}: no such part; allowed: ${partNames.join(', ')}`);
  if (!(runs >= 1 && runs <= 100)) return refused(`--runs ${values.runs}: a number from 1 to 100 is allowed`);
  const all: Results[] = [];
  for (let run = 1; run <= runs; run += 1) {
    if (runs > 1) progress(`run ${run} of ${runs}`);
    all.push(await measure(values.quick, only));
  }
  const results = medianOf(all);
  printResults(results);
  // What is missing parts is no account of a commit.
  writeResults(results, chart(results.scenarios), values);
  if (values.only === undefined) writePage();
  const inexact = Object.entries(results.scenarios).filter(([name, { exact }]) => !exact && !isBeside(name));
  return inexact.length === 0 ? 0 : refused(`not exact: ${inexact.map(([name]) => name).join(', ')}`);
}

async function measure(quick: boolean, only: readonly string[]): Promise<Results> {
  const started = Date.now();
  const options = { quick, seconds: quick ? 3 : 20, seed, progress };
  const measured = await measureParts(options, new Set(only));
  const { ratios, missing } = ratiosOf(measured);
  const { scenarios, stages, queries } = measured;
  return {
    commit: commit(),
    machine: machine(),
    quick,
    scenarios,
    stages,
    ...(queries === undefined
      ? {}
      : { queries: { monthByDayMs: queries.monthByDayMs, bytesPerEvent: queries.bytesPerEvent } }),
    ratios,
    missing,
    measuredAt: new Date(started).toISOString(),
    runs: 1,
  };
}

function compare([before, after]: readonly string[]): number {
  if (before === undefined || after === undefined) return refused('--compare takes two results');
  const changes = changesBetween(readResults(before), readResults(after));
  printChanges(changes, `${before} → ${after}`);
  return changes.some(({ verdict }) => verdict === 'worse') ? 1 : 0;
}

function writePage(): number {
  writeFileSync(pageFile, benchmarkPage());
  return 0;
}

function printed(text: string): number {
  console.log(text);
  return 0;
}

function refused(why: string): number {
  console.error(why);
  return 1;
}

function progress(text: string): void {
  const elapsed = Math.round(performance.now() / 1_000);
  process.stderr.write(`${String(elapsed).padStart(4)} s  ${text}\n`);
}

function commit(): string {
  try {
    const git = (...words: string[]): string =>
      execFileSync('git', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    const changed = git('status', '--porcelain', '--untracked-files=no', '--', 'src', 'load-tests') !== '';
    return `${git('rev-parse', '--short', 'HEAD')}${changed ? ' with changes' : ''}`;
  } catch {
    return 'unknown';
  }
}

function machine(): string {
  const processors = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  return `${processors.length} cores (${processors[0]?.model ?? 'unknown'}), ${gib} GiB, ${platform()} ${arch()}, Node.js ${process.versions.node}`;
}
