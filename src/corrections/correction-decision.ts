/** What becomes of a request to correct an item. Pure. */
import { factLimits } from '../metering/facts.ts';
import type {
  Correction,
  CorrectionProblem,
  CorrectionRequest,
  ItemContent,
  StoredItem,
} from './correction.ts';

export const reasonLengthMax = 1_000;
/** An item that is corrected more often than this is part of a loop. */
export const correctionsPerItemMax = 100;

export interface CorrectionMaking {
  readonly id: string;
  /** Epoch ms. */
  readonly now: number;
  readonly actor: string;
}

/**
 * The correction to make, or that has been made: the same request again, with nothing in between, is the same
 * correction, so that it may be repeated by whoever was not told of its end.
 *
 * @param history the item's corrections so far, oldest first.
 */
export function decideCorrection(
  item: StoredItem,
  history: readonly Correction[],
  request: CorrectionRequest,
  making: CorrectionMaking,
): { readonly correction: Correction } | { readonly problem: CorrectionProblem } {
  const message = problemOf(item, history, request, making.now);
  if (message !== undefined) return { problem: { code: 'VALIDATION_ERROR', message } };
  const { kind, reason } = request;
  const after = request.kind === 'VOID' ? null : amended(contentOf(item, history), request.amendment);
  const newest = history.at(-1);
  if (newest !== undefined && newest.kind === kind && newest.reason === reason) {
    if (sameContent(newest.after, after)) return { correction: newest };
  }
  const { id, now, actor } = making;
  const at = newest === undefined ? now : Math.max(now, newest.at + 1);
  return { correction: { id, kind, reason, at, actor, after } };
}

/** What counted last: as it was reported or amended, whether or not it was voided afterwards. */
export function contentOf(item: StoredItem, history: readonly Correction[]): ItemContent {
  return history.findLast(({ after }) => after !== null)?.after ?? item.content;
}

function problemOf(
  item: StoredItem,
  history: readonly Correction[],
  request: CorrectionRequest,
  now: number,
): string | undefined {
  const { reason } = request;
  if (reason.trim() === '' || reason.length > reasonLengthMax) {
    return `reason has ${reason.length} characters; it must say something in 1 to ${reasonLengthMax}`;
  }
  if (history.length >= correctionsPerItemMax) {
    return `the entry ${item.id} has been corrected ${history.length} times, which is as often as is allowed`;
  }
  if (request.kind === 'VOID') return undefined;
  const { timestamp, value, dimensions } = request.amendment;
  if (timestamp === null && value === null && dimensions === null) {
    return 'nothing is to be amended; give at least one of value, dimensions and timestamp';
  }
  if (value !== null && item.kind === 'EVENT') {
    return `the entry ${item.id} is an event, which has no value; amend its dimensions instead`;
  }
  if (timestamp === null) return undefined;
  if (timestamp > now + factLimits.futureMsMax) return 'timestamp must not lie more than 24 hours ahead';
  if (timestamp < factLimits.instantMin || timestamp > factLimits.instantMax) {
    return 'timestamp must lie in the years 1900 to 2299';
  }
  return undefined;
}

function amended(
  content: ItemContent,
  { timestamp, value, dimensions }: Extract<CorrectionRequest, { kind: 'AMEND' }>['amendment'],
): ItemContent {
  return {
    timestamp: timestamp ?? content.timestamp,
    value: value ?? content.value,
    dimensions: dimensions ?? content.dimensions,
  };
}

function sameContent(a: ItemContent | null, b: ItemContent | null): boolean {
  if (a === null || b === null) return a === b;
  const keys = Object.keys(a.dimensions);
  return (
    a.timestamp === b.timestamp &&
    a.value === b.value &&
    keys.length === Object.keys(b.dimensions).length &&
    keys.every((key) => Object.hasOwn(b.dimensions, key) && a.dimensions[key] === b.dimensions[key])
  );
}
