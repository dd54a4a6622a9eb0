/** A worker process for the crash test: owns the shard, takes batches, never finishes one. Takes URL and namespace. */
import { openRedis } from './redis-connection.ts';
import { queueKeys } from './redis-keys.ts';
import { RedisLedger } from './redis-ledger.ts';

const [url = '', namespace = ''] = process.argv.slice(2);
const ledger = new RedisLedger({ redis: openRedis(url, 'worker'), keys: queueKeys(namespace) });
await ledger.acquire(new AbortController().signal);
await ledger.consume((delivery) => {
  process.stdout.write(`${delivery.batchId}\n`);
  return new Promise(() => {});
});
