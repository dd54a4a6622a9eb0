import type { ReportedItem } from '../../usage/usage.ts';
import { ApiProblem } from '../api-problem.ts';
import type { ApiContext } from '../context.ts';
import {
  type Connection,
  connectionOf,
  decodeCursor,
  encodeCursor,
  type PagingInput,
  pagingOf,
} from '../graphql/connection.ts';
import { checkInstant } from './instants.ts';

interface MeasurementsArguments {
  readonly filter?: {
    readonly customerId?: string | null;
    readonly featureId?: string | null;
    readonly eventName?: string | null;
    readonly from?: number | null;
    readonly to?: number | null;
  } | null;
  readonly paging?: PagingInput | null;
}

export async function measurements(
  _: unknown,
  { filter, paging: pagingInput }: MeasurementsArguments,
  { services }: ApiContext,
): Promise<Connection<ReportedItem>> {
  const paging = pagingOf(pagingInput);
  if (paging.end === 'last' || paging.before !== null) {
    throw new ApiProblem('VALIDATION_ERROR', 'measurements are paged forward: by first and after');
  }
  const query = {
    customerId: filter?.customerId ?? null,
    featureId: filter?.featureId ?? null,
    eventName: filter?.eventName ?? null,
    from: instantOf(filter?.from, 'filter.from'),
    to: instantOf(filter?.to, 'filter.to'),
  };
  const after = paging.after === null ? null : placeOf(paging.after);
  const items = await services.usage.reported({ ...query, after, limit: paging.limit });
  const last = items.length < paging.limit ? undefined : items.at(-1);
  // Only a full page can have a next one; whether it has is a question of its own, since 1,000 is the reader's bound.
  const next = last === undefined ? [] : await services.usage.reported({ ...query, after: last, limit: 1 });
  return connectionOf(
    { items, hasNextPage: next.length > 0, hasPreviousPage: after !== null },
    ({ timestamp, id }) => encodeCursor({ at: timestamp, name: id }),
  );
}

function instantOf(instant: number | null | undefined, field: string): number | null {
  return instant === null || instant === undefined ? null : checkInstant(instant, field);
}

function placeOf(cursor: string): { timestamp: number; id: string } {
  const { at, name } = decodeCursor(cursor);
  return { timestamp: at, id: name };
}
