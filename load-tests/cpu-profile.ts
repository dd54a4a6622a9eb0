/** What a `.cpuprofile` of V8 says, as a table of the functions that take most of the time. */

export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** By sample: the node on top of the stack, and the microseconds since the sample before. */
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

export interface FunctionTime {
  readonly name: string;
  /** `folder/file.js:line`, or '' of what V8 and Node.js are made of. */
  readonly place: string;
  /** On top of the stack, and anywhere on it. */
  readonly selfMs: number;
  readonly totalMs: number;
}

/** V8's name for a stack with nothing on it; while the process waits, as it does when it is not the bottleneck. */
const idle = '(idle)';

/** Largest own time first; `busyMs` is all but idling. */
export function functionTimes(profile: CpuProfile): {
  readonly busyMs: number;
  readonly idleMs: number;
  readonly functions: readonly FunctionTime[];
} {
  const selfMicros = microsByNode(profile);
  const functions = new Map<string, { name: string; place: string; selfMs: number; totalMs: number }>();
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const isChild = new Set(profile.nodes.flatMap(({ children = [] }) => children));
  /** Answers the microseconds of the node and all below it. */
  const walk = (node: ProfileNode, above: ReadonlySet<string>): number => {
    const { functionName, url, lineNumber } = node.callFrame;
    const place = url === '' ? '' : `${shortUrl(url)}:${lineNumber + 1}`;
    const name = functionName === '' ? '(anonymous)' : functionName;
    const key = `${name} ${place}`;
    const known = functions.get(key) ?? { name, place, selfMs: 0, totalMs: 0 };
    functions.set(key, known);
    const self = selfMicros.get(node.id) ?? 0;
    const stack = above.has(key) ? above : new Set([...above, key]);
    let total = self;
    for (const id of node.children ?? []) {
      const child = byId.get(id);
      if (child !== undefined) total += walk(child, stack);
    }
    known.selfMs += self / 1_000;
    // A function that calls itself is on the stack once.
    if (!above.has(key)) known.totalMs += total / 1_000;
    return total;
  };
  for (const node of profile.nodes) if (!isChild.has(node.id)) walk(node, new Set());
  const all = [...functions.values()].sort((a, b) => b.selfMs - a.selfMs);
  const idleMs = all.find(({ name }) => name === idle)?.selfMs ?? 0;
  const busyMs = all.reduce((sum, { selfMs }) => sum + selfMs, 0) - idleMs;
  return { busyMs, idleMs, functions: all.filter(({ name, selfMs }) => name !== idle && selfMs > 0) };
}

/** Markdown. `units`: what the process did meanwhile, such as events; the times are then of one. */
export function profileTable(profile: CpuProfile, units: number, rows = 30): string {
  const { busyMs, idleMs, functions } = functionTimes(profile);
  const micros = (ms: number): string => ((ms * 1_000) / units).toFixed(3);
  const share = (ms: number): string => `${((ms / busyMs) * 100).toFixed(1)} %`;
  const lines = functions
    .slice(0, rows)
    .map(
      ({ name, place, selfMs, totalMs }) =>
        `| ${share(selfMs)} | ${micros(selfMs)} | ${share(totalMs)} | \`${name}\` | ${place} |`,
    );
  return [
    `Busy for ${(busyMs / 1_000).toFixed(1)} s (${micros(busyMs)} µs a unit), idle for ${(idleMs / 1_000).toFixed(1)} s.`,
    '',
    '| own time | µs a unit | with what it calls | function | at |',
    '|---|---|---|---|---|',
    ...lines,
    '',
  ].join('\n');
}

function microsByNode({ samples, timeDeltas }: CpuProfile): Map<number, number> {
  const micros = new Map<number, number>();
  for (const [index, node] of samples.entries()) {
    // The time up to the next sample was spent where this one found the stack.
    micros.set(node, (micros.get(node) ?? 0) + Math.max(0, timeDeltas[index + 1] ?? 0));
  }
  return micros;
}

/** Within the package or the program. */
function shortUrl(url: string): string {
  const isPackage = url.includes('/node_modules/');
  return isPackage ? url.replace(/^.*\/node_modules\//, '') : url.replace(/^.*\/(dist|src)\//, '$1/');
}
