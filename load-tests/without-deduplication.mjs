/**
 * Loaded ahead of a role (`node --import`): a worker that takes every event for one it has never seen. It neither looks
 * identities up nor remembers them; all else, the computing of identities at the edge included, stays as it is. The
 * other half of the figure `everythingOn`, and of nothing else.
 */
if (process.argv[2] === 'aggregate') {
  const { IdentityTable } = await import('../dist/aggregate/identity-table.js');
  const { verdicts } = await import('../dist/metering/identity.js');
  const methods = IdentityTable.prototype;
  replace('judge', () => verdicts.counts);
  replace('add', () => undefined);
  replace('lookupScope', () => undefined);

  function replace(name, method) {
    if (typeof methods[name] !== 'function') throw new Error(`the table of identities has no ${name}`);
    methods[name] = method;
  }
}
