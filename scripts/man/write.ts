import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { helpTopics } from '../../cli/commands/help/topics.ts';
import { buildProgram } from '../../cli/program.ts';
import { addCommands, describeProgram } from '../../daemon/program.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { buildManPages, type ManPage } from './pages.ts';

const sectionTitles: Readonly<Record<string, string>> = {
  environment: 'ENVIRONMENT',
  'exit-codes': 'EXIT STATUS',
  formats: 'OUTPUT FORMATS',
  times: 'DATES AND TIMES',
};

/** The pages of both programs, from the texts of their help. */
export async function listManPages(): Promise<readonly ManPage[]> {
  const { version } = packageJson;
  const date = await readReleaseDate();
  const wallet = buildProgram(version, () => Promise.resolve());
  const walletd = describeProgram([]);
  const stop = { signal: new AbortController().signal, findName: () => undefined };
  addCommands(
    walletd,
    {
      withConfig: () => () => Promise.resolve(),
      stop: { ...stop, ask: () => undefined, hasFailed: () => false },
    },
    () => Promise.resolve(0),
    true,
  );
  const extras = Object.entries(helpTopics).map(([name, topic]) => ({
    title: sectionTitles[name] ?? name.toUpperCase(),
    text: topic.text(),
  }));
  return [
    ...buildManPages({ program: wallet, version, date, extras }),
    ...buildManPages({ program: walletd, version, date, extras: [] }),
  ];
}

/** Writes the pages into a folder. */
export async function writeManPages(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const pages = await listManPages();
  await Promise.all(pages.map(({ file, text }) => writeFile(join(folder, file), text)));
}

/** The same for all builds of a version: the newest date in the changelog, else a fixed one. */
async function readReleaseDate(): Promise<string> {
  const text = await readFile(join(import.meta.dirname, '../../CHANGELOG.md'), 'utf8');
  return /^## \[[^\]]+\] - (\d{4}-\d{2}-\d{2})$/m.exec(text)?.[1] ?? '2026-01-01';
}
