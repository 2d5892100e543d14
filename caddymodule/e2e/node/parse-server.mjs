// One released Parse Server on PostgreSQL, as the end-to-end tests need it. Its options come as JSON in
// PARSESCALE_PARSE_SERVER; it listens on a free loopback port, prints {"port":N} when it answers, and ends when its
// standard input does, so that no process outlives the test that started it.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { ParseServer, NullCacheAdapter, FileSystemAdapter } = require('parse-server');

const { filesDirectory, ...options } = JSON.parse(process.env.PARSESCALE_PARSE_SERVER);
const server = await ParseServer.startApp({
  host: '127.0.0.1',
  port: 0,
  mountPath: '/parse',
  // Only its path counts (batch paths start with it): nothing here calls the server by its own address.
  serverURL: 'http://127.0.0.1/parse',
  verifyServerUrl: false,
  allowClientClassCreation: true,
  // Sessions and roles are asked of the database each time: what another process changed takes effect at once.
  cacheAdapter: new NullCacheAdapter(),
  filesAdapter: new FileSystemAdapter({ filesSubDirectory: filesDirectory }),
  logLevel: 'error',
  silent: true,
  // The peer is the gateway under test, on loopback, which rewrites X-Forwarded-For.
  trustProxy: 'loopback',
  ...options,
});
console.log(JSON.stringify({ port: server.server.address().port }));

process.stdin.on('end', () => process.exit(0)).on('error', () => process.exit(0)).resume();
