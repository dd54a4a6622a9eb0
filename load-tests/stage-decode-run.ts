/** `measureDecoding` in a process of its own, which has compiled nothing else before. Sends the figures. */
import { stageBodies } from './stage-bodies.ts';
import { measureDecoding } from './stage-decode.ts';

const [seconds = 1, seed = 1] = process.argv.slice(2).map(Number);
// 20,000 events: more than the processor's caches hold.
process.send?.(measureDecoding(stageBodies(100, 200, seed), seconds));
