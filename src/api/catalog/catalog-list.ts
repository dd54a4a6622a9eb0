/** What the lists of the catalog have in common: pages by instant of creation and refId. */
import type { CatalogPage, CatalogPageQuery, CatalogPlace } from '../../catalog/catalog.ts';
import {
  type Connection,
  connectionOf,
  decodeCursor,
  encodeCursor,
  type PagingInput,
  pagingOf,
} from '../graphql/connection.ts';

export interface ListArguments<Status> {
  readonly filter?: {
    readonly status?: { readonly eq?: Status | null } | null;
    readonly createdAt?: InstantFilter | null;
  } | null;
  readonly paging?: PagingInput | null;
  readonly sorting?: readonly { readonly direction: 'ASC' | 'DESC' }[] | null;
}

export interface InstantFilter {
  readonly gt?: number | null;
  readonly gte?: number | null;
  readonly lt?: number | null;
  readonly lte?: number | null;
}

export function pageQueryOf<Status>(args: ListArguments<Status>): CatalogPageQuery<Status> {
  const { end, limit, after, before } = pagingOf(args.paging);
  return {
    status: args.filter?.status?.eq ?? null,
    ...instantsOf(args.filter?.createdAt ?? {}),
    order: args.sorting?.[0]?.direction === 'DESC' ? 'newest-first' : 'oldest-first',
    after: placeOf(after),
    before: placeOf(before),
    end,
    limit,
  };
}

export function catalogConnection<Entity extends CatalogPlace>(
  page: CatalogPage<Entity>,
): Connection<Entity> {
  return connectionOf(page, ({ createdAt, refId }) => encodeCursor({ at: createdAt, name: refId }));
}

/** Instants are whole milliseconds, so `later than` is `from the next one on`. */
export function instantsOf({
  gt,
  gte,
  lt,
  lte,
}: InstantFilter): Pick<CatalogPageQuery<never>, 'createdFrom' | 'createdBefore'> {
  const createdFrom = Math.max(gte ?? -Infinity, (gt ?? -Infinity) + 1);
  const createdBefore = Math.min(lt ?? Infinity, (lte ?? Infinity) + 1);
  return {
    createdFrom: Number.isFinite(createdFrom) ? createdFrom : null,
    createdBefore: Number.isFinite(createdBefore) ? createdBefore : null,
  };
}

function placeOf(cursor: string | null): CatalogPlace | null {
  if (cursor === null) return null;
  const { at, name } = decodeCursor(cursor);
  return { createdAt: at, refId: name };
}
