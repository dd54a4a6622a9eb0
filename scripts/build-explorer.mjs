/**
 * Builds the API's explorer: plain files that need nothing from elsewhere. Takes some seconds. They go into the
 * folder that is given, or into dist/explorer; what was in it before is gone.
 */
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { build } from 'esbuild';

const root = resolve(import.meta.dirname, '..');
const source = join(root, 'src/api/explorer');
const target = resolve(process.argv[2] ?? join(root, 'dist/explorer'));

const options = {
  absWorkingDir: root,
  outdir: target,
  bundle: true,
  format: 'esm',
  splitting: true,
  chunkNames: 'chunk-[hash]',
  target: ['es2022'],
  minify: true,
  legalComments: 'none',
  logLevel: 'warning',
  define: { 'process.env.NODE_ENV': '"production"' },
};

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
await Promise.all([
  build({
    ...options,
    entryPoints: { explorer: join(source, 'explorer.jsx') },
    jsx: 'automatic',
    loader: { '.ttf': 'file' },
    assetNames: '[name]',
  }),
  build({
    ...options,
    // The editor's language services run beside the page.
    entryPoints: {
      'editor.worker': 'monaco-editor/esm/vs/editor/editor.worker.js',
      'json.worker': 'monaco-editor/esm/vs/language/json/json.worker.js',
      'graphql.worker': 'monaco-graphql/esm/graphql.worker.js',
    },
  }),
  ...['index.html', 'icon.svg'].map((name) => copyFile(join(source, name), join(target, name))),
]);

// explorer.css holds all styles; esbuild writes those of the parts that load later once more, and nothing uses them.
for (const name of await readdir(target)) {
  if (/^chunk-.*\.css$/.test(name)) await rm(join(target, name));
}

// Compressed once here instead of at every request.
for (const name of await readdir(target)) {
  if (!['.js', '.css', '.html', '.svg'].includes(extname(name))) continue;
  const packed = await promisify(gzip)(await readFile(join(target, name)), { level: 9 });
  await writeFile(join(target, `${name}.gz`), packed);
}
