import type { Defect } from './defect.ts';

const journal = 'cli/commands/batch/results/journal.ts';
const crashes = ['cli/commands/batch/results/crashes.int.test.ts'];

/** Of the command line: files, streams and credentials. */
export const fileDefects: Readonly<Record<string, Defect>> = {
  'a note of the journal is not flushed': {
    file: journal,
    find: '      await add(value);\n      await file.datasync();',
    replace: '      await add(value);',
    tests: crashes,
  },
  'results are not flushed before the journal counts them': {
    file: journal,
    find: '      await partial.datasync();\n',
    replace: '',
    tests: crashes,
  },
  'the journal counts results before they are written': {
    file: journal,
    find:
      '      await write(text);\n      await partial.datasync();\n' +
      '      await journal.add({ ...line, totals: (line.totals ?? []).map(storeTotal), bytes });',
    replace:
      '      const end = bytes + Buffer.byteLength(text);\n' +
      '      await journal.add({ ...line, totals: (line.totals ?? []).map(storeTotal), bytes: end });\n' +
      '      await write(text);\n      await partial.datasync();',
    tests: crashes,
  },
  'paid keys are stored after their results': {
    file: journal,
    find: '      await addPaid?.(paidKeys);\n      await write(text);\n      await partial.datasync();',
    replace:
      '      await write(text);\n      await partial.datasync();\n      void addPaid?.(paidKeys);',
    tests: crashes,
  },
  'results get their name before they are flushed': {
    file: 'cli/commands/batch/results/sort.ts',
    find: '    await file.sync();\n',
    replace: '',
    tests: crashes,
  },
  'the folder of results is not flushed': {
    file: 'cli/commands/batch/results/run-files.ts',
    find: '  await rm(partialOf(path), { force: true });\n  await syncFolder(dirname(path));',
    replace: '  await rm(partialOf(path), { force: true });',
    tests: crashes,
  },
  'the stream of a batch is not cancelled at its time-out': {
    file: 'cli/commands/batch/send/answers.ts',
    find: '    late.isLate = true;\n    stream.cancel();',
    replace: '    late.isLate = true;',
    tests: ['cli/commands/batch/send/send.test.ts'],
  },
  'rows are sent before that is noted': {
    file: 'cli/commands/batch/send/send.ts',
    find: 'if (entry.sent.some(({ wasSent }) => !wasSent)) await options.onSend(last.row);',
    replace: 'void options.onSend(last.row).catch(() => undefined);',
    tests: ['cli/commands/batch/send/send.test.ts'],
  },
  'rows that go again do not name their position': {
    file: 'cli/commands/batch/send/sender.ts',
    find: 'row.wasSent && position !== undefined ?',
    replace: 'row.wasSent && position === "" ?',
    tests: ['cli/commands/batch/send/send.test.ts'],
  },
  'a cut-off download ends well': {
    file: 'cli/commands/exports/download-file.ts',
    find: "const failure = ended.value ?? toLostFailure('the file ended before its end');",
    replace: 'if (!ended.value) return succeed(undefined);\n    const failure = ended.value;',
    tests: ['cli/commands/exports/save.int.test.ts'],
  },
  'a download is not compared with its checksum': {
    file: 'cli/commands/exports/save.ts',
    find: 'BigInt(length) === bytes && digest === sha256',
    replace: 'BigInt(length) === bytes && digest !== ""',
    tests: ['cli/commands/exports/save.int.test.ts'],
  },
  'a download gets its name before it is flushed': {
    file: 'cli/commands/exports/save.ts',
    find: '    await handle.sync();\n',
    replace: '',
    tests: ['cli/commands/exports/save.int.test.ts'],
  },
  'room for tokens is kept after a failed refresh': {
    file: 'cli/credentials/session.ts',
    find: '  if (!tokens) await room.value.release();\n',
    replace: '',
    tests: ['cli/credentials/session.test.ts'],
  },
  'a refresh token is spent before there is room for the next': {
    file: 'cli/credentials/session.ts',
    find: '  if (!room.ok) return room;\n  const refreshed = await parts.refresh(refreshToken);',
    replace: '  const refreshed = await parts.refresh(refreshToken);\n  if (!room.ok) return room;',
    tests: ['cli/credentials/session.test.ts'],
  },
  'a command goes on as another user': {
    file: 'cli/credentials/session.ts',
    find: 'if (earlier && earlier.userId !== next?.userId)',
    replace: 'if (earlier && next === undefined)',
    tests: ['cli/credentials/session.test.ts'],
  },
};
