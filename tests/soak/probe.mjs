import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

// Loaded into a daemon before its own program, by NODE_OPTIONS: says what the process holds after
// its garbage was collected. The product knows nothing of it.

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
const path = process.env['SOAK_PROBE'];

const countBy = (names) => {
  const counts = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
};

const countListeners = (emitter) =>
  emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0);

/** Of a TCP socket what tells why it is still open. */
function describeSocket(socket) {
  const { remotePort, destroyed, readableEnded, writableEnded, readableFlowing, timeout } = socket;
  const { bytesRead, bytesWritten, writableLength } = socket;
  const symbols = Object.getOwnPropertySymbols(socket);
  const session = symbols.map((key) => socket[key]).find((value) => value?.socket && value.state);
  const http2 = session && {
    ...{ closed: session.closed, destroyed: session.destroyed, state: session.state },
    pendingSettings: session.pendingSettingsAck,
  };
  return {
    ...{ remotePort, destroyed, readableEnded, writableEnded, readableFlowing, timeout },
    ...{ bytesRead, bytesWritten, writableLength, http2 },
  };
}

async function look() {
  for (let i = 0; i < 4; i += 1) {
    collect();
    await sleep(20);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  const handles = process._getActiveHandles().filter((one) => typeof one.eventNames === 'function');
  return {
    heapBytes: heapUsed + external,
    rssBytes: rss,
    resources: countBy(process.getActiveResourcesInfo()),
    processListeners: countListeners(process),
    sockets: handles.filter((one) => one.remotePort !== undefined).map(describeSocket),
    handleListeners: handles.reduce((sum, one) => sum + countListeners(one), 0),
  };
}

if (path) {
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    look().then((seen) => socket.end(JSON.stringify(seen)));
  });
  server.listen(path);
  server.unref();
}
