import { randomUUID } from 'node:crypto';
import { gunzipSync } from 'node:zlib';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { CreateExportRequest } from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { startSmtpServer, type TestSmtpServer } from '../../../tests/support/mail/smtp.ts';
import type { UserPrincipal } from '../../platform/access/access.ts';
import { createMailer, type Mailer } from '../../platform/mail/mail.ts';
import {
  contextOf,
  createStatementWorld,
  reasonOf,
  startMs,
  userOf,
  valueOf,
  type StatementWorld,
} from '../test-support.ts';
import { exportIdOf } from './export-domain.ts';
import { mailedBytesOf } from './mail.ts';
import { readFile } from './read-file.ts';
import * as store from './export-store.ts';

let database: TestDatabase;
let world: StatementWorld;
let smtp: TestSmtpServer;
let mailer: Mailer;
let statement: Awaited<ReturnType<StatementWorld['start']>>;
let ana: UserPrincipal;

beforeEach(async () => {
  database = await createTestDatabase('statement');
  world = createStatementWorld(database);
  smtp = await startSmtpServer({ disabledCommands: ['STARTTLS'] });
  mailer = createMailer({ url: `smtp://127.0.0.1:${smtp.port}`, from: 'wallet@bank.example' });
  statement = await world.start(mailer);
  ana = world.know(userOf());
});

afterEach(async () => {
  await statement.stop();
  await mailer.stop();
  await smtp.stop();
  await database.drop();
});

const create = (principal: UserPrincipal, change: Partial<CreateExportRequest> = {}) => {
  const request = CreateExportRequest.fromPartial({
    ...{ from: new Date(startMs), to: new Date(startMs + 365 * 86_400_000), timezone: 'UTC' },
    ...{ email: true, idempotencyKey: randomUUID(), ...change },
  });
  const handler = statement.service.handlers['createExport']!;
  return handler(request as never, contextOf(principal)).then((result) => ({
    result,
    id: exportIdOf(principal.userId, request.idempotencyKey),
  }));
};
const find = async (id: string) => (await database.db.read((tx) => store.findExport(tx, id)))!;
const untilMail = (id: string, mailState: string, mailFailure?: string) =>
  vi.waitFor(async () => expect(await find(id)).toMatchObject({ mailState, mailFailure }), {
    timeout: 30_000,
    interval: 30,
  });

async function fileOf(id: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of readFile(database.db, await find(id))) parts.push(chunk);
  return Buffer.concat(parts);
}

const headerOf = (raw: string, name: string): string | undefined =>
  new RegExp(`^${name}: (.*(?:\r?\n[ \t].*)*)`, 'mi').exec(raw)?.[1];

/** The one attachment of a mail, decoded; undefined if it has none. */
function attachmentOf(raw: string): Buffer | undefined {
  const part = raw.split(/^--.*$/m).find((text) => /content-disposition: attachment/i.test(text));
  const body = part
    ?.split(/\r?\n\r?\n/)
    .slice(1)
    .join('');
  return body === undefined ? undefined : Buffer.from(body, 'base64');
}

describe('export mails', () => {
  it('an export mail goes to the owner’s verified address, with the exact file', async () => {
    await world.fill(ana.userId, 2_000);
    const { id } = await create(ana, { locale: 'pt-BR', byteOrderMark: true });
    await untilMail(id, 'sent');
    const [mail] = await smtp.waitFor(1);
    expect(mail?.to).toEqual([`${ana.userId}@example.com`]);
    const raw = mail!.raw;
    expect(headerOf(raw, 'message-id')).toBe(`<export.${id}@bank.example>`);
    expect(headerOf(raw, 'subject')).toMatch(/Seu extrato em BRL, de 10\/01\/2026/);
    expect(attachmentOf(raw)?.equals(await fileOf(id))).toBe(true);
    expect(raw).toContain('filename=statement-BRL-2026-01-10-2027-01-10.csv');
  });

  it('an export mail of a large file is compressed', async () => {
    await world.fill(ana.userId, 90_000, { stepMs: 10_000 });
    const { id } = await create(ana, {});
    await untilMail(id, 'sent');
    const file = await fileOf(id);
    expect(file.length).toBeGreaterThan(10_000_000);
    const [mail] = await smtp.waitFor(1);
    expect(mail?.raw).toContain('.csv.gz');
    expect(gunzipSync(attachmentOf(mail!.raw)!).equals(file)).toBe(true);
  });

  it('the mail of an export that staff request goes to the owner, not to them', async () => {
    const operator = world.know(userOf('operator'));
    const { id } = await create(operator, { userId: ana.userId });
    await untilMail(id, 'sent');
    expect((await smtp.waitFor(1))[0]?.to).toEqual([`${ana.userId}@example.com`]);
  });

  it('an export mail is sent once, and only if it was requested', async () => {
    const quiet = await create(ana, { email: false });
    const loud = await create(ana);
    await untilMail(loud.id, 'sent');
    await untilMail(quiet.id, 'none');
    await vi.waitFor(async () => expect((await find(quiet.id)).status).toBe('done'), {
      timeout: 20_000,
    });
    expect(smtp.mails).toHaveLength(1);
  });

  it('an export mail is tried again after a temporary refusal, under the same id', async () => {
    smtp.refuseWith({ code: 451, text: 'later' });
    const { id } = await create(ana);
    const passing = 'the mail server could not be reached, or did not take the mail';
    await untilMail(id, 'waiting', passing);
    expect((await find(id)).status).toBe('done');
    smtp.refuseWith(undefined);
    await database.query(`UPDATE exports SET mail_due_at = 'epoch'`);
    await untilMail(id, 'sent');
    const [mail] = await smtp.waitFor(1);
    expect(headerOf(mail!.raw, 'message-id')).toBe(`<export.${id}@bank.example>`);
  });

  it('an export mail has no attachment if the server accepts none of that size', async () => {
    await statement.stop();
    const small = await startSmtpServer({
      disabledCommands: ['STARTTLS'],
      onData: (stream, _session, done) => {
        let bytes = 0;
        stream.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          texts.push(chunk.toString());
        });
        const tooLarge = Object.assign(new Error('too large'), { responseCode: 552 });
        stream.on('end', () => done(bytes > 20_000 ? tooLarge : null));
      },
    });
    const texts: string[] = [];
    const other = createMailer({ url: `smtp://127.0.0.1:${small.port}`, from: 'a@bank.example' });
    statement = await world.start(other);
    try {
      await world.fill(ana.userId, 2_000);
      const { id } = await create(ana);
      await untilMail(id, 'sent');
      expect(texts.join('')).toContain('It is too large for a mail.');
    } finally {
      await other.stop();
      await small.stop();
    }
  });

  it.each([
    [57, 78],
    [58, 84],
    [14_600_000, 19_978_950],
    [20_000_000, 27_368_424],
  ])('an attachment is measured as it is sent: %d bytes take %d', (bytes, mailed) => {
    expect(mailedBytesOf(bytes)).toBeGreaterThanOrEqual(mailed - 2);
    expect(mailedBytesOf(bytes)).toBeLessThanOrEqual(mailed + 2);
  });

  it('an export mail fails permanently after a final refusal, and the file stays', async () => {
    smtp.refuseWith({ code: 550, text: 'no such user' });
    const { id } = await create(ana);
    await untilMail(id, 'failed', 'the mail server refused the mail');
    expect((await find(id)).status).toBe('done');
  });

  it('an export mail is not sent to an address that is no longer verified', async () => {
    world.state.isAuthAway = false;
    await world.fill(ana.userId, 5, { missing: 1 });
    const { id } = await create(ana);
    world.know(ana, { isEmailVerified: false });
    await database.query(`UPDATE exports SET through_seq = 4, due_at = 'epoch'`);
    await untilMail(id, 'failed', 'the owner’s address is not verified');
    expect(smtp.mails).toHaveLength(0);
  });

  it('an export with mail is refused if the mail could never be sent', async () => {
    const bia = world.know(userOf(), { isEmailVerified: false });
    expect(reasonOf((await create(bia)).result)).toBe('INVALID_ARGUMENT');
    const gone = world.know(userOf(), { isDisabled: true });
    expect(reasonOf((await create(gone)).result)).toBe('INVALID_ARGUMENT');
    valueOf((await create(bia, { email: false })).result);
  });
});
