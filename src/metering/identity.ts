/**
 * What makes two reports the same one (contract, section 5.1): the identity, the content, and the rule that
 * decides between two copies. An identity is a hash under a key of this process's own, so that nobody can choose
 * texts that meet in it. It is never stored: it is computed when a batch is read, and from the columns of what is
 * stored when the memory of identities is rebuilt.
 */
import { randomBytes } from 'node:crypto';
import { quantityToText } from '../quantity.ts';
import { keySeed, textDigest } from './content-digest.ts';
import type { EventFact, MeasurementFact } from './facts.ts';
import { KeyedHash, keyedHashWords } from './keyed-hash.ts';

/** 128 bits: among 10^12 identities the chance that any two collide is below 10^-14. */
export const identityWords = keyedHashWords;

/** What an identity is of, so that no event has that of a measurement. */
const kinds = { event: 1, measurement: 2 } as const;
export type IdentityKind = keyof typeof kinds;

const hash = new KeyedHash(new Uint32Array(Uint8Array.from(randomBytes(4 * keyedHashWords)).buffer));

/** To be given customer, resource, event's name or feature, idempotency key and source, before another one begins. */
export function beginIdentity(kind: IdentityKind): KeyedHash {
  hash.begin(kinds[kind]);
  return hash;
}

/** Of the same texts in the same order; an absent one is empty. */
export function identityOf(kind: IdentityKind, texts: readonly string[]): Uint32Array {
  const identity = new Uint32Array(identityWords);
  const begun = beginIdentity(kind);
  for (const text of texts) {
    const view = utf8View(text);
    begun.add(view, 0, view.byteLength);
  }
  begun.writeTo(identity, 0);
  return identity;
}

export function eventIdentity(
  fact: Pick<EventFact, 'customerId' | 'resourceId' | 'eventName' | 'idempotencyKey' | 'source'>,
): Uint32Array {
  const { customerId, resourceId, eventName, idempotencyKey, source } = fact;
  return identityOf('event', [customerId, resourceId, eventName, idempotencyKey, source]);
}

/** Only for measurements with an idempotency key; one without is never a duplicate and has no identity. */
export function measurementIdentity(
  fact: Pick<MeasurementFact, 'customerId' | 'resourceId' | 'featureId' | 'idempotencyKey'>,
): Uint32Array {
  const { customerId, resourceId, featureId, idempotencyKey } = fact;
  return identityOf('measurement', [customerId, resourceId, featureId, idempotencyKey, '']);
}

/** The identity at this place among words, as a key for a Map. */
export function identityText(words: Uint32Array, at = 0): string {
  return `${words[at]} ${words[at + 1]} ${words[at + 2]} ${words[at + 3]}`;
}

/** See `textDigest`; an event block computes the same from its columns. */
export function contentDigest(dimensions: EventFact['dimensions']): number {
  let digest = 0;
  for (const [key, text] of dimensions) digest += digestOf(text, digestOf(key, keySeed));
  return digest >>> 0;
}

/** A measurement's content is its amount and behaviour too. */
export function measurementContentDigest(
  fact: Pick<MeasurementFact, 'dimensions' | 'value' | 'updateBehavior'>,
): number {
  const { dimensions, value, updateBehavior } = fact;
  return digestOf(quantityToText(value), digestOf(updateBehavior, contentDigest(dimensions))) >>> 0;
}

/** How a report stands to the copies counted before it; also the byte that a flush's decisions hold. */
export type Verdict = 0 | 1 | 2;
export const verdicts = { counts: 0, duplicate: 1, conflict: 2 } as const satisfies Record<string, Verdict>;

/**
 * The rule of contract 5.1 for a report and one counted copy of the same identity. Within the window of
 * receipt the identity alone decides: the same content again is a duplicate, other content a conflict. Beyond
 * it only the same timestamp makes a duplicate, for ever. A report counts when it counts beside every copy;
 * when one copy makes it a duplicate, it is one, whatever the others say.
 */
export function verdictBeside(
  timestamp: number,
  receivedAt: number,
  digest: number,
  copyTimestamp: number,
  copyReceivedAt: number,
  copyDigest: number,
  windowMs: number,
): Verdict {
  const sameTimestamp = timestamp === copyTimestamp;
  if (Math.abs(receivedAt - copyReceivedAt) > windowMs) {
    return sameTimestamp ? verdicts.duplicate : verdicts.counts;
  }
  if (digest !== copyDigest) return verdicts.conflict;
  // A sender that gives no timestamp gets a new one at each attempt: that is still the same content.
  const bothImplicit = timestamp === receivedAt && copyTimestamp === copyReceivedAt;
  return sameTimestamp || bothImplicit ? verdicts.duplicate : verdicts.conflict;
}

function digestOf(text: string, seed: number): number {
  const view = utf8View(text);
  return textDigest(view, 0, view.byteLength, seed);
}

function utf8View(text: string): DataView {
  const bytes = Buffer.from(text);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
