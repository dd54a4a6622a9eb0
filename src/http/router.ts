/** Which route a method and path mean. Paths are compared as sent: case and a trailing slash count. */
import type { ProblemFormat, Route } from './message.ts';

export type Match =
  | { readonly kind: 'found'; readonly route: Route; readonly params: Readonly<Record<string, string>> }
  | {
      readonly kind: 'otherMethod';
      readonly allow: string;
      readonly formatProblem: ProblemFormat | undefined;
    }
  | { readonly kind: 'unknown' };

interface Place {
  readonly segments: readonly string[];
  readonly routes: Map<string, Route>;
}

const noParams: Readonly<Record<string, string>> = {};

export class Router {
  /** Paths without a varying part: one look-up, however many routes there are. */
  readonly #exact = new Map<string, Place>();
  readonly #varying: Place[] = [];

  constructor(routes: readonly Route[]) {
    const places = new Map<string, Place>();
    for (const route of routes) {
      const place = places.get(route.path) ?? { segments: route.path.split('/'), routes: new Map() };
      if (place.routes.has(route.method)) throw new Error(`two routes for ${route.method} ${route.path}`);
      place.routes.set(route.method, route);
      places.set(route.path, place);
    }
    for (const [path, place] of places) {
      if (path.includes('/:')) this.#varying.push(place);
      else this.#exact.set(path, place);
    }
  }

  match(method: string, path: string): Match {
    const exact = this.#exact.get(path);
    if (exact !== undefined) return matchMethod(exact, method, noParams);
    const segments = path.split('/');
    for (const place of this.#varying) {
      const params = matchSegments(place.segments, segments);
      if (params !== undefined) return matchMethod(place, method, params);
    }
    return { kind: 'unknown' };
  }
}

function matchMethod(place: Place, method: string, params: Readonly<Record<string, string>>): Match {
  const route = place.routes.get(method) ?? (method === 'HEAD' ? place.routes.get('GET') : undefined);
  return route === undefined
    ? { kind: 'otherMethod', allow: allowOf(place), formatProblem: formatOf(place) }
    : { kind: 'found', route, params };
}

function allowOf(place: Place): string {
  const methods = [...place.routes.keys()];
  return [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ');
}

/** The routes of one path speak one protocol, so the first format is that of all. */
function formatOf({ routes }: Place): ProblemFormat | undefined {
  return [...routes.values()].flatMap(({ formatProblem }) => formatProblem ?? [])[0];
}

function matchSegments(
  pattern: readonly string[],
  segments: readonly string[],
): Readonly<Record<string, string>> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [at, part] of pattern.entries()) {
    const segment = segments[at] ?? '';
    if (!part.startsWith(':')) {
      if (part !== segment) return undefined;
      continue;
    }
    const value = decodeSegment(segment);
    if (value === undefined || value === '') return undefined;
    params[part.slice(1)] = value;
  }
  return params;
}

function decodeSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
