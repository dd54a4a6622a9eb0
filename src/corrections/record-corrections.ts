/**
 * A correction's way: it is decided and recorded here, applied by the worker that owns the usage
 * (`correction-applier.ts`), and answered here once that is done.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import { changeRecords } from '../records/change-records.ts';
import { type Audit, RecordsOverloadedError, type RecordStore } from '../records/record-store.ts';
import {
  candidatesMax,
  type Correction,
  type CorrectionOutcome,
  type CorrectionProblem,
  type CorrectionRequest,
  type Corrections,
  type CorrectionStore,
  type ItemKey,
  type ItemName,
  type StoredItem,
} from './correction.ts';
import { decideCorrection } from './correction-decision.ts';
import { correctionRef, pendingOf, pendingWrite, turnRef, turnWrite } from './correction-record.ts';

export interface RecordCorrectionsOptions {
  readonly records: RecordStore;
  readonly store: CorrectionStore;
  readonly clock: Clock;
  /** How long to wait for the worker. */
  readonly ackTimeoutMs: number;
}

type Recorded = { readonly correction: Correction } | { readonly problem: CorrectionProblem };

/** An item takes 100 corrections, and of those that are made at once one succeeds in each attempt. */
const attemptsMax = 200;

/** Between two looks whether the worker is done, which takes it some 50 ms. */
const lookMs = 25;

export class RecordCorrections implements Corrections {
  readonly #options: RecordCorrectionsOptions;

  constructor(options: RecordCorrectionsOptions) {
    this.#options = options;
  }

  async correct(name: ItemName, request: CorrectionRequest, audit: Audit): Promise<CorrectionOutcome> {
    const found = await this.#options.store.find(name);
    const [item] = found;
    if (item === undefined) return { problem: unknownItem(name) };
    if (found.length > 1) return { problem: ambiguousName(found) };
    const made = await this.#record(item, request, audit);
    if ('problem' in made) return made;
    if (!(await this.#isApplied(item, made.correction))) return { problem: pendingProblem };
    return { item, corrections: await this.#applied(item) };
  }

  of(items: readonly ItemKey[]): Promise<ReadonlyMap<string, readonly Correction[]>> {
    return this.#options.store.of(items);
  }

  async #record(item: StoredItem, request: CorrectionRequest, audit: Audit): Promise<Recorded> {
    const { records } = this.#options;
    for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
      // Before what is applied is read: what a round of the worker takes from the one to the other is in either.
      const [seen, turn] = await records.read([correctionRef(item.id), turnRef(item.id)]);
      const before = pendingOf(seen)?.corrections ?? [];
      const history = merged(await this.#applied(item), before);
      const recorded = await this.#recordAfter(history, item, request, { audit, turn: turn?.version ?? 0 });
      if (recorded !== 'again') return recorded;
    }
    throw new RecordsOverloadedError('too many corrections at once; send this one again');
  }

  /** `again` when one was made since the turn was read, so that the history may lack it. */
  async #recordAfter(
    history: readonly Correction[],
    item: StoredItem,
    request: CorrectionRequest,
    { audit, turn }: { readonly audit: Audit; readonly turn: number },
  ): Promise<Recorded | 'again'> {
    const { records, clock } = this.#options;
    const making = { id: randomUUID(), now: clock.now(), actor: audit.actor };
    const refs = [correctionRef(item.id), turnRef(item.id)];
    const changed = await changeRecords<{ readonly correction: Correction } | 'again', CorrectionProblem>(
      records,
      refs,
      audit,
      ([record, current]) => {
        if ((current?.version ?? 0) !== turn) return { writes: [], result: 'again' };
        const decided = decideCorrection(item, history, request, making);
        if ('problem' in decided) return decided;
        if (history.includes(decided.correction)) return { writes: [], result: decided };
        const corrections = [...(pendingOf(record)?.corrections ?? []), decided.correction];
        const writes = [pendingWrite({ item, corrections }, record?.version ?? 0), turnWrite(item.id, turn)];
        return { writes, result: decided };
      },
    );
    return 'problem' in changed ? changed : changed.result;
  }

  /** False when the time was up before the worker had it. */
  async #isApplied(item: StoredItem, { id }: Correction): Promise<boolean> {
    const { records, ackTimeoutMs } = this.#options;
    const until = performance.now() + ackTimeoutMs;
    for (;;) {
      const [record] = await records.read([correctionRef(item.id)]);
      const waits = pendingOf(record)?.corrections.some((correction) => correction.id === id) ?? false;
      if (!waits) return true;
      if (performance.now() >= until) return false;
      await delay(lookMs);
    }
  }

  async #applied(item: StoredItem): Promise<readonly Correction[]> {
    return (await this.of([item])).get(item.id) ?? [];
  }
}

/** One that is being applied may be in several. */
function merged(...histories: readonly (readonly Correction[])[]): readonly Correction[] {
  const byId = new Map(histories.flat().map((correction) => [correction.id, correction]));
  return [...byId.values()].sort((a, b) => a.at - b.at);
}

const pendingProblem: CorrectionProblem = {
  code: 'ACK_PENDING',
  message:
    'the correction is recorded, and usage will heed it, but not within the time that this call may take; ' +
    'it is safe to send it again as it is: it is then made only once',
};

function unknownItem(name: ItemName): CorrectionProblem {
  const asked = Object.entries(name)
    .filter(([, value]) => value !== null)
    .map(
      ([field, value]) => `${field} ${JSON.stringify(field === 'timestamp' ? isoOf(Number(value)) : value)}`,
    );
  const message =
    `nothing that counts was reported with ${asked.join(', ')}; the query measurements lists what was, ` +
    'and an event is listed some tens of milliseconds after it was accepted';
  return { code: 'VALIDATION_ERROR', message };
}

function ambiguousName(found: readonly StoredItem[]): CorrectionProblem {
  const ids = found.slice(0, candidatesMax).map(({ id, content }) => `${id} (${isoOf(content.timestamp)})`);
  const message = `several entries have this key; name one by its id: ${ids.join(', ')}`;
  return { code: 'VALIDATION_ERROR', message };
}

function isoOf(instant: number): string {
  return new Date(instant).toISOString();
}
