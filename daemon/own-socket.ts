import { lchown, lstat, mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Outcome } from './fault.ts';

/** A Unix socket by which this process reaches its own services, in a folder of its own (0700). */
export type OwnSocket = {
  readonly address: `unix:${string}`;
  remove(): Promise<void>;
};

/** Whose the folder is; `gid` where a root that becomes this user hands it over. */
export type SocketOwner = { readonly uid: number; readonly gid?: number };

const socketName = 'grpc';
// sun_path holds 104 bytes on macOS, with the closing NUL.
const maxPathBytes = 103;
/** A folder without a socket for so long is not one that somebody is just setting up. */
const setupMs = 60_000;

/**
 * Makes the folder, and removes those whose process is gone: nobody answers on their sockets. A
 * process id would not do, since containers may share the folder and not the ids.
 */
export async function openOwnSocket(owner: SocketOwner): Promise<Outcome<OwnSocket>> {
  const { uid, gid } = owner;
  const prefix = `dw-grpc-${uid}-`;
  const bases = [...new Set([...(uid === 0 ? ['/run'] : []), tmpdir(), '/tmp'])];
  for (const base of bases) {
    if (Buffer.byteLength(join(base, `${prefix}XXXXXX`, socketName)) > maxPathBytes) continue;
    await removeAbandoned(base, prefix, uid);
    const folder = await mkdtemp(join(base, prefix)).catch(() => undefined);
    if (folder === undefined) continue;
    if (gid !== undefined) await lchown(folder, uid, gid);
    return {
      ok: true,
      value: {
        address: `unix:${join(folder, socketName)}`,
        remove: () => rm(folder, { recursive: true, force: true }),
      },
    };
  }
  const what = `no folder for the daemon's own socket could be made (tried ${bases.join(', ')})`;
  return { ok: false, fault: { fault: what, hint: 'make /tmp writable for this user' } };
}

async function removeAbandoned(base: string, prefix: string, uid: number): Promise<void> {
  const names = await readdir(base).catch(() => []);
  const ours = names.filter((name) => name.startsWith(prefix));
  for (const name of ours) {
    const folder = join(base, name);
    const found = await lstat(folder).catch(() => undefined);
    if (!found?.isDirectory() || found.uid !== uid) continue;
    const state = await probe(join(folder, socketName));
    const isSettingUp = state === 'absent' && Math.abs(Date.now() - found.mtimeMs) < setupMs;
    if (state === 'answers' || isSettingUp) continue;
    await rm(folder, { recursive: true, force: true });
  }
}

function probe(path: string): Promise<'answers' | 'refuses' | 'absent'> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve('answers');
    });
    socket.once('error', (err: NodeJS.ErrnoException) => {
      if (err.code === 'ENOENT') resolve('absent');
      // Anything else that is no clear refusal, a full queue say, is somebody.
      else resolve(err.code === 'ECONNREFUSED' ? 'refuses' : 'answers');
    });
  });
}
