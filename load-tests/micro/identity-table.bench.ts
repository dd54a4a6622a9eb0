/** The worker's memory of identities, at a size that no cache of a processor holds. */
import { randomBytes } from 'node:crypto';
import { bench, do_not_optimize, group } from 'mitata';
import { IdentityTable } from '../../src/aggregate/identity-table.ts';
import { identityWords } from '../../src/metering/identity.ts';

const entries = 1_000_000;
const now = Date.now();

/** Identities are digests, so random ones are as good. */
function identities(count: number): Uint32Array {
  const bytes = randomBytes(count * identityWords * 4);
  return new Uint32Array(bytes.buffer, bytes.byteOffset, count * identityWords);
}

group(`identities, ${entries} held`, () => {
  const table = new IdentityTable({ windowMs: 86_400_000, entriesMax: 20_000_000 });
  table.clear(0);
  const known = identities(entries);
  for (let place = 0; place < known.length; place += identityWords) table.add(known, place, now, now, place);
  const unknown = identities(entries);
  let at = 0;
  const step = (words: Uint32Array): number => {
    at = (at + identityWords) % words.length;
    return at;
  };
  bench('judge a new one', () => do_not_optimize(table.judge(unknown, step(unknown), now, now, 0, false)));
  bench('judge a known one', () => do_not_optimize(table.judge(known, step(known), now, now, 0, false)));
});

group('identities, from none', () => {
  const table = new IdentityTable({ windowMs: 86_400_000, entriesMax: 20_000_000 });
  const fresh = identities(entries);
  const perRound = 1_000;
  let from = 0;
  bench(`judge and remember ${perRound}`, () => {
    // Held to the size above, as the bound on entries would.
    if (from === 0) table.clear(0);
    const end = from + perRound * identityWords;
    for (let place = from; place < end; place += identityWords)
      table.judge(fresh, place, now, now, place, true);
    from = end % fresh.length;
  });
});
