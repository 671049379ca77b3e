import { readWithFacts } from './secret-files.ts';

// A process that keeps root's rights when the daemon gives them up. It reads the files that were
// named when it started, when the daemon asks for one by its number, and does nothing else.

export type FileRequest = { readonly id: number; readonly index: number };
export type FileAnswer =
  | {
      readonly id: number;
      readonly base64: string;
      readonly facts: { uid: number; gid: number; mode: number; isRegular: boolean };
    }
  | { readonly id: number; readonly code: string; readonly message: string };

const paths = process.argv.slice(2);

// It ends with the daemon's channel, however the daemon ends.
for (const signal of ['SIGUSR1', 'SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => undefined);
}
process.on('disconnect', () => process.exit());
process.on('message', (message) => {
  void answer(message as FileRequest).then((reply) => process.send?.(reply));
});

async function answer({ id, index }: FileRequest): Promise<FileAnswer> {
  try {
    const { bytes, facts } = await readWithFacts(paths[index] ?? '');
    const { uid, gid, mode } = facts;
    const base64 = bytes.toString('base64');
    return { id, base64, facts: { uid, gid, mode, isRegular: facts.isFile() } };
  } catch (err) {
    const code = err instanceof Error && 'code' in err ? String(err.code) : '';
    return { id, code, message: err instanceof Error ? err.message : String(err) };
  }
}
