import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { StringDecoder } from 'node:string_decoder';

import { isTimezone, wallClockMs } from '../../../core/time/calendar.ts';
import { quoteForShell } from '../../../core/shell-word.ts';
import { statementFileName } from '../../../core/statement-format/index.ts';
import { stripControls } from '../../../core/text.ts';
import type { Export } from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { askYes } from '../shared/confirm.ts';
import type { Context } from '../../context.ts';
import { fetchFile } from './download-file.ts';
import { fail, failUsage, succeed, type Outcome } from '../../outcome.ts';
import {
  lookAt,
  openOwnFile,
  publishFile,
  writeWhole,
  type FileIdentity,
} from '../../files/files.ts';
import { withLock } from '../../files/lock.ts';
import { nameFormat } from '../../../lib/json/exports.ts';

/** Standard output, in place of a file's name. */
export const stdoutName = '-';

/**
 * `statement-BRL-2026-01-01-2026-02-01.csv`, in this folder; the days are of the export's zone.
 * What the server answered makes no other name, and no path.
 */
export function defaultFileName({ format, currency, from, to, timezone }: Export): Outcome<string> {
  const isKnown = /^[A-Z]{3}$/.test(currency) && isTimezone(timezone);
  if (!isKnown || !isDay(from) || !isDay(to)) {
    return fail(
      'UNEXPECTED',
      'the server answered with an export without a valid currency, range or time zone',
      {
        field: 'file',
        hint: 'choose a file name with --file',
      },
    );
  }
  const range = {
    currency,
    fromMs: wallClockMs(from.getTime(), timezone),
    toMs: wallClockMs(to.getTime(), timezone),
  };
  return succeed(statementFileName(nameFormat(format) ?? 'csv', range));
}

const firstDayMs = Date.parse('0002-01-01T00:00:00Z');
const lastDayMs = Date.parse('9998-12-31T00:00:00Z');

/** A time whose day, by any zone's clock, has a year of four digits. */
const isDay = (time: Date | undefined): time is Date =>
  time !== undefined && time.getTime() >= firstDayMs && time.getTime() <= lastDayMs;

/** Where a file may be written, and which one it may replace; undefined: no file is there. */
export type Target = { readonly replaced: FileIdentity | undefined };

const nothingThere: Target = { replaced: undefined };

/** Leave to write a file, and to replace the one that is there. */
export async function checkTarget(context: Context, file: string): Promise<Outcome<Target>> {
  if (file === stdoutName) return succeed(nothingThere);
  if (file === '') return failUsage('file', 'must not be empty');
  const found = await statIfAny(file);
  if (!found.ok) return found;
  const problem = await findFolderProblem(dirname(file));
  if (problem !== undefined) return failUsage('file', problem);
  if (!found.value) return succeed(nothingThere);
  if (!found.value.isFile() && !found.value.isSymbolicLink()) {
    return failUsage('file', `${file} is not a file that can be replaced`);
  }
  const { dev, ino } = found.value;
  const target = succeed({ replaced: { dev, ino } });
  if (context.isConfirmed) return target;
  if (!context.canPrompt) return failExists(file);
  const asked = await askYes(context, `${file} exists. Overwrite it?`);
  return asked.ok ? target : asked;
}

/** Why no file can be made in a folder: better known before the server works for it. */
async function findFolderProblem(folder: string): Promise<string | undefined> {
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return `the folder ${folder} does not exist`;
    return code === 'EACCES' || code === 'EROFS' ? `cannot write into ${folder}` : message;
  }
}

const failExists = (file: string): Outcome<never> =>
  fail('CONFIRMATION_REQUIRED', `${file} exists, and is overwritten only with --yes`, {
    field: 'file',
    hint: 'choose another name with --file, or add --yes',
  });

async function statIfAny(path: string) {
  try {
    return succeed(await lookAt(path));
  } catch (error) {
    return failUsage('file', (error as Error).message);
  }
}

/** Fetches the file of an export to its place, or to stdout, and checks that it is whole. */
export async function saveExport(
  context: Context,
  made: Export,
  file: string,
  target: Target,
): Promise<Outcome<undefined>> {
  try {
    if (file === stdoutName) return await printFile(context, made);
    const lockName = createHash('sha256').update(resolve(file)).digest('hex').slice(0, 32);
    const lockDir = join(context.environment.paths.stateDir, 'locks');
    const save = () => saveFile(context, made, file, target);
    const saved = await withLock(lockDir, `download-${lockName}`, 0, save);
    if (saved.ok || saved.failure.reason !== 'STORAGE_UNAVAILABLE') return saved;
    // Without a folder of our own: the file's own folder can be written.
    return await withLock(dirname(file), `.${basename(file)}`, 0, save, 'nothing was downloaded');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined || !/^E[A-Z]+$/.test(code)) throw error;
    return fail('OUTPUT_FAILED', `cannot write ${file}: ${message}`, {
      hint: `fix the cause, then resume with: wallet exports download ${made.id} --file ${quoteForShell(file)}`,
    });
  }
}

async function saveFile(
  context: Context,
  made: Export,
  file: string,
  target: Target,
): Promise<Outcome<undefined>> {
  const partial = `${file}.partial`;
  const opened = await openOwnFile(partial, 'file');
  if (!opened.ok) return opened;
  const handle = opened.value.file;
  let identity: FileIdentity;
  try {
    identity = await handle.stat();
    const filled = await fillPartial(context, made, handle);
    if (!filled.ok) return filled;
    await handle.sync();
  } finally {
    await handle.close();
  }
  const isThere = await publishFile({ file: identity, partial }, file, target.replaced);
  return isThere ? succeed(undefined) : failExists(file);
}

/** Goes on with what an earlier run left; where that was of another file, once from the start. */
async function fillPartial(
  context: Context,
  made: Export,
  handle: FileHandle,
): Promise<Outcome<undefined>> {
  const whole = Number(made.bytes ?? 0n);
  if ((await handle.stat()).size > whole) await handle.truncate(0);
  for (let attempt = 1; ; attempt += 1) {
    const { hash, length: start } = await hashOf(handle);
    if (start > 0) await context.reporter.detail(`resuming after ${start} bytes`);
    let length = start;
    const fetched = await fetchFile(context, made, {
      length: () => length,
      isOpen: () => true,
      write: async (data) => {
        await writeWhole(handle, data, length);
        hash.update(data);
        length += data.length;
        return succeed(undefined);
      },
    });
    if (!fetched.ok) return fetched;
    const checked = checkWhole(made, length, hash);
    if (checked.ok) return checked;
    await handle.truncate(0);
    if (attempt > 1) return checked;
    await context.reporter.note('the download does not match its checksum: starting again');
  }
}

const readSize = 256 * 1024;

async function hashOf(handle: FileHandle): Promise<{ hash: Hash; length: number }> {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(readSize);
  let length = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, 0, readSize, length);
    if (bytesRead === 0) return { hash, length };
    hash.update(buffer.subarray(0, bytesRead));
    length += bytesRead;
  }
}

function checkWhole({ id, bytes, sha256 }: Export, length: number, hash: Hash): Outcome<undefined> {
  const digest = hash.digest('hex');
  if (BigInt(length) === bytes && digest === sha256) return succeed(undefined);
  const message = `the file of export ${id} does not match its length and checksum`;
  return fail('STATEMENT_MISMATCH', message, {
    hint: "do not rely on it; ask the server's operator to check it",
  });
}

/** To stdout as it comes: whether it was right is known only at the end. */
async function printFile(context: Context, made: Export): Promise<Outcome<undefined>> {
  const { stdout } = context.io;
  const hash = createHash('sha256');
  const decoder = new StringDecoder('utf8');
  const show = (text: string): string =>
    stdout.isTerminal ? text.split('\n').map(stripControls).join('\n') : text;
  let length = 0;
  const fetched = await fetchFile(context, made, {
    length: () => length,
    isOpen: () => !stdout.fault,
    write: async (data) => {
      hash.update(data);
      length += data.length;
      await stdout.write(show(decoder.write(data)));
      return succeed(undefined);
    },
  });
  if (!fetched.ok || stdout.fault) return fetched;
  return checkWhole(made, length, hash);
}
