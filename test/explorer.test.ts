import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type RunningApi, serverKey, startApi } from '../src/api/api.fixture.ts';

let folder: string;
let api: RunningApi;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-explorer-'));
  await promisify(execFile)(process.execPath, ['scripts/build-explorer.mjs', folder]);
  api = await startApi(inject('redisUrl'), folder);
});

afterAll(async () => {
  await api.stop();
  await rm(folder, { recursive: true, force: true });
});

describe("the explorer's files", () => {
  it('are served with their types, and packed for those who take that', async () => {
    const types: Readonly<Record<string, string>> = {
      html: 'text/html',
      js: 'text/javascript',
      css: 'text/css',
    };
    const names = (await readdir(folder)).filter((name) => /\.(html|js|css)$/.test(name));
    expect(names).toEqual(
      expect.arrayContaining(['index.html', 'explorer.js', 'explorer.css', 'graphql.worker.js']),
    );
    for (const name of names) {
      const plain = await fetch(`${api.url}/explorer/${name}`, {
        headers: { 'Accept-Encoding': 'identity' },
      });
      expect([name, plain.status]).toEqual([name, 200]);
      expect(plain.headers.get('Content-Type')).toContain(types[name.split('.').at(-1) ?? '']);
      const packed = await fetch(`${api.url}/explorer/${name}`, { headers: { 'Accept-Encoding': 'gzip' } });
      expect(packed.headers.get('Content-Encoding')).toBe('gzip');
      expect(await packed.text()).toBe(await plain.text());
    }
  });

  it('need nothing from elsewhere, and say so to the browser', async () => {
    const page = await fetch(`${api.url}/explorer`);
    expect(page.headers.get('Content-Security-Policy')).toMatch(/default-src 'none'; script-src 'self'/);
    expect(await page.text()).not.toMatch(/https?:/);
  });

  it('are not sent again to a browser that has them', async () => {
    const first = await fetch(`${api.url}/explorer`);
    const again = await fetch(`${api.url}/explorer`, {
      headers: { 'If-None-Match': first.headers.get('ETag') ?? '' },
    });
    expect(again.status).toBe(304);
    expect(await again.text()).toBe('');
  });

  it.each(['explorer/nothing.js', 'explorer/..%2Fpackage.json', 'explorer/'])(
    'are all there is: %s',
    async (path) => {
      expect((await fetch(`${api.url}/${path}`)).status).toBe(404);
    },
  );
});

const browserPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  (path) => existsSync(path),
);

describe.skipIf(browserPath === undefined)(
  'the explorer in a browser (skipped where there is no Chromium)',
  () => {
    let browser: Browser;
    const elsewhere: string[] = [];
    const faults: string[] = [];

    beforeAll(async () => {
      browser = await chromium.launch({
        executablePath: browserPath ?? '',
        args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
      });
    });

    afterAll(() => browser.close());

    it.each([
      ['a wide screen', { width: 1280, height: 800 }],
      ['a narrow one', { width: 390, height: 844 }],
    ])('runs a query and shows the docs on %s', async (_, viewport) => {
      const page = await openExplorer(viewport);
      await useKey(page, serverKey);
      await page.click('.graphiql-execute-button');
      await page.getByText('"totalCount"').waitFor();
      await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
      await page.getByRole('link', { name: 'Query', exact: true }).click();
      await page.getByText('Usage of a feature by a customer over a span of time.').waitFor();
      const { scrollWidth } = await page.evaluate<{ scrollWidth: number }>(
        '({ scrollWidth: document.documentElement.scrollWidth })',
      );
      expect(scrollWidth).toBeLessThanOrEqual(viewport.width);
      expect([faults, elsewhere]).toEqual([[], []]);
      await page.close();
    });

    it('marks what the schema does not have', async () => {
      const page = await openExplorer({ width: 1280, height: 800 });
      await useKey(page, serverKey);
      await page.locator('.graphiql-query-editor .view-lines').click();
      await page.keyboard.press('ControlOrMeta+A');
      await page.keyboard.type('{ nothingLikeIt ');
      const mark = page.locator('.graphiql-query-editor .squiggly-error').first();
      await mark.waitFor({ state: 'attached' });
      expect(await mark.count()).toBe(1);
      await page.close();
    });

    it('keeps the key for the tab only, and sends it in no address', async () => {
      const page = await openExplorer({ width: 1280, height: 800 });
      const addresses: string[] = [];
      page.on('request', (request) => addresses.push(request.url()));
      await useKey(page, serverKey);
      await page.reload();
      await page.locator('.graphiql-execute-button').waitFor();
      expect(addresses.filter((address) => address.includes(serverKey))).toEqual([]);
      const kept = await page.evaluate<string>('JSON.stringify({ ...localStorage })');
      expect(kept).not.toContain(serverKey);
      const other = await openExplorer({ width: 1280, height: 800 });
      await other.getByText('Enter the server API key above').waitFor();
      await Promise.all([page.close(), other.close()]);
    });

    it('says when a key is wrong', async () => {
      const page = await openExplorer({ width: 390, height: 844 });
      await page.fill('#key', 'wrong');
      await page.click('button[type=submit]');
      await page.getByText('the API key is missing or wrong').waitFor();
      expect(await page.locator('.graphiql-container').count()).toBe(0);
      await page.close();
    });

    async function openExplorer(viewport: { width: number; height: number }): Promise<Page> {
      const page = await browser.newPage({ viewport });
      page.on('pageerror', (error) => faults.push(error.message));
      page.on('request', (request) => {
        const address = request.url();
        if (!address.startsWith(api.url) && !address.startsWith('data:')) elsewhere.push(address);
      });
      await page.goto(`${api.url}/explorer`);
      return page;
    }
  },
);

async function useKey(page: Page, key: string): Promise<void> {
  await page.fill('#key', key);
  await page.click('button[type=submit]');
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
}
