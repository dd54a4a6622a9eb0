/**
 * What the queue keeps of a batch beside its content. One line of text, since the scripts inside Redis read the
 * first two numbers of thousands of them in one step, where parsing JSON would cost several times as much.
 */
import type { BatchKind } from '../metering/batch.ts';

export interface BatchEntry {
  readonly count: number;
  /** Bytes of the content as kept in Redis, compressed. */
  readonly storedBytes: number;
  /** Bytes of the content as delivered. */
  readonly contentBytes: number;
  readonly kind: BatchKind;
  readonly sealedAt: number;
  readonly replyTo: string;
}

/** `count storedBytes contentBytes kind sealedAt replyTo`: the scripts rely on the first two places. */
export function encodeEntry(entry: BatchEntry): string {
  const { count, storedBytes, contentBytes, kind, sealedAt, replyTo } = entry;
  return `${count} ${storedBytes} ${contentBytes} ${kind} ${sealedAt} ${replyTo}`;
}

export function decodeEntry(line: string): BatchEntry {
  const match = entryPattern.exec(line);
  if (match === null) throw new Error('a batch entry in Redis is not of the form that this version writes');
  const [, count, storedBytes, contentBytes, kind, sealedAt, replyTo] = match;
  return {
    count: Number(count),
    storedBytes: Number(storedBytes),
    contentBytes: Number(contentBytes),
    kind: kind === 'usage' ? 'usage' : 'events',
    sealedAt: Number(sealedAt),
    replyTo: replyTo ?? '',
  };
}

const entryPattern = /^(\d+) (\d+) (\d+) (events|usage) (\d+) (.*)$/;
