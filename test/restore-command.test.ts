/** `npm run restore` on whole installations, as an operator meets it after Redis was lost. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually, Installation } from './installation.ts';

let tollgate: Installation;

afterEach(() => tollgate.remove());

const everything = `{
  customers { edges { node { id refId name email additionalMetaData createdAt updatedAt } } }
  features { edges { node { id refId displayName createdAt updatedAt } } }
}`;
const name = 'Zaphod Beeblebrox';
const email = 'zaphod@betelgeuse.example';

describe('the command restore', () => {
  it('brings back what a lost Redis held, but no name or e-mail of an archived customer', async () => {
    tollgate = await Installation.create();
    await tollgate.start();
    await tollgate.createFeature('seats');
    await tollgate.provision('acme');
    await provision({ customerId: 'leaving', name, email });
    await provision({ customerId: 'acme', name: 'Acme', additionalMetaData: { tier: 1 } });
    await logged();
    expect(filesWithPersonal()).not.toEqual([]);
    const archive = 'mutation { archiveCustomer(input: { customerId: "leaving" }) { refId } }';
    await tollgate.data(archive);
    await logged();
    const before = await tollgate.data(everything);
    expect(before.customers.edges).toHaveLength(1);
    // No byte of the whole folder tells whom it was: neither engine's files, nor its log of changes to come.
    await eventually(() => filesWithPersonal().length === 0, 'name and e-mail to be gone from every file');

    expect(await restore()).toMatchObject({ code: 1, output: expect.stringContaining('already runs') });
    await tollgate.stop();
    expect(await restore()).toMatchObject({ code: 1, output: expect.stringContaining('records already') });
    await rm(join(tollgate.folder, 'data', 'redis'), { recursive: true });
    // A feature, two customers, and the subscription book that archiving looked at and wrote.
    expect(await restore()).toMatchObject({ code: 0, output: expect.stringContaining('4 records restored') });

    await tollgate.start();
    expect(await tollgate.data(everything)).toEqual(before);
    const unarchive = 'mutation { unarchiveCustomer(input: { customerId: "leaving" }) { name email } }';
    expect(await tollgate.data(unarchive)).toEqual({ unarchiveCustomer: { name: null, email: null } });
    expect(tollgate.output).not.toContain(name);
  });
});

async function provision(input: Readonly<Record<string, unknown>>): Promise<void> {
  const query =
    'mutation ($input: ProvisionCustomerInput!) { provisionCustomer(input: $input) { customer { id } } }';
  await tollgate.data(query, { input });
}

async function logged(): Promise<void> {
  await eventually(
    async () => (await tollgate.metric('tollgate_outbox_entries')) === 0,
    'every change to be in the change log',
  );
}

function filesWithPersonal(): readonly string[] {
  const folder = join(tollgate.folder, 'data');
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return files
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => {
      const content = readFileSync(path, 'latin1');
      return content.includes(name) || content.includes(email);
    });
}

function restore(): Promise<{ code: number | null; output: string }> {
  const script = fileURLToPath(new URL('../dist/main.js', import.meta.url));
  const child = spawn(process.execPath, [script, 'restore'], {
    env: { PATH: process.env['PATH'], DATA_DIR: join(tollgate.folder, 'data'), LOG_LEVEL: 'warn' },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => (output += text));
  }
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })));
}
