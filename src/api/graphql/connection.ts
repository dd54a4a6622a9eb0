/** Relay connections: how lists are paged, and the checks on what a caller asks for. */
import { ApiProblem } from '../api-problem.ts';

export const pageSizeDefault = 20;
export const pageSizeMax = 1_000;

export const connectionTypeDefs = /* GraphQL */ `
  """
  Which page of a list: forward with \`first\` and \`after\`, backward with \`last\` and \`before\`. A page has 20
  items when neither \`first\` nor \`last\` is given, and at most 1,000.
  """
  input CursorPaging {
    "At most so many items from the start, 1 to 1,000."
    first: Int
    "Only items behind the one with this cursor."
    after: String
    "At most so many items from the end, 1 to 1,000; not together with \`first\`."
    last: Int
    "Only items before the one with this cursor."
    before: String
  }

  "Where a page lies in its list."
  type PageInfo {
    "Whether items follow this page."
    hasNextPage: Boolean!
    "Whether items precede this page."
    hasPreviousPage: Boolean!
    "The cursor of the page's first item; null for an empty page."
    startCursor: String
    "The cursor of the page's last item; null for an empty page."
    endCursor: String
  }

  "The direction that a list is sorted in."
  enum SortDirection {
    "Smallest or oldest first."
    ASC
    "Largest or newest first."
    DESC
  }
`;

export interface PagingInput {
  readonly first?: number | null;
  readonly after?: string | null;
  readonly last?: number | null;
  readonly before?: string | null;
}

export interface Paging {
  readonly end: 'first' | 'last';
  readonly limit: number;
  readonly after: string | null;
  readonly before: string | null;
}

export interface Connection<Node> {
  readonly edges: readonly { readonly cursor: string; readonly node: Node }[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
  readonly totalCount?: number;
}

export function pagingOf(input: PagingInput | null | undefined): Paging {
  const { first, last, after, before } = input ?? {};
  if (isGiven(first) && isGiven(last)) {
    throw new ApiProblem('VALIDATION_ERROR', 'paging takes first or last, not both');
  }
  const limit = first ?? last ?? pageSizeDefault;
  if (limit < 1 || limit > pageSizeMax) {
    const name = isGiven(first) ? 'first' : 'last';
    throw new ApiProblem('VALIDATION_ERROR', `paging.${name} is ${limit}; allowed are 1 to ${pageSizeMax}`);
  }
  return { end: isGiven(last) ? 'last' : 'first', limit, after: after ?? null, before: before ?? null };
}

/** The most items that a page can have, for the cost of a query; whatever is wrong with the input comes later. */
export function pageSizeOf(args: Readonly<Record<string, unknown>>): number {
  const { first, last } = (args['paging'] ?? {}) as PagingInput;
  const asked = first ?? last ?? pageSizeDefault;
  return Math.min(Math.max(asked, 1), pageSizeMax);
}

export interface Page<Node> {
  readonly items: readonly Node[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  readonly totalCount?: number;
}

export function connectionOf<Node>(page: Page<Node>, cursorOf: (node: Node) => string): Connection<Node> {
  const edges = page.items.map((node) => ({ cursor: cursorOf(node), node }));
  const { hasNextPage, hasPreviousPage, totalCount } = page;
  return {
    edges,
    pageInfo: {
      hasNextPage,
      hasPreviousPage,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
    ...(totalCount === undefined ? {} : { totalCount }),
  };
}

/** A place in a list that is ordered by an instant and then by a text. */
export interface Place {
  readonly at: number;
  readonly name: string;
}

/** Opaque to callers; stays valid as long as the list is ordered the same way. */
export function encodeCursor(place: Place): string {
  return Buffer.from(JSON.stringify([place.at, place.name])).toString('base64url');
}

export function decodeCursor(cursor: string): Place {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    const [at, name] = Array.isArray(parsed) ? (parsed as unknown[]) : [];
    if (isInstant(at) && typeof name === 'string') return { at, name };
  } catch {
    // Answered as any other text that is no cursor.
  }
  throw new ApiProblem('VALIDATION_ERROR', 'after and before take a cursor that an earlier page answered');
}

/** Within what stores hold: the years 1900 to 2299, in epoch ms. */
function isInstant(value: unknown): value is number {
  return Number.isInteger(value) && Math.abs(value as number) < 1.1e13;
}

/** The page of a list that is in memory as a whole, in its order. */
export function pageOfList<Node>(
  list: readonly Node[],
  paging: Paging,
  compare: (node: Node, place: Place) => number,
): Page<Node> {
  const { after, before } = paging;
  let [low, high] = [0, list.length];
  if (after !== null) {
    const place = decodeCursor(after);
    low = list.filter((node) => compare(node, place) <= 0).length;
  }
  if (before !== null) {
    const place = decodeCursor(before);
    high = Math.max(low, list.filter((node) => compare(node, place) < 0).length);
  }
  if (paging.end === 'first') high = Math.min(high, low + paging.limit);
  else low = Math.max(low, high - paging.limit);
  return {
    items: list.slice(low, high),
    hasNextPage: high < list.length,
    hasPreviousPage: low > 0,
    totalCount: list.length,
  };
}

function isGiven<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}
