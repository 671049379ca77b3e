import { rmSync } from 'node:fs';
import http2 from 'node:http2';
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

/** HTTP/2 sessions whose end was not announced. */
const sessions = new Map();
const { createServer: createHttp2Server } = http2;
http2.createServer = (...given) => {
  const server = createHttp2Server(...given);
  server.on('session', (session) => {
    const streams = new Set();
    sessions.set(session, streams);
    session.once('close', () => sessions.delete(session));
    session.on('stream', (stream, headers) => {
      streams.add([stream, headers[':path']]);
    });
  });
  return server;
};

/** The state of a session and of its streams, for a report. */
const describeSession = ([session, streams]) => ({
  ...{ closed: session.closed, destroyed: session.destroyed, type: session.type },
  socket: session.socket?.destroyed,
  streams: [...streams]
    .filter(([stream]) => !stream.closed || !stream.destroyed)
    .map(([stream, path]) => ({
      path,
      ...{ id: stream.id, closed: stream.closed, destroyed: stream.destroyed },
      ...{ readableEnded: stream.readableEnded, writableEnded: stream.writableEnded },
      ...{ writableFinished: stream.writableFinished, writableLength: stream.writableLength },
      ...{ headersSent: stream.headersSent, rstCode: stream.rstCode, aborted: stream.aborted },
      ...{ readableLength: stream.readableLength, flowing: stream.readableFlowing },
    })),
});

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
    sessions: [...sessions].map(describeSession),
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
