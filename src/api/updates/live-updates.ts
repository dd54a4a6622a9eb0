/** Streams of a state that is looked at again and again. */
import { isDeepStrictEqual } from 'node:util';

export interface Watched<State> {
  /** Undefined ends the stream: there is nothing to look at any more. */
  readonly look: () => Promise<State | undefined>;
  /** What of a state counts as a change. */
  readonly mark: (state: State) => unknown;
}

/** Between two looks. All streams of a process look in the same turn, and share a round trip to Redis then. */
const lookEveryMs = 250;

/**
 * Resolves once the state that changes are told from was looked at: what happens after that is told. The state as it
 * is then is not. Looking, instead of being told by whoever changes something, cannot miss a change, whatever process
 * made it or time did; several changes between two looks are one.
 */
export async function watch<State>(watched: Watched<State>): Promise<AsyncGenerator<State, void>> {
  const first = await watched.look();
  return changesAfter(first, watched);
}

async function* changesAfter<State>(
  first: State | undefined,
  { look, mark }: Watched<State>,
): AsyncGenerator<State, void> {
  if (first === undefined) return;
  let known = mark(first);
  for (;;) {
    await nextLook();
    const state = await look();
    if (state === undefined) return;
    const marked = mark(state);
    if (isDeepStrictEqual(marked, known)) continue;
    known = marked;
    yield state;
  }
}

const waiting = new Set<() => void>();
let timer: NodeJS.Timeout | undefined;

/** One timer for all, while there is anybody. */
function nextLook(): Promise<void> {
  timer ??= setInterval(wake, lookEveryMs).unref();
  return new Promise((resolve) => waiting.add(resolve));
}

function wake(): void {
  const woken = [...waiting];
  waiting.clear();
  if (woken.length === 0) {
    clearInterval(timer);
    timer = undefined;
  }
  for (const resolve of woken) resolve();
}
