/** The explorer's own files, built by `npm run build`: a page that needs nothing from elsewhere. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HttpRequest, PlainResponse, Route } from '../../http/message.ts';
import { problemResponse } from '../../http/message.ts';

/** Sources and built files lie equally deep in the repository, so this is right for both. */
const builtDir = fileURLToPath(new URL('../../../dist/explorer/', import.meta.url));

const mediaTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.ttf': 'font/ttf',
  '.svg': 'image/svg+xml',
};

/**
 * Nothing from another origin, no inline script, no frame around it. The editor writes its styles into the page
 * as it works, so inline styles have to be allowed.
 */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "font-src 'self' data:",
  "img-src 'self' data:",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

interface Asset {
  readonly body: Buffer;
  readonly gzipped: Buffer | undefined;
  readonly type: string;
  readonly tag: string;
}

export function explorerRoutes(dir: string = builtDir): readonly Route[] {
  const assets = readAssets(dir);
  const page = (request: HttpRequest): PlainResponse => answerAsset(assets.get('index.html'), request);
  return [
    { method: 'GET', path: '/explorer', handle: page },
    {
      method: 'GET',
      path: '/explorer/:file',
      handle: (request) => answerAsset(assets.get(request.params['file'] ?? ''), request),
    },
  ];
}

/** Held in memory: a handful of files, some 2 MB. None when the explorer was not built. */
function readAssets(dir: string): ReadonlyMap<string, Asset> {
  const assets = new Map<string, Asset>();
  const names = new Set(readNames(dir));
  for (const name of names) {
    const type = mediaTypes[extname(name)];
    if (type === undefined) continue;
    const body = readFileSync(join(dir, name));
    const gzipped = names.has(`${name}.gz`) ? readFileSync(join(dir, `${name}.gz`)) : undefined;
    assets.set(name, {
      body,
      gzipped,
      type,
      tag: `"${createHash('sha256').update(body).digest('hex').slice(0, 16)}"`,
    });
  }
  return assets;
}

function readNames(dir: string): readonly string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

function answerAsset(asset: Asset | undefined, request: HttpRequest): PlainResponse {
  if (asset === undefined) {
    const message = 'there is no such file of the explorer; if there is none at all, run npm run build';
    return problemResponse('NOT_FOUND', message, request.traceId);
  }
  const headers = {
    'Content-Type': asset.type,
    'Content-Security-Policy': contentSecurityPolicy,
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    // The browser asks each time whether its copy is still the right one, so an upgrade shows at once.
    'Cache-Control': 'no-cache',
    Vary: 'Accept-Encoding',
    ETag: asset.tag,
  };
  if (request.header('if-none-match') === asset.tag) return { status: 304, headers, body: '' };
  const takesGzip = /\bgzip\b/.test(request.header('accept-encoding'));
  if (!takesGzip || asset.gzipped === undefined) return { status: 200, headers, body: asset.body };
  return { status: 200, headers: { ...headers, 'Content-Encoding': 'gzip' }, body: asset.gzipped };
}
