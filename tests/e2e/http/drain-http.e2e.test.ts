import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { Daemon } from '../../../scripts/product.ts';
import { findFreePort } from '../../support/free-port.ts';
import {
  bearer,
  createHttpClient,
  enter,
  readEvents,
  type HttpClient,
  type SentEvent,
} from '../../support/http/client.ts';
import {
  createDrainStage,
  makeExport,
  type DrainStage,
} from '../../support/processes/drain-stage.ts';
import { password } from '../../support/processes/world.ts';
import { connectClient } from '../../support/postgres/client.ts';

let stage: DrainStage;

beforeAll(async () => {
  stage = await createDrainStage();
}, 120_000);
afterAll(() => stage.dispose());

type Running = { readonly daemon: Daemon; readonly client: HttpClient; readonly token: string };

async function start(name: string): Promise<Running> {
  const address = `127.0.0.1:${await findFreePort()}`;
  const daemon = await stage.start('plaintext', { WALLETD_HTTP_LISTEN: address });
  const client = createHttpClient(`http://${address}`);
  return { daemon, client, token: await enter(client, `${name}@example.com`, password) };
}

const deposit = ({ client, token }: Running, key: string) =>
  client.send('POST', '/v1/transactions', {
    headers: { ...bearer(token), 'idempotency-key': key },
    body: { operation: 'deposit', amount: '1.00' },
  });

const read = ({ client, token }: Running, path: string) =>
  client.send('GET', path, { headers: bearer(token) });

/** Lines of the log that an operator would look at. */
const troubles = (daemon: Daemon): string[] =>
  daemon
    .log()
    .split('\n')
    .filter((line) => /"level":(?:"(?:warn|error|fatal)"|[456]0)/.test(line));

/** Keeps exports from being written. */
async function holdExports(): Promise<() => Promise<void>> {
  const client = await connectClient(stage.server.url({ database: 'statement' }));
  await client.query('BEGIN');
  await client.query('LOCK TABLE export_chunks IN SHARE MODE');
  return async () => {
    await client.query('ROLLBACK');
    await client.end();
  };
}

describe('SIGTERM to a daemon with HTTP requests in flight', () => {
  it('calls, long polls and streams are answered or ended well, and nothing is cut', async () => {
    const at = await start('ana');
    expect((await deposit(at, 'first')).status).toBe(201);
    const made = await makeExport(stage, at.daemon, 'plaintext', { id: '', token: at.token });
    const release = await holdExports();
    const ordered = await at.client.send('POST', '/v1/exports', {
      headers: bearer(at.token),
      body: {
        from: new Date(Date.now() - 86_400_000).toISOString(),
        to: new Date().toISOString(),
      },
    });
    const polled = read(at, `${ordered.headers.location ?? ''}?wait=30`);
    const stream = await at.client.open('GET', '/v1/events', { headers: bearer(at.token) });
    const seen: SentEvent[] = [];
    const streamed = (async () => {
      for await (const event of readEvents(stream)) seen.push(event);
    })();
    await expect.poll(() => seen.length, { timeout: 10_000 }).toBeGreaterThan(0);

    stage.server.freeze();
    const calls = [
      ...Array.from({ length: 10 }, (_call, i) => deposit(at, `in flight ${i}`)),
      read(at, '/v1/transactions'),
      read(at, '/v1/statements?from=2026-01-01&to=2026-01-02'),
      read(at, `/statement/exports/${made.id}/file`),
      read(at, `/v1/exports/${made.id}/file`),
    ];
    await sleep(500);
    at.daemon.kill('SIGTERM');
    await streamed;
    await sleep(700);
    stage.server.thaw();
    const answers = await Promise.all(calls);
    const poll = await polled;
    await release();
    expect(seen.at(-1)).toMatchObject({ event: 'problem', data: { reason: 'SHUTTING_DOWN' } });
    expect(poll).toMatchObject({ status: 202, headers: { 'retry-after': '2' } });
    const statuses = answers.map(({ status }) => status);
    expect(statuses).toEqual([...Array<number>(10).fill(201), ...[200, 200, 200, 200]]);
    expect(answers.slice(-2).map(({ bytes }) => bytes.length)).toEqual(
      Array<number>(2).fill(Number(made.bytes)),
    );
    expect(await at.daemon.exited).toBe(0);
    expect(troubles(at.daemon)).toEqual([]);
    at.client.close();
  });

  it('requests that still arrive are served, and each answer closes its connection', async () => {
    const at = await start('bia');
    const statuses: number[] = [];
    const closing: boolean[] = [];
    const over = new AbortController();
    const flood = (async () => {
      for (let i = 0; !over.signal.aborted; i += 1) {
        const reply = await deposit(at, `flood ${i}`).catch(() => undefined);
        // After the last connection new ones are refused.
        if (!reply) return;
        statuses.push(reply.status);
        closing.push(reply.headers.connection === 'close');
      }
    })();
    await expect.poll(() => statuses.length, { timeout: 10_000 }).toBeGreaterThan(20);
    at.daemon.kill('SIGTERM');
    const code = await at.daemon.exited;
    over.abort();
    await flood;
    expect(code).toBe(0);
    expect(new Set(statuses)).toEqual(new Set([201]));
    expect(closing[0]).toBe(false);
    expect(closing.at(-1)).toBe(true);
    at.client.close();
  });

  it('a request that hangs is answered that its outcome is unknown, before the end', async () => {
    const at = await start('caio');
    expect((await deposit(at, 'first')).status).toBe(201);
    stage.server.freeze();
    const hanging = deposit(at, 'hangs');
    await sleep(300);
    at.daemon.kill('SIGTERM');
    const unknown = await hanging;
    stage.server.thaw();
    expect(unknown).toMatchObject({
      status: 504,
      body: { reason: 'OUTCOME_UNKNOWN', outcome: 'unknown' },
    });
    await at.daemon.exited;
    at.client.close();
  });

  it('idle connections and streams do not delay the end', async () => {
    const at = await start('davi');
    expect((await read(at, '/v1/me')).status).toBe(200);
    const stream = await at.client.open('GET', '/v1/events', { headers: bearer(at.token) });
    stream.pause();
    at.daemon.kill('SIGTERM');
    expect(await at.daemon.exited).toBe(0);
    expect(troubles(at.daemon)).toEqual([]);
    stream.destroy();
    at.client.close();
  });
});
