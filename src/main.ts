/** The process: arguments, signals, exit code. */
const role = process.argv[2];
if (role === 'clickhouse') {
  const { startEmbeddedClickhouse } = await import('./embedded/clickhouse-server.ts');
  const url = new URL(process.env['CLICKHOUSE_URL'] ?? 'http://127.0.0.1:8123');
  const server = await startEmbeddedClickhouse({
    dataDir: `${process.env['DATA_DIR'] ?? './data'}/clickhouse`,
    host: url.hostname,
    port: Number(url.port),
    password: url.password,
  });
  process.once('SIGTERM', () => void server.stop().then(() => process.exit(0)));
}
