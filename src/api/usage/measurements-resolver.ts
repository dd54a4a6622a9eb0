import type { ReportedItem, ReportedPlace, ReportedQuery } from '../../usage/usage.ts';
import type { ApiContext } from '../context.ts';
import {
  type Connection,
  connectionOf,
  decodeCursor,
  encodeCursor,
  type PagingInput,
  pagingOf,
} from '../graphql/connection.ts';
import { correctedUsage, type ReportedUsage } from './correction-resolvers.ts';
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
): Promise<Connection<ReportedUsage>> {
  const paging = pagingOf(pagingInput);
  const query = {
    customerId: filter?.customerId ?? null,
    featureId: filter?.featureId ?? null,
    eventName: filter?.eventName ?? null,
    from: instantOf(filter?.from, 'filter.from'),
    to: instantOf(filter?.to, 'filter.to'),
  };
  const { end, limit } = paging;
  const [after, before] = [placeOf(paging.after), placeOf(paging.before)];
  const items = await services.usage.reported({ ...query, after, before, end, limit });
  const hasMore =
    items.length === limit && (await hasBeyond(items, { ...query, after, before, end }, services));
  const corrections = await services.corrections.of(items);
  return connectionOf(
    {
      items: items.map((item) => correctedUsage(item, corrections.get(item.id) ?? [])),
      // The items that cursors name are themselves beyond the page.
      hasNextPage: before !== null || (end === 'first' && hasMore),
      hasPreviousPage: after !== null || (end === 'last' && hasMore),
    },
    ({ timestamp, id }) => encodeCursor({ at: timestamp, name: id }),
  );
}

/** Only a full page can have more behind it; whether it has is a question of its own, since 1,000 is the reader's bound. */
async function hasBeyond(
  items: readonly ReportedItem[],
  query: Omit<ReportedQuery, 'limit'>,
  { usage }: ApiContext['services'],
): Promise<boolean> {
  const edge = query.end === 'first' ? { after: items.at(-1) ?? null } : { before: items[0] ?? null };
  const beyond = await usage.reported({ ...query, ...edge, limit: 1 });
  return beyond.length > 0;
}

function instantOf(instant: number | null | undefined, field: string): number | null {
  return instant === null || instant === undefined ? null : checkInstant(instant, field);
}

function placeOf(cursor: string | null): ReportedPlace | null {
  if (cursor === null) return null;
  const { at, name } = decodeCursor(cursor);
  return { timestamp: at, id: name };
}
