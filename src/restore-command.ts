/** Makes the records of an empty Redis again from the change log. */
import { namespace } from './app/engines.ts';
import { type DefaultStartOptions, startEngines } from './embedded/default-start.ts';
import { closeRedis, openRedis } from './queue/redis-connection.ts';
import { restoreRecords } from './records/redis-restore.ts';
import { ClickhouseChangeLog } from './store/clickhouse-change-log.ts';
import { createClickhouseClient } from './store/clickhouse-client.ts';
import { migrateClickhouse } from './store/migrations.ts';

export async function restoreCommand(options: DefaultStartOptions): Promise<void> {
  const { redisUrl, clickhouseUrl } = options.config;
  if (redisUrl !== undefined && clickhouseUrl !== undefined) {
    await restore(redisUrl, clickhouseUrl, options.print);
    return;
  }
  const engines = await startEngines(options);
  try {
    await restore(engines.redisUrl, engines.clickhouseUrl, options.print);
  } finally {
    await engines.stop();
  }
}

async function restore(
  redisUrl: string,
  clickhouseUrl: string,
  print: (text: string) => void,
): Promise<void> {
  await migrateClickhouse({ url: clickhouseUrl });
  const redis = openRedis(redisUrl, 'worker');
  const clickhouse = createClickhouseClient({ url: clickhouseUrl });
  try {
    const changeLog = new ClickhouseChangeLog(clickhouse);
    const count = await restoreRecords({ redis, namespace, changeLog });
    print(`${count} records restored\n`);
  } finally {
    await closeRedis(redis);
    await clickhouse.close();
  }
}
