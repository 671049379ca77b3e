import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

import type { StoredCheckpoint } from './store.ts';

/** A file on this host to which each checkpoint's text and signature are appended. */
export type CheckpointFile = { append(checkpoint: StoredCheckpoint): Promise<void> };

/** The text of a checkpoint and its signature, as in an export. */
export const formatSigned = ({ text, signature }: Pick<StoredCheckpoint, 'text' | 'signature'>) =>
  `${text}signature ${signature}\n`;

/** Not through a link; synced before it resolves. */
export const createCheckpointFile = (path: string): CheckpointFile => ({
  append: async (checkpoint) => {
    const { O_APPEND, O_CREAT, O_WRONLY, O_NOFOLLOW } = constants;
    const file = await open(path, O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW, 0o644);
    try {
      await file.write(`${formatSigned(checkpoint)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  },
});
